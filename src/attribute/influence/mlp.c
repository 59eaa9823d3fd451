/* Forward and backward of a chain of linear layers, by the engine's small products. */
#include "attribute/influence/mlp.h"

#include <math.h>

assay_status mlp_of(mlp *out, const zoo_model *model) {
    const nn_graph *g = model->graph;
    size_t n = nn_graph_param_count(g), width = 0;
    *out = (mlp){0};
    bool fits =
        n > 0 && n % 2 == 0 && n / 2 <= MLP_MOST_LAYERS && nn_graph_buffer_floats(g) == 0;
    for (size_t i = 0; fits && i < n; i += 2) {
        nn_param_info w = nn_graph_param_at(g, i), b = nn_graph_param_at(g, i + 1);
        fits = w.shape.ndim == 2 && b.shape.ndim == 1 &&
               w.shape.dim[0] == b.shape.dim[0] && !b.decay &&
               (i == 0 || (size_t)w.shape.dim[1] == width);
        if (!fits)
            break;
        mlp_layer *l = &out->layer[out->layers++];
        *l = (mlp_layer){.in = (size_t)w.shape.dim[1],
                         .out = (size_t)w.shape.dim[0],
                         .weight = w.offset,
                         .bias = b.offset,
                         .state = out->floats,
                         .decays = w.decay};
        width = l->out;
        out->floats += (l->in + 1) * l->out;
        out->widest = l->in > out->widest ? l->in : out->widest;
        out->widest = l->out > out->widest ? l->out : out->widest;
    }
    if (fits && width == (size_t)model->config.classes)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "%s is not a chain of linear layers", model->name);
    return ASSAY_E_UNSUPPORTED;
}

assay_status mlp_pass_make(mlp_pass *out, assay_ctx *ctx, const mlp *m, size_t n) {
    assay_status status = ASSAY_OK;
    *out = (mlp_pass){0};
    ASSAY_TRY(mem_new(ctx, &out->x, n * m->layer[0].in, sizeof(float)));
    for (int l = 0; l < m->layers; l++)
        ASSAY_TRY(mem_new(ctx, &out->act[l], n * m->layer[l].out, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->prob, n * m->layer[m->layers - 1].out, sizeof(float)));
done:
    return status;
}

void mlp_pass_free(mlp_pass *p, assay_ctx *ctx, const mlp *m) {
    mem_free(ctx, p->x);
    for (int l = 0; l < m->layers; l++)
        mem_free(ctx, p->act[l]);
    mem_free(ctx, p->prob);
    *p = (mlp_pass){0};
}

size_t mlp_scratch(const mlp *m, size_t n) {
    size_t most = 0;
    for (int l = 0; l < m->layers; l++) {
        size_t in = m->layer[l].in, out = m->layer[l].out;
        const size_t need[] = {gemm_scratch(n, out, in), gemm_scratch(n, in, out),
                               gemm_scratch(in, out, n)};
        for (int i = 0; i < 3; i++)
            most = need[i] > most ? need[i] : most;
    }
    return most;
}

static void softmax(float *to, const float *z, size_t n, size_t k) {
    for (size_t i = 0; i < n; i++, z += k, to += k) {
        float most = z[0], sum = 0;
        for (size_t j = 1; j < k; j++)
            most = z[j] > most ? z[j] : most;
        for (size_t j = 0; j < k; j++)
            sum += to[j] = expf(z[j] - most);
        for (size_t j = 0; j < k; j++)
            to[j] /= sum;
    }
}

void mlp_forward(
    const mlp_pass *p, const mlp *m, const float *params, size_t n, float *scratch) {
    const float *from = p->x;
    for (int l = 0; l < m->layers; l++) {
        const mlp_layer *w = &m->layer[l];
        const gemm_job job = {.m = n,
                              .n = w->out,
                              .k = w->in,
                              .a = from,
                              .a_row = w->in,
                              .a_col = 1,
                              .b = params + w->weight,
                              .b_row = 1,
                              .b_col = w->in,
                              .c = p->act[l],
                              .ldc = w->out,
                              .bias = params + w->bias};
        gemm_run(&job, scratch);
        for (size_t i = 0; l + 1 < m->layers && i < n * w->out; i++)
            p->act[l][i] = p->act[l][i] > 0 ? p->act[l][i] : 0;
        from = p->act[l];
    }
    softmax(p->prob, p->act[m->layers - 1], n, m->layer[m->layers - 1].out);
}

void mlp_backward(float *const *delta,
                  const mlp_pass *p,
                  const mlp *m,
                  const float *params,
                  size_t n,
                  float *scratch) {
    for (int l = m->layers - 1; l > 0; l--) {
        const mlp_layer *w = &m->layer[l];
        const gemm_job job = {.m = n,
                              .n = w->in,
                              .k = w->out,
                              .a = delta[l],
                              .a_row = w->out,
                              .a_col = 1,
                              .b = params + w->weight,
                              .b_row = w->in,
                              .b_col = 1,
                              .c = delta[l - 1],
                              .ldc = w->in};
        gemm_run(&job, scratch);
        for (size_t i = 0; i < n * w->in; i++)
            delta[l - 1][i] = p->act[l - 1][i] > 0 ? delta[l - 1][i] : 0;
    }
}
