/* Pictures as they are; all must be of one size. */
#include "data/augment/windows.h"

static assay_status plan(transform_plan *p) {
    if (p->in.height < 1) {
        err_set(ASSAY_E_SHAPE, "whole: the pictures are not all of one size");
        err_help(
            "begin with resize(size), center_crop(size) or random_resized_crop(size)");
        return ASSAY_E_SHAPE;
    }
    p->out = p->in;
    return ASSAY_OK;
}

static void window(
    const transform_plan *p, transform_sample *s, int width, int height, image_box *box) {
    (void)p;
    (void)s;
    *box = (image_box){0, 0, width, height};
}

static resample_filter filter(const transform_plan *p) {
    (void)p;
    return RESAMPLE_NEAREST;
}

static const transform_arg args[] = {{.name = NULL}};

static const transform_case cases[] = {
    {.args = "", .in = {32, 28, 3}, .out = {32, 28, 3}},
    {.args = "", .in = {0, 0, 3}, .refused = true},
    {.args = "224", .in = {32, 28, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_whole = {
    .name = "whole",
    .summary = "takes pictures as they are, all of one size",
    .details = "FFCV's SimpleRGBImageDecoder.",
    .stage = TRANSFORM_WINDOW,
    .args = args,
    .plan = plan,
    .window = window,
    .filter = filter,
    .cases = cases,
};
