/* A window of the output's own size at a random place: nothing is resized, unless the
 * picture is smaller. */
#include "data/augment/windows.h"

enum { SIZE, FILTER = 2 };

static assay_status plan(transform_plan *p) {
    window_set_out(p);
    return ASSAY_OK;
}

static void window(
    const transform_plan *p, transform_sample *s, int width, int height, image_box *box) {
    if (width < p->out.width || height < p->out.height)
        window_central(p, width, height, 1, box);
    else
        *box = (image_box){0, 0, p->out.width, p->out.height};
    box->y = (int)rng_below(&s->r, (uint64_t)(height - box->height) + 1);
    box->x = (int)rng_below(&s->r, (uint64_t)(width - box->width) + 1);
}

static resample_filter filter(const transform_plan *p) {
    return (resample_filter)p->value[FILTER];
}

static const transform_arg args[] = {
    WINDOW_SIZE_ARG,
    {.name = "filter", .choices = window_filters},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "32", .in = {0, 0, 3}, .out = {32, 32, 3}},
    {.args = "5:9", .in = {28, 28, 1}, .out = {5, 9, 1}},
    {.args = "", .in = {0, 0, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_random_crop = {
    .name = "random_crop",
    .summary = "cuts a window of the output's size at a random place",
    .details = "torchvision's RandomCrop. Of a picture smaller than that, the largest "
               "window of the output's shape is enlarged.",
    .stage = TRANSFORM_WINDOW,
    .args = args,
    .plan = plan,
    .window = window,
    .filter = filter,
    .cases = cases,
};
