/* One operation, evenly drawn from fourteen, at an evenly drawn strength. */
#include "data/augment/augment.h"
#include "data/augment/photometric.h"

enum { BINS, FILL };

static const augment_space space = {
    .shear = 0.99, .translate = 32, .rotate = 135, .enhance = 0.99, .posterize_bits = 6};

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static augment_step draw(const transform_plan *p, transform_sample *s, uint8_t fill[3]) {
    int bins = (int)p->value[BINS];
    augment_op op = (augment_op)rng_below(&s->r, AUGMENT_OPS);
    int bin = (int)rng_below(&s->r, (uint64_t)bins);
    bool negative = rng_below(&s->r, 2) == 1;
    for (int k = 0; k < 3; k++)
        fill[k] = (uint8_t)p->value[FILL + k];
    return augment_at(&space, op, bin, bins, negative, &p->in);
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    uint8_t fill[3];
    augment_step step = draw(p, s, fill);
    return augment_apply(dst, src, &p->in, &step, fill);
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    uint8_t fill[3];
    augment_step step = draw(p, s, fill);
    augment_reference(dst, src, &p->in, &step, fill);
}

static const transform_arg args[] = {
    {.name = "bins",
     .count = 1,
     .initial = {31},
     .least = 2,
     .most = 1001,
     .whole = true},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "11, fill=128", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "bins=2", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "1", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_trivial_augment = {
    .name = "trivial_augment",
    .summary = "does one random operation at a random strength",
    .details = "Mueller and Hutter 2021, by torchvision's TrivialAugmentWide on Pillow "
               "images: its 14 operations and strengths, nearest neighbour.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
