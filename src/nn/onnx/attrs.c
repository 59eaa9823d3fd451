/* Attributes of nodes, and nodes of our graph, as rules need them. */
#include "nn/onnx/import_inside.h"

#include <math.h>
#include <string.h>

const onnx_attr *imp_attr(const onnx_node *node, const char *name) {
    for (size_t i = 0; i < node->n_attr; i++)
        if (strcmp(node->attr[i].name, name) == 0)
            return &node->attr[i];
    return NULL;
}

static assay_status wrong_kind(const char *name, const char *wanted) {
    return err_set(ASSAY_E_FORMAT, "attribute '%s' is not %s", name, wanted);
}

assay_status
imp_attr_i(const onnx_node *node, const char *name, int64_t fallback, int64_t *out) {
    const onnx_attr *a = imp_attr(node, name);
    *out = a ? a->i : fallback;
    return a && a->kind != ONNX_ATTR_INT ? wrong_kind(name, "an integer") : ASSAY_OK;
}

assay_status
imp_attr_f(const onnx_node *node, const char *name, double fallback, double *out) {
    const onnx_attr *a = imp_attr(node, name);
    *out = a ? (double)a->f : fallback;
    return a && a->kind != ONNX_ATTR_FLOAT ? wrong_kind(name, "a number") : ASSAY_OK;
}

assay_status imp_attr_s(const onnx_node *node,
                        const char *name,
                        const char *fallback,
                        const char **out) {
    const onnx_attr *a = imp_attr(node, name);
    *out = a ? a->s : fallback;
    return a && a->kind != ONNX_ATTR_STRING ? wrong_kind(name, "a text") : ASSAY_OK;
}

assay_status imp_attr_ints(
    const onnx_node *node, const char *name, int most, int64_t *out, int *count) {
    const onnx_attr *a = imp_attr(node, name);
    *count = -1;
    if (!a)
        return ASSAY_OK;
    if (a->kind != ONNX_ATTR_INTS && !(a->kind == ONNX_ATTR_NONE && a->count == 0))
        return wrong_kind(name, "a list of integers");
    if (a->count > (size_t)most)
        return err_set(ASSAY_E_UNSUPPORTED,
                       "attribute '%s' has %zu numbers; up to %d "
                       "are handled",
                       name, a->count, most);
    *count = (int)a->count;
    for (int i = 0; i < *count; i++)
        out[i] = a->ints[i];
    return ASSAY_OK;
}

assay_status imp_axis(int64_t axis, int ndim, int *out) {
    *out = 0;
    if (axis < -ndim || axis >= ndim)
        return err_set(ASSAY_E_FORMAT, "axis %lld of %d dimensions", (long long)axis,
                       ndim);
    *out = (int)(axis < 0 ? axis + ndim : axis);
    return ASSAY_OK;
}

/* ---- nodes of ours ---- */

assay_status imp_op(imp *im,
                    const char *op,
                    const nn_value *in,
                    int n_in,
                    const nn_attr *attr,
                    int n_attr,
                    nn_value *out) {
    nn_value made = -1; /* `out` may be one of `in` */
    assay_status status =
        nn_op_find(op) ? nn_graph_op(im->graph, op, in, n_in, attr, n_attr, &made)
                       : err_set(ASSAY_E_UNSUPPORTED, "there is no op '%s' here", op);
    *out = made;
    return status;
}

static unsigned takes(const nn_op_def *op) {
    return op->dtypes ? op->dtypes : 1u << ASSAY_F32;
}

/* The type to compute in where `op` does not take `dtype`: it holds all its values (f64
 * excepted: floats are computed in f32). */
static bool compute_dtype(const nn_op_def *op, assay_dtype dtype, assay_dtype *out) {
    static const assay_dtype wider[][5] = {
        [ASSAY_F64] = {ASSAY_F64, ASSAY_F32, ASSAY_F32, ASSAY_F32, ASSAY_F32},
        [ASSAY_BF16] = {ASSAY_BF16, ASSAY_F32, ASSAY_F32, ASSAY_F32, ASSAY_F32},
        [ASSAY_F16] = {ASSAY_F16, ASSAY_F32, ASSAY_F32, ASSAY_F32, ASSAY_F32},
        [ASSAY_I8] = {ASSAY_I8, ASSAY_I16, ASSAY_I32, ASSAY_I64, ASSAY_F32},
        [ASSAY_U8] = {ASSAY_U8, ASSAY_I16, ASSAY_I32, ASSAY_I64, ASSAY_F32},
        [ASSAY_I16] = {ASSAY_I16, ASSAY_I32, ASSAY_I64, ASSAY_F32, ASSAY_F32},
        [ASSAY_U16] = {ASSAY_U16, ASSAY_I32, ASSAY_I64, ASSAY_F32, ASSAY_F32},
        [ASSAY_I32] = {ASSAY_I32, ASSAY_I64, ASSAY_I64, ASSAY_I64, ASSAY_I64},
        [ASSAY_U32] = {ASSAY_U32, ASSAY_I64, ASSAY_I64, ASSAY_I64, ASSAY_I64},
        [ASSAY_I64] = {ASSAY_I64, ASSAY_I64, ASSAY_I64, ASSAY_I64, ASSAY_I64},
        [ASSAY_U64] = {ASSAY_U64, ASSAY_U64, ASSAY_U64, ASSAY_U64, ASSAY_U64},
        [ASSAY_BOOL] = {ASSAY_BOOL, ASSAY_U8, ASSAY_I32, ASSAY_I64, ASSAY_F32},
    };
    *out = dtype;
    for (int i = 0; dtype != ASSAY_F32 && i < 5; i++)
        if (takes(op) >> wider[dtype][i] & 1) {
            *out = wider[dtype][i];
            return true;
        }
    return takes(op) >> dtype & 1;
}

