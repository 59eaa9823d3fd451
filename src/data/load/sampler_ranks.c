/* Batches of ranks: the places from `handed` on, cut into global batches and those into
 * ranks' parts. */
#include "data/load/sampler_inside.h"

/* How the places that are left are cut: `full` global batches, then one or two short. */
typedef struct cut {
    uint64_t global, full;
    uint64_t tail[2]; /* 0: none */
} cut;

static cut cut_rest(const sampler *s, uint64_t handed) {
    uint64_t left = handed < s->count ? s->count - handed : 0;
    uint64_t world = (uint64_t)s->world;
    cut c = {.global = world * (uint64_t)s->batch};
    c.full = left / c.global;
    uint64_t rest = left % c.global;
    if (s->drop_last || rest == 0)
        return c;
    if (rest >= world) {
        c.tail[0] = rest;
    } else if (c.full > 0 && s->batch > 1) {
        c.full--;
        rest += c.global;
        c.tail[0] = rest - rest / 2;
        c.tail[1] = rest / 2;
    }
    return c;
}

uint64_t sampler_batches(const sampler *s, uint64_t handed) {
    cut c = cut_rest(s, handed);
    return c.full + (c.tail[0] > 0) + (c.tail[1] > 0);
}

/* The b-th global batch from `handed` on: its first place and length, 0 behind the end.
 */
static uint64_t global_batch(const sampler *s, uint64_t handed, uint64_t b, uint64_t *n) {
    cut c = cut_rest(s, handed);
    if (b < c.full) {
        *n = c.global;
        return handed + b * c.global;
    }
    uint64_t place = handed + c.full * c.global;
    *n = b == c.full ? c.tail[0] : b == c.full + 1 ? c.tail[1] : 0;
    return b == c.full ? place : place + c.tail[0] + (b == c.full + 1 ? 0 : c.tail[1]);
}

sampler_span sampler_batch(const sampler *s, uint64_t handed, uint64_t b) {
    uint64_t n, first = global_batch(s, handed, b, &n);
    uint64_t rank = (uint64_t)s->rank, world = (uint64_t)s->world;
    uint64_t each = n / world, more = n % world; /* the first ranks have one more */
    uint64_t skip = rank * each + (rank < more ? rank : more);
    return (sampler_span){.place = first + skip, .n = (int)(each + (rank < more))};
}

uint64_t sampler_handed(const sampler *s, uint64_t handed, uint64_t b) {
    uint64_t n;
    return global_batch(s, handed, b, &n);
}
