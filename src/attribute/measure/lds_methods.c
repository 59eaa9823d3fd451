/* Ensembles of a method, scored and judged; null controls. */
#include "attribute/measure/lds.h"

#include "base/os.h"

#include <math.h>
#include <string.h>

static double seconds_since(uint64_t began) {
    return 1e-9 * (double)(os_now_ns() - began);
}

static double cpu_since(uint64_t began) {
    return 1e-9 * (double)(os_cpu_ns() - began);
}

assay_status lds_members_train(lds *l) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t floats = nn_graph_param_floats(s->model->graph), n = (size_t)l->most;
    size_t seen =
        l->matched ? (size_t)(l->lab.protocol->share * (double)s->n_rows) : s->n_rows;
    float *margins = NULL;
    ASSAY_TRY(mem_new(l->ctx, &l->runs, n, sizeof *l->runs));
    ASSAY_TRY(mem_new(l->ctx, &l->params, n, sizeof *l->params));
    ASSAY_TRY(mem_new(l->ctx, &l->buffers, n, sizeof *l->buffers));
    ASSAY_TRY(mem_new(l->ctx, &margins, n * s->n_targets, sizeof *margins));
    progress_begin(l->ctx, "models", l->most, "models");
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    for (size_t m = 0; m < n; m++) {
        ASSAY_TRY(mem_new(l->ctx, &l->params[m], floats, sizeof **l->params));
        ASSAY_TRY(mem_new(l->ctx, &l->buffers[m], nn_graph_buffer_floats(s->model->graph),
                          sizeof **l->buffers));
        l->runs[m] = (att_run){.recipe = &s->recipe,
                               .rows = s->rows,
                               .n_rows = s->n_rows,
                               .steps = att_steps(&s->recipe, seen),
                               .seed = lds_seed(l) + LDS_FIRST_MEMBER + m};
    }
    ASSAY_TRY(att_train_models(margins, l->params, l->buffers, s, l->runs, n));
    l->train_seconds = seconds_since(began);
    l->train_cpu = cpu_since(began_cpu);
    progress_end(l->ctx);
done:
    mem_free(l->ctx, margins);
    return status;
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

typedef struct ensemble {
    att_settings settings;
    lds_entry tuned;  /* what was chosen, and the time it took */
    att_sum one, all; /* the member at hand; all so far */
    float *scores;    /* [n_rows, n_targets] */
    size_t rows, targets, cells;
    double single[LDS_MOST_MODELS]; /* LDS of each member alone */
    double seconds, cpu;            /* of scoring */
} ensemble;

static assay_status ensemble_make(ensemble **out, const lds *l) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(l->ctx, out, 1, sizeof **out));
    ensemble *e = *out;
    e->rows = l->lab.study.n_rows;
    e->targets = l->lab.study.n_targets;
    e->cells = e->rows * e->targets;
    ASSAY_TRY(mem_new(l->ctx, &e->one.scores, e->cells, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &e->all.scores, e->cells, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &e->one.weight, e->rows, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &e->all.weight, e->rows, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &e->scores, e->cells, sizeof(float)));
done:
    return status;
}

static void ensemble_free(ensemble *e, assay_ctx *ctx) {
    if (!e)
        return;
    mem_free(ctx, e->one.scores);
    mem_free(ctx, e->all.scores);
    mem_free(ctx, e->one.weight);
    mem_free(ctx, e->all.weight);
    mem_free(ctx, e->scores);
    mem_free(ctx, e);
}

static assay_status ensemble_add(ensemble *e, lds *l, const att_method *method, int m) {
    assay_status status = ASSAY_OK;
    const att_member member = {.study = &l->lab.study,
                               .run = &l->runs[m],
                               .seed = l->runs[m].seed,
                               .params = l->params[m],
                               .buffers = l->buffers[m]};
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    memset(e->one.scores, 0, e->cells * sizeof(float));
    memset(e->one.weight, 0, e->rows * sizeof(float));
    ASSAY_TRY_AT(method->score(&e->one, &member, &e->settings), "%s", method->name);
    for (size_t i = 0; i < e->cells; i++)
        e->all.scores[i] += e->one.scores[i];
    for (size_t i = 0; i < e->rows; i++)
        e->all.weight[i] += e->one.weight[i];
    e->seconds += seconds_since(began);
    e->cpu += cpu_since(began_cpu);
    ASSAY_TRY(att_sum_finish(e->scores, l->ctx, &e->one, method, &e->settings, 1, e->rows,
                             e->targets));
    ASSAY_TRY(plain_lds(&e->single[m], l, e->scores));
done:
    return status;
}

/* Puts the ensemble's scores aside if the stack is made of them. */
static assay_status
keep(lds_kept *k, const lds *l, const ensemble *e, const lds_entry *x) {
    assay_status status = ASSAY_OK;
    if (!l->stack || k->scores)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(l->ctx, &k->scores, e->cells, sizeof(float)));
    memcpy(k->scores, e->scores, e->cells * sizeof(float));
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
    ensemble *e = NULL;
    ASSAY_TRY(ensemble_make(&e, l));
    ASSAY_TRY(lds_tune(&e->settings, &e->tuned, l, method));
    progress_begin(l->ctx, method->name, most, "models");
    for (int m = 0, at = 0; m < most; m++) {
        ASSAY_TRY(ensemble_add(e, l, method, m));
        progress_add(l->ctx, 1);
        double share = (double)(m + 1) / l->most;
        bool asked = at < l->sizes && m + 1 == l->size[at];
        lds_entry x = e->tuned;
        x.method = method->name;
        x.models = m + 1;
        x.seed_sd = deviation(e->single, m + 1);
        x.seconds += share * l->train_seconds + e->seconds;
        x.cpu_seconds += share * l->train_cpu + e->cpu;
        if (!asked && m + 1 < most)
            continue;
        ASSAY_TRY(att_sum_finish(e->scores, l->ctx, &e->all, method, &e->settings, m + 1,
                                 e->rows, e->targets));
        if (ekfac && m + 1 == most)
            ASSAY_TRY(keep(&l->ekfac, l, e, &x));
        if (strcmp(method->name, "replay") == 0)
            ASSAY_TRY(keep(&l->replay[at], l, e, &x));
        if (asked && tells) {
            ASSAY_TRY(lds_judge(&x, l, e->scores, e->one.scores));
            lds_tell(l, &x);
        }
        at += asked;
    }
    progress_end(l->ctx);
done:
    ensemble_free(e, l->ctx);
    return status;
}
