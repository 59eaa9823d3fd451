/* Models run: arrays of any strides in, arrays out, gradients back. */
#include "nn/onnx/model.h"

#include "nn/graph_inside.h"

#include <string.h>

/* ---- arrays and how values lie ---- */

/* Copies elements between two arrays of one shape; strides in elements. */
static void copy_strided(uint8_t *to,
                         const int64_t *to_stride,
                         const uint8_t *from,
                         const int64_t *from_stride,
                         int ndim,
                         const int64_t *dim,
                         size_t size) {
    int64_t count = 1, last = ndim ? dim[ndim - 1] : 1;
    for (int i = 0; i + 1 < ndim; i++)
        count *= dim[i];
    int64_t step_to = ndim ? to_stride[ndim - 1] : 1;
    int64_t step_from = ndim ? from_stride[ndim - 1] : 1;
    for (int64_t row = 0; row < count; row++) {
        int64_t a = 0, b = 0, rest = row;
        for (int d = ndim - 1; d-- > 0; rest /= dim[d]) {
            a += rest % dim[d] * to_stride[d];
            b += rest % dim[d] * from_stride[d];
        }
        if (step_to == 1 && step_from == 1) {
            memcpy(to + (size_t)a * size, from + (size_t)b * size, (size_t)last * size);
            continue;
        }
        for (int64_t i = 0; i < last; i++)
            memcpy(to + (size_t)(a + i * step_to) * size,
                   from + (size_t)(b + i * step_from) * size, size);
    }
}

/* Examples first..first+n of a tensor to or from where the executor has them (n counts
 * for an open shape only). */
static void transfer(const assay_model *m,
                     nn_value v,
                     void *stored,
                     const assay_tensor *t,
                     int64_t first,
                     int n,
                     bool in) {
    const nn_value_info *info = &m->import.graph->value[v];
    int64_t stride[NN_MAX_DIMS], dim[NN_MAX_DIMS];
    const int64_t *ts = assay_tensor_strides(t);
    size_t size = assay_dtype_size(info->dtype);
    nn_strides(&info->shape, info->layout, stride);
    memcpy(dim, info->shape.dim, sizeof dim);
    uint8_t *data = assay_tensor_data(t);
    if (nn_shape_open(&info->shape)) {
        dim[0] = n;
        data += (size_t)(first * ts[0]) * size;
    }
    if (in)
        copy_strided(stored, stride, data, ts, info->shape.ndim, dim, size);
    else
        copy_strided(data, ts, stored, stride, info->shape.ndim, dim, size);
}

/* ---- inputs ---- */

static void tell_shape(const assay_tensor *t, char out[64]) {
    nn_shape s = {.ndim = assay_tensor_ndim(t)};
    memcpy(s.dim, assay_tensor_dims(t), (size_t)s.ndim * sizeof *s.dim);
    nn_shape_text(&s, out);
}

