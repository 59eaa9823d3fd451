/* The loops around the kernels: rows of a walk, taken in stretches that go through f32,
 * f64 or 64-bit integers in the first-level cache where their type is another. */
#include "nn/elementwise.h"

#include "base/cpu.h"
#include "nn/mixed.h"
#include "nn/walk.h"

#include <math.h>
#include <string.h>

enum { STRETCH = 512 };

const elementwise_kernels *elementwise_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &elementwise_kernels_avx512;
    case CPU_AVX2:
        return &elementwise_kernels_avx2;
    default:
        break;
    }
#endif
    return &elementwise_kernels_c;
}

/* How a value lies at run time: what computes in f32 may lie in bf16. */
static assay_dtype stored(assay_dtype dtype, bool half) {
    return half ? ASSAY_BF16 : dtype;
}

static const void *at(const void *values, assay_dtype dtype, int64_t i) {
    return (const uint8_t *)values + i * (int64_t)assay_dtype_size(dtype);
}

static void *at_mut(void *values, assay_dtype dtype, int64_t i) {
    return (uint8_t *)values + i * (int64_t)assay_dtype_size(dtype);
}

/* Elements i, i + step, ... as f32: where they lie, or in `room`. */
static const float *as_f32(float *room,
                           const void *values,
                           assay_dtype dtype,
                           int64_t i,
                           int64_t step,
                           size_t n) {
    const void *from = at(values, dtype, i);
    if (dtype == ASSAY_F32 && (step == 1 || n == 1))
        return from;
    if (dtype == ASSAY_BF16 && step == 1) {
        mixed_copy(room, false, from, true, n);
    } else if (step == 0) {
        num_to_f32(room, from, dtype, 0, 1);
        for (size_t k = 1; k < n; k++)
            room[k] = room[0];
    } else {
        num_to_f32(room, from, dtype, step, n);
    }
    return room;
}

static void
put_f32(void *values, assay_dtype dtype, int64_t i, const float *from, size_t n) {
    void *to = at_mut(values, dtype, i);
    if (dtype == ASSAY_BF16)
        mixed_copy(to, true, from, false, n);
    else
        num_from_f32(to, dtype, from, n);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- one number ---- */

assay_status unary_infer(nn_node *node) {
    const unary *f = node->op->family;
    if (!f->whole && !num_is_float(node->in_dtype[0]))
        return nn_op_bad_dtype(node, 0, "floats are needed");
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

assay_status unary_plan(nn_plan *p) {
    p->backward_reads = 1;
    return ASSAY_OK;
}

static size_t unary_count(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->in_shape[0], io->n);
}

static void unary_wide(nn_io *io, const unary *f, size_t count) {
    double x[STRETCH], slope;
    for (size_t i = 0; i < count; i += STRETCH) {
        size_t n = least(count - i, STRETCH);
        num_to_f64(x, at(io->in[0], ASSAY_F64, (int64_t)i), ASSAY_F64, 1, n);
        for (size_t k = 0; k < n; k++)
            x[k] = f->at(x[k], &slope);
        num_from_f64(at_mut(io->out, ASSAY_F64, (int64_t)i), ASSAY_F64, x, n);
    }
}

static void unary_whole(nn_io *io, const unary *f, assay_dtype dtype, size_t count) {
    int64_t x[STRETCH];
    for (size_t i = 0; i < count; i += STRETCH) {
        size_t n = least(count - i, STRETCH);
        num_to_i64(x, at(io->in[0], dtype, (int64_t)i), dtype, 1, n);
        for (size_t k = 0; k < n; k++)
            x[k] = f->whole(x[k], num_is_unsigned(dtype));
        num_from_i64(at_mut(io->out, dtype, (int64_t)i), dtype, x, n);
    }
}

assay_status unary_forward(nn_io *io) {
    const unary *f = io->node->op->family;
    assay_dtype from = stored(io->node->in_dtype[0], io->in_half & 1),
                to = stored(io->node->out_dtype, io->out_half);
    size_t count = unary_count(io);
    float x_room[STRETCH], y_room[STRETCH];
    if (from == ASSAY_F64) {
        unary_wide(io, f, count);
        return ASSAY_OK;
    }
    if (!num_is_float(from)) {
        unary_whole(io, f, from, count);
        return ASSAY_OK;
    }
    size_t step = from == ASSAY_F32 && to == ASSAY_F32 ? count : STRETCH;
    for (size_t i = 0; i < count; i += step) {
        size_t n = least(count - i, step);
        const float *x = as_f32(x_room, io->in[0], from, (int64_t)i, 1, n);
        float *y = to == ASSAY_F32 ? (float *)io->out + i : y_room;
        elementwise_kernels_get()->unary[f->kind].forward(y, x, n);
        if (to != ASSAY_F32)
            put_f32(io->out, to, (int64_t)i, y, n);
    }
    return ASSAY_OK;
}

assay_status unary_backward(nn_io *io) {
    const unary *f = io->node->op->family;
    assay_dtype from = stored(ASSAY_F32, io->in_half & 1),
                to = stored(ASSAY_F32, io->out_half);
    size_t count = unary_count(io);
    size_t step = from == ASSAY_F32 && to == ASSAY_F32 ? count : STRETCH;
    float x_room[STRETCH], y_room[STRETCH], d_room[STRETCH];
    for (size_t i = 0; i < count; i += step) {
        size_t n = least(count - i, step);
        const float *x = as_f32(x_room, io->in[0], from, (int64_t)i, 1, n);
        const float *d_y = as_f32(y_room, io->d_out, to, (int64_t)i, 1, n);
        float *d_x = from == ASSAY_F32 ? (float *)io->d_in[0] + i : d_room;
        elementwise_kernels_get()->unary[f->kind].backward(d_x, d_y, x, n);
        if (from != ASSAY_F32)
            put_f32(io->d_in[0], from, (int64_t)i, d_x, n);
    }
    return ASSAY_OK;
}

void unary_reference(const nn_node *node,
                     int n,
                     bool training,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in) {
    (void)training;
    const unary *f = node->op->family;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        double slope = 0;
        out[i] = f->at(in[0][i], &slope);
        if (d_out && d_in[0])
            d_in[0][i] = d_out[i] * slope;
    }
}

