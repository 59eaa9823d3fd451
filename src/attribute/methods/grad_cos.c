/* grad-cos: the cosine of the two margins' gradients, weighed as grad-dot is. Long
 * gradients, of rows that lie far out, count for no more than others. */
#include "attribute/influence/kernel.h"

#include <math.h>

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    att_layers x = {0};
    float *k = NULL, *norm = NULL;
    size_t targets = s->n_targets;
    (void)o;
    ASSAY_TRY(att_capture_study(&x, m));
    ASSAY_TRY(mem_new(s->ctx, &k, s->n_rows * targets, sizeof *k));
    ASSAY_TRY(mem_new(s->ctx, &norm, x.rows, sizeof *norm));
    ASSAY_TRY(att_kernel(k, &x, s->n_rows, s->n_rows, targets));
    ASSAY_TRY(att_kernel_diagonal(norm, &x));
    for (size_t i = 0; i < x.rows; i++)
        norm[i] = norm[i] > 0 ? 1 / sqrtf(norm[i]) : 0;
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t t = 0; t < targets; t++)
            sum->scores[i * targets + t] +=
                k[i * targets + t] * norm[i] * norm[s->n_rows + t];
    for (size_t i = 0; i < s->n_rows; i++)
        sum->weight[i] += x.q[i];
done:
    mem_free(s->ctx, k);
    mem_free(s->ctx, norm);
    att_layers_free(&x);
    return status;
}

const att_method assay_attribution_grad_cos = {
    .name = "grad-cos",
    .summary = "cosines of gradients",
    .weighs = true,
    .score = score,
};
