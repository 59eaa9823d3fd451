/* Resize and Upsample of images. */
#include "nn/onnx/import.h"

#include <math.h>
#include <string.h>

/* The place of `word` in a list that NULL ends; -1. */
static int place_of(const char *word, const char *const *list) {
    for (int i = 0; list[i]; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

static assay_status read_modes(const onnx_node *node, nn_attr *attr, int *n) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const coordinates[] = {"half_pixel", "asymmetric", "align_corners",
                                              "pytorch_half_pixel", NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil",
                                            "floor", "ceil", NULL};
    assay_status status = ASSAY_OK;
    const char *mode, *coordinate, *rounding;
    double a, extra;
    int64_t outside;
    ASSAY_TRY(imp_attr_s(node, "mode", "nearest", &mode));
    ASSAY_TRY(
        imp_attr_s(node, "coordinate_transformation_mode", "half_pixel", &coordinate));
    ASSAY_TRY(imp_attr_s(node, "nearest_mode", "round_prefer_floor", &rounding));
    ASSAY_TRY(imp_attr_f(node, "cubic_coeff_a", -0.75, &a));
    ASSAY_TRY(imp_attr_f(node, "extrapolation_value", 0, &extra));
    ASSAY_TRY(imp_attr_i(node, "exclude_outside", 0, &outside));
    int m = place_of(mode, modes), c = place_of(coordinate, coordinates),
        r = place_of(rounding, roundings);
    if (m < 0 || c < 0 || r < 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "mode '%s', '%s', '%s'", mode, coordinate,
                   rounding);
    attr[(*n)++] = (nn_attr){.name = "mode", .i = {m}, .count = 1};
    attr[(*n)++] = (nn_attr){.name = "coordinates", .i = {c}, .count = 1};
    attr[(*n)++] = (nn_attr){.name = "rounding", .i = {r}, .count = 1};
    if (m == 2) {
        attr[(*n)++] = (nn_attr){.name = "cubic_a", .f = a};
        attr[(*n)++] =
            (nn_attr){.name = "exclude_outside", .i = {outside != 0}, .count = 1};
    }
done:
    return status;
}

/* Four factors or sizes; those of batch and channels must change nothing. */
static assay_status read_size(imp *im,
                              const imp_value *x,
                              imp_value *scales,
                              imp_value *sizes,
                              nn_attr *attr,
                              int *n) {
    assay_status status = ASSAY_OK;
    const imp_known *k;
    ASSAY_TRY(imp_known_of(im, scales ? scales : sizes, &k));
    if (k->count != 4 || k->ndim != 1 || x->shape.ndim != 4)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "other than images of four dimensions");
    if (scales && k->f) {
        if (k->f[0] != 1 || k->f[1] != 1)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "batch or channels are resized");
        attr[(*n)++] = (nn_attr){.name = "scale_h", .f = k->f[2]};
        attr[(*n)++] = (nn_attr){.name = "scale_w", .f = k->f[3]};
    } else if (k->i) {
        bool same = k->i[1] == x->shape.dim[1] &&
                    (x->open ? k->batch && k->batch[0] : k->i[0] == x->shape.dim[0]);
        if (!same || (k->batch && (k->batch[2] || k->batch[3])))
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "batch or channels are resized");
        attr[(*n)++] = (nn_attr){.name = "sizes", .i = {k->i[2], k->i[3]}, .count = 2};
    } else {
        ASSAY_FAIL(ASSAY_E_FORMAT, "sizes are not whole numbers");
    }
done:
    return status;
}

static bool given(const imp_value *v) {
    return v && !v->empty;
}

static assay_status resize(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *scales, *sizes = NULL;
    nn_attr attr[8];
    nn_value v;
    int n = 0;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    if (imp_attr(node, "axes") || imp_attr(node, "antialias") ||
        imp_attr(node, "keep_aspect_ratio_policy"))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "attributes of opset 18");
    if (imp_opset(im) < 11) { /* nearest and linear from the corner on */
        const char *mode;
        ASSAY_TRY(imp_attr_s(node, "mode", "nearest", &mode));
        if (strcmp(mode, "nearest") != 0 && strcmp(mode, "linear") != 0)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "mode '%s'", mode);
        attr[n++] = (nn_attr){.name = "mode", .i = {*mode == 'l'}, .count = 1};
        attr[n++] = (nn_attr){.name = "coordinates", .i = {1}, .count = 1};
        attr[n++] = (nn_attr){.name = "rounding", .i = {2}, .count = 1};
        scales = imp_optional(im, node, 1);
    } else {
        ASSAY_TRY(read_modes(node, attr, &n));
        scales = imp_optional(im, node, 2);
        sizes = imp_optional(im, node, 3);
    }
    scales = given(scales) ? scales : NULL;
    sizes = given(sizes) ? sizes : NULL;
    if (!scales == !sizes)
        ASSAY_FAIL(ASSAY_E_FORMAT, "either scales or sizes are needed");
    ASSAY_TRY(read_size(im, x, scales, sizes, attr, &n));
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, n, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {
    {"Resize", resize, "resize", 0, 10}, {"Upsample", resize, "resize", 0, 9}, {0}};
const imp_rules assay_onnx_rule_resize = {list};
