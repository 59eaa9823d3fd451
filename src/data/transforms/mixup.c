/* Blends each image with the one before it in the batch, and their labels alike. */
#include "data/augment/kernels.h"
#include "data/augment/mixing.h"

enum { ALPHA, SAME, LABELS, P };

static assay_status plan(transform_plan *p) {
    return mixing_plan(p, "mixup", (mixing_labels)p->value[LABELS]);
}

static bool same_for_all(const transform_plan *p) {
    return p->value[SAME] == 0;
}

static double share(const transform_plan *p, uint64_t base, int i) {
    rng r = mixing_stream(base, same_for_all(p), i);
    return mixing_draw_beta(&r, p->value[ALPHA]);
}

static void mix_image(const transform_plan *p,
                      const transform_batch *b,
                      uint64_t base,
                      int i,
                      uint8_t *own,
                      const uint8_t *other) {
    const data_kernels *k = data_kernels_used();
    float mine = (float)share(p, base, i);
    size_t n = b->image_bytes;
    switch (b->output->type) {
    case OUTPUT_U8:
        k->mix_u8(own, other, n, mine);
        return;
    case OUTPUT_F32:
        k->mix_f32((float *)(void *)own, (const float *)(const void *)other, n / 4, mine);
        return;
    case OUTPUT_F16:
        k->mix_f16((uint16_t *)(void *)own, (const uint16_t *)(const void *)other, n / 2,
                   mine);
        return;
    case OUTPUT_BF16:
        k->mix_bf16((uint16_t *)(void *)own, (const uint16_t *)(const void *)other, n / 2,
                    mine);
    }
}

static mixing_labels labels_of(const transform_plan *p) {
    return (mixing_labels)p->value[LABELS];
}

static void mix(const transform_plan *p, transform_batch *b) {
    bool happens = rng_uniform(&b->r) < p->value[P];
    uint64_t base = rng_u64(&b->r);
    if (happens && b->images != NULL)
        mixing_mix_images(p, b, base, mix_image);
    if (happens && b->labels != NULL)
        mixing_mix_labels(p, b, labels_of(p), base, share);
}

static int label_width(const transform_plan *p) {
    return mixing_label_width(p, labels_of(p));
}

static void spread(const transform_plan *p, int64_t label, float *to) {
    mixing_spread(p, labels_of(p), label, to);
}

static const char *const yes_no[] = {"yes", "no", NULL};
static const transform_arg args[] = {
    {.name = "alpha", .count = 1, .initial = {0.2}, .least = 0.001, .most = 1000},
    {.name = "same_lambda", .choices = yes_no},
    {.name = "labels", .choices = mixing_label_words},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "0.2", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "alpha=1, same_lambda=no", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "p=0.5, labels=pair", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "0", .in = {8, 8, 3}, .refused = true},
    {.args = "1, labels=hard", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_mixup = {
    .name = "mixup",
    .summary = "blends each image with the one before it in the batch",
    .details =
        "lambda x[i] + (1 - lambda) x[i - 1], lambda from Beta(alpha, alpha), one "
        "for the batch or one for each image: Zhang et al. 2017, FFCV's ImageMixup. "
        "In a label's pipeline: labels=soft gives shares of all classes (FFCV's "
        "LabelMixup and MixupToOneHot), labels=pair (label, the other label, "
        "lambda) (FFCV's LabelMixup).",
    .stage = TRANSFORM_BATCH,
    .args = args,
    .plan = plan,
    .mix = mix,
    .label_width = label_width,
    .spread = spread,
    .cases = cases,
};
