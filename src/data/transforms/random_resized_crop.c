/* A random window of random area and shape, resized. */
#include "data/augment/windows.h"

#include <math.h>

enum { SIZE, SCALE = 2, RATIO = 4, FILTER = 6 };
enum { TRIES = 10 };

static assay_status plan(transform_plan *p) {
    const double *v = p->value;
    if (v[SCALE] > v[SCALE + 1] || v[RATIO] > v[RATIO + 1])
        return err_set(ASSAY_E_INVALID,
                       "random_resized_crop: scale and ratio go from less to more");
    window_set_out(p);
    return ASSAY_OK;
}

static double draw_between(rng *r, double least, double most) {
    return least + (most - least) * rng_uniform(r);
}

/* When no try fitted: the middle, with the nearest shape that is allowed. */
static void fall_back(const double *ratio, int width, int height, image_box *box) {
    double shape = (double)width / (double)height;
    box->width = width;
    box->height = height;
    if (shape < ratio[0])
        box->height = (int)rint(width / ratio[0]);
    else if (shape > ratio[1])
        box->width = (int)rint(height * ratio[1]);
    if (box->width < 1)
        box->width = 1;
    if (box->height < 1)
        box->height = 1;
    box->x = (width - box->width) / 2;
    box->y = (height - box->height) / 2;
}

static void window(
    const transform_plan *p, transform_sample *s, int width, int height, image_box *box) {
    const double *scale = p->value + SCALE, *ratio = p->value + RATIO;
    double area = (double)width * (double)height;
    double low = log(ratio[0]), high = log(ratio[1]);
    for (int i = 0; i < TRIES; i++) {
        double part = area * draw_between(&s->r, scale[0], scale[1]);
        double shape = exp(draw_between(&s->r, low, high));
        double w = rint(sqrt(part * shape)), h = rint(sqrt(part / shape));
        if (!(w >= 1 && w <= width && h >= 1 && h <= height))
            continue;
        box->width = (int)w;
        box->height = (int)h;
        box->y = (int)rng_below(&s->r, (uint64_t)(height - box->height) + 1);
        box->x = (int)rng_below(&s->r, (uint64_t)(width - box->width) + 1);
        return;
    }
    fall_back(ratio, width, height, box);
}

static resample_filter filter(const transform_plan *p) {
    return (resample_filter)p->value[FILTER];
}

static const transform_arg args[] = {
    WINDOW_SIZE_ARG,
    {.name = "scale", .count = 2, .initial = {0.08, 1}, .least = 0, .most = 1},
    {.name = "ratio",
     .count = 2,
     .initial = {3.0 / 4, 4.0 / 3},
     .least = 0.001,
     .most = 1000},
    {.name = "filter", .choices = window_filters},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "224", .in = {0, 0, 3}, .out = {224, 224, 3}},
    {.args = "size=32:48, scale=0.5:1, filter=nearest",
     .in = {0, 0, 3},
     .out = {32, 48, 3}},
    {.args = "8, scale=1, ratio=0.9:3, filter=cubic",
     .in = {28, 28, 1},
     .out = {8, 8, 1}},
    {.args = "", .in = {0, 0, 3}, .refused = true},
    {.args = "224, scale=1:0.5", .in = {0, 0, 3}, .refused = true},
    {.args = "224, ratio=2:1", .in = {0, 0, 3}, .refused = true},
    {.args = "224, filter=lanczos", .in = {0, 0, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_random_resized_crop = {
    .name = "random_resized_crop",
    .summary = "resizes a window of random area and shape",
    .details = "Area drawn evenly, shape (width / height) evenly in its logarithm; 10 "
               "tries, then the middle: torchvision's RandomResizedCrop, FFCV's "
               "RandomResizedCropRGBImageDecoder (Szegedy et al. 2015).",
    .stage = TRANSFORM_WINDOW,
    .args = args,
    .plan = plan,
    .window = window,
    .filter = filter,
    .cases = cases,
};
