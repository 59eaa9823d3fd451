/* Mirrors left and right with probability p. */
#include "data/transform.h"

#include <string.h>

static assay_status plan(transform_plan *p) {
    if (!(p->value[0] >= 0 && p->value[0] <= 1))
        return err_set(ASSAY_E_INVALID, "flip: a probability lies between 0 and 1");
    p->out = p->in;
    return ASSAY_OK;
}

static bool apply(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst) {
    size_t w = (size_t)p->in.width, h = (size_t)p->in.height, c = (size_t)p->in.channels;
    if (rng_uniform(r) >= p->value[0])
        return false;
    for (size_t y = 0; y < h; y++) {
        const uint8_t *from = src + y * w * c;
        uint8_t *to = dst + y * w * c;
        if (c == 1) {
            for (size_t x = 0; x < w; x++)
                to[x] = from[w - 1 - x];
        } else if (c == 3) { /* known in advance: no call per pixel */
            for (size_t x = 0; x < w; x++)
                memcpy(to + x * 3, from + (w - 1 - x) * 3, 3);
        } else {
            for (size_t x = 0; x < w; x++)
                memcpy(to + x * c, from + (w - 1 - x) * c, c);
        }
    }
    return true;
}

static void reference(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst) {
    int w = p->in.width, c = p->in.channels;
    bool mirrored = rng_uniform(r) < p->value[0];
    for (int y = 0; y < p->in.height; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                dst[(y * w + x) * c + k] =
                    src[(y * w + (mirrored ? w - 1 - x : x)) * c + k];
}

static const transform_case cases[] = {
    {.value = {0.5}, .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.value = {0.5}, .in = {7, 5, 3}, .out = {7, 5, 3}},
    {.value = {1}, .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.value = {0}, .in = {4, 6, 1}, .out = {4, 6, 1}},
    {.value = {1.5}, .in = {4, 4, 1}, .refused = true},
    {.value = {-0.1}, .in = {4, 4, 1}, .refused = true},
    {.in = {0}},
};

const data_transform assay_transform_flip = {
    .name = "flip",
    .summary = "mirrors left and right with probability p",
    .values = "p",
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
