/* Constants: tensors of nodes, and values that shapes and sizes make. */
#include "nn/onnx/import.h"

#include <math.h>
#include <string.h>

/* Attributes of numbers stand for a tensor. */
static assay_status number_list(
    imp *im, const onnx_node *node, assay_dtype dtype, const onnx_attr *a, bool scalar) {
    assay_status status = ASSAY_OK;
    onnx_tensor *t;
    int64_t *dim;
    imp_value *v;
    size_t n = scalar ? 1 : a->count;
    ASSAY_TRY(imp_take(im, &t, 1, sizeof *t));
    ASSAY_TRY(imp_take(im, &dim, 1, sizeof *dim));
    *dim = (int64_t)n;
    *t = (onnx_tensor){.name = node->n_out ? node->out[0] : "",
                       .type = onnx_type_of(dtype),
                       .ndim = scalar ? 0 : 1,
                       .dim = dim};
    t->n_floats = dtype == ASSAY_F32 ? n : 0;
    t->floats = scalar ? &a->f : a->floats;
    t->n_longs = dtype == ASSAY_I64 ? n : 0;
    t->longs = scalar ? &a->i : a->ints;
    ASSAY_TRY(imp_tensor(im, node, 0, t, &v));
done:
    return status;
}

static assay_status constant(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    const onnx_attr *a = imp_attr(node, "value");
    (void)rule;
    if (a && a->kind == ONNX_ATTR_TENSOR)
        return imp_tensor(im, node, 0, a->t, &v);
    if ((a = imp_attr(node, "value_float")) && a->kind == ONNX_ATTR_FLOAT)
        return number_list(im, node, ASSAY_F32, a, true);
    if ((a = imp_attr(node, "value_int")) && a->kind == ONNX_ATTR_INT)
        return number_list(im, node, ASSAY_I64, a, true);
    if ((a = imp_attr(node, "value_floats")) && a->kind == ONNX_ATTR_FLOATS)
        return number_list(im, node, ASSAY_F32, a, false);
    if ((a = imp_attr(node, "value_ints")) && a->kind == ONNX_ATTR_INTS)
        return number_list(im, node, ASSAY_I64, a, false);
    ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a constant that is no tensor and no number");
done:
    return status;
}

static assay_status of_shape(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *shape;
    imp_known *k;
    onnx_array a = {0};
    int64_t dim[NN_MAX_DIMS];
    int n, batch;
    const onnx_attr *given = imp_attr(node, "value");
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &shape));
    ASSAY_TRY(imp_ints(im, shape, NN_MAX_DIMS, dim, &n, &batch));
    if (given && given->kind == ONNX_ATTR_TENSOR)
        ASSAY_TRY(onnx_array_read(&a, imp_ctx(im), given->t, NULL));
    if (given && a.count != 1)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'value' is not one number");
    if (batch > 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is not the first dimension");
    if (batch == 0)
        dim[0] = 1;
    ASSAY_TRY(imp_known_make(im, given ? a.dtype : ASSAY_F32, n, dim, &k));
    if (given)
        imp_fill(k, &a);
    if (batch == 0) {
        nn_shape open = {.ndim = n};
        nn_value v;
        memcpy(open.dim + 1, dim + 1, (size_t)(n - 1) * sizeof *dim);
        ASSAY_TRY(imp_known_constant(im, k, &v));
        ASSAY_TRY(imp_expand(im, v, &open, &v));
        ASSAY_TRY(imp_set(im, node, 0, v));
    } else {
        ASSAY_TRY(imp_set_known(im, node, 0, k));
    }
done:
    onnx_array_free(&a, imp_ctx(im));
    return status;
}

