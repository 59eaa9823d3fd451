/* Orders: in which sequence an epoch visits its samples. One file under data/orders each.
 */
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "base/rng.h"
#include "data/load/alias.h"

#include <stdbool.h>
#include <stddef.h>

/* What an order is told, the same for all epochs. An order reads what it needs. */
typedef struct order_setup {
    uint64_t n; /* samples to choose from, >= 1 */
    uint64_t seed;
    const alias_table *alias; /* of n weights, borrowed */
    uint64_t block_rows;      /* samples that are read in one go; 0: 1 */
    uint64_t pool_blocks;     /* blocks open at a time; 0: all */
} order_setup;

/* How quasi-random cuts n samples: data/orders/quasi_random.c. */
typedef struct order_blocks {
    uint64_t rows, count; /* of a block; of blocks, the last one being `missing` short */
    uint64_t missing;
    uint64_t windows, strata, last; /* `last`: blocks of the last stratum */
    uint64_t shift, stride;         /* of this epoch */
    uint64_t short_at;              /* where in the sequence the short block comes */
} order_blocks;

/* Of one epoch; made in O(log n) at most, asked from any thread, copied freely. */
typedef struct order_state {
    uint64_t n, seed;
    uint32_t epoch;
    rng_perm perm;
    const alias_table *alias;
    order_blocks blocks;
} order_state;

typedef struct data_order {
    const char *name, *summary;
    bool weights; /* draws with replacement by setup's alias table */
    bool rows;    /* the caller's own sequence: makes no sense without a list of rows */
    void (*begin)(order_state *s, const order_setup *setup, uint32_t epoch);
    /* Which of the n samples comes at place i. With `weights` any i will do; else i is
     * in [0, n), and the answers are a permutation of it. @threads safe */
    uint64_t (*at)(const order_state *s, uint64_t i);
} data_order;

size_t order_count(void);
const data_order *order_at(size_t i);
const data_order *order_find(const char *name); /* NULL if there is none */

#endif
