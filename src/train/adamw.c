/* The step over the flat parameter vector, parameter by parameter. */
#include "train/adamw.h"

#include <math.h>

assay_status adamw_create(adamw *out,
                          assay_ctx *ctx,
                          const nn_graph *g,
                          const adamw_options *options) {
    assay_status status = ASSAY_OK;
    size_t n = nn_graph_param_floats(g);
    *out = (adamw){.ctx = ctx, .graph = g, .options = *options};
    ASSAY_TRY(mem_new(ctx, &out->first, n + 1, sizeof *out->first));
    ASSAY_TRY(mem_new(ctx, &out->second, n + 1, sizeof *out->second));
done:
    if (status != ASSAY_OK)
        adamw_destroy(out);
    return status;
}

void adamw_destroy(adamw *a) {
    mem_free(a->ctx, a->first);
    mem_free(a->ctx, a->second);
    *a = (adamw){0};
}

/* What is the same for every weight of a step. */
typedef struct factors {
    float beta1, gain1, beta2, gain2, keep, rate, root, epsilon;
} factors;

static void
step_one(float *w, float *m, float *v, const float *g, size_t n, const factors *f) {
    for (size_t i = 0; i < n; i++) {
        m[i] = f->beta1 * m[i] + f->gain1 * g[i];
        v[i] = f->beta2 * v[i] + f->gain2 * g[i] * g[i];
        w[i] = f->keep * w[i] - f->rate * m[i] / (sqrtf(v[i]) * f->root + f->epsilon);
    }
}

void adamw_step(adamw *a, float *params, const float *grads, double rate) {
    const adamw_options *o = &a->options;
    double t = (double)++a->steps;
    factors f = {.beta1 = (float)o->beta1,
                 .gain1 = (float)(1 - o->beta1),
                 .beta2 = (float)o->beta2,
                 .gain2 = (float)(1 - o->beta2),
                 .rate = (float)(rate / (1 - pow(o->beta1, t))),
                 .root = (float)(1 / sqrt(1 - pow(o->beta2, t))),
                 .epsilon = (float)o->epsilon};
    for (size_t i = 0; i < nn_graph_param_count(a->graph); i++) {
        nn_param_info p = nn_graph_param_at(a->graph, i);
        f.keep = (float)(1 - (p.decay ? rate * o->weight_decay : 0));
        step_one(params + p.offset, a->first + p.offset, a->second + p.offset,
                 grads + p.offset, p.count, &f);
    }
}
