/* Blocks gathered and scattered; gradients are the other of the two. */
#include "nn/indexed.h"

#include "nn/strided.h"

#include <string.h>

assay_status indexed_check(const nn_node *node) {
    if (node->in_dtype[1] != ASSAY_I64 && node->in_dtype[1] != ASSAY_I32)
        return nn_op_bad_dtype(node, 1, "indices are i32 or i64");
    return ASSAY_OK;
}

bool index_at(int64_t *value, const indices *from, int64_t i, int64_t size) {
    size_t each = assay_dtype_size(from->dtype);
    num_to_i64(value, (const uint8_t *)from->values + (size_t)i * each, from->dtype, 1,
               1);
    if (*value < -size || *value >= size)
        return false;
    *value += *value < 0 ? size : 0;
    return true;
}

static int64_t elements(const nn_node *node, int i, int n) {
    return nn_shape_elements(&node->in_shape[i], n);
}

/* Where block k begins in the data, in elements. */
static assay_status place_of(const nn_io *io, int64_t k, int64_t *at) {
    const nn_node *node = io->node;
    const indexed *f = node->op->family;
    const indices from = {io->in[1], node->in_dtype[1]};
    int64_t value, size;
    if (f->place(node, io->n, k, &from, at, &value, &size))
        return ASSAY_OK;
    return err_set(ASSAY_E_INVALID, "%s: index %lld is outside -%lld..%lld",
                   node->op->name, (long long)value, (long long)size,
                   (long long)size - 1);
}

/* The same with indices in float64, which the reference has; -1 where it is outside. */
static int64_t place_wide(const nn_node *node, int n, int64_t k, const double *values) {
    const indexed *f = node->op->family;
    const indices from = {values, ASSAY_F64};
    int64_t at, value, size;
    return f->place(node, n, k, &from, &at, &value, &size) ? at : -1;
}

static void blocks_of(const nn_node *node, int n, int64_t *count, int64_t *length) {
    ((const indexed *)node->op->family)->blocks(node, n, count, length);
}

/* ---- gather ---- */

assay_status gather_plan(nn_plan *p) {
    p->backward_reads = 2;
    p->backward_scratch = (size_t)elements(p->node, 0, p->batch) * sizeof(double);
    return ASSAY_OK;
}

assay_status gather_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    int64_t count, length, at;
    size_t size = assay_dtype_size(io->node->out_dtype);
    blocks_of(io->node, io->n, &count, &length);
    size_t bytes = (size_t)length * size;
    for (int64_t k = 0; k < count; k++) {
        ASSAY_TRY(place_of(io, k, &at));
        memcpy((uint8_t *)io->out + (size_t)k * bytes,
               (const uint8_t *)io->in[0] + (size_t)at * size, bytes);
    }
done:
    return status;
}

assay_status gather_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    int64_t count, length, at, total = elements(io->node, 0, io->n);
    const float *d_out = io->d_out;
    double *sum = io->scratch;
    if (!io->d_in[0])
        return ASSAY_OK;
    blocks_of(io->node, io->n, &count, &length);
    memset(sum, 0, (size_t)total * sizeof *sum);
    for (int64_t k = 0; k < count; k++) {
        ASSAY_TRY(place_of(io, k, &at));
        for (int64_t i = 0; i < length; i++)
            sum[at + i] += (double)d_out[k * length + i];
    }
    num_from_f64(io->d_in[0], ASSAY_F32, sum, (size_t)total);
done:
    return status;
}

void gather_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in) {
    (void)training;
    int64_t count, length;
    bool back = d_out && d_in[0];
    blocks_of(node, n, &count, &length);
    if (back)
        memset(d_in[0], 0, (size_t)elements(node, 0, n) * sizeof(double));
    for (int64_t k = 0; k < count; k++) {
        int64_t at = place_wide(node, n, k, in[1]);
        for (int64_t i = 0; i < length; i++) {
            out[k * length + i] = at < 0 ? 0 : in[0][at + i];
            if (back && at >= 0)
                d_in[0][at + i] += d_out[k * length + i];
        }
    }
}

