/* Executors in capture mode, fed with rows and seeded for a margin or for a class. */
#include "attribute/gradient/source.h"

#include <math.h>
#include <string.h>

assay_status att_source_open(att_source *out,
                             const att_member *m,
                             att_output output,
                             assay_dtype precision,
                             size_t batch) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = m->study->model;
    assay_ctx *ctx = m->study->ctx;
    *out = (att_source){.ctx = ctx,
                        .member = *m,
                        .weights = {m->params, m->buffers},
                        .output = output,
                        .precision = precision,
                        .passes = 1,
                        .batch = batch,
                        .workers = (size_t)assay_ctx_threads(ctx)};
    if (output == ATT_GAUSSNEWTON)
        out->passes = (size_t)z->config.classes;
    if (nn_graph_buffer_floats(z->graph) && !m->buffers)
        ASSAY_FAIL(ASSAY_E_INVALID, "the model %s has running statistics, and none came",
                   z->name);
    ASSAY_TRY(mem_new(ctx, &out->exec, out->workers, sizeof(nn_exec *)));
    ASSAY_TRY(mem_new(ctx, &out->seed, out->workers, sizeof(float *)));
done:
    if (status != ASSAY_OK)
        att_source_close(out);
    return status;
}

void att_source_close(att_source *s) {
    if (!s->ctx)
        return;
    for (size_t w = 0; s->exec && s->seed && w < s->workers; w++) {
        nn_exec_destroy(s->exec[w]);
        mem_free(s->ctx, s->seed[w]);
    }
    mem_free(s->ctx, s->exec);
    mem_free(s->ctx, s->seed);
    *s = (att_source){0};
}

static assay_status worker_make(att_source *s, int worker) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = s->member.study->model;
    const nn_value keep[] = {z->logits, z->margin, z->penultimate};
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = (int)s->batch,
                               .keep = keep,
                               .n_keep = 3,
                               .target = s->output == ATT_MARGIN ? z->margin : z->logits,
                               .dtype = s->precision,
                               .shards = 1};
    if (s->exec[worker])
        return ASSAY_OK;
    if (!s->seed[worker])
        ASSAY_TRY(mem_new(s->ctx, &s->seed[worker], s->batch * (size_t)z->config.classes,
                          sizeof(float)));
    ASSAY_TRY(nn_exec_create(&s->exec[worker], s->ctx, z->graph, &s->weights, &o));
done:
    return status;
}

/* d loss_c / d logits = p - e_c, times sqrt(p_c); of the margin simply 1. */
static void seed_fill(const att_source *s, int worker, size_t n, size_t pass) {
    const zoo_model *z = s->member.study->model;
    float *seed = s->seed[worker];
    size_t k = (size_t)z->config.classes;
    if (s->output == ATT_MARGIN) {
        for (size_t i = 0; i < n; i++)
            seed[i] = 1;
        return;
    }
    const float *logits = nn_exec_value(s->exec[worker], z->logits);
    for (size_t i = 0; i < n; i++, logits += k, seed += k) {
        float most = logits[0];
        double sum = 0;
        for (size_t j = 1; j < k; j++)
            most = logits[j] > most ? logits[j] : most;
        for (size_t j = 0; j < k; j++)
            sum += exp((double)(logits[j] - most));
        double root = sqrt(exp((double)(logits[pass] - most)) / sum);
        for (size_t j = 0; j < k; j++)
            seed[j] = (float)(root * (exp((double)(logits[j] - most)) / sum -
                                      (j == pass ? 1 : 0)));
    }
}

static assay_status
forward(att_source *s, int worker, const uint32_t *rows, size_t n, float *q) {
    assay_status status = ASSAY_OK;
    const att_study *study = s->member.study;
    ASSAY_TRY(worker_make(s, worker));
    att_feed(study, s->exec[worker], rows, n);
    ASSAY_TRY(nn_exec_forward(s->exec[worker], (int)n));
    const float *margin = nn_exec_value(s->exec[worker], study->model->margin);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(margin[i])) {
            (void)err_set(ASSAY_E_NUMERIC, "a margin is not finite");
            err_where("row %u", rows[i]);
            err_help("the model's training diverged: use a smaller rate");
            return ASSAY_E_NUMERIC;
        }
        if (q)
            q[i] = (float)(1 / (1 + exp((double)margin[i])));
    }
done:
    return status;
}

assay_status att_source_run(
    att_source *s, int worker, const uint32_t *rows, size_t n, size_t pass, float *q) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, q));
    seed_fill(s, worker, n, pass);
    ASSAY_TRY(nn_exec_backward(s->exec[worker], s->seed[worker]));
done:
    return status;
}

assay_status att_source_margins(
    att_source *s, int worker, const uint32_t *rows, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, NULL));
    memcpy(out, nn_exec_value(s->exec[worker], s->member.study->model->margin),
           n * sizeof *out);
done:
    return status;
}

size_t att_source_width(const att_source *s) {
    const zoo_model *z = s->member.study->model;
    nn_shape shape = nn_graph_shape(z->graph, z->penultimate);
    size_t width = 1;
    for (int i = 1; i < shape.ndim; i++)
        width *= (size_t)shape.dim[i];
    return width;
}

assay_status
att_source_look(att_source *s, int worker, const uint32_t *rows, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, NULL));
    memcpy(out, nn_exec_value(s->exec[worker], s->member.study->model->penultimate),
           n * att_source_width(s) * sizeof *out);
done:
    return status;
}

int att_source_factors(const att_source *s, int worker) {
    return nn_exec_factor_count(s->exec[worker]);
}

nn_factor att_source_factor(const att_source *s, int worker, int i) {
    return nn_exec_factor(s->exec[worker], i);
}