static assay_status
check_input(const assay_model *m, size_t i, const assay_tensor *t, int64_t *n) {
    const onnx_port *p = &m->import.in[i];
    char wants[64], has[64];
    if (!t)
        return err_set(ASSAY_E_INVALID, "input '%s' is missing", p->name);
    if (assay_tensor_dtype(t) != p->dtype)
        return err_set(ASSAY_E_DTYPE, "input '%s' is %s, but %s was given", p->name,
                       assay_dtype_name(p->dtype),
                       assay_dtype_name(assay_tensor_dtype(t)));
    /* What only has a type is of any shape. */
    if (p->value < 0 && p->param < 0 && p->buffer < 0 && !p->shaped && !p->bound)
        return ASSAY_OK;
    const int64_t *dim = assay_tensor_dims(t);
    bool open = nn_shape_open(&p->shape) && !p->empty;
    bool fits = assay_tensor_ndim(t) == p->shape.ndim;
    for (int d = open; fits && d < p->shape.ndim; d++)
        fits = dim[d] == p->shape.dim[d];
    if (fits && open) {
        fits = dim[0] > 0 && dim[0] < 1 << 30;
        if (fits && *n && dim[0] != *n)
            return err_set(ASSAY_E_SHAPE, "input '%s' has %lld examples, others %lld",
                           p->name, (long long)dim[0], (long long)*n);
        *n = dim[0];
    }
    if (!fits) {
        tell_shape(t, has);
        return err_set(ASSAY_E_SHAPE, "input '%s' is %s, but %s was given", p->name,
                       nn_shape_text(&p->shape, wants), has);
    }
    if (m->bound[i] &&
        (!assay_tensor_is_dense(t, ASSAY_ROW_MAJOR) ||
         memcmp(m->bound[i], assay_tensor_data(t),
                (size_t)assay_tensor_count(t) * assay_dtype_size(p->dtype)) != 0)) {
        assay_status status = err_set(
            ASSAY_E_SHAPE, "input '%s' decided about shapes and is another now", p->name);
        err_help("open the model again with this input");
        return status;
    }
    return ASSAY_OK;
}

static assay_status
check_inputs(const assay_model *m, const assay_tensor *const *in, int64_t *n) {
    assay_status status = ASSAY_OK;
    *n = 0;
    for (size_t i = 0; i < m->import.n_in; i++)
        ASSAY_TRY(check_input(m, i, in[i], n));
    if (*n == 0)
        *n = 1;
done:
    return status;
}

/* Inputs that serve as weights: set before the run, row by row. */
static void set_weights(const assay_model *m, const assay_tensor *const *in) {
    const nn_graph *g = m->import.graph;
    for (size_t i = 0; i < m->import.n_in; i++) {
        const onnx_port *p = &m->import.in[i];
        for (int k = 0; k < 2; k++) {
            int place = k ? p->buffer : p->param;
            if (place < 0)
                continue;
            nn_param_info to = k ? nn_graph_buffer_at(g, (size_t)place)
                                 : nn_graph_param_at(g, (size_t)place);
            const nn_weights *w = &m->import.weights;
            int64_t stride[NN_MAX_DIMS];
            nn_strides(&p->shape, ASSAY_ROW_MAJOR, stride);
            copy_strided((uint8_t *)((k ? w->buffers : w->params) + to.offset), stride,
                         assay_tensor_data(in[i]), assay_tensor_strides(in[i]),
                         p->shape.ndim, p->shape.dim, sizeof(float));
        }
    }
}

static void feed(const assay_model *m,
                 nn_exec *e,
                 const assay_tensor *const *in,
                 int64_t first,
                 int n) {
    for (size_t i = 0; i < m->import.n_in; i++) {
        nn_value v = m->import.in[i].value;
        void *to = v >= 0 ? nn_exec_input(e, v) : NULL;
        if (to)
            transfer(m, v, to, in[i], first, n, true);
    }
}

/* ---- running ---- */

static assay_status make_outputs(const assay_model *m, int64_t n, assay_tensor **out) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < m->import.n_out; i++) {
        const onnx_port *p = &m->import.out[i];
        int64_t dim[NN_MAX_DIMS];
        memcpy(dim, p->shape.dim, sizeof dim);
        if (nn_shape_open(&p->shape) && !p->empty)
            dim[0] = n;
        ASSAY_TRY(assay_tensor_create(&out[i], m->ctx, p->dtype, p->shape.ndim, dim,
                                      ASSAY_ROW_MAJOR));
    }
done:
    return status;
}

