/* tracin: TracInCP (Pruthi et al. 2020, section 3). The run is gone through again; at
 * evenly spaced checkpoints, the last of which is its end, the scalar product of the
 * row's gradient of the loss and the target's of the margin, times the sum of the
 * learning rates since the checkpoint before. */
#include "attribute/influence/kernel.h"

/* Adds one checkpoint's products, times `rate`. */
static assay_status add(float *scores, const att_member *at, double rate, float *k) {
    assay_status status = ASSAY_OK;
    const att_study *s = at->study;
    att_layers x = {0};
    ASSAY_TRY(att_capture_study(&x, at));
    ASSAY_TRY(att_kernel(k, &x, s->n_rows, s->n_rows, s->n_targets));
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t t = 0; t < s->n_targets; t++)
            scores[i * s->n_targets + t] +=
                (float)(rate * (double)x.q[i] * (double)k[i * s->n_targets + t]);
done:
    att_layers_free(&x);
    return status;
}

static assay_status add_self(float *scores, const att_member *at, double rate, float *k) {
    assay_status status = ASSAY_OK;
    const att_study *s = at->study;
    att_layers x = {0};
    ASSAY_TRY(att_capture(&x, at, s->rows, s->n_rows, ATT_MARGIN));
    ASSAY_TRY(att_kernel_diagonal(k, &x));
    for (size_t i = 0; i < s->n_rows; i++)
        scores[i] += (float)(rate * (double)x.q[i] * (double)k[i]);
done:
    att_layers_free(&x);
    return status;
}

typedef assay_status adder(float *scores, const att_member *at, double rate, float *k);

/* Goes through the run, and adds at each checkpoint. @param cells  of `k` */
static assay_status along(float *scores,
                          const att_member *m,
                          const att_settings *o,
                          adder *add_at,
                          size_t cells) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    const nn_graph *g = s->model->graph;
    att_trainer *trainer = NULL;
    att_member at = *m;
    float *k = NULL;
    at.params = at.buffers = NULL;
    if (s->recipe.adam) {
        status = err_set(ASSAY_E_UNSUPPORTED, "the run was AdamW's, tracin is SGD's");
        err_help("take grad-dot");
        return status;
    }
    if (!m->run) {
        status =
            err_set(ASSAY_E_UNSUPPORTED, "it is not known how the model was trained");
        err_help("tracin goes through the run again; for checkpoints take grad-dot");
        return status;
    }
    ASSAY_TRY(mem_new(s->ctx, &at.params, nn_graph_param_floats(g), sizeof(float)));
    ASSAY_TRY(mem_new(s->ctx, &at.buffers, nn_graph_buffer_floats(g) + 1, sizeof(float)));
    ASSAY_TRY(mem_new(s->ctx, &k, cells, sizeof *k));
    ASSAY_TRY(att_trainer_create(&trainer, s->ctx, s->data, s->model, &s->recipe));
    ASSAY_TRY(att_trainer_start(trainer, m->run));
    for (int64_t c = 0; c < o->checkpoints; c++) {
        int64_t from = m->run->steps * c / o->checkpoints;
        int64_t to = m->run->steps * (c + 1) / o->checkpoints;
        double rate = 0;
        for (int64_t t = from; t < to; t++)
            rate += att_rate(&s->recipe, t, m->run->steps);
        ASSAY_TRY(att_trainer_steps(trainer, m->run, from, to));
        att_trainer_store(trainer, at.params, NULL);
        att_trainer_buffers(trainer, at.buffers);
        ASSAY_TRY(add_at(scores, &at, rate, k));
    }
done:
    att_trainer_destroy(trainer);
    mem_free(s->ctx, at.params);
    mem_free(s->ctx, at.buffers);
    mem_free(s->ctx, k);
    return status;
}

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    return along(sum->scores, m, o, add, m->study->n_rows * m->study->n_targets);
}

static assay_status self(att_sum *sum, const att_member *m, const att_settings *o) {
    return along(sum->scores, m, o, add_self, m->study->n_rows);
}

const att_method assay_attribution_tracin = {
    .name = "tracin",
    .summary = "scalar products of gradients along the run",
    .score = score,
    .self = self,
};
