/* One channel in the output: the luma. */
#include "data/transform.h"

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    p->out.channels = 1;
    return ASSAY_OK;
}

static void output(const transform_plan *p, image_output *o) {
    (void)p;
    o->channels = 1;
}

static const transform_arg args[] = {{.name = NULL}};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 1}},
    {.args = "", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "3", .in = {28, 28, 1}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_gray = {
    .name = "gray",
    .summary = "stores images with one channel, their luma",
    .details = "(19595 R + 38470 G + 7471 B + 32768) / 65536, as Pillow's mode L; "
               "torchvision's Grayscale(1). Stands before normalize or u8.",
    .stage = TRANSFORM_OUTPUT,
    .args = args,
    .plan = plan,
    .output = output,
    .cases = cases,
};