/* ---- two numbers ---- */

assay_status binary_infer(nn_node *node) {
    const binary *f = node->op->family;
    assay_dtype a = node->in_dtype[0], b = node->in_dtype[1];
    if (a != b && !f->mixed)
        return nn_op_bad_dtype(node, 1, "both inputs must have one element type");
    if (!f->whole && !num_is_float(a))
        return nn_op_bad_dtype(node, 0, "floats are needed");
    node->out_dtype = f->kind < 0 && node->op->no_grad ? ASSAY_BOOL : a;
    return walk_broadcast(node);
}

/* Whether input i has fewer elements than the output, so that some of them repeat. */
static bool repeats(const nn_node *node, int i) {
    const nn_shape *s = &node->in_shape[i], *out = &node->out_shape;
    return nn_shape_open(s) != nn_shape_open(out) ||
           nn_shape_elements(s, 1) != nn_shape_elements(out, 1);
}

static size_t sum_bytes(const nn_node *node, int i, int n) {
    return (size_t)nn_shape_elements(&node->in_shape[i], n) * sizeof(double);
}

static bool needs_inputs(const binary *f) {
    return f->kind != BINARY_ADD && f->kind != BINARY_SUB;
}

assay_status binary_plan(nn_plan *p) {
    p->backward_reads = needs_inputs(p->node->op->family) ? 3 : 0;
    for (int i = 0; i < 2; i++)
        if (p->want_d[i] && repeats(p->node, i))
            p->backward_scratch += sum_bytes(p->node, i, p->batch);
    return ASSAY_OK;
}

static void walk_out(nn_walk *w, const nn_io *io) {
    static const int both[] = {0, 1};
    walk_make(w, io->node, &io->node->out_shape, io->node->out_layout, io->n, both, 2);
}

static assay_status no_value(const nn_io *io) {
    return err_set(ASSAY_E_NUMERIC, "%s: an integer divided by zero, or its like",
                   io->node->op->name);
}

static assay_status
whole_row(nn_io *io, const binary *f, const nn_walk *w, const walk_row *row) {
    const nn_node *node = io->node;
    int64_t a[STRETCH], b[STRETCH], *in[2] = {a, b}, y[STRETCH];
    bool is_unsigned = num_is_unsigned(node->in_dtype[0]);
    for (size_t i = 0; i < walk_length(w); i += STRETCH) {
        size_t n = least(walk_length(w) - i, STRETCH);
        for (int k = 0; k < 2; k++) {
            int64_t step = walk_step(w, k), first = row->at[k] + (int64_t)i * step;
            num_to_i64(in[k], at(io->in[k], node->in_dtype[k], first), node->in_dtype[k],
                       step, n);
        }
        for (size_t k = 0; k < n; k++)
            if (!f->whole(&y[k], a[k], b[k], is_unsigned))
                return no_value(io);
        num_from_i64(at_mut(io->out, node->out_dtype, row->first + (int64_t)i),
                     node->out_dtype, y, n);
    }
    return ASSAY_OK;
}

