/* Views are sorted by how the target lies and merged, so that most copies end as runs of
 * bytes. */
#include "nn/strided.h"

#include <string.h>

void strided_add(strided_view *v, int64_t dim, int64_t to, int64_t from) {
    v->dim[v->ndim] = dim;
    v->to[v->ndim] = to;
    v->from[v->ndim++] = from;
}

int64_t strided_size(const nn_shape *s, int d, int n) {
    return d == 0 && s->dim[0] == 0 ? n : s->dim[d];
}

void strided_whole(strided_view *v, const nn_node *node, int n, int input) {
    int64_t to[NN_MAX_DIMS], from[NN_MAX_DIMS];
    nn_strides(&node->out_shape, node->out_layout, to);
    nn_strides(&node->in_shape[input], node->in_layout[input], from);
    *v = (strided_view){.input = input};
    for (int d = 0; d < node->out_shape.ndim; d++)
        strided_add(v, strided_size(&node->out_shape, d, n), to[d], from[d]);
}

static int64_t distance(int64_t stride) {
    return stride < 0 ? -stride : stride;
}

/* Outermost first by the target's strides; sizes of 1 left out; neighbours merged. */
static strided_view tidy(const strided_view *v) {
    strided_view sorted = {.to_at = v->to_at, .from_at = v->from_at}, out = sorted;
    for (int d = 0; d < v->ndim; d++) {
        if (v->dim[d] == 1)
            continue;
        int at = sorted.ndim;
        strided_add(&sorted, 0, 0, 0);
        for (; at > 0 && distance(sorted.to[at - 1]) < distance(v->to[d]); at--) {
            sorted.dim[at] = sorted.dim[at - 1];
            sorted.to[at] = sorted.to[at - 1];
            sorted.from[at] = sorted.from[at - 1];
        }
        sorted.dim[at] = v->dim[d];
        sorted.to[at] = v->to[d];
        sorted.from[at] = v->from[d];
    }
    for (int d = 0; d < sorted.ndim; d++) {
        int last = out.ndim - 1;
        if (last >= 0 && out.to[last] == sorted.to[d] * sorted.dim[d] &&
            out.from[last] == sorted.from[d] * sorted.dim[d]) {
            out.dim[last] *= sorted.dim[d];
            out.to[last] = sorted.to[d];
            out.from[last] = sorted.from[d];
        } else {
            strided_add(&out, sorted.dim[d], sorted.to[d], sorted.from[d]);
        }
    }
    if (out.ndim == 0)
        strided_add(&out, 1, 1, 1);
    return out;
}

void strided_begin(strided_runs *r, const strided_view *view) {
    *r = (strided_runs){.v = tidy(view)};
    int row = r->v.ndim - 1;
    r->to = r->v.to_at;
    r->from = r->v.from_at;
    r->length = r->v.dim[row];
    r->to_step = r->v.to[row];
    r->from_step = r->v.from[row];
}

bool strided_next(strided_runs *r) {
    const strided_view *v = &r->v;
    if (!r->begun)
        return r->begun = true;
    for (int d = v->ndim - 1; d-- > 0;) {
        r->to += v->to[d];
        r->from += v->from[d];
        if (++r->index[d] < v->dim[d])
            return true;
        r->to -= v->to[d] * v->dim[d];
        r->from -= v->from[d] * v->dim[d];
        r->index[d] = 0;
    }
    return false;
}

#define COPY_RUN(type)                                                                   \
    for (int64_t i = 0; i < n; i++)                                                      \
    ((type *)to)[i * to_step] = ((const type *)from)[i * from_step]

static void copy_run(void *to,
                     const void *from,
                     int64_t n,
                     int64_t to_step,
                     int64_t from_step,
                     size_t size) {
    if (to_step == 1 && from_step == 1)
        memcpy(to, from, (size_t)n * size);
    else if (size == 1)
        COPY_RUN(uint8_t);
    else if (size == 2)
        COPY_RUN(uint16_t);
    else if (size == 4)
        COPY_RUN(uint32_t);
    else
        COPY_RUN(uint64_t);
}