/* ---- scatter ---- */

static scatter_rule rule_of(const nn_node *node) {
    int64_t rule = nn_attr_i(node, "reduction", SCATTER_NONE);
    return rule < SCATTER_NONE || rule > SCATTER_MIN ? SCATTER_NONE : (scatter_rule)rule;
}

assay_status scatter_plan(nn_plan *p) {
    if (p->backward && rule_of(p->node) > SCATTER_ADD)
        return err_set(ASSAY_E_UNSUPPORTED, "%s: this reduction has no gradient here",
                       p->node->op->name);
    p->backward_reads = 2;
    return ASSAY_OK;
}

static double combined(scatter_rule rule, double was, double update) {
    switch (rule) {
    case SCATTER_ADD:
        return was + update;
    case SCATTER_MUL:
        return was * update;
    case SCATTER_MAX:
        return was > update ? was : update;
    case SCATTER_MIN:
        return was < update ? was : update;
    case SCATTER_NONE:
        break;
    }
    return update;
}

static int64_t combined_whole(scatter_rule rule, int64_t was, int64_t update) {
    switch (rule) {
    case SCATTER_ADD:
        return (int64_t)((uint64_t)was + (uint64_t)update);
    case SCATTER_MUL:
        return (int64_t)((uint64_t)was * (uint64_t)update);
    case SCATTER_MAX:
        return was > update ? was : update;
    case SCATTER_MIN:
        return was < update ? was : update;
    case SCATTER_NONE:
        break;
    }
    return update;
}

static void
combine(scatter_rule rule, assay_dtype dtype, void *to, const void *update, int64_t n) {
    size_t size = assay_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        uint8_t *was = (uint8_t *)to + (size_t)i * size;
        const uint8_t *by = (const uint8_t *)update + (size_t)i * size;
        if (num_is_float(dtype)) {
            double a, b;
            num_to_f64(&a, was, dtype, 1, 1);
            num_to_f64(&b, by, dtype, 1, 1);
            a = combined(rule, a, b);
            num_from_f64(was, dtype, &a, 1);
        } else {
            int64_t a, b;
            num_to_i64(&a, was, dtype, 1, 1);
            num_to_i64(&b, by, dtype, 1, 1);
            a = combined_whole(rule, a, b);
            num_from_i64(was, dtype, &a, 1);
        }
    }
}

assay_status scatter_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const nn_node *node = io->node;
    scatter_rule rule = rule_of(node);
    int64_t count, length, at;
    size_t size = assay_dtype_size(node->out_dtype);
    blocks_of(node, io->n, &count, &length);
    memcpy(io->out, io->in[0], (size_t)elements(node, 0, io->n) * size);
    for (int64_t k = 0; k < count; k++) {
        ASSAY_TRY(place_of(io, k, &at));
        uint8_t *to = (uint8_t *)io->out + (size_t)at * size;
        const uint8_t *update = (const uint8_t *)io->in[2] + (size_t)(k * length) * size;
        if (rule == SCATTER_NONE)
            memcpy(to, update, (size_t)length * size);
        else
            combine(rule, node->out_dtype, to, update, length);
    }
done:
    return status;
}

assay_status scatter_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const nn_node *node = io->node;
    const float *d_out = io->d_out;
    float *d_data = io->d_in[0], *d_update = io->d_in[2];
    int64_t count, length, at;
    blocks_of(node, io->n, &count, &length);
    if (d_data)
        memcpy(d_data, d_out, (size_t)elements(node, 0, io->n) * sizeof *d_data);
    for (int64_t k = 0; k < count; k++) {
        ASSAY_TRY(place_of(io, k, &at));
        if (d_data && rule_of(node) == SCATTER_NONE)
            memset(d_data + at, 0, (size_t)length * sizeof *d_data);
        if (d_update)
            memcpy(d_update + k * length, d_out + at, (size_t)length * sizeof *d_update);
    }
