/* Values that keep their elements and their order: other shapes of the same, casts. */
#include "nn/onnx/import.h"

#include <string.h>

static assay_status identity(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    ASSAY_TRY(imp_alias(im, node, 0, v));
done:
    return status;
}

/* In inference x, and a mask of ones; in training only with a ratio of 0. */
static assay_status dropout(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *ratio = imp_optional(im, node, 1),
                  *training = imp_optional(im, node, 2);
    double number = 0;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    (void)rule;
    if (training)
        ASSAY_TRY(imp_number(im, training, &number));
    if (number != 0) {
        number = 0.5;
        if (ratio)
            ASSAY_TRY(imp_number(im, ratio, &number));
        if (number != 0)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "training_mode with a ratio of %g", number);
    }
    ASSAY_TRY(imp_alias(im, node, 0, x));
    if (imp_wants(node, 1)) {
        nn_value v;
        ASSAY_TRY(imp_get(im, x, &v));
        ASSAY_TRY(imp_binary(im, "equal", v, v, &v)); /* NaN apart, all true */
        nn_value not ;
        ASSAY_TRY(imp_unary(im, "not", v, &not ));
        ASSAY_TRY(imp_binary(im, "or", v, not, &v));
        ASSAY_TRY(imp_set(im, node, 1, v));
    }
done:
    return status;
}

