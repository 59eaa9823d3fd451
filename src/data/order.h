/* Orders: in which sequence an epoch visits its samples. One file under data/orders each.
 */
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "base/rng.h"

#include <stddef.h>

/* Of one epoch; made in O(1), asked from any thread. */
typedef struct order_state {
    uint64_t n;
    rng_perm perm;
} order_state;

typedef struct data_order {
    const char *name, *summary;
    void (*begin)(order_state *s, uint64_t n, uint64_t seed, uint32_t epoch);
    /* Which of the n samples comes at place i. A permutation of [0, n). @threads safe */
    uint64_t (*at)(const order_state *s, uint64_t i);
} data_order;

size_t order_count(void);
const data_order *order_at(size_t i);
const data_order *order_find(const char *name); /* NULL if there is none */

#endif
