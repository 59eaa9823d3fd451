/* Inverts with probability p. */
#include "data/augment/photometric.h"

#include <string.h>

enum { P };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    photo_solarize(dst, src, &p->in, 0);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    if (photo_happens(&s->r, p->value[P]))
        photo_solarize_reference(dst, src, &p->in, 0);
    else
        memcpy(dst, src, photo_bytes(&p->in));
}

static const transform_arg args[] = {
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "p=1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "1", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "1", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "2", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_invert = {
    .name = "invert",
    .summary = "inverts with probability p",
    .details = "255 - v: torchvision's RandomInvert.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
