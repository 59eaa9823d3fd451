/* Brightness, contrast, saturation and hue at random, in random order. */
#include "data/augment/photometric.h"

#include <string.h>

enum { BRIGHTNESS, CONTRAST, SATURATION, HUE, P, STEPS = 4 };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

/* What one image goes through. */
typedef struct jitter {
    int order[STEPS], n;
    double amount[STEPS];
} jitter;

typedef void step(uint8_t *dst, const uint8_t *src, const photo_shape *s, double amount);
static step *const steps[] = {photo_brightness, photo_contrast, photo_saturation,
                              photo_hue};
static step *const references[] = {photo_brightness_reference, photo_contrast_reference,
                                   photo_saturation_reference, photo_hue_reference};

static bool draw(const transform_plan *p, transform_sample *s, jitter *j) {
    *j = (jitter){.n = 0};
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    for (int i = 0; i < STEPS; i++) {
        double most = p->value[i];
        j->amount[i] = i == HUE ? most * (2 * rng_uniform(&s->r) - 1)
                                : photo_draw_factor(&s->r, most);
        if (most > 0)
            j->order[j->n++] = i;
    }
    for (int i = j->n - 1; i > 0; i--) { /* Fisher and Yates */
        int other = (int)rng_below(&s->r, (uint64_t)i + 1), kept = j->order[i];
        j->order[i] = j->order[other];
        j->order[other] = kept;
    }
    return true;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    jitter j;
    if (!draw(p, s, &j))
        return false;
    for (int i = 0; i < j.n; i++)
        steps[j.order[i]](dst, i == 0 ? src : dst, &p->in, j.amount[j.order[i]]);
    return j.n > 0;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    jitter j;
    memcpy(dst, src, photo_bytes(&p->in));
    if (!draw(p, s, &j))
        return;
    for (int i = 0; i < j.n; i++)
        references[j.order[i]](dst, dst, &p->in, j.amount[j.order[i]]);
}

static const transform_arg args[] = {
    {.name = "brightness", .count = 1, .least = 0, .most = 100},
    {.name = "contrast", .count = 1, .least = 0, .most = 100},
    {.name = "saturation", .count = 1, .least = 0, .most = 100},
    {.name = "hue", .count = 1, .least = 0, .most = 0.5},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "0.4, 0.4, 0.4, 0.1", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "0.4, 0.3, 0.2, p=0.7", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "brightness=0.9, contrast=0.9", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "hue=0.5", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "hue=0.7", .in = {32, 32, 3}, .refused = true},
    {.args = "-0.1", .in = {32, 32, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_color_jitter = {
    .name = "color_jitter",
    .summary = "changes brightness, contrast, saturation and hue in random order",
    .details = "Factors as in brightness, contrast, saturation and hue; 0 leaves one "
               "out: torchvision's ColorJitter.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .tolerance = 2,
    .cases = cases,
};
