/* Settings chosen on the fit subsets, which the truth shares no subset and no seed with:
 * the ridge or the damping that a method reads, then the soft threshold. The first models
 * of the ensemble stand for all of it. */
#include "attribute/measure/lds.h"

#include "base/os.h"

#include <math.h>
#include <string.h>

enum { TUNE_MODELS = 2 };
static const double sizes[] = {.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100};
static const double quantiles[] = {0, .3, .5, .7, .8, .9, .95, .98};
enum { SIZES = sizeof sizes / sizeof *sizes };
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

typedef struct tuning {
    lds *l;
    const att_method *method;
    int models;
    att_sum sum;
    float *scores;
} tuning;

/* Sums of the first models. */
static assay_status sum_make(tuning *t, const att_settings *settings) {
    assay_status status = ASSAY_OK;
    const att_study *s = &t->l->lab.study;
    memset(t->sum.scores, 0, s->n_rows * s->n_targets * sizeof(float));
    memset(t->sum.weight, 0, s->n_rows * sizeof(float));
    for (int m = 0; m < t->models; m++) {
        const att_member member = att_ensemble_member(&t->l->members, m);
        ASSAY_TRY_AT(t->method->score(&t->sum, &member, settings), "%s", t->method->name);
    }
done:
    return status;
}

static assay_status judge(double *out, tuning *t, const att_settings *settings) {
    assay_status status = ASSAY_OK;
    const att_study *s = &t->l->lab.study;
    ASSAY_TRY(att_sum_finish(t->scores, t->l->ctx, &t->sum, t->method, settings,
                             t->models, s->n_rows, s->n_targets));
    ASSAY_TRY(lds_on_fit(out, t->l, t->scores));
done:
    return status;
}

/* The best of a grid for one setting of `settings`, which `value` points to. */
static assay_status grid(tuning *t,
                         att_settings *settings,
                         double *value,
                         const double *from,
                         size_t n,
                         bool again) {
    assay_status status = ASSAY_OK;
    double most = -INFINITY, best = from[0];
    for (size_t i = 0; i < n; i++) {
        double fit;
        *value = from[i];
        if (again)
            ASSAY_TRY(sum_make(t, settings));
        ASSAY_TRY(judge(&fit, t, settings));
        if (fit > most) {
            most = fit;
            best = from[i];
        }
    }
    *value = best;
done:
    return status;
}

static void note(lds_entry *e, const char *name, double value) {
    int at = e->chose[0] != NULL;
    e->chose[at] = name;
    e->chosen[at] = value;
}

static assay_status choose(tuning *t, att_settings *out, lds_entry *e) {
    assay_status status = ASSAY_OK;
    const assay_lds_options *o = &t->l->o;
    bool ridge = t->method->reads & ATT_READS_RIDGE && o->ridge < 0;
    bool damping = t->method->reads & ATT_READS_DAMPING && o->damping < 0;
    if (ridge || damping) {
        double *value = ridge ? &out->ridge : &out->damping;
        ASSAY_TRY(grid(t, out, value, sizes, SIZES, true));
        note(e, ridge ? "ridge" : "damping", *value);
    }
    if (o->threshold < 0) {
        ASSAY_TRY(sum_make(t, out));
        ASSAY_TRY(grid(t, out, &out->threshold, quantiles, QUANTILES, false));
        note(e, "threshold", out->threshold);
    }
done:
    return status;
}

assay_status lds_tune(att_settings *out, lds_entry *e, lds *l, const att_method *method) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t cells = s->n_rows * s->n_targets;
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    tuning t = {.l = l,
                .method = method,
                .models = l->most < TUNE_MODELS ? l->most : TUNE_MODELS};
    *out = l->settings;
    *e = (lds_entry){0};
    if (!lds_tunes(l))
        return ASSAY_OK;
    ASSAY_TRY(mem_new(l->ctx, &t.sum.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &t.sum.weight, s->n_rows, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &t.scores, cells, sizeof(float)));
    ASSAY_TRY(choose(&t, out, e));
    if (e->chose[0]) { /* the models of the fit subsets are part of the price */
        e->seconds = 1e-9 * (double)(os_now_ns() - began) + l->fit_seconds;
        e->cpu_seconds = 1e-9 * (double)(os_cpu_ns() - began_cpu) + l->fit_cpu;
    }
done:
    mem_free(l->ctx, t.sum.scores);
    mem_free(l->ctx, t.sum.weight);
    mem_free(l->ctx, t.scores);
    return status;
}
