/* Bytes as they are. */
#include "data/transform.h"

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static void output(const transform_plan *p, image_output *o) {
    o->type = OUTPUT_U8;
    o->planar = p->value[0] != 0;
}

static const char *const layouts[] = {"nhwc", "nchw", NULL};
static const transform_arg args[] = {
    {.name = "layout", .choices = layouts},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "nchw", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "layout=chwn", .in = {28, 28, 1}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_u8 = {
    .name = "u8",
    .summary = "stores images as bytes",
    .details = "What holds when a pipeline says nothing else; layout=nchw is FFCV's "
               "ToTorchImage.",
    .stage = TRANSFORM_OUTPUT,
    .args = args,
    .plan = plan,
    .output = output,
    .cases = cases,
};