static assay_status flatten(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    int64_t given;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", 1, &given));
    int n = x->shape.ndim;
    int64_t axis = given < 0 ? given + n : given;
    if (axis < 0 || axis > n)
        ASSAY_FAIL(ASSAY_E_FORMAT, "axis %lld of %d dimensions", (long long)given, n);
    ASSAY_TRY(imp_get(im, x, &v));
    if (x->open && axis != 1)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is flattened with other dimensions");
    if (x->open && n > 1) {
        ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, NULL, 0, &v));
    } else {
        nn_shape flat = {2, {1, 1}};
        for (int i = 0; i < n; i++)
            flat.dim[i >= axis] *= x->shape.dim[i];
        ASSAY_TRY(imp_reshape(im, v, &flat, &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* A value in another shape, which `shape` tells; the batch stays the first dimension. */
static assay_status
reshaped(imp *im, const onnx_node *node, imp_value *x, const nn_shape *shape) {
    assay_status status = ASSAY_OK;
    nn_value v;
    ASSAY_TRY(imp_get(im, x, &v));
    if (x->open && (shape->ndim == 0 || shape->dim[0] != 0))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch would be mixed with other dimensions");
    ASSAY_TRY(imp_reshape(im, v, shape, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status reshape(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *to;
    int64_t dim[NN_MAX_DIMS], zero, rest;
    int n, batch, open = -1;
    nn_shape shape = {0};
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &to));
    ASSAY_TRY(imp_ints(im, to, NN_MAX_DIMS, dim, &n, &batch));
    ASSAY_TRY(imp_attr_i(node, "allowzero", 0, &zero));
    if (x->empty)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "no elements");
    /* Elements of one example where the batch is open. */
    rest = x->open ? nn_shape_each(&x->shape) : nn_shape_count(&x->shape);
    shape.ndim = n;
    bool keeps = batch == 0 || (x->open && n > 0 && dim[0] == 0 && !zero);
    /* -1 first can stand for the batch: if the others make up an example. */
    int64_t others = 1;
    for (int i = 1; i < n && others > 0; i++) {
        int64_t d = dim[i] == 0 && !zero && i < x->shape.ndim ? x->shape.dim[i] : dim[i];
        others = d > 0 && d <= rest / others ? others * d : 0;
    }
    keeps |= x->open && n > 0 && dim[0] == -1 && others == rest;
    if (batch > 0 || (x->open && !keeps) || (batch == 0 && !x->open))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch would be mixed with other dimensions");
    for (int i = keeps; i < n; i++) {
        int64_t d = dim[i] == 0 && !zero && i < x->shape.ndim ? x->shape.dim[i] : dim[i];
        if (d == -1 && open < 0) {
            open = i;
            continue;
        }
        if (d < 1 || rest % d)
            ASSAY_FAIL(ASSAY_E_FORMAT, "dimension %d of the new shape is %lld", i,
                       (long long)dim[i]);
        shape.dim[i] = d;
        rest /= d;
    }
    if (open >= 0)
        shape.dim[open] = rest;
    else if (rest != 1)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the new shape has another number of elements");
    ASSAY_TRY(reshaped(im, node, x, &shape));
done:
    return status;
}

/* Axes of Squeeze and Unsqueeze: an input from opset 13 on; *count -1: not said. */
static assay_status
read_axes(imp *im, const onnx_node *node, int ndim, bool *marked, int *count) {
    assay_status status = ASSAY_OK;
    imp_value *given = imp_optional(im, node, 1);
    int64_t axes[NN_MAX_DIMS];
    memset(marked, 0, NN_MAX_DIMS * sizeof *marked);
    if (given)
        ASSAY_TRY(imp_ints(im, given, NN_MAX_DIMS, axes, count, NULL));
    else
        ASSAY_TRY(imp_attr_ints(node, "axes", NN_MAX_DIMS, axes, count));
    if (ndim < 0)
        ndim = *count - ndim - 1;
    if (ndim > NN_MAX_DIMS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%d dimensions", ndim);
    for (int i = 0; i < *count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(axes[i], ndim, &axis));
        if (marked[axis])
            ASSAY_FAIL(ASSAY_E_FORMAT, "axis %d twice", axis);
        marked[axis] = true;
    }
done:
    return status;
}

static assay_status squeeze(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    bool marked[NN_MAX_DIMS];
    nn_shape shape = {0};
    int count;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(read_axes(im, node, x->shape.ndim, marked, &count));
    for (int i = 0; i < x->shape.ndim; i++) {
        bool gone = count >= 0 ? marked[i] : x->shape.dim[i] == 1;
        if (gone && x->shape.dim[i] != 1)
            ASSAY_FAIL(ASSAY_E_FORMAT, "dimension %d is not 1", i);
        if (!gone)
            shape.dim[shape.ndim++] = x->shape.dim[i];
    }
    ASSAY_TRY(reshaped(im, node, x, &shape));
done:
    return status;
}

static assay_status unsqueeze(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    bool marked[NN_MAX_DIMS];
    nn_shape shape = {0};
    int count, from = 0;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(read_axes(im, node, -1 - x->shape.ndim, marked, &count));
    if (count < 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "axes are missing");
    shape.ndim = x->shape.ndim + count;
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = marked[i] ? 1 : x->shape.dim[from++];
    ASSAY_TRY(reshaped(im, node, x, &shape));
done:
    return status;
}

static assay_status cast(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value v;
    assay_dtype to;
    if (rule->arg) {
        imp_value *like;
        ASSAY_TRY(imp_input(im, node, 1, &like));
        to = like->dtype;
    } else {
        int64_t type;
        ASSAY_TRY(imp_attr_i(node, "to", 0, &type));
        ASSAY_TRY(onnx_dtype(&to, type >= 0 && type < 100 ? (int)type : 0));
    }
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_cast(im, v, to, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"Identity", identity, NULL, 0, 1},
                                {"Dropout", dropout, NULL, 0, 7},
                                {"Flatten", flatten, "flatten", 0, 1},
                                {"Reshape", reshape, "reshape", 0, 5},
                                {"Squeeze", squeeze, "reshape", 0, 1},
                                {"Unsqueeze", unsqueeze, "reshape", 0, 1},
                                {"Cast", cast, "cast", 0, 6},
                                {"CastLike", cast, "cast", 1, 0},
                                {0}};
const imp_rules assay_onnx_rule_shape = {list};
