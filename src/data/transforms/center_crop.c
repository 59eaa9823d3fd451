/* The middle of the picture, resized. */
#include "data/augment/windows.h"

enum { SIZE, RATIO = 2, FILTER };

static assay_status plan(transform_plan *p) {
    window_set_out(p);
    return ASSAY_OK;
}

static void window(
    const transform_plan *p, transform_sample *s, int width, int height, image_box *box) {
    (void)s;
    window_central(p, width, height, p->value[RATIO], box);
}

static resample_filter filter(const transform_plan *p) {
    return (resample_filter)p->value[FILTER];
}

static const transform_arg args[] = {
    WINDOW_SIZE_ARG,
    {.name = "ratio", .count = 1, .initial = {0.875}, .least = 0.001, .most = 1},
    {.name = "filter", .choices = window_filters},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "224", .in = {0, 0, 3}, .out = {224, 224, 3}},
    {.args = "size=32:64, ratio=1, filter=triangle", .in = {0, 0, 3}, .out = {32, 64, 3}},
    {.args = "5, 0.5", .in = {28, 28, 1}, .out = {5, 5, 1}},
    {.args = "224, ratio=1.5", .in = {0, 0, 3}, .refused = true},
    {.args = "0", .in = {0, 0, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_center_crop = {
    .name = "center_crop",
    .summary = "resizes the middle of the picture",
    .details = "Square: side = int(ratio * shorter side), FFCV's "
               "CenterCropRGBImageDecoder. Otherwise the largest box of the output's "
               "shape, its sides times ratio. 0.875 is torchvision's Resize(256), "
               "CenterCrop(224).",
    .stage = TRANSFORM_WINDOW,
    .args = args,
    .plan = plan,
    .window = window,
    .filter = filter,
    .cases = cases,
};