static assay_status make_exec(assay_model *m, int batch) {
    assay_status status = ASSAY_OK;
    int n = 0;
    if (m->exec && m->exec_batch >= batch && (m->chunks || m->exec_batch == batch))
        return ASSAY_OK;
    nn_exec_destroy(m->exec);
    m->exec = NULL;
    for (size_t i = 0; i < m->import.n_out; i++)
        if (m->import.out[i].value >= 0)
            m->keep[n++] = m->import.out[i].value;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = batch,
                               .keep = m->keep,
                               .n_keep = n,
                               .target = -1,
                               .dtype = m->precision};
    ASSAY_TRY(nn_exec_create(&m->exec, m->ctx, m->import.graph, &m->import.weights, &o));
    m->exec_batch = batch;
done:
    return status;
}

static void drop(assay_tensor **list, size_t n) {
    for (size_t i = 0; list && i < n; i++) {
        assay_tensor_unref(list[i]);
        list[i] = NULL;
    }
}

assay_status
assay_model_run(assay_model *m, const assay_tensor *const *in, assay_tensor **out) {
    assay_status status = ASSAY_OK;
    int64_t n;
    memset(out, 0, m->import.n_out * sizeof *out);
    ASSAY_TRY(check_inputs(m, in, &n));
    int64_t step = m->chunks && n > m->batch ? m->batch : n;
    if (step > 1 << 20)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%lld examples at once are too many", (long long)n);
    ASSAY_TRY(make_outputs(m, n, out));
    ASSAY_TRY(make_exec(m, (int)step));
    set_weights(m, in);
    for (int64_t first = 0; first < n; first += step) {
        int now = (int)(n - first < step ? n - first : step);
        ASSAY_TRY(ctx_check(m->ctx));
        feed(m, m->exec, in, first, now);
        ASSAY_TRY(nn_exec_forward(m->exec, now));
        for (size_t i = 0; i < m->import.n_out; i++) {
            nn_value v = m->import.out[i].value;
            if (v >= 0)
                transfer(m, v, (void *)nn_exec_value(m->exec, v), out[i], first, now,
                         false);
        }
    }
done:
    if (status != ASSAY_OK)
        drop(out, m->import.n_out);
    return status;
}

/* ---- gradients ---- */

/* The gradient's executor: made for one call, since what is wanted differs. */
static assay_status
gradient_exec(assay_model *m, nn_value target, bool params, int batch, nn_exec **out) {
    int n = 0;
    for (size_t i = 0; i < m->import.n_in; i++)
        if (m->import.in[i].value >= 0)
            m->keep[n++] = m->import.in[i].value;
    const nn_exec_options o = {.mode = params ? NN_TRAIN : NN_CAPTURE,
                               .batch = batch,
                               .keep = m->keep,
                               .n_keep = n,
                               .target = target,
                               .dtype = m->precision};
    return nn_exec_create(out, m->ctx, m->import.graph, &m->import.weights, &o);
}

/* The seed in storage order. */
static assay_status make_seed(
    assay_model *m, const onnx_port *p, const assay_tensor *seed, int n, float **out) {
    assay_status status = ASSAY_OK;
    nn_shape s = nn_graph_shape(m->import.graph, p->value);
    int64_t count = nn_shape_elements(&s, n);
    ASSAY_TRY(mem_new(m->ctx, out, (size_t)count, sizeof **out));
    if (!seed) {
        for (int64_t i = 0; i < count; i++)
            (*out)[i] = 1.0f;
        goto done;
    }
    if (nn_shape_open(&s))
        s.dim[0] = n;
    bool fits =
        assay_tensor_dtype(seed) == ASSAY_F32 && assay_tensor_ndim(seed) == s.ndim &&
        (s.ndim == 0 ||
         memcmp(assay_tensor_dims(seed), s.dim, (size_t)s.ndim * sizeof *s.dim) == 0);
    if (!fits)
        ASSAY_FAIL(ASSAY_E_SHAPE, "the seed is not f32 in the shape of output '%s'",
                   p->name);
    transfer(m, p->value, *out, seed, 0, n, true);
done:
    return status;
}

