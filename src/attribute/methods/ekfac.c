/* ekfac: influence functions with the inverse Gauss-Newton matrix by EK-FAC. A row's
 * gradient of the loss, moved by the inverse, against a target's gradient of the margin.
 * On an MLP one model of it is worth more than five of TRAK, on a small CNN it is not
 * (docs/evidence/attribution.md). */
#include "attribute/influence/ekfac.h"

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    ekfac e = {0};
    att_layers x = {0};
    ASSAY_TRY(ekfac_make(&e, m));
    ASSAY_TRY(att_capture_study(&x, m));
    ASSAY_TRY(ekfac_turn(&x, &e));
    ASSAY_TRY(ekfac_scores(sum->scores, &e, &x, s->n_rows, s->n_targets, o->damping));
done:
    att_layers_free(&x);
    ekfac_free(&e);
    return status;
}

static assay_status self(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    ekfac e = {0};
    att_layers x = {0};
    ASSAY_TRY(ekfac_make(&e, m));
    ASSAY_TRY(att_capture(&x, m, s->rows, s->n_rows, ATT_MARGIN));
    ASSAY_TRY(ekfac_turn(&x, &e));
    ASSAY_TRY(ekfac_self(sum->scores, &e, &x, s->n_rows, o->damping));
done:
    att_layers_free(&x);
    ekfac_free(&e);
    return status;
}

const att_method assay_attribution_ekfac = {
    .name = "ekfac",
    .summary = "influence by the Gauss-Newton matrix in eigenbases of its factors",
    .reads = ATT_READS_DAMPING,
    .score = score,
    .self = self,
};
