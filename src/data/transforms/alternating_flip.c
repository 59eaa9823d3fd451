/* Mirrors left and right in every other epoch: whether in the even or the odd ones is
 * drawn once for each sample. */
#include "data/augment/placement.h"
#include "data/transform.h"

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

/* From the seed and the sample alone; the epoch turns it over. */
static bool draw(const transform_sample *s) {
    uint64_t bits =
        rng_mix64(s->seed ^ rng_mix64(s->sample + UINT64_C(0x9E3779B97F4A7C15)));
    return ((bits >> 32) + s->epoch) % 2 == 1;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!draw(s))
        return false;
    move_mirror_x(dst, src, p->in.width, p->in.height, p->in.channels);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    int w = p->in.width, c = p->in.channels;
    bool mirrored = draw(s);
    for (int y = 0; y < p->in.height; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                dst[(y * w + x) * c + k] =
                    src[(y * w + (mirrored ? w - 1 - x : x)) * c + k];
}

static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    (void)p;
    if (draw(s))
        placement_mirror_x(at);
    return true;
}

static const transform_arg args[] = {{.name = NULL}};

static const transform_case cases[] = {
    {.args = "", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "", .in = {7, 5, 3}, .out = {7, 5, 3}},
    {.args = "0.5", .in = {4, 4, 1}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_alternating_flip = {
    .name = "alternating_flip",
    .summary = "mirrors left and right in every other epoch",
    .details = "A hash of seed and sample says whether in the even or the odd epochs, so "
               "that two epochs show each image both ways: airbench, Jordan 2024 (\"94% "
               "on CIFAR-10 in 3.29 seconds\").",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