static assay_status range(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *v = NULL;
    imp_known *k;
    double number[3];
    (void)rule;
    for (size_t i = 0; i < 3; i++) {
        ASSAY_TRY(imp_input(im, node, i, &v));
        ASSAY_TRY(imp_number(im, v, &number[i]));
    }
    double count = ceil((number[1] - number[0]) / number[2]);
    int64_t n = count > 0 ? count > 1e7 ? -1 : (int64_t)count : 0;
    if (!(number[2] != 0) || n < 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a range from %g to %g in steps of %g", number[0],
                   number[1], number[2]);
    ASSAY_TRY(imp_known_make(im, v->dtype, 1, &n, &k));
    for (int64_t i = 0; i < n; i++)
        if (k->f)
            k->f[i] = number[0] + (double)i * number[2];
        else
            k->i[i] = (int64_t)number[0] + i * (int64_t)number[2];
    ASSAY_TRY(imp_set_known(im, node, 0, k));
done:
    return status;
}

static assay_status eye(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *like;
    imp_known *ones;
    int64_t type, offset;
    assay_dtype dtype;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &like));
    imp_note_shape(im, like);
    ASSAY_TRY(imp_attr_i(node, "dtype", onnx_type_of(like->dtype), &type));
    ASSAY_TRY(imp_attr_i(node, "k", 0, &offset));
    ASSAY_TRY(onnx_dtype(&dtype, (int)type));
    if (like->shape.ndim != 2 || like->open)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "other than a matrix of known size");
    ASSAY_TRY(imp_known_make(im, dtype, 2, like->shape.dim, &ones));
    int64_t rows = like->shape.dim[0], cols = like->shape.dim[1];
    if (offset < -rows || offset > cols)
        offset = cols;
    for (int64_t r = 0; r < rows; r++) {
        int64_t c = r + offset;
        if (c >= 0 && c < cols && ones->f)
            ones->f[r * cols + c] = 1;
        else if (c >= 0 && c < cols)
            ones->i[r * cols + c] = 1;
    }
    ASSAY_TRY(imp_set_known(im, node, 0, ones));
done:
    return status;
}

/* HannWindow and its like: a sum of cosines. */
static assay_status window(imp *im, const onnx_node *node, const imp_rule *rule) {
    static const double terms[3][3] = {
        {0.5, -0.5, 0}, {25.0 / 46, -21.0 / 46, 0}, {0.42, -0.5, 0.08}};
    assay_status status = ASSAY_OK;
    const double pi = 3.14159265358979323846;
    imp_value *size;
    imp_known *k;
    int64_t n, type, periodic;
    int count;
    assay_dtype dtype;
    ASSAY_TRY(imp_input(im, node, 0, &size));
    ASSAY_TRY(imp_ints(im, size, 1, &n, &count, NULL));
    ASSAY_TRY(imp_attr_i(node, "output_datatype", ONNX_FLOAT, &type));
    ASSAY_TRY(imp_attr_i(node, "periodic", 1, &periodic));
    ASSAY_TRY(onnx_dtype(&dtype, (int)type));
    if (count != 1 || n < 1 || n > 1 << 20)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a window of such a size");
    ASSAY_TRY(imp_known_make(im, dtype, 1, &n, &k));
    if (!k->f)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a window of whole numbers");
    for (int64_t i = 0; i < n; i++) {
        double at = 2 * pi * (double)i / (double)(periodic || n == 1 ? n : n - 1);
        const double *t = terms[rule->arg];
        k->f[i] = t[0] + t[1] * cos(at) + t[2] * cos(2 * at);
    }
    ASSAY_TRY(imp_set_known(im, node, 0, k));
done:
    return status;
}

/* Folding tells shapes and sizes; what comes here depends on the batch. */
static assay_status unknown(imp *im, const onnx_node *node, const imp_rule *rule) {
    (void)im, (void)node, (void)rule;
    return err_set(ASSAY_E_UNSUPPORTED, "it depends on the size of the batch");
}

static const imp_rule list[] = {
    {"Constant", constant, NULL, 0, 1},     {"ConstantOfShape", of_shape, NULL, 0, 1},
    {"Range", range, NULL, 0, 1},           {"EyeLike", eye, NULL, 0, 1},
    {"HannWindow", window, NULL, 0, 0},     {"HammingWindow", window, NULL, 1, 0},
    {"BlackmanWindow", window, NULL, 2, 0}, {"Shape", unknown, NULL, 0, 1},
    {"Size", unknown, NULL, 0, 1},          {0}};
const imp_rules assay_onnx_rule_constant = {list};
