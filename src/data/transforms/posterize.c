/* Fewer bits for each channel, with probability p. */
#include "data/augment/photometric.h"

#include <string.h>

enum { BITS, P };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    photo_posterize(dst, src, &p->in, (int)p->value[BITS]);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    if (photo_happens(&s->r, p->value[P]))
        photo_posterize_reference(dst, src, &p->in, (int)p->value[BITS]);
    else
        memcpy(dst, src, photo_bytes(&p->in));
}

static const transform_arg args[] = {
    {.name = "bits", .count = 1, .least = 0, .most = 8, .whole = true, .needed = true},
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "4", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "1, p=1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "0, 1", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "8, 1", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "", .in = {32, 32, 3}, .refused = true},
    {.args = "9", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_posterize = {
    .name = "posterize",
    .summary = "keeps so many bits of each value",
    .details = "The low bits become 0: torchvision's RandomPosterize, Pillow's "
               "ImageOps.posterize, the same bytes.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
