/* Sharpens or smooths with probability p. */
#include "data/augment/photometric.h"

#include <string.h>

enum { FACTOR, P };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    photo_sharpness(dst, src, &p->in, p->value[FACTOR]);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    if (photo_happens(&s->r, p->value[P]))
        photo_sharpness_reference(dst, src, &p->in, p->value[FACTOR]);
    else
        memcpy(dst, src, photo_bytes(&p->in));
}

static const transform_arg args[] = {
    {.name = "factor", .count = 1, .initial = {2}, .least = 0, .most = 100},
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "0, p=1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "1.7, 1", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "3, 1", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "3, 1", .in = {2, 5, 3}, .out = {2, 5, 3}},
    {.args = "3, 1", .in = {5, 2, 3}, .out = {5, 2, 3}},
    {.args = "-1", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_sharpness = {
    .name = "sharpness",
    .summary = "sharpens (factor above 1) or smooths (below)",
    .details = "Against a 3 x 3 mean with the middle 5 times: torchvision's "
               "RandomAdjustSharpness, Pillow's ImageEnhance.Sharpness, the same bytes.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