void strided_copy(void *to, const void *from, const strided_view *view, size_t size) {
    strided_runs r;
    for (strided_begin(&r, view); strided_next(&r);)
        copy_run((uint8_t *)to + r.to * (int64_t)size,
                 (const uint8_t *)from + r.from * (int64_t)size, r.length, r.to_step,
                 r.from_step, size);
}

/* sum[from] += d[to] */
static void add_up(double *sum, const float *d, const strided_view *view) {
    strided_runs r;
    for (strided_begin(&r, view); strided_next(&r);)
        for (int64_t i = 0; i < r.length; i++)
            sum[r.from + i * r.from_step] += (double)d[r.to + i * r.to_step];
}

/* ---- the rule for one element ---- */

/* Calls of `source` for every element of the output, in logical order. */
typedef struct places {
    const nn_node *node;
    int n;
    int64_t count, done, to[NN_MAX_DIMS], to_stride[NN_MAX_DIMS];
    int64_t from_stride[NN_MAX_INPUTS][NN_MAX_DIMS];
    int64_t put, get; /* elements */
    int input;
} places;

static void places_begin(places *p, const nn_node *node, int n) {
    *p = (places){.node = node, .n = n, .count = nn_shape_elements(&node->out_shape, n)};
    nn_strides(&node->out_shape, node->out_layout, p->to_stride);
    for (int i = 0; i < node->n_in; i++)
        nn_strides(&node->in_shape[i], node->in_layout[i], p->from_stride[i]);
}

static bool places_next(places *p) {
    const mover *f = p->node->op->family;
    const nn_shape *s = &p->node->out_shape;
    int64_t from[NN_MAX_DIMS] = {0};
    if (p->done == p->count)
        return false;
    for (int d = s->ndim; p->done && d-- > 0;) {
        if (++p->to[d] < strided_size(s, d, p->n))
            break;
        p->to[d] = 0;
    }
    p->done++;
    p->put = p->get = 0;
    for (int d = 0; d < s->ndim; d++)
        p->put += p->to[d] * p->to_stride[d];
    p->input = f->source(p->node, p->to, from);
    for (int d = 0; p->input >= 0 && d < p->node->in_shape[p->input].ndim; d++)
        p->get += from[d] * p->from_stride[p->input][d];
    return true;
}

void mover_reference(const nn_node *node,
                     int n,
                     bool training,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in) {
    (void)training;
    places p;
    for (int i = 0; d_out && i < node->n_in; i++)
        if (d_in[i])
            memset(d_in[i], 0,
                   (size_t)nn_shape_elements(&node->in_shape[i], n) * sizeof(double));
    for (places_begin(&p, node, n); places_next(&p);) {
        out[p.put] = p.input < 0 ? nn_attr_f(node, "value", 0) : in[p.input][p.get];
        if (d_out && p.input >= 0 && d_in[p.input])
            d_in[p.input][p.get] += d_out[p.put];
    }
}

/* ---- runs ---- */

static bool adds_up(const mover *f) {
    return f->repeats || !f->view;
}

assay_status mover_plan_as(nn_plan *p, const mover *f) {
    if (adds_up(f))
        for (int i = 0; i < p->node->n_in; i++)
            if (p->want_d[i])
                p->backward_scratch +=
                    (size_t)nn_shape_elements(&p->node->in_shape[i], p->batch) *
                    sizeof(double);
    return ASSAY_OK;
}

static void fill(nn_io *io, size_t size) {
    double value = nn_attr_f(io->node, "value", 0);
    uint8_t bytes[8];
    size_t count = (size_t)nn_shape_elements(&io->node->out_shape, io->n);
    num_from_f64(bytes, io->node->out_dtype, &value, 1);
    for (size_t i = 0; i < count; i++)
        memcpy((uint8_t *)io->out + i * size, bytes, size);
}

