/* The picture, resized: all of it, or what remains when its shape is kept. */
#include "data/augment/windows.h"

enum { SIZE, MODE = 2, FILTER };
enum { MODE_EXACT, MODE_SHORTEST };

static assay_status plan(transform_plan *p) {
    window_set_out(p);
    return ASSAY_OK;
}

static void window(
    const transform_plan *p, transform_sample *s, int width, int height, image_box *box) {
    (void)s;
    if (p->value[MODE] == MODE_EXACT)
        *box = (image_box){0, 0, width, height};
    else
        window_central(p, width, height, 1, box);
}

static resample_filter filter(const transform_plan *p) {
    return (resample_filter)p->value[FILTER];
}

static const char *const modes[] = {"exact", "shortest", NULL};
static const transform_arg args[] = {
    WINDOW_SIZE_ARG,
    {.name = "mode", .choices = modes},
    {.name = "filter", .choices = window_filters},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "224", .in = {0, 0, 3}, .out = {224, 224, 3}},
    {.args = "32:64, shortest, cubic", .in = {0, 0, 3}, .out = {32, 64, 3}},
    {.args = "224, mode=fit", .in = {0, 0, 3}, .refused = true},
    {.args = "224:224:3", .in = {0, 0, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_resize = {
    .name = "resize",
    .summary = "resizes the whole picture",
    .details = "mode=exact: all of it, whatever its shape: torchvision's Resize((h, w)). "
               "mode=shortest: the shape is kept and what is too long is cut off on both "
               "sides: Resize(size), CenterCrop(size).",
    .stage = TRANSFORM_WINDOW,
    .args = args,
    .plan = plan,
    .window = window,
    .filter = filter,
    .cases = cases,
};
