/* N operations, evenly drawn from fourteen, all at one strength. */
#include "data/augment/augment.h"
#include "data/augment/photometric.h"

#include <string.h>

enum { N, MAGNITUDE, BINS, FILL, MOST = 8 };

static const augment_space space = {.shear = 0.3,
                                    .translate = 150.0 / 331.0,
                                    .rotate = 30,
                                    .enhance = 0.9,
                                    .posterize_bits = 4};

static assay_status plan(transform_plan *p) {
    if (p->value[MAGNITUDE] >= p->value[BINS])
        return err_set(ASSAY_E_INVALID, "rand_augment: magnitude %g, but %g bins",
                       p->value[MAGNITUDE], p->value[BINS]);
    p->scratch_bytes = photo_bytes(&p->in);
    p->out = p->in;
    return ASSAY_OK;
}

static int draw(const transform_plan *p,
                transform_sample *s,
                augment_step step[MOST],
                uint8_t *fill) {
    int n = (int)p->value[N];
    for (int i = 0; i < n; i++) {
        augment_op op = (augment_op)rng_below(&s->r, AUGMENT_OPS);
        bool negative = rng_below(&s->r, 2) == 1;
        step[i] = augment_at(&space, op, (int)p->value[MAGNITUDE], (int)p->value[BINS],
                             negative, &p->in);
    }
    for (int k = 0; k < 3; k++)
        fill[k] = (uint8_t)p->value[FILL + k];
    return n;
}

/* Images go back and forth between `dst` and the scratch memory. */
static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    augment_step step[MOST];
    uint8_t fill[3];
    const uint8_t *now = src;
    int n = draw(p, s, step, fill);
    for (int i = 0; i < n; i++) {
        uint8_t *to = now == dst ? s->scratch : dst;
        if (augment_apply(to, now, &p->in, &step[i], fill))
            now = to;
    }
    if (now == s->scratch)
        memcpy(dst, now, photo_bytes(&p->in));
    return now != src;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    augment_step step[MOST];
    uint8_t fill[3];
    int n = draw(p, s, step, fill);
    memcpy(dst, src, photo_bytes(&p->in));
    for (int i = 0; i < n; i++) {
        memcpy(s->scratch, dst, photo_bytes(&p->in));
        augment_reference(dst, s->scratch, &p->in, &step[i], fill);
    }
}

static const transform_arg args[] = {
    {.name = "n", .count = 1, .initial = {2}, .least = 0, .most = MOST, .whole = true},
    {.name = "magnitude",
     .count = 1,
     .initial = {9},
     .least = 0,
     .most = 1000,
     .whole = true},
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
    {.args = "3, magnitude=30, fill=128", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "8, 5, 11", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "2", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "1, 31", .in = {8, 8, 3}, .refused = true},
    {.args = "9", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_rand_augment = {
    .name = "rand_augment",
    .summary = "does n random operations at one strength",
    .details = "Cubuk et al. 2019, by torchvision's RandAugment on Pillow images: its 14 "
               "operations and strengths, nearest neighbour, each signed strength "
               "turned over half of the time.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
