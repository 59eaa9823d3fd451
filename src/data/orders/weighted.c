/* Draws with replacement in proportion to weights: each place draws by itself, so a place
 * costs the same wherever one starts. */
#include "data/order.h"

static void begin(order_state *s, const order_setup *setup, uint32_t epoch) {
    *s = (order_state){
        .n = setup->n, .seed = setup->seed, .epoch = epoch, .alias = setup->alias};
}

static uint64_t at(const order_state *s, uint64_t i) {
    rng r = rng_at(s->seed, RNG_ORDER_DRAW, s->epoch, i);
    return alias_draw(s->alias, &r);
}

const data_order assay_order_weighted = {
    .name = "weighted",
    .summary = "drawn with replacement, in proportion to weights",
    .weights = true,
    .begin = begin,
    .at = at,
};
