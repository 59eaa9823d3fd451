/* Nodes over known numbers are computed here and now: the arithmetic on shapes that
 * exporters leave in their graphs. The size of the batch passes through as long as it is
 * only moved about. */
#include "nn/onnx/fold.h"

#include <string.h>

bool fold_has_batch(const imp_known *k, int64_t i) {
    return k->batch && k->batch[i];
}

assay_status fold_note_batch(imp *im, imp_known *k) {
    return k->batch ? ASSAY_OK : imp_take(im, &k->batch, (size_t)k->count + 1, 1);
}

assay_status
fold_move(imp *im, imp_known *dst, int64_t to, const imp_known *src, int64_t from) {
    assay_status status = ASSAY_OK;
    if (dst->f)
        dst->f[to] = src->f[from];
    else
        dst->i[to] = src->i[from];
    if (fold_has_batch(src, from)) {
        ASSAY_TRY(fold_note_batch(im, dst));
        dst->batch[to] = true;
    }
done:
    return status;
}

/* ---- results of a shape of their own ---- */

assay_status fold_make_like(fold *f, int ndim, const int64_t *dim, imp_known **out) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 0 || (dim[i] && count > IMP_KNOWN_MOST / dim[i]))
            return FOLD_NOT;
        count *= dim[i];
    }
    return imp_known_make(f->im, f->in[0]->dtype, ndim, dim, out);
}

static assay_status reshaped(fold *f, int ndim, const int64_t *dim, imp_known **out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(fold_make_like(f, ndim, dim, out));
    if ((*out)->count != f->in[0]->count)
        return FOLD_NOT;
    for (int64_t i = 0; i < (*out)->count; i++)
        ASSAY_TRY(fold_move(f->im, *out, i, f->in[0], i));
done:
    return status;
}

static assay_status fold_same(fold *f, imp_known **out) {
    return reshaped(f, f->in[0]->ndim, f->in[0]->dim, out);
}

assay_status fold_read_axes(fold *f, int input, int ndim, bool *out, int *count) {
    assay_status status = ASSAY_OK;
    int64_t axes[ASSAY_MAX_DIMS];
    memset(out, 0, ASSAY_MAX_DIMS * sizeof *out);
    *count = -1;
    if (input < f->n_in && f->in[input]) {
        const imp_known *k = f->in[input];
        if (!k->i || k->count > ASSAY_MAX_DIMS)
            return FOLD_NOT;
        *count = (int)k->count;
        memcpy(axes, k->i, (size_t)k->count * sizeof *axes);
    } else {
        ASSAY_TRY(imp_attr_ints(f->node, "axes", ASSAY_MAX_DIMS, axes, count));
    }
    for (int i = 0; i < *count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(axes[i], ndim, &axis));
        out[axis] = true;
    }
done:
    return status;
}

static assay_status fold_unsqueeze(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    bool marked[ASSAY_MAX_DIMS];
    int64_t dim[ASSAY_MAX_DIMS];
    int count, n = f->in[0]->ndim, from = 0;
    ASSAY_TRY(fold_read_axes(f, 1, ASSAY_MAX_DIMS, marked, &count));
    if (count < 0 || n + count > ASSAY_MAX_DIMS)
        return FOLD_NOT;
    ASSAY_TRY(fold_read_axes(f, 1, n + count, marked, &count));
    for (int i = 0; i < n + count; i++) {
        if (!marked[i] && from >= n)
            return FOLD_NOT;
        dim[i] = marked[i] ? 1 : f->in[0]->dim[from++];
    }
    return reshaped(f, n + count, dim, out);
done:
    return status;
}

static assay_status fold_squeeze(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    bool marked[ASSAY_MAX_DIMS];
    int64_t dim[ASSAY_MAX_DIMS];
    int count, n = 0;
    ASSAY_TRY(fold_read_axes(f, 1, f->in[0]->ndim, marked, &count));
    for (int i = 0; i < f->in[0]->ndim; i++)
        if (count >= 0 ? !marked[i] : f->in[0]->dim[i] != 1)
            dim[n++] = f->in[0]->dim[i];
    return reshaped(f, n, dim, out);
done:
    return status;
}

static assay_status fold_reshape(fold *f, imp_known **out) {
    const imp_known *to = f->n_in > 1 ? f->in[1] : NULL;
    int64_t dim[ASSAY_MAX_DIMS], count = 1;
    int open = -1;
    if (!to || !to->i || to->count > ASSAY_MAX_DIMS || to->batch)
        return FOLD_NOT;
    for (int i = 0; i < to->count; i++) {
        dim[i] = to->i[i];
        if (dim[i] == 0 && i < f->in[0]->ndim)
            dim[i] = f->in[0]->dim[i];
        if (dim[i] < 0 && open >= 0)
            return FOLD_NOT;
        if (dim[i] < 0)
            open = i;
        else if (dim[i] && count > IMP_KNOWN_MOST / dim[i])
            return FOLD_NOT;
        else
            count *= dim[i];
    }
    if (open >= 0 && count == 0)
        return FOLD_NOT;
    if (open >= 0)
        dim[open] = f->in[0]->count / count;
    return reshaped(f, (int)to->count, dim, out);
}