static void wide_row(nn_io *io, const binary *f, const nn_walk *w, const walk_row *row) {
    const nn_node *node = io->node;
    double a[STRETCH], b[STRETCH], *in[2] = {a, b};
    for (size_t i = 0; i < walk_length(w); i += STRETCH) {
        size_t n = least(walk_length(w) - i, STRETCH);
        for (int k = 0; k < 2; k++) {
            assay_dtype dtype = stored(node->in_dtype[k], io->in_half >> k & 1);
            int64_t step = walk_step(w, k), first = row->at[k] + (int64_t)i * step;
            num_to_f64(in[k], at(io->in[k], dtype, first), dtype, step, n);
        }
        for (size_t k = 0; k < n; k++)
            a[k] = f->at(a[k], b[k], NULL);
        assay_dtype to = stored(node->out_dtype, io->out_half);
        num_from_f64(at_mut(io->out, to, row->first + (int64_t)i), to, a, n);
    }
}

/* What a row in f32 is made of. */
typedef struct operands {
    assay_dtype in[2], out;
    size_t stretch;
} operands;

static operands operands_of(const nn_io *io, const nn_walk *w) {
    operands o = {.out = stored(io->node->out_dtype, io->out_half)};
    bool direct = o.out == ASSAY_F32;
    for (int k = 0; k < 2; k++) {
        o.in[k] = stored(io->node->in_dtype[k], io->in_half >> k & 1);
        direct &= o.in[k] == ASSAY_F32 && walk_step(w, k) == 1;
    }
    o.stretch = direct ? walk_length(w) : STRETCH;
    return o;
}

static void f32_row(nn_io *io,
                    const binary *f,
                    const nn_walk *w,
                    const walk_row *row,
                    const operands *o) {
    float room[2][STRETCH], y_room[STRETCH];
    const float *in[2];
    for (size_t i = 0; i < walk_length(w); i += o->stretch) {
        size_t n = least(walk_length(w) - i, o->stretch);
        for (int k = 0; k < 2; k++) {
            int64_t step = walk_step(w, k);
            in[k] = as_f32(room[k], io->in[k], o->in[k], row->at[k] + (int64_t)i * step,
                           step, n);
        }
        int64_t first = row->first + (int64_t)i;
        float *y = o->out == ASSAY_F32 ? (float *)io->out + first : y_room;
        elementwise_kernels_get()->binary[f->kind].forward(y, in[0], in[1], n);
        if (o->out != ASSAY_F32)
            put_f32(io->out, o->out, first, y, n);
    }
}

assay_status binary_run(nn_io *io, const binary *f) {
    const nn_node *node = io->node;
    assay_dtype a = node->in_dtype[0], b = node->in_dtype[1];
    nn_walk w;
    walk_row row = {0};
    walk_out(&w, io);
    operands o = operands_of(io, &w);
    bool whole = !num_is_float(a) && !num_is_float(b);
    bool wide = f->kind < 0 || a != b || a == ASSAY_F64;
    while (walk_next(&w, &row)) {
        if (whole) {
            assay_status status = whole_row(io, f, &w, &row);
            if (status != ASSAY_OK)
                return status;
        } else if (wide) {
            wide_row(io, f, &w, &row);
        } else {
            f32_row(io, f, &w, &row, &o);
        }
    }
    return ASSAY_OK;
}

assay_status binary_forward(nn_io *io) {
    return binary_run(io, io->node->op->family);
}

/* Where the gradient of an input goes: to its place, or to sums. */
typedef struct drain {
    void *to;    /* NULL: nowhere */
    double *sum; /* if it repeats */
    assay_dtype dtype;
} drain;

static void
drain_put(const drain *d, const float *from, int64_t i, int64_t step, size_t n) {
    if (!d->to)
        return;
    if (d->sum && step == 0) {
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += from[k];
        d->sum[i] += sum;
    } else if (d->sum) {
        for (size_t k = 0; k < n; k++)
            d->sum[i + (int64_t)k * step] += from[k];
    } else if (step == 1) {
        put_f32(d->to, d->dtype, i, from, n);
    } else {
        for (size_t k = 0; k < n; k++)
            num_from_f32(at_mut(d->to, d->dtype, i + (int64_t)k * step), d->dtype,
                         from + k, 1);
    }
}