assay_status imp_cast(imp *im, nn_value v, assay_dtype to, nn_value *out) {
    const nn_attr attr = {.name = "to", .i = {to}, .count = 1};
    *out = v;
    if (nn_graph_dtype(im->graph, v) == to)
        return ASSAY_OK;
    return imp_op(im, "cast", &v, 1, &attr, 1, out);
}

assay_status imp_op_cast(imp *im,
                         const char *name,
                         const nn_value *in,
                         int n_in,
                         const nn_attr *attr,
                         int n_attr,
                         nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value cast[NN_MAX_INPUTS];
    assay_dtype own, compute;
    const nn_op_def *op = nn_op_find(name);
    if (!op)
        return imp_op(im, name, in, n_in, attr, n_attr, out);
    if (n_in < 1 || n_in > NN_MAX_INPUTS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%d inputs", n_in);
    own = nn_graph_dtype(im->graph, in[0]);
    if (!compute_dtype(op, own, &compute))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%s of %s is not handled", name,
                   assay_dtype_name(own));
    for (int i = 0; i < n_in; i++)
        ASSAY_TRY(imp_cast(im, in[i], compute, &cast[i]));
    ASSAY_TRY(imp_op(im, name, cast, n_in, attr, n_attr, out));
    if (compute != own && nn_graph_dtype(im->graph, *out) == compute)
        ASSAY_TRY(imp_cast(im, *out, own, out));
done:
    return status;
}

assay_status imp_reshape(imp *im, nn_value v, const nn_shape *shape, nn_value *out) {
    nn_shape now = nn_graph_shape(im->graph, v);
    nn_attr attr = {.name = "shape", .count = shape->ndim};
    *out = v;
    if (nn_shape_equal(&now, shape))
        return ASSAY_OK;
    for (int i = 0; i < shape->ndim; i++)
        attr.i[i] = shape->dim[i];
    return imp_op(im, "reshape", &v, 1, &attr, 1, out);
}

assay_status imp_constant(
    imp *im, assay_dtype dtype, const nn_shape *shape, const void *data, nn_value *out) {
    assay_status status = ASSAY_OK;
    void *counted; /* against what an import may compute */
    *out = -1;
    ASSAY_TRY(imp_take(im, &counted, 1, 1));
    im->taken += (size_t)nn_shape_count(shape) * assay_dtype_size(dtype);
    ASSAY_TRY(nn_graph_constant(im->graph, "", dtype, *shape, data, out));
done:
    return status;
}