static assay_status
take_input_gradients(assay_model *m, const nn_exec *e, int n, assay_tensor **d_in) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; d_in && i < m->import.n_in; i++) {
        const onnx_port *p = &m->import.in[i];
        int64_t dim[NN_MAX_DIMS];
        if (p->dtype != ASSAY_F32)
            continue;
        memcpy(dim, p->shape.dim, sizeof dim);
        if (nn_shape_open(&p->shape) && !p->empty)
            dim[0] = n;
        ASSAY_TRY(assay_tensor_create(&d_in[i], m->ctx, ASSAY_F32, p->shape.ndim, dim,
                                      ASSAY_ROW_MAJOR));
        const float *d = p->value >= 0 ? nn_exec_input_grad(e, p->value) : NULL;
        if (d)
            transfer(m, p->value, (void *)d, d_in[i], 0, n, false);
    }
done:
    return status;
}

static assay_status
take_param_gradients(assay_model *m, nn_exec *e, assay_tensor **d_params) {
    assay_status status = ASSAY_OK;
    size_t n = nn_graph_param_count(m->import.graph);
    const float *grads = nn_exec_grads(e);
    for (size_t i = 0; d_params && grads && i < n; i++) {
        nn_param_info p = nn_graph_param_at(m->import.graph, i);
        ASSAY_TRY(assay_tensor_create(&d_params[i], m->ctx, ASSAY_F32, p.shape.ndim,
                                      p.shape.dim, ASSAY_ROW_MAJOR));
        memcpy(assay_tensor_data(d_params[i]), grads + p.offset, p.count * sizeof *grads);
    }
done:
    return status;
}

assay_status assay_model_gradients(assay_model *m,
                                   const assay_tensor *const *in,
                                   int output,
                                   const assay_tensor *seed,
                                   assay_tensor **value,
                                   assay_tensor **d_in,
                                   assay_tensor **d_params) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    float *from = NULL;
    int64_t n, dim[NN_MAX_DIMS];
    size_t n_params = nn_graph_param_count(m->import.graph);
    if (value)
        *value = NULL;
    if (d_in)
        memset(d_in, 0, m->import.n_in * sizeof *d_in);
    if (d_params)
        memset(d_params, 0, n_params * sizeof *d_params);
    if (output < 0 || (size_t)output >= m->import.n_out)
        ASSAY_FAIL(ASSAY_E_INVALID, "there is no output %d", output);
    const onnx_port *p = &m->import.out[output];
    if (p->dtype != ASSAY_F32 || p->value < 0 ||
        m->import.graph->value[p->value].kind != NN_KIND_ACTIVATION)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "output '%s' has no gradient", p->name);
    ASSAY_TRY(check_inputs(m, in, &n));
    if (n > 1 << 20)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%lld examples at once are too many", (long long)n);
    ASSAY_TRY(make_seed(m, p, seed, (int)n, &from));
    ASSAY_TRY(gradient_exec(m, p->value, d_params != NULL, (int)n, &e));
    set_weights(m, in);
    feed(m, e, in, 0, (int)n);
    ASSAY_TRY(nn_exec_forward(e, (int)n));
    if (value) {
        memcpy(dim, p->shape.dim, sizeof dim);
        if (nn_shape_open(&p->shape))
            dim[0] = n;
        ASSAY_TRY(assay_tensor_create(value, m->ctx, ASSAY_F32, p->shape.ndim, dim,
                                      ASSAY_ROW_MAJOR));
        transfer(m, p->value, (void *)nn_exec_value(e, p->value), *value, 0, (int)n,
                 false);
    }
    ASSAY_TRY(nn_exec_backward(e, from));
    ASSAY_TRY(take_input_gradients(m, e, (int)n, d_in));
    ASSAY_TRY(take_param_gradients(m, e, d_params));
done:
    nn_exec_destroy(e);
    mem_free(m->ctx, from);
    if (status != ASSAY_OK) {
        drop(value, 1);
        drop(d_in, m->import.n_in);
        drop(d_params, n_params);
    }
    return status;
}
