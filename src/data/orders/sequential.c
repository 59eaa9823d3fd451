/* First to last, every epoch. */
#include "data/order.h"

static void begin(order_state *s, const order_setup *setup, uint32_t epoch) {
    (void)epoch;
    *s = (order_state){.n = setup->n};
}

static uint64_t at(const order_state *s, uint64_t i) {
    (void)s;
    return i;
}

const data_order assay_order_sequential = {
    .name = "sequential",
    .summary = "first to last",
    .begin = begin,
    .at = at,
};