assay_status mover_forward_as(nn_io *io, const mover *f) {
    const nn_node *node = io->node;
    size_t size = assay_dtype_size(node->out_dtype);
    strided_view v;
    if (f->fills)
        fill(io, size);
    for (int k = 0; f->view && f->view(node, io->n, k, &v); k++)
        strided_copy(io->out, io->in[v.input], &v, size);
    if (f->view)
        return ASSAY_OK;
    places p;
    for (places_begin(&p, node, io->n); places_next(&p);)
        if (p.input >= 0)
            memcpy((uint8_t *)io->out + (size_t)p.put * size,
                   (const uint8_t *)io->in[p.input] + (size_t)p.get * size, size);
    return ASSAY_OK;
}

/* Every element of an input has one place at most. */
static void backward_by_copies(nn_io *io, const mover *f) {
    strided_view v;
    for (int i = 0; i < io->node->n_in; i++)
        if (io->d_in[i])
            memset(io->d_in[i], 0,
                   (size_t)nn_shape_elements(&io->node->in_shape[i], io->n) *
                       sizeof(float));
    for (int k = 0; f->view(io->node, io->n, k, &v); k++) {
        strided_view back = v;
        if (!io->d_in[v.input])
            continue;
        memcpy(back.to, v.from, sizeof back.to);
        memcpy(back.from, v.to, sizeof back.from);
        back.to_at = v.from_at;
        back.from_at = v.to_at;
        strided_copy(io->d_in[v.input], io->d_out, &back, sizeof(float));
    }
}

assay_status mover_backward_as(nn_io *io, const mover *f) {
    const nn_node *node = io->node;
    if (!adds_up(f)) {
        backward_by_copies(io, f);
        return ASSAY_OK;
    }
    const float *d_out = io->d_out;
    double *sum[NN_MAX_INPUTS] = {0}, *scratch = io->scratch;
    for (int i = 0; i < node->n_in; i++)
        if (io->d_in[i]) {
            size_t count = (size_t)nn_shape_elements(&node->in_shape[i], io->n);
            memset(scratch, 0, count * sizeof *scratch);
            sum[i] = scratch;
            scratch += count;
        }
    strided_view v;
    for (int k = 0; f->view && f->view(node, io->n, k, &v); k++)
        if (sum[v.input])
            add_up(sum[v.input], d_out, &v);
    places p;
    for (places_begin(&p, node, io->n); !f->view && places_next(&p);)
        if (p.input >= 0 && sum[p.input])
            sum[p.input][p.get] += (double)d_out[p.put];
    for (int i = 0; i < node->n_in; i++)
        if (sum[i])
            num_from_f64(io->d_in[i], ASSAY_F32, sum[i],
                         (size_t)nn_shape_elements(&node->in_shape[i], io->n));
    return ASSAY_OK;
}

assay_status mover_plan(nn_plan *p) {
    return mover_plan_as(p, p->node->op->family);
}

assay_status mover_forward(nn_io *io) {
    return mover_forward_as(io, io->node->op->family);
}

assay_status mover_backward(nn_io *io) {
    return mover_backward_as(io, io->node->op->family);
}

/* ---- axes ---- */

strided_axes strided_around(const nn_shape *s, int axis, int n) {
    strided_axes a = {1, strided_size(s, axis, n), 1};
    for (int d = 0; d < axis; d++)
        a.outer *= strided_size(s, d, n);
    for (int d = axis + 1; d < s->ndim; d++)
        a.inner *= s->dim[d];
    return a;
}

assay_status strided_axis(int *out, const nn_node *node, int64_t axis, int ndim) {
    if (axis < -ndim || axis >= ndim)
        return err_set(ASSAY_E_INVALID, "%s: axis %lld of %d dimensions", node->op->name,
                       (long long)axis, ndim);
    *out = (int)(axis < 0 ? axis + ndim : axis);
    return ASSAY_OK;
}

assay_status strided_axis_attr(
    int *out, const nn_node *node, const char *name, int64_t fallback, int input) {
    const nn_shape *s = &node->in_shape[input];
    assay_status status =
        strided_axis(out, node, nn_attr_i(node, name, fallback), s->ndim);
    if (status == ASSAY_OK && *out == 0 && nn_shape_open(s))
        status = nn_op_bad_shape(node, input, "the batch can't be the axis");
    return status;
}
