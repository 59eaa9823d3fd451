/* Ensembles of a method, scored and judged; null controls. */
#include "attribute/measure/lds.h"

#include <math.h>
#include <string.h>

assay_status lds_members_train(lds *l) {
    const att_study *s = &l->lab.study;
    size_t seen =
        l->matched ? (size_t)(l->lab.protocol->share * (double)s->n_rows) : s->n_rows;
    return att_ensemble_train(&l->members, s, l->most, att_steps(&s->recipe, seen),
                              lds_seed(l) + LDS_FIRST_MEMBER);
}

/* ---- judging ---- */

/* Mean LDS of scores, without intervals. */
static assay_status plain_lds(double *out, lds *l, const float *scores) {
    assay_status status = ASSAY_OK;
    size_t targets = l->lab.study.n_targets;
    stat_lds x;
    ASSAY_TRY(att_subsets_predict(l->predicted, &l->subsets, scores, targets));
    ASSAY_TRY(stat_lds_measure(&x, l->ctx, l->predicted, l->mean, l->subsets.count,
                               targets, 0, 0));
    *out = x.mean;
done:
    return status;
}

/* LDS of scores moved by one target, and by a third of the rows. */
static assay_status
null_controls(lds_entry *e, lds *l, const float *scores, float *moved) {
    assay_status status = ASSAY_OK;
    size_t rows = l->lab.study.n_rows, targets = l->lab.study.n_targets;
    for (size_t i = 0; i < rows; i++)
        for (size_t t = 0; t < targets; t++)
            moved[i * targets + t] = scores[i * targets + (t + 1) % targets];
    ASSAY_TRY(plain_lds(&e->null_targets, l, moved));
    for (size_t i = 0; i < rows; i++)
        memcpy(moved + i * targets, scores + (i + rows / 3) % rows * targets,
               targets * sizeof *moved);
    ASSAY_TRY(plain_lds(&e->null_rows, l, moved));
done:
    return status;
}

assay_status lds_on_fit(double *out, const lds *l, const float *scores) {
    assay_status status = ASSAY_OK;
    size_t targets = l->lab.study.n_targets, subsets = l->fit_subsets.count;
    float *predicted = NULL;
    stat_lds x;
    ASSAY_TRY(mem_new(l->ctx, &predicted, subsets * targets, sizeof *predicted));
    ASSAY_TRY(att_subsets_predict(predicted, &l->fit_subsets, scores, targets));
    ASSAY_TRY(stat_lds_measure(&x, l->ctx, predicted, l->fit, subsets, targets, 0, 0));
    *out = x.mean;
done:
    mem_free(l->ctx, predicted);
    return status;
}

assay_status lds_judge(lds_entry *e, lds *l, const float *scores, float *scratch) {
    assay_status status = ASSAY_OK;
    size_t targets = l->lab.study.n_targets, subsets = l->subsets.count;
    int rounds = l->o.rounds < 0 ? 0 : l->o.rounds ? l->o.rounds : LDS_ROUNDS;
    e->fit = NAN;
    ASSAY_TRY(att_subsets_predict(l->predicted, &l->subsets, scores, targets));
    ASSAY_TRY(stat_lds_measure(&e->lds, l->ctx, l->predicted, l->mean, subsets, targets,
                               rounds, l->o.seed));
    if (l->fit)
        ASSAY_TRY(lds_on_fit(&e->fit, l, scores));
    ASSAY_TRY(null_controls(e, l, scores, scratch));
done:
    return status;
}

void lds_tell(lds *l, const lds_entry *e) {
    json_out *j = &l->j;
    json_obj(j);
    json_kstr(j, "method", e->method);
    json_kint(j, "models", e->models);
    json_kstr(j, "centre", l->matched ? "matched" : "full");
    json_knum(j, "lds", e->lds.mean);
    json_key(j, "ci");
    json_arr(j);
    json_num(j, e->lds.mean - e->lds.by_both);
    json_num(j, e->lds.mean + e->lds.by_both);
    json_arr_end(j);
    json_knum(j, "ci_subsets", e->lds.by_subsets);
    json_knum(j, "ci_targets", e->lds.by_targets);
    if (!isnan(e->fit))
        json_knum(j, "lds_fit", e->fit);
    for (int i = 0; i < 2 && e->chose[i]; i++)
        json_knum(j, e->chose[i], e->chosen[i]);
    json_knum(j, "seed_sd", e->seed_sd);
    json_knum(j, "null_targets", e->null_targets);
    json_knum(j, "null_rows", e->null_rows);
    json_knum(j, "seconds", e->seconds);
    json_knum(j, "cpu_seconds", e->cpu_seconds);
    json_obj_end(j);
}

/* ---- ensembles ---- */

static double deviation(const double *x, int n) {
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(square / (n - 1)) : NAN;
}

/* Puts an ensemble's scores aside if the stack is made of them. */
static assay_status
keep(lds_kept *k, const lds *l, const att_tally *tally, const lds_entry *x) {
    assay_status status = ASSAY_OK;
    size_t cells = l->lab.study.n_rows * l->lab.study.n_targets;
    if (!l->stack || k->scores)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(l->ctx, &k->scores, cells, sizeof(float)));
    memcpy(k->scores, tally->scores, cells * sizeof(float));
    k->seconds = x->seconds;
    k->cpu_seconds = x->cpu_seconds;
done:
    return status;
}

assay_status lds_method_run(lds *l, const att_method *method, bool tells) {
    assay_status status = ASSAY_OK;
    bool ekfac = strcmp(method->name, "ekfac") == 0;
    int last = l->size[l->sizes - 1];
    int most = l->stack && ekfac && last < LDS_STACK_MODELS ? LDS_STACK_MODELS : last;
    double single[LDS_MOST_MODELS]; /* LDS of each member alone */
    att_settings settings;
    lds_entry tuned;
    att_tally tally = {0};
    ASSAY_TRY(lds_tune(&settings, &tuned, l, method));
    ASSAY_TRY(att_tally_make(&tally, &l->members, method, &settings));
    progress_begin(l->ctx, method->name, most, "models");
    for (int m = 0, at = 0; m < most; m++) {
        ASSAY_TRY(att_tally_add(&tally));
        ASSAY_TRY(plain_lds(&single[m], l, tally.scores));
        progress_add(l->ctx, 1);
        double share = (double)(m + 1) / l->most;
        bool asked = at < l->sizes && m + 1 == l->size[at];
        lds_entry x = tuned; /* with the time that choosing took */
        x.method = method->name;
        x.models = m + 1;
        x.seed_sd = deviation(single, m + 1);
        x.seconds += share * l->members.seconds + tally.seconds;
        x.cpu_seconds += share * l->members.cpu_seconds + tally.cpu_seconds;
        if (!asked && m + 1 < most)
            continue;
        ASSAY_TRY(att_tally_mean(&tally));
        if (ekfac && m + 1 == most)
            ASSAY_TRY(keep(&l->ekfac, l, &tally, &x));
        if (strcmp(method->name, "replay") == 0)
            ASSAY_TRY(keep(&l->replay[at], l, &tally, &x));
        if (asked && tells) {
            ASSAY_TRY(lds_judge(&x, l, tally.scores, tally.one.scores));
            lds_tell(l, &x);
        }
        at += asked;
    }
    progress_end(l->ctx);
done:
    att_tally_free(&tally);
    return status;
}
