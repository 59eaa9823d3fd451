/* First-fit placement by decreasing size: simple, and within a few percent of the optimum
 * on the chains and short branches that vision networks are. */
#include "nn/memplan.h"

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static bool overlap_in_time(const mem_piece *a, const mem_piece *b) {
    return a->begin <= b->end && b->begin <= a->end;
}

/* The lowest offset at which `p` fits among those of order[0..placed) that live with it.
 * Those are kept sorted by offset, so one walk upward finds it. */
static size_t
lowest_fit(const mem_piece *piece, const mem_piece *p, const int *order, int placed) {
    size_t at = 0;
    for (int k = 0; k < placed; k++) {
        const mem_piece *q = &piece[order[k]];
        if (!overlap_in_time(p, q))
            continue;
        if (q->offset >= at + round_up(p->bytes))
            break;
        if (q->offset + round_up(q->bytes) > at)
            at = q->offset + round_up(q->bytes);
    }
    return at;
}

void memplan_place(mem_piece *piece, int n, int *order, size_t *total) {
    *total = 0;
    for (int i = 0; i < n; i++)
        piece[i].offset = SIZE_MAX;
    for (int placed = 0; placed < n; placed++) {
        int next = -1;
        for (int i = 0; i < n; i++)
            if (piece[i].offset == SIZE_MAX &&
                (next < 0 || piece[i].bytes > piece[next].bytes))
                next = i;
        mem_piece *p = &piece[next];
        p->offset = lowest_fit(piece, p, order, placed);
        int k = placed;
        for (; k > 0 && piece[order[k - 1]].offset > p->offset; k--)
            order[k] = order[k - 1];
        order[k] = next;
        if (p->offset + round_up(p->bytes) > *total)
            *total = p->offset + round_up(p->bytes);
    }
}