done:
    return status;
}

void scatter_reference(const nn_node *node,
                       int n,
                       bool training,
                       const double *const *in,
                       double *out,
                       const double *d_out,
                       double *const *d_in) {
    (void)training;
    int64_t count, length, total = elements(node, 0, n);
    scatter_rule rule = rule_of(node);
    blocks_of(node, n, &count, &length);
    memcpy(out, in[0], (size_t)total * sizeof *out);
    if (d_out && d_in[0])
        memcpy(d_in[0], d_out, (size_t)total * sizeof *out);
    for (int64_t k = 0; k < count * length; k++) {
        int64_t first = place_wide(node, n, k / length, in[1]);
        if (first < 0)
            continue;
        int64_t at = first + k % length;
        out[at] = combined(rule, out[at], in[2][k]);
        if (d_out && d_in[0] && rule == SCATTER_NONE)
            d_in[0][at] = 0;
        if (d_out && d_in[2])
            d_in[2][k] = d_out[at];
    }
}

/* ---- places ---- */

assay_status indexed_same_but(const nn_node *node, int i, int axis) {
    const nn_shape *data = &node->in_shape[0], *s = &node->in_shape[i];
    bool fits = s->ndim == data->ndim && nn_shape_open(s) == nn_shape_open(data);
    for (int d = 0; fits && d < s->ndim; d++)
        fits = d == axis || s->dim[d] <= data->dim[d];
    return fits ? ASSAY_OK : nn_op_bad_shape(node, i, "it must fit within the data");
}

bool indexed_element(const nn_node *node,
                     int n,
                     int64_t k,
                     const indices *from,
                     int64_t *at,
                     int64_t *value,
                     int64_t *size) {
    const nn_shape *data = &node->in_shape[0], *s = &node->in_shape[1];
    int64_t stride[NN_MAX_DIMS], rest = k;
    int axis = (int)nn_attr_i(node, "axis", 0);
    axis += axis < 0 ? data->ndim : 0;
    *size = strided_size(data, axis, n);
    if (!index_at(value, from, k, *size))
        return false;
    nn_strides(data, ASSAY_ROW_MAJOR, stride);
    *at = *value * stride[axis];
    for (int d = s->ndim; d-- > 0;) {
        int64_t of = strided_size(s, d, n);
        *at += d == axis ? 0 : rest % of * stride[d];
        rest /= of;
    }
    return true;
}

void indexed_vectors(
    const nn_node *node, int n, int shared, int64_t *count, int64_t *length) {
    const nn_shape *data = &node->in_shape[0], *s = &node->in_shape[1];
    int64_t q = s->dim[s->ndim - 1];
    *count = nn_shape_elements(s, n) / q;
    *length = 1;
    for (int d = shared + (int)q; d < data->ndim; d++)
        *length *= data->dim[d];
}

bool indexed_vector(const nn_node *node,
                    int n,
                    int shared,
                    int64_t k,
                    const indices *from,
                    int64_t *at,
                    int64_t *value,
                    int64_t *size) {
    const nn_shape *data = &node->in_shape[0], *s = &node->in_shape[1];
    int64_t stride[NN_MAX_DIMS], q = s->dim[s->ndim - 1], each = 1;
    for (int d = shared; d < s->ndim - 1; d++)
        each *= strided_size(s, d, n);
    nn_strides(data, ASSAY_ROW_MAJOR, stride);
    *at = shared ? k / each * stride[shared - 1] : 0;
    for (int d = 0; d < q; d++) {
        *size = data->dim[shared + d];
        if (!index_at(value, from, k * q + d, *size))
            return false;
        *at += *value * stride[shared + d];
    }
    return true;
}
