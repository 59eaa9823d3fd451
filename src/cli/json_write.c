/* Small JSON documents, one line each. */
#include "cli/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void quoted(text *t, const char *value) {
    text_put(t, "\"", 1);
    for (const unsigned char *p = (const unsigned char *)value; *p;) {
        /* a sequence of UTF-8, checked, since file names may hold anything */
        size_t n = *p < 0x80                 ? 1
                   : *p >= 0xc2 && *p < 0xe0 ? 2
                   : *p >= 0xe0 && *p < 0xf0 ? 3
                   : *p >= 0xf0 && *p < 0xf5 ? 4
                                             : 0;
        bool good = n > 0;
        for (size_t i = 1; good && i < n; i++)
            good = (p[i] & 0xc0) == 0x80;
        if (good && ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
                     (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f)))
            good = false;
        if (!good) {
            text_add(t, "\\ufffd");
            p++;
            continue;
        }
        if (*p == '"' || *p == '\\')
            text_add(t, "\\%c", *p);
        else if (*p == '\n')
            text_add(t, "\\n");
        else if (*p < 0x20 || *p == 0x7f)
            text_add(t, "\\u%04x", *p);
        else
            text_put(t, (const char *)p, n);
        p += n;
    }
    text_put(t, "\"", 1);
}

static void key_of(text *t, const char *key) {
    if (!key)
        return;
    if (t->used && t->data[t->used - 1] != '{')
        text_add(t, ", ");
    quoted(t, key);
    text_add(t, ": ");
}

void json_open(text *t, const char *key) {
    key_of(t, key);
    text_put(t, "{", 1);
}

void json_close(text *t) {
    text_put(t, "}", 1);
}

void json_string(text *t, const char *key, const char *value) {
    key_of(t, key);
    quoted(t, value);
}

void json_uint(text *t, const char *key, uint64_t value) {
    key_of(t, key);
    text_add(t, "%" PRIu64, value);
}

void json_real(text *t, const char *key, double value) {
    key_of(t, key);
    if (isfinite(value))
        text_add(t, "%.9g", value);
    else
        text_add(t, "null");
}

void json_raw(text *t, const char *key, const char *json) {
    key_of(t, key);
    size_t n = strlen(json);
    while (n && (json[n - 1] == '\n' || json[n - 1] == ' '))
        n--;
    text_put(t, json, n);
}
