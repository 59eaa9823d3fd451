/* Pastes a box of the image before it in the batch into each image, and mixes their
 * labels by the box's share. */
#include "data/augment/mixing.h"

#include <math.h>
#include <string.h>

enum { ALPHA, SAME, LABELS, P };

static assay_status plan(transform_plan *p) {
    if (p->of_labels && p->image.height < 1) {
        err_set(ASSAY_E_INVALID, "cutmix: labels are mixed by the images' boxes, but no "
                                 "output of images has a cutmix");
        err_help("add it there too: image: ... | cutmix");
        return ASSAY_E_INVALID;
    }
    return mixing_plan(p, "cutmix", (mixing_labels)p->value[LABELS]);
}

static bool same_for_all(const transform_plan *p) {
    return p->value[SAME] == 0;
}

/* From `at - length / 2` on, cut at the borders. */
static void place_side(int *first, int *length, int at, int room) {
    int begin = at - *length / 2, end = at + *length / 2;
    begin = begin < 0 ? 0 : begin;
    end = end > room ? room : end;
    *first = begin;
    *length = end - begin;
}

static image_box draw_box(const transform_plan *p, uint64_t base, int i) {
    const transform_shape *s = p->of_labels ? &p->image : &p->in;
    rng r = mixing_stream(base, same_for_all(p), i);
    double side = sqrt(1 - mixing_draw_beta(&r, p->value[ALPHA]));
    image_box box = {.width = (int)(s->width * side), .height = (int)(s->height * side)};
    int x = (int)rng_below(&r, (uint64_t)s->width);
    int y = (int)rng_below(&r, (uint64_t)s->height);
    place_side(&box.x, &box.width, x, s->width);
    place_side(&box.y, &box.height, y, s->height);
    return box;
}

static double share(const transform_plan *p, uint64_t base, int i) {
    const transform_shape *s = p->of_labels ? &p->image : &p->in;
    image_box box = draw_box(p, base, i);
    double area = (double)s->width * (double)s->height;
    return 1 - (double)box.width * (double)box.height / area;
}

static void mix_image(const transform_plan *p,
                      const transform_batch *b,
                      uint64_t base,
                      int i,
                      uint8_t *own,
                      const uint8_t *other) {
    image_box box = draw_box(p, base, i);
    size_t each = output_type_bytes(b->output->type), w = (size_t)p->in.width;
    size_t planes = 1, h = (size_t)p->in.height;
    if (b->output->planar)
        planes = (size_t)b->output->channels;
    else
        each *= (size_t)b->output->channels; /* bytes of a pixel */
    for (size_t plane = 0; plane < planes; plane++)
        for (int y = box.y; y < box.y + box.height; y++) {
            size_t at = ((plane * h + (size_t)y) * w + (size_t)box.x) * each;
            memcpy(own + at, other + at, (size_t)box.width * each);
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
    {.name = "alpha", .count = 1, .initial = {1}, .least = 0.001, .most = 1000},
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

const data_transform assay_transform_cutmix = {
    .name = "cutmix",
    .summary = "pastes a box of the image before it in the batch into each image",
    .details =
        "Sides times sqrt(1 - lambda), lambda from Beta(alpha, alpha), the centre "
        "drawn evenly, the box clipped and lambda corrected by its area: Yun et al. "
        "2019; torchvision's CutMix, with the neighbour as in mixup. In a label's "
        "pipeline as mixup.",
    .stage = TRANSFORM_BATCH,
    .args = args,
    .plan = plan,
    .mix = mix,
    .label_width = label_width,
    .spread = spread,
    .cases = cases,
};
