/* Mirrors left and right with probability p. */
#include "data/augment/placement.h"
#include "data/transform.h"

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool draw(const transform_plan *p, transform_sample *s) {
    return rng_uniform(&s->r) < p->value[0];
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!draw(p, s))
        return false;
    move_mirror_x(dst, src, p->in.width, p->in.height, p->in.channels);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    int w = p->in.width, c = p->in.channels;
    bool mirrored = draw(p, s);
    for (int y = 0; y < p->in.height; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                dst[(y * w + x) * c + k] =
                    src[(y * w + (mirrored ? w - 1 - x : x)) * c + k];
}

static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    if (draw(p, s))
        placement_mirror_x(at);
    return true;
}

static const transform_arg args[] = {
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "0.5", .in = {7, 5, 3}, .out = {7, 5, 3}},
    {.args = "p=1", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "0", .in = {4, 6, 1}, .out = {4, 6, 1}},
    {.args = "1.5", .in = {4, 4, 1}, .refused = true},
    {.args = "-0.1", .in = {4, 4, 1}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_flip = {
    .name = "flip",
    .summary = "mirrors left and right with probability p",
    .details = "torchvision's RandomHorizontalFlip, FFCV's RandomHorizontalFlip.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