static void backward_row(nn_io *io,
                         const binary *f,
                         const nn_walk *w,
                         const walk_row *row,
                         const operands *o,
                         const drain *drains) {
    float room[2][STRETCH], y_room[STRETCH], d_room[2][STRETCH];
    for (size_t i = 0; i < walk_length(w); i += STRETCH) {
        size_t n = least(walk_length(w) - i, STRETCH);
        const float *d_y =
            as_f32(y_room, io->d_out, o->out, row->first + (int64_t)i, 1, n);
        const float *in[2] = {d_y, d_y};
        int64_t first[2];
        for (int k = 0; k < 2; k++) {
            int64_t step = walk_step(w, k);
            first[k] = row->at[k] + (int64_t)i * step;
            if (needs_inputs(f))
                in[k] = as_f32(room[k], io->in[k], o->in[k], first[k], step, n);
        }
        elementwise_kernels_get()->binary[f->kind].backward(d_room[0], d_room[1], d_y,
                                                            in[0], in[1], n);
        for (int k = 0; k < 2; k++)
            drain_put(&drains[k], d_room[k], first[k], walk_step(w, k), n);
    }
}

assay_status binary_backward(nn_io *io) {
    const nn_node *node = io->node;
    uint8_t *scratch = io->scratch;
    drain drains[2];
    nn_walk w;
    walk_row row = {0};
    walk_out(&w, io);
    operands o = operands_of(io, &w);
    for (int k = 0; k < 2; k++) {
        drains[k] = (drain){.to = io->d_in[k], .dtype = o.in[k]};
        if (!io->d_in[k] || !repeats(node, k))
            continue;
        drains[k].sum = (double *)(void *)scratch;
        memset(scratch, 0, sum_bytes(node, k, io->n));
        scratch += sum_bytes(node, k, io->n);
    }
    while (walk_next(&w, &row))
        backward_row(io, node->op->family, &w, &row, &o, drains);
    for (int k = 0; k < 2; k++)
        if (drains[k].to && drains[k].sum)
            num_from_f64(drains[k].to, drains[k].dtype, drains[k].sum,
                         sum_bytes(node, k, io->n) / sizeof(double));
    return ASSAY_OK;
}

static double
reference_at(const nn_node *node, const binary *f, double a, double b, double slope[2]) {
    assay_dtype dtype = node->in_dtype[0];
    if (num_is_float(dtype) || num_is_float(node->in_dtype[1]))
        return f->at(a, b, slope);
    int64_t whole;
    uint8_t bytes[8];
    double y = NAN;
    if (f->whole(&whole, (int64_t)a, (int64_t)b, num_is_unsigned(dtype))) {
        num_from_i64(bytes, node->out_dtype, &whole, 1);
        num_to_f64(&y, bytes, node->out_dtype, 1, 1);
    }
    return y;
}

void binary_reference_as(const nn_node *node,
                         const binary *f,
                         int n,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    const nn_shape *shape = &node->out_shape;
    int64_t to[NN_MAX_DIMS], from[2][NN_MAX_DIMS];
    nn_strides(shape, node->out_layout, to);
    for (int k = 0; k < 2; k++) {
        nn_strides(&node->in_shape[k], node->in_layout[k], from[k]);
        if (d_out && d_in[k])
            memset(d_in[k], 0, sum_bytes(node, k, n));
    }
    int64_t count = nn_shape_elements(shape, n);
    for (int64_t i = 0; i < count; i++) {
        int64_t put = 0, get[2] = {0, 0}, rest = i;
        double slope[2];
        for (int d = shape->ndim; d-- > 0;) {
            int64_t size = shape->dim[d] ? shape->dim[d] : n, index = rest % size;
            rest /= size;
            put += index * to[d];
            for (int k = 0; k < 2; k++) {
                int own = d - (shape->ndim - node->in_shape[k].ndim);
                if (own >= 0 && node->in_shape[k].dim[own] != 1)
                    get[k] += index * from[k][own];
            }
        }
        out[put] = reference_at(node, f, in[0][get[0]], in[1][get[1]], slope);
        for (int k = 0; d_out && k < 2; k++)
            if (d_in[k])
                d_in[k][get[k]] += d_out[put] * slope[k];
    }
}

void binary_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in) {
    (void)training;
    binary_reference_as(node, node->op->family, n, in, out, d_out, d_in);
}
