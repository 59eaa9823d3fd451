/* Models of an ensemble trained, and a method's scores summed up over them. */
#include "attribute/ensemble.h"

#include "base/os.h"

#include <string.h>

static double seconds_since(uint64_t began) {
    return 1e-9 * (double)(os_now_ns() - began);
}

static double cpu_since(uint64_t began) {
    return 1e-9 * (double)(os_cpu_ns() - began);
}

assay_status att_ensemble_train(att_ensemble *out,
                                const att_study *s,
                                int count,
                                int64_t steps,
                                uint64_t first_seed) {
    assay_status status = ASSAY_OK;
    size_t floats = nn_graph_param_floats(s->model->graph), n = (size_t)count;
    size_t statistics = nn_graph_buffer_floats(s->model->graph);
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    *out = (att_ensemble){.study = s, .count = count};
    ASSAY_TRY(mem_new(s->ctx, &out->runs, n, sizeof *out->runs));
    ASSAY_TRY(mem_new(s->ctx, &out->params, n, sizeof *out->params));
    ASSAY_TRY(mem_new(s->ctx, &out->buffers, n, sizeof *out->buffers));
    ASSAY_TRY(mem_new(s->ctx, &out->margins, n * s->n_targets, sizeof *out->margins));
    progress_begin(s->ctx, "models", count, "models");
    for (size_t m = 0; m < n; m++) {
        ASSAY_TRY(mem_new(s->ctx, &out->params[m], floats, sizeof **out->params));
        ASSAY_TRY(mem_new(s->ctx, &out->buffers[m], statistics, sizeof **out->buffers));
        out->runs[m] = (att_run){.recipe = &s->recipe,
                                 .rows = s->rows,
                                 .n_rows = s->n_rows,
                                 .steps = steps,
                                 .seed = first_seed + m};
    }
    ASSAY_TRY(att_train_models(out->margins, out->params, out->buffers, s, out->runs, n));
    out->seconds = seconds_since(began);
    out->cpu_seconds = cpu_since(began_cpu);
    progress_end(s->ctx);
done:
    if (status != ASSAY_OK)
        att_ensemble_free(out);
    return status;
}

void att_ensemble_free(att_ensemble *e) {
    if (!e->study)
        return;
    for (int m = 0; e->params && m < e->count; m++)
        mem_free(e->study->ctx, e->params[m]);
    for (int m = 0; e->buffers && m < e->count; m++)
        mem_free(e->study->ctx, e->buffers[m]);
    mem_free(e->study->ctx, e->buffers);
    mem_free(e->study->ctx, e->params);
    mem_free(e->study->ctx, e->runs);
    mem_free(e->study->ctx, e->margins);
    *e = (att_ensemble){0};
}

att_member att_ensemble_member(const att_ensemble *e, int m) {
    return (att_member){.study = e->study,
                        .run = &e->runs[m],
                        .seed = e->runs[m].seed,
                        .params = e->params[m],
                        .buffers = e->buffers[m]};
}

/* ---- scores ---- */

assay_status att_tally_make(att_tally *out,
                            const att_ensemble *e,
                            const att_method *method,
                            const att_settings *settings) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = e->study->ctx;
    size_t rows = e->study->n_rows, cells = rows * e->study->n_targets;
    *out = (att_tally){.ensemble = e, .method = method, .settings = settings};
    ASSAY_TRY(mem_new(ctx, &out->one.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->all.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->one.weight, rows, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->all.weight, rows, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->scores, cells, sizeof(float)));
done:
    if (status != ASSAY_OK)
        att_tally_free(out);
    return status;
}

void att_tally_free(att_tally *t) {
    if (!t->ensemble)
        return;
    assay_ctx *ctx = t->ensemble->study->ctx;
    mem_free(ctx, t->one.scores);
    mem_free(ctx, t->all.scores);
    mem_free(ctx, t->one.weight);
    mem_free(ctx, t->all.weight);
    mem_free(ctx, t->scores);
    *t = (att_tally){0};
}

static assay_status finish(att_tally *t, const att_sum *sum, int members) {
    const att_study *s = t->ensemble->study;
    return att_sum_finish(t->scores, s->ctx, sum, t->method, t->settings, members,
                          s->n_rows, s->n_targets);
}

assay_status att_tally_add(att_tally *t) {
    assay_status status = ASSAY_OK;
    const att_study *s = t->ensemble->study;
    size_t cells = s->n_rows * s->n_targets;
    const att_member member = att_ensemble_member(t->ensemble, t->members);
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    memset(t->one.scores, 0, cells * sizeof(float));
    memset(t->one.weight, 0, s->n_rows * sizeof(float));
    ASSAY_TRY_AT(t->method->score(&t->one, &member, t->settings), "%s", t->method->name);
    for (size_t i = 0; i < cells; i++)
        t->all.scores[i] += t->one.scores[i];
    for (size_t i = 0; i < s->n_rows; i++)
        t->all.weight[i] += t->one.weight[i];
    t->members++;
    t->seconds += seconds_since(began);
    t->cpu_seconds += cpu_since(began_cpu);
    ASSAY_TRY(finish(t, &t->one, 1));
done:
    return status;
}

assay_status att_tally_mean(att_tally *t) {
    return finish(t, &t->all, t->members);
}
