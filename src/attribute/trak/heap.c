/* A binary heap of rows, and its end. */
#include "attribute/trak/heap.h"

#include <stdlib.h>

static bool weaker(att_top a, att_top b) {
    return a.score != b.score ? a.score < b.score : a.row > b.row;
}

static void sift_down(att_heap *h) {
    int i = 0;
    att_top moved = h->item[0];
    for (;;) {
        int child = 2 * i + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && weaker(h->item[child + 1], h->item[child]))
            child++;
        if (!weaker(h->item[child], moved))
            break;
        h->item[i] = h->item[child];
        i = child;
    }
    h->item[i] = moved;
}

void heap_offer(att_heap *h, att_top x) {
    if (h->count == h->cap) {
        if (h->cap == 0 || !weaker(h->item[0], x))
            return;
        h->item[0] = x;
        sift_down(h);
        return;
    }
    int i = h->count++;
    while (i > 0 && weaker(x, h->item[(i - 1) / 2])) {
        h->item[i] = h->item[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->item[i] = x;
}

static int strongest_first(const void *x, const void *y) {
    const att_top *a = x, *b = y;
    return weaker(*a, *b) ? 1 : weaker(*b, *a) ? -1 : 0;
}

void heap_take(att_top *out, int top, att_heap *h, bool negative) {
    qsort(h->item, (size_t)h->count, sizeof *h->item, strongest_first);
    for (int i = 0; i < top; i++) {
        out[i] = i < h->count ? h->item[i] : (att_top){UINT32_MAX, 0};
        if (negative && i < h->count)
            out[i].score = -out[i].score;
    }
}