/* ---- moving ---- */

static assay_status fold_gather(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0], *at = f->n_in > 1 ? f->in[1] : NULL;
    int64_t dim[ASSAY_MAX_DIMS], given;
    int axis, n = 0;
    if (!at || !at->i || x->ndim == 0 || x->ndim - 1 + at->ndim > ASSAY_MAX_DIMS)
        return FOLD_NOT;
    ASSAY_TRY(imp_attr_i(f->node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, x->ndim, &axis));
    int64_t outer = 1, inner = 1, size = x->dim[axis];
    for (int i = 0; i < axis; i++)
        outer *= dim[n++] = x->dim[i];
    for (int i = 0; i < at->ndim; i++)
        dim[n++] = at->dim[i];
    for (int i = axis + 1; i < x->ndim; i++)
        inner *= dim[n++] = x->dim[i];
    ASSAY_TRY(fold_make_like(f, n, dim, out));
    for (int64_t o = 0, to = 0; o < outer; o++)
        for (int64_t k = 0; k < at->count; k++)
            for (int64_t i = 0; i < inner; i++, to++) {
                int64_t row = at->i[k] < 0 ? at->i[k] + size : at->i[k];
                if (row < 0 || row >= size || fold_has_batch(at, k))
                    return FOLD_NOT;
                ASSAY_TRY(fold_move(f->im, *out, to, x, (o * size + row) * inner + i));
            }
done:
    return status;
}

static assay_status fold_concat(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    int64_t dim[ASSAY_MAX_DIMS], given, outer = 1, inner = 1;
    int axis, ndim = f->in[0]->ndim;
    ASSAY_TRY(imp_attr_i(f->node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, ndim, &axis));
    memcpy(dim, f->in[0]->dim, sizeof dim);
    dim[axis] = 0;
    for (int k = 0; k < f->n_in; k++) {
        if (!f->in[k] || f->in[k]->ndim != ndim || !f->in[k]->f != !f->in[0]->f)
            return FOLD_NOT;
        for (int i = 0; i < ndim; i++)
            if (i != axis && f->in[k]->dim[i] != dim[i])
                return FOLD_NOT;
        dim[axis] += f->in[k]->dim[axis];
    }
    for (int i = 0; i < ndim; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : dim[i];
    ASSAY_TRY(fold_make_like(f, ndim, dim, out));
    for (int64_t o = 0, to = 0; o < outer; o++)
        for (int k = 0; k < f->n_in; k++)
            for (int64_t i = 0, n = f->in[k]->dim[axis] * inner; i < n; i++, to++)
                ASSAY_TRY(fold_move(f->im, *out, to, f->in[k], o * n + i));
done:
    return status;
}

/* Slices of lists: one dimension. */
static assay_status fold_slice(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    int64_t start, end, step = 1, size = x->dim[0];
    if (x->ndim != 1)
        return FOLD_NOT;
    if (imp_opset(f->im) < 10) {
        int n;
        ASSAY_TRY(imp_attr_ints(f->node, "starts", 1, &start, &n));
        if (n != 1)
            return FOLD_NOT;
        ASSAY_TRY(imp_attr_ints(f->node, "ends", 1, &end, &n));
        if (n != 1)
            return FOLD_NOT;
    } else {
        for (int i = 1; i < f->n_in; i++)
            if (f->in[i] && (!f->in[i]->i || f->in[i]->count != 1 || f->in[i]->batch))
                return FOLD_NOT;
        if (f->n_in < 3 || !f->in[1] || !f->in[2])
            return FOLD_NOT;
        start = f->in[1]->i[0];
        end = f->in[2]->i[0];
        step = f->n_in > 4 && f->in[4] ? f->in[4]->i[0] : 1;
    }
    if (step == 0 || step == INT64_MIN)
        return FOLD_NOT;
    int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
    start = start < 0 ? (start < -size ? least : start + size) : start;
    end = end < 0 ? (end < -size ? -1 : end + size) : end;
    start = start < least ? least : start > most ? most : start;
    end = end < least ? least : end > most ? most : end;
    int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    int64_t n = span > 0 ? (span - 1) / stride + 1 : 0;
    ASSAY_TRY(fold_make_like(f, 1, &n, out));
    for (int64_t i = 0; i < n; i++)
        ASSAY_TRY(fold_move(f->im, *out, i, x, start + i * step));
done:
    return status;
}

/* ---- shapes themselves ---- */

static assay_status fold_shape(imp *im, const onnx_node *node, imp_known **out) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    int64_t start, end;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    imp_note_shape(im, v);
    int n = v->shape.ndim;
    ASSAY_TRY(imp_attr_i(node, "start", 0, &start));
    ASSAY_TRY(imp_attr_i(node, "end", n, &end));
    start = start < 0 ? start + n : start;
    end = end < 0 ? end + n : end;
    start = start < 0 ? 0 : start > n ? n : start;
    end = end < 0 ? 0 : end > n ? n : end;
    int64_t count = end > start ? end - start : 0;
    ASSAY_TRY(imp_known_make(im, ASSAY_I64, 1, &count, out));
    for (int64_t i = 0; i < count; i++)
        (*out)->i[i] = v->shape.dim[start + i];
    if (v->open && start == 0 && count) {
        ASSAY_TRY(fold_note_batch(im, *out));
        (*out)->batch[0] = true;
    }
done:
    return status;
}

