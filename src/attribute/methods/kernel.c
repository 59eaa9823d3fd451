/* kernel: TRAK without a projection, in the dual. With G [rows, parameters] the margins'
 * gradients, K = G G' is made from the layers' factors and
 *     tau = (K + lambda I)^-1 G g_t,   lambda = ridge times the mean diagonal of K,
 * times the mean over models of q = 1 - p, as in TRAK (Park et al. 2023, section 3). For
 * rows up to some 20,000: K is held in f64. */
#include "attribute/influence/kernel.h"

#include "attribute/algebra/linalg.h"

#include <math.h>

enum { MOST_ROWS = 20000 };

static assay_status few_enough(size_t n) {
    if (n <= MOST_ROWS)
        return ASSAY_OK;
    assay_status status =
        err_set(ASSAY_E_UNSUPPORTED,
                "the exact kernel of %zu rows does not fit; at most %d", n, MOST_ROWS);
    err_help("project the gradients: method trak");
    return status;
}

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    size_t n = s->n_rows, targets = s->n_targets;
    att_layers x = {0};
    float *k = NULL;
    ASSAY_TRY(few_enough(n));
    ASSAY_TRY(att_capture_study(&x, m));
    ASSAY_TRY(mem_new(s->ctx, &k, n * (n + targets), sizeof *k));
    ASSAY_TRY(att_kernel(k, &x, n, 0, n + targets));
    ASSAY_TRY(att_dual_add(sum->scores, s->ctx, k, n, targets, o->ridge, n));
    for (size_t i = 0; i < n; i++)
        sum->weight[i] += x.q[i];
done:
    mem_free(s->ctx, k);
    att_layers_free(&x);
    return status;
}

static assay_status self(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    size_t n = s->n_rows;
    att_layers x = {0};
    float *k = NULL;
    ASSAY_TRY(few_enough(n));
    ASSAY_TRY(att_capture(&x, m, s->rows, n, ATT_MARGIN));
    ASSAY_TRY(mem_new(s->ctx, &k, n * n, sizeof *k));
    ASSAY_TRY(att_kernel(k, &x, n, 0, n));
    ASSAY_TRY(att_dual_self(sum->scores, s->ctx, k, n, o->ridge, n));
    for (size_t i = 0; i < n; i++)
        sum->weight[i] += x.q[i];
done:
    mem_free(s->ctx, k);
    att_layers_free(&x);
    return status;
}

const att_method assay_attribution_kernel = {
    .name = "kernel",
    .summary = "TRAK without projection: the exact kernel of rows, inverted",
    .weighs = true,
    .reads = ATT_READS_RIDGE,
    .score = score,
    .self = self,
};
