/* Where pieces of memory with known lifetimes go in one arena. */
#ifndef NN_MEMPLAN_H
#define NN_MEMPLAN_H

#include "base/ctx.h"

typedef struct mem_piece {
    size_t bytes;
    int begin, end; /* steps, both inclusive */
    size_t offset;  /* filled */
} mem_piece;

/* Gives every piece an offset (a multiple of 64) so that no two that live at once
 * overlap; *total is the arena's size. Largest first, lowest place that is free: a
 * function of its arguments only. `order` holds n ints of scratch. @cost O(n^2) */
void memplan_place(mem_piece *piece, int n, int *order, size_t *total);

#endif
