/* The optimizer's step over the flat parameter vector, span by span. */
#include "train/sgd.h"

#include "simd/simd.h"

assay_status sgd_create(
    sgd *out, assay_ctx *ctx, const nn_graph *g, double momentum, double weight_decay) {
    assay_status status = ASSAY_OK;
    *out = (sgd){.ctx = ctx,
                 .floats = nn_graph_param_floats(g),
                 .momentum = momentum,
                 .weight_decay = weight_decay};
    size_t n = nn_graph_param_count(g);
    ASSAY_TRY(mem_new(ctx, &out->velocity, out->floats, sizeof *out->velocity));
    ASSAY_TRY(mem_new(ctx, &out->span, n, sizeof *out->span));
    for (size_t i = 0; i < n; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        sgd_span *last = out->n_spans ? &out->span[out->n_spans - 1] : NULL;
        if (last && last->decay == p.decay && last->begin + last->count == p.offset)
            last->count += p.count;
        else
            out->span[out->n_spans++] = (sgd_span){p.offset, p.count, p.decay};
    }
done:
    if (status != ASSAY_OK)
        sgd_destroy(out);
    return status;
}

void sgd_destroy(sgd *s) {
    mem_free(s->ctx, s->velocity);
    mem_free(s->ctx, s->span);
    *s = (sgd){0};
}

void sgd_step(sgd *s, float *params, const float *grads, double rate) {
    const simd_table *k = simd();
    for (size_t i = 0; i < s->n_spans; i++) {
        const sgd_span *p = &s->span[i];
        float decay = p->decay ? (float)s->weight_decay : 0.0F;
        k->f32_sgd(params + p->begin, s->velocity + p->begin, grads + p->begin, p->count,
                   (float)rate, (float)s->momentum, decay, true);
    }
}
