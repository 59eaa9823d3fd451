/* Between the flat vectors of a model and the tensors of a file. */
#include "train/state.h"

#include <math.h>
#include <string.h>

size_t state_count(const nn_graph *g) {
    return nn_graph_param_count(g) + nn_graph_buffer_count(g);
}

st_tensor state_tensor(const nn_param_info *p, const char *name, const float *data) {
    st_tensor t = {.name = name,
                   .dtype = ASSAY_F32,
                   .ndim = p->shape.ndim,
                   .data = data,
                   .bytes = p->count * sizeof *data};
    for (int i = 0; i < p->shape.ndim; i++)
        t.dim[i] = p->shape.dim[i];
    return t;
}

void state_tensors(const nn_graph *g, const nn_weights *w, st_tensor *out) {
    size_t params = nn_graph_param_count(g), buffers = nn_graph_buffer_count(g);
    for (size_t i = 0; i < params; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        out[i] = state_tensor(&p, p.name, w->params + p.offset);
    }
    for (size_t i = 0; i < buffers; i++) {
        nn_param_info p = nn_graph_buffer_at(g, i);
        out[params + i] = state_tensor(&p, p.name, w->buffers + p.offset);
    }
}

bool state_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

assay_status
state_read_one(const st_file *f, const nn_param_info *p, const char *name, float *out) {
    assay_status status = ASSAY_OK;
    st_tensor t;
    ASSAY_TRY(st_find(f, name, &t));
    if (t.dtype != ASSAY_F32)
        ASSAY_FAIL(ASSAY_E_DTYPE, "tensor '%s' is not f32", name);
    bool same = t.ndim == p->shape.ndim && t.bytes == p->count * sizeof *out;
    for (int i = 0; same && i < t.ndim; i++)
        same = t.dim[i] == p->shape.dim[i];
    if (!same)
        ASSAY_FAIL(ASSAY_E_SHAPE, "tensor '%s' has another shape than the model", name);
    memcpy(out, t.data, t.bytes);
    if (!state_finite(out, p->count))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "tensor '%s' holds a number that is not finite",
                   name);
done:
    return status;
}

assay_status state_read(const st_file *f, const nn_graph *g, nn_weights *w) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        ASSAY_TRY(state_read_one(f, &p, p.name, w->params + p.offset));
    }
    for (size_t i = 0; i < nn_graph_buffer_count(g); i++) {
        nn_param_info p = nn_graph_buffer_at(g, i);
        ASSAY_TRY(state_read_one(f, &p, p.name, w->buffers + p.offset));
    }
done:
    return status;
}
