/* The registry of methods, and what an ensemble's sums become. */
#include "attribute/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define X(name) extern const att_method assay_attribution_##name;
#include "attribution_table.inc"
#undef X

#define X(name) &assay_attribution_##name,
static const att_method *const methods[] = {
#include "attribution_table.inc"
};
#undef X

size_t att_method_count(void) {
    return sizeof methods / sizeof *methods;
}

const att_method *att_method_at(size_t i) {
    return methods[i];
}

const att_method *att_method_find(const char *name) {
    for (size_t i = 0; i < att_method_count(); i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}

assay_status att_settings_make(att_settings *out,
                               double damping,
                               double ridge,
                               double from,
                               int dim,
                               const char *projector,
                               int checkpoints) {
    enum { MOST_DIM = 1 << 20, MOST_CHECKPOINTS = 1000 };
    *out = (att_settings)ATT_SETTINGS_INIT;
    if (!isfinite(damping) || !isfinite(ridge) || !(from < 1) || dim < 0 ||
        dim > MOST_DIM || checkpoints < 0 || checkpoints > MOST_CHECKPOINTS)
        return err_set(ASSAY_E_INVALID,
                       "damping %g, ridge %g, from %g, dim %d, %d checkpoints are out of "
                       "range",
                       damping, ridge, from, dim, checkpoints);
    if (damping >= 0)
        out->damping = damping;
    if (ridge >= 0)
        out->ridge = ridge;
    if (from >= 0)
        out->from = from;
    if (dim)
        out->dim = dim;
    if (projector)
        out->projector = projector;
    if (checkpoints)
        out->checkpoints = checkpoints;
    return ASSAY_OK;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* sign(x) max(|x| - c, 0), c the quantile of a target's |x| (Park et al. 2023, section
 * 3.2, with the threshold relative to the target's own scores). */
static assay_status
soften(float *scores, assay_ctx *ctx, double quantile, size_t n_rows, size_t n_targets) {
    float *size = NULL;
    assay_status status = mem_new(ctx, &size, n_rows, sizeof *size);
    for (size_t t = 0; status == ASSAY_OK && t < n_targets; t++) {
        for (size_t i = 0; i < n_rows; i++)
            size[i] = fabsf(scores[i * n_targets + t]);
        qsort(size, n_rows, sizeof *size, ascending);
        float cut = size[(size_t)(quantile * (double)(n_rows - 1))];
        for (size_t i = 0; i < n_rows; i++) {
            float *x = &scores[i * n_targets + t];
            *x = fabsf(*x) <= cut ? 0 : *x > 0 ? *x - cut : *x + cut;
        }
    }
    mem_free(ctx, size);
    return status;
}

assay_status att_sum_finish(float *out,
                            assay_ctx *ctx,
                            const att_sum *sum,
                            const att_method *method,
                            const att_settings *settings,
                            int members,
                            size_t n_rows,
                            size_t n_targets) {
    float scale = 1 / (float)members;
    bool weighs = method->weighs && !settings->unweighed;
    for (size_t i = 0; i < n_rows; i++) {
        float weight = weighs ? scale * sum->weight[i] : 1.0f;
        for (size_t t = 0; t < n_targets; t++) {
            float x = sum->scores[i * n_targets + t] * scale * weight;
            if (!isfinite(x)) {
                (void)err_set(ASSAY_E_NUMERIC, "a score of method %s is not finite",
                              method->name);
                err_where("row %zu, target %zu", i, t);
                return ASSAY_E_NUMERIC;
            }
            out[i * n_targets + t] = x;
        }
    }
    if (settings->threshold > 0)
        return soften(out, ctx, settings->threshold, n_rows, n_targets);
    return ASSAY_OK;
}
