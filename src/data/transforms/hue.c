/* Turns the hue by a random angle. */
#include "data/augment/photometric.h"

enum { MAGNITUDE, P };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static double draw(const transform_plan *p, transform_sample *s) {
    return p->value[MAGNITUDE] * (2 * rng_uniform(&s->r) - 1);
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    photo_hue(dst, src, &p->in, draw(p, s));
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    bool happens = photo_happens(&s->r, p->value[P]);
    photo_hue_reference(dst, src, &p->in, happens ? draw(p, s) : 0);
}

static const transform_arg args[] = {
    {.name = "magnitude", .count = 1, .least = 0, .most = 0.5, .needed = true},
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "0.1", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "0.5, p=1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "0.2, 1", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "0.6", .in = {32, 32, 3}, .refused = true},
    {.args = "", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_hue = {
    .name = "hue",
    .summary = "turns the hue by a random angle",
    .details = "The turn is drawn evenly from -magnitude to magnitude, 0.5 is the "
               "opposite colour; saturation and value stay: torchvision's "
               "ColorJitter(hue) on tensors, rounded to the nearest byte.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .tolerance = 1,
    .cases = cases,
};
