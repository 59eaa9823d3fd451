/* Bytes to floats: (byte / 255 - mean) / std for each channel. */
#include "data/transform.h"

enum { PRESET, MEAN, STD = 4, TYPE = 7, LAYOUT };

/* Statistics that are in general use, of values in [0, 1]. */
static const char *const presets[] = {"unit",    "signed",   "byte",  "imagenet",
                                      "cifar10", "cifar100", "mnist", NULL};
static const struct {
    double mean[3], std[3];
} statistics[] = {
    {{0, 0, 0}, {1, 1, 1}},
    {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
    {{0, 0, 0}, {1.0 / 255, 1.0 / 255, 1.0 / 255}},
    {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
    {{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
    {{0.5071, 0.4865, 0.4409}, {0.2673, 0.2564, 0.2762}},
    {{0.1307, 0.1307, 0.1307}, {0.3081, 0.3081, 0.3081}},
};

static bool given(const transform_plan *p, int arg) {
    return p->given >> arg & 1;
}

static assay_status plan(transform_plan *p) {
    if (given(p, 0) && (given(p, 1) || given(p, 2)))
        return err_set(ASSAY_E_INVALID,
                       "normalize: a preset has its own mean and std; give one or the "
                       "other");
    p->out = p->in;
    return ASSAY_OK;
}

static void output(const transform_plan *p, image_output *o) {
    o->type = (output_type)(OUTPUT_F32 + (int)p->value[TYPE]);
    o->planar = p->value[LAYOUT] != 0;
    for (int c = 0; c < 3; c++) {
        int preset = (int)p->value[PRESET];
        double mean = given(p, 0) ? statistics[preset].mean[c] : p->value[MEAN + c];
        double std = given(p, 0) ? statistics[preset].std[c] : p->value[STD + c];
        o->scale[c] = (float)(1 / (255 * std));
        o->shift[c] = (float)(-mean / std);
    }
}

static const char *const types[] = {"f32", "f16", "bf16", NULL};
static const char *const layouts[] = {"nhwc", "nchw", NULL};
static const transform_arg args[] = {
    {.name = "preset", .choices = presets},
    {.name = "mean", .count = 3, .least = -1e6, .most = 1e6},
    {.name = "std", .count = 3, .initial = {1, 1, 1}, .least = 1e-6, .most = 1e6},
    {.name = "type", .choices = types},
    {.name = "layout", .choices = layouts},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "imagenet, type=f16, layout=nchw", .in = {4, 5, 3}, .out = {4, 5, 3}},
    {.args = "mean=0.5, std=0.1:0.2:0.3", .in = {4, 5, 3}, .out = {4, 5, 3}},
    {.args = "mnist, type=bf16", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "std=0", .in = {4, 5, 3}, .refused = true},
    {.args = "imagenet, std=1", .in = {4, 5, 3}, .refused = true},
    {.args = "martian", .in = {4, 5, 3}, .refused = true},
    {.args = "type=f64", .in = {4, 5, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_normalize = {
    .name = "normalize",
    .summary = "stores images as floats, (byte / 255 - mean) / std",
    .details =
        "One fused multiply-add for each value: torchvision's ToTensor and "
        "Normalize; FFCV's NormalizeImage with mean and std divided by 255. Images "
        "of one channel take the first number. Presets: unit [0, 1], signed [-1, "
        "1], byte [0, 255], and the usual statistics of data sets.",
    .stage = TRANSFORM_OUTPUT,
    .args = args,
    .plan = plan,
    .output = output,
    .cases = cases,
};