static assay_status fold_size(imp *im, const onnx_node *node, imp_known **out) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    imp_note_shape(im, v);
    if (v->open)
        return FOLD_NOT;
    ASSAY_TRY(imp_known_make(im, ASSAY_I64, 0, NULL, out));
    (*out)->i[0] = v->empty ? 0 : nn_shape_count(&v->shape);
done:
    return status;
}

/* ---- which node is what ---- */

typedef enum kind { SAME, PAIR, SINGLE, REDUCE, CALL } kind;

static const struct {
    const char *op_type;
    kind kind;
    char op;
    assay_status (*call)(fold *f, imp_known **out);
} table[] = {
    {"Identity", CALL, 0, fold_same},
    {"Cast", CALL, 0, fold_cast},
    {"Unsqueeze", CALL, 0, fold_unsqueeze},
    {"Squeeze", CALL, 0, fold_squeeze},
    {"Reshape", CALL, 0, fold_reshape},
    {"Gather", CALL, 0, fold_gather},
    {"Concat", CALL, 0, fold_concat},
    {"Slice", CALL, 0, fold_slice},
    {"Where", CALL, 0, fold_where},
    {"Expand", CALL, 0, fold_expand},
    {"Add", PAIR, '+', NULL},
    {"Sub", PAIR, '-', NULL},
    {"Mul", PAIR, '*', NULL},
    {"Div", PAIR, '/', NULL},
    {"Mod", PAIR, '%', NULL},
    {"Pow", PAIR, '^', NULL},
    {"Min", PAIR, 'm', NULL},
    {"Max", PAIR, 'M', NULL},
    {"Equal", PAIR, '=', NULL},
    {"Less", PAIR, '<', NULL},
    {"Greater", PAIR, '>', NULL},
    {"LessOrEqual", PAIR, 'l', NULL},
    {"GreaterOrEqual", PAIR, 'g', NULL},
    {"And", PAIR, '&', NULL},
    {"Or", PAIR, '|', NULL},
    {"Not", SINGLE, '!', NULL},
    {"Neg", SINGLE, 'n', NULL},
    {"Abs", SINGLE, 'a', NULL},
    {"Floor", SINGLE, 'f', NULL},
    {"Ceil", SINGLE, 'c', NULL},
    {"Round", SINGLE, 'o', NULL},
    {"Sqrt", SINGLE, 's', NULL},
    {"Relu", SINGLE, 'r', NULL},
    {"Reciprocal", SINGLE, 'i', NULL},
    {"ReduceProd", REDUCE, '*', NULL},
    {"ReduceSum", REDUCE, '+', NULL},
    {"ReduceMin", REDUCE, 'm', NULL},
    {"ReduceMax", REDUCE, 'M', NULL},
};

static assay_status try_table(imp *im, const onnx_node *node, imp_known **out) {
    fold f = {.im = im, .node = node, .n_in = (int)node->n_in};
    size_t k = 0;
    while (k < sizeof table / sizeof *table &&
           strcmp(table[k].op_type, node->op_type) != 0)
        k++;
    if (k == sizeof table / sizeof *table || node->n_in == 0 || node->n_in > 8)
        return FOLD_NOT;
    for (int i = 0; i < f.n_in; i++) {
        imp_value *v = imp_optional(im, node, (size_t)i);
        f.in[i] = v ? imp_known_now(im, v) : NULL;
        if ((v || i == 0) && !f.in[i])
            return FOLD_NOT;
    }
    switch (table[k].kind) {
    case PAIR:
        return node->n_in == 2 ? fold_pair(&f, table[k].op, out) : FOLD_NOT;
    case SINGLE:
        return fold_single(&f, table[k].op, out);
    case REDUCE:
        return fold_reduce(&f, table[k].op, out);
    default:
        return table[k].call(&f, out);
    }
}

assay_status imp_fold(imp *im, const onnx_node *node, bool *done) {
    imp_known *out = NULL;
    assay_status status;
    *done = false;
    if (strcmp(node->op_type, "Shape") == 0)
        status = fold_shape(im, node, &out);
    else if (strcmp(node->op_type, "Size") == 0)
        status = fold_size(im, node, &out);
    else
        status = try_table(im, node, &out);
    if (status == ASSAY_E_NOMEM)
        return status;
    if (status != ASSAY_OK)
        return ASSAY_OK; /* the rule says what is wrong, if anything is */
    *done = true;
    return imp_set_known(im, node, 0, out);
}
