/* Contrast by a random factor. */
#include "data/augment/photometric.h"

enum { MAGNITUDE, P };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    photo_contrast(dst, src, &p->in, photo_draw_factor(&s->r, p->value[MAGNITUDE]));
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    bool happens = photo_happens(&s->r, p->value[P]);
    double factor = happens ? photo_draw_factor(&s->r, p->value[MAGNITUDE]) : 1;
    photo_contrast_reference(dst, src, &p->in, factor);
}

static const transform_arg args[] = {
    {.name = "magnitude", .count = 1, .least = 0, .most = 100, .needed = true},
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "0.4", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "magnitude=2, p=1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "0.9, 0.7", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "0.3", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "-1", .in = {32, 32, 3}, .refused = true},
    {.args = "", .in = {32, 32, 3}, .refused = true},
    {.args = "0.5, 2", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_contrast = {
    .name = "contrast",
    .summary = "changes the contrast by a random factor",
    .details = "The factor is drawn evenly from max(0, 1 - magnitude) to 1 + magnitude, "
               "0 is the mean luma: FFCV's RandomContrast; torchvision's "
               "ColorJitter(contrast) on Pillow images, the same bytes.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
