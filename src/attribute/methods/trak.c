/* trak: Park et al. 2023. Margin gradients, projected; ridge regression of the target's
 * on the rows'; times the mean over models of q = 1 - p. The ridge, relative to the mean
 * diagonal of the kernel, matters more than anything else there is to set. */
#include "attribute/influence/ridge.h"

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    att_features x = {0};
    ASSAY_TRY(att_project_study(&x, m, o));
    ASSAY_TRY((o->traker ? att_ridge_add_traker : att_ridge_add)(
        sum->scores, &x, s->n_rows, s->n_targets, o->ridge));
    for (size_t i = 0; i < s->n_rows; i++)
        sum->weight[i] += x.q[i];
done:
    att_features_free(&x);
    return status;
}

static assay_status self(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    att_study rows = *m->study;
    att_member alone = *m;
    att_features x = {0};
    rows.n_targets = 0;
    alone.study = &rows;
    ASSAY_TRY(att_project_study(&x, &alone, o));
    ASSAY_TRY((o->traker ? att_ridge_self_traker
                         : att_ridge_self)(sum->scores, &x, rows.n_rows, o->ridge));
    for (size_t i = 0; i < rows.n_rows; i++)
        sum->weight[i] += x.q[i];
done:
    att_features_free(&x);
    return status;
}

const att_method assay_attribution_trak = {
    .name = "trak",
    .summary = "ridge regression on projected gradients",
    .weighs = true,
    .reads = ATT_READS_RIDGE,
    .score = score,
    .self = self,
};
