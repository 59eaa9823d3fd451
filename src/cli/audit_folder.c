/* Where an audit lives, unless --output says otherwise. */
#include "cli/audit_folder.h"

#include <string.h>

void audit_folder(text *t, const char *source, const char *given) {
    if (given) {
        size_t n = strlen(given);
        while (n > 1 && given[n - 1] == '/')
            n--;
        text_put(t, given, n);
        return;
    }
    size_t end = strlen(source);
    while (end > 1 && source[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && source[start - 1] != '/')
        start--;
    static const char beton[] = ".beton";
    const size_t tail = sizeof beton - 1;
    if (end - start > tail && memcmp(source + end - tail, beton, tail) == 0)
        end -= tail;
    bool nameless = end == start || strncmp(source + start, "..", end - start) == 0;
    if (nameless) /* "/", "." and ".." */
        text_add(t, "data");
    else
        text_put(t, source + start, end - start);
    text_add(t, ".assay");
}
