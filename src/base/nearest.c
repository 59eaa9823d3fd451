/* Distances between names, by Wagner and Fischer's table of two rows. */
#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 40 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t count_edits(const char *a, size_t na, const char *b, size_t nb) {
    size_t row[2][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        const size_t *last = row[(i - 1) % 2];
        size_t *now = row[i % 2];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++)
            now[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
                           1 + least(last[j], now[j - 1]));
    }
    return row[na % 2][nb];
}

nearest nearest_to(const char *word) {
    /* further than a third of the word and one more is another word */
    return (nearest){.word = word, .edits = (strlen(word) + 2) / 3 + 2};
}

void nearest_offer(nearest *n, const char *name) {
    size_t nw = strlen(n->word), nn = strlen(name);
    if (nw == 0 || nw > LONGEST || nn > LONGEST)
        return;
    /* a name cut short ("mix" for "mixup") is nearer than its edits say */
    size_t edits = nn > nw && nw >= 3 && memcmp(n->word, name, nw) == 0
                       ? 1
                       : count_edits(n->word, nw, name, nn);
    if (edits < n->edits) {
        n->edits = edits;
        n->found = name;
    }
}
