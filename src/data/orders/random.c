/* A keyed permutation, new in each epoch, without a table. */
#include "data/order.h"

static void begin(order_state *s, const order_setup *setup, uint32_t epoch) {
    *s = (order_state){.n = setup->n,
                       .perm = rng_perm_make(setup->n, setup->seed, RNG_ORDER, epoch)};
}

static uint64_t at(const order_state *s, uint64_t i) {
    return rng_perm_at(&s->perm, i);
}

const data_order assay_order_random = {
    .name = "random",
    .summary = "a permutation drawn from seed and epoch",
    .begin = begin,
    .at = at,
};
