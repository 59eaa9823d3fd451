/* The nearest word, for "did you mean"; never acted upon by itself. */
#include "cli/cli.h"

#include <string.h>

enum { LONGEST = 40 };

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b. */
static size_t edits(const char *a, size_t na, const char *b, size_t nb) {
    size_t row[3][LONGEST + 1];
    size_t *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= nb; j++)
        last[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb];
}

const char *cli_nearest(const char *word,
                        const char *(*next)(const void *cookie, size_t i),
                        const void *cookie) {
    size_t n = strlen(word);
    if (n == 0 || n > LONGEST)
        return NULL;
    const char *found = NULL, *other;
    size_t best = (n + 2) / 3 + 1; /* further than this is another word */
    for (size_t i = 0; (other = next(cookie, i)) != NULL; i++) {
        size_t m = strlen(other);
        if (m == 0 || m > LONGEST)
            continue;
        /* a word cut short ("res" for "resume") is nearer than its edits say */
        size_t d =
            m > n && n >= 3 && memcmp(word, other, n) == 0 ? 1 : edits(word, n, other, m);
        if (d < best) {
            best = d;
            found = other;
        }
    }
    return found;
}
