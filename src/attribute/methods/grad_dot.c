/* grad-dot: the scalar product of the two margins' gradients, weighed with the row's 1 -
 * p so that it is the loss's step that counts. The simplest influence there is. */
#include "attribute/influence/kernel.h"

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    att_layers x = {0};
    float *k = NULL;
    (void)o;
    ASSAY_TRY(att_capture_study(&x, m));
    ASSAY_TRY(mem_new(s->ctx, &k, s->n_rows * s->n_targets, sizeof *k));
    ASSAY_TRY(att_kernel(k, &x, s->n_rows, s->n_rows, s->n_targets));
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t t = 0; t < s->n_targets; t++)
            sum->scores[i * s->n_targets + t] += k[i * s->n_targets + t];
    for (size_t i = 0; i < s->n_rows; i++)
        sum->weight[i] += x.q[i];
done:
    mem_free(s->ctx, k);
    att_layers_free(&x);
    return status;
}

static assay_status self(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    att_layers x = {0};
    float *k = NULL;
    (void)o;
    ASSAY_TRY(att_capture(&x, m, s->rows, s->n_rows, ATT_MARGIN));
    ASSAY_TRY(mem_new(s->ctx, &k, s->n_rows, sizeof *k));
    ASSAY_TRY(att_kernel_diagonal(k, &x));
    for (size_t i = 0; i < s->n_rows; i++) {
        sum->scores[i] += k[i];
        sum->weight[i] += x.q[i];
    }
done:
    mem_free(s->ctx, k);
    att_layers_free(&x);
    return status;
}

const att_method assay_attribution_grad_dot = {
    .name = "grad-dot",
    .summary = "scalar products of gradients",
    .weighs = true,
    .score = score,
    .self = self,
};
