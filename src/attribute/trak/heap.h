/* The strongest of many rows: a bounded heap with its weakest entry on top. Strength is a
 * total order (size of the score, then the lower row), so what is left does not depend on
 * the order in which rows came. */
#ifndef ATTRIBUTE_HEAP_H
#define ATTRIBUTE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct att_top {
    uint32_t row; /* UINT32_MAX, with score 0: fewer rows have that sign */
    float score;
} att_top;

typedef struct att_heap {
    att_top *item; /* borrowed, [cap]; scores are sizes */
    int count, cap;
} att_heap;

void heap_offer(att_heap *h, att_top x);
/* Strongest first into out [top], what is missing as att_top says; scores get their sign
 * back. Spoils the heap's order. */
void heap_take(att_top *out, int top, att_heap *h, bool negative);

#endif