assay_status imp_known_constant(imp *im, const imp_known *k, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_shape shape = {.ndim = k->ndim};
    void *bytes = NULL;
    *out = -1;
    if (k->count == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a constant without elements");
    memcpy(shape.dim, k->dim, sizeof shape.dim);
    ASSAY_TRY(mem_new(im->ctx, &bytes, (size_t)k->count, assay_dtype_size(k->dtype)));
    imp_known_bytes(k, bytes);
    ASSAY_TRY(imp_constant(im, k->dtype, &shape, bytes, out));
done:
    mem_free(im->ctx, bytes);
    return status;
}

assay_status imp_scalar(imp *im, assay_dtype dtype, double value, nn_value *out) {
    double f = value;
    int64_t i = 0;
    bool whole = dtype != ASSAY_F32 && dtype != ASSAY_F64 && dtype != ASSAY_F16 &&
                 dtype != ASSAY_BF16;
    if (whole)
        i = (int64_t)value;
    const imp_known k = {
        .dtype = dtype, .count = 1, .f = whole ? NULL : &f, .i = whole ? &i : NULL};
    return imp_known_constant(im, &k, out);
}

assay_status imp_unary(imp *im, const char *op, nn_value v, nn_value *out) {
    return imp_op_cast(im, op, &v, 1, NULL, 0, out);
}

assay_status imp_binary(imp *im, const char *op, nn_value a, nn_value b, nn_value *out) {
    const nn_value in[2] = {a, b};
    return imp_op_cast(im, op, in, 2, NULL, 0, out);
}

assay_status imp_transpose(imp *im, nn_value v, const int *perm, int n, nn_value *out) {
    nn_attr attr = {.name = "perm", .count = n};
    bool same = true;
    for (int i = 0; i < n; i++) {
        attr.i[i] = perm[i];
        same &= perm[i] == i;
    }
    *out = v;
    return same ? ASSAY_OK : imp_op_cast(im, "transpose", &v, 1, &attr, 1, out);
}

assay_status imp_reduce(imp *im,
                        const char *op,
                        nn_value v,
                        const int64_t *axes,
                        int count,
                        bool keep,
                        nn_value *out) {
    nn_attr attr[2] = {{.name = "axes", .count = count},
                       {.name = "keepdims", .i = {keep}, .count = 1}};
    memcpy(attr[0].i, axes, (size_t)count * sizeof *axes);
    *out = v;
    return count ? imp_op_cast(im, op, &v, 1, attr, 2, out) : ASSAY_OK;
}

assay_status imp_slice(imp *im,
                       nn_value v,
                       int axis,
                       int64_t start,
                       int64_t end,
                       int64_t step,
                       nn_value *out) {
    nn_attr attr[4] = {{.name = "axes", .i = {axis}, .count = 1},
                       {.name = "starts", .i = {start}, .count = 1},
                       {.name = "ends", .i = {end}, .count = 1},
                       {.name = "steps", .i = {step}, .count = 1}};
    nn_shape s = nn_graph_shape(im->graph, v);
    *out = v;
    if (end < start && end < 0) /* down to the first */
        attr[2].i[0] = -s.dim[axis] - 1;
    if (start == 0 && step == 1 && end == s.dim[axis])
        return ASSAY_OK;
    return imp_op(im, "slice", &v, 1, attr, 4, out);
}

assay_status imp_pad(
    imp *im, nn_value v, const int64_t *amount, int mode, double value, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_shape s = nn_graph_shape(im->graph, v);
    nn_attr attr[4] = {{.name = "begins", .count = s.ndim},
                       {.name = "ends", .count = s.ndim},
                       {.name = "mode", .i = {mode}, .count = 1},
                       {.name = "value", .f = value}};
    memcpy(attr[0].i, amount, (size_t)s.ndim * sizeof *amount);
    memcpy(attr[1].i, amount + s.ndim, (size_t)s.ndim * sizeof *amount);
    ASSAY_TRY(imp_op(im, "pad", &v, 1, attr, 4, out));
done:
    return status;
}

/* A truth per example, all true, [N,1,...]: an input compared with itself, or not. */
static assay_status batch_of_truths(imp *im, int ndim, nn_value *out) {
    assay_status status = ASSAY_OK;
    imp_value *x = NULL;
    nn_value v, no;
    nn_shape shape = {.ndim = ndim};
    for (size_t i = 0; i < im->model->graph.n_in && !x; i++) {
        imp_value *in = imp_find(im, im->model->graph.in[i].name);
        x = in && in->input >= 0 && in->open && !in->empty ? in : NULL;
    }
    if (!x)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a batch without an input that has it");
    ASSAY_TRY(imp_get(im, x, &v));
    const nn_shape flat = {2, {0, nn_shape_each(&x->shape)}};
    ASSAY_TRY(imp_reshape(im, v, &flat, &v));
    ASSAY_TRY(imp_slice(im, v, 1, 0, 1, 1, &v));
    ASSAY_TRY(imp_cast(im, v, ASSAY_BOOL, &v));
    ASSAY_TRY(imp_unary(im, "not", v, &no));
    ASSAY_TRY(imp_binary(im, "or", v, no, &v));
    for (int i = 1; i < ndim; i++)
        shape.dim[i] = 1;
    ASSAY_TRY(imp_reshape(im, v, &shape, out));
done:
    return status;
}

/* Chosen where a truth per example is true, that is, for every example. */
static assay_status
over_batch(imp *im, nn_value v, const nn_shape *shape, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value in[3] = {-1, v};
    ASSAY_TRY(batch_of_truths(im, shape->ndim, &in[0]));
    ASSAY_TRY(imp_scalar(im, nn_graph_dtype(im->graph, v), 0, &in[2]));
    ASSAY_TRY(imp_op(im, "where", in, 3, NULL, 0, out));
done:
    return status;
}

assay_status imp_expand(imp *im, nn_value v, const nn_shape *shape, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_shape now = nn_graph_shape(im->graph, v), to = *shape;
    nn_attr attr = {.name = "shape", .count = shape->ndim};
    bool stretch = nn_shape_open(shape) && !nn_shape_open(&now);
    if (stretch)
        to.dim[0] = 1;
    memcpy(attr.i, to.dim, sizeof attr.i);
    *out = v;
    if (!nn_shape_equal(&now, &to))
        ASSAY_TRY(imp_op(im, "expand", &v, 1, &attr, 1, out));
    if (stretch)
        ASSAY_TRY(over_batch(im, *out, shape, out));
done:
    return status;
}
