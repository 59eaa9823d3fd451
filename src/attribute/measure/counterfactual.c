/* assay_counterfactual: rows that scores name are removed, models trained again, and the
 * change compared with the one that was predicted.
 *
 * The world is that of the matched centre: every model, with all rows or without some,
 * trains for as many steps as a model on a subset of the protocol. Left-out rows' share
 * of the run falls to the others, so that weights go from 1 to n / (n - k) for those that
 * stay and to 0 for the k removed; to first order the margin then changes by
 *     -slope n / (n - k) (sum of the removed scores - k mean score).
 * slope is that of margins by sums of scores over the fit subsets, where weights are
 * 1 / share or 0: least squares gives slope / share. A derivative by weight, which replay
 * is, has a slope of 1 as far as the margin is linear. */
#include "attribute/measure/counterfactual.h"

#include "attribute/measure/removal.h"
#include "attribute/measure/stats.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "file/atomic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CF_ROUNDS = 1000, CF_MOST_TARGETS = 100000 };
#define CF_METHODS  "trak,ekfac,replay,random,random-class"
#define CF_REMOVALS "10,20,40,80,160,320"

/* ---- what was asked for ---- */

static assay_status sizes_read(counterfactual *c) {
    const char *text = c->o.removals ? c->o.removals : CF_REMOVALS;
    for (const char *at = text; *at;) {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at || n < 1 || n > INT32_MAX || (*end && *end != ',') ||
            c->sizes == CF_MOST_SIZES ||
            (c->sizes && (size_t)n <= c->size[c->sizes - 1])) {
            (void)err_set(ASSAY_E_INVALID, "removals are \"%s\"", text);
            err_help("give numbers of rows, ascending, as in 10,20,40");
            return ASSAY_E_INVALID;
        }
        c->size[c->sizes++] = (size_t)n;
        at = *end ? end + 1 : end;
    }
    return c->sizes ? ASSAY_OK : err_set(ASSAY_E_INVALID, "no number of rows to remove");
}

static assay_status options_read(counterfactual *c,
                                 const assay_counterfactual_options *options) {
    assay_status status = ASSAY_OK;
    assay_counterfactual_options *o = &c->o;
    const att_protocol *p;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_counterfactual_options"));
    o->models = o->models ? o->models : 5;
    o->seeds = o->seeds ? o->seeds : 5;
    o->targets = o->targets ? o->targets : 30;
    if (o->models < 1 || o->models > CF_MOST_MODELS || o->seeds < 1 ||
        o->seeds > CF_MOST_MODELS || o->targets < 1 || o->targets > CF_MOST_TARGETS)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d models, %d seeds, %d targets are out of range",
                   o->models, o->seeds, o->targets);
    ASSAY_TRY(sizes_read(c));
    ASSAY_TRY(att_settings_make(&c->settings, o->damping, o->ridge, o->from, o->dim,
                                o->projector, o->tracin_checkpoints));
    ASSAY_TRY(att_protocol_find(&p, c->ctx, o->protocol ? o->protocol : "a"));
    c->protocol = *p;
    c->protocol.targets =
        (size_t)o->targets < p->targets ? (size_t)o->targets : p->targets;
done:
    return status;
}

/* Calls `with` for each source that was asked for. */
static assay_status each_source(counterfactual *c,
                                assay_status (*with)(counterfactual *c,
                                                     const cf_source *s)) {
    assay_status status = ASSAY_OK;
    const char *at = c->o.methods ? c->o.methods : CF_METHODS;
    for (cf_source source; *at; at += *at == ',') {
        size_t bytes = strcspn(at, ",");
        ASSAY_TRY(cf_source_find(&source, c->ctx, at, bytes));
        ASSAY_TRY(with(c, &source));
        at += bytes;
    }
    for (size_t i = 0; c->o.scores && c->o.scores[i]; i++) {
        const char *given = c->o.scores[i], *is = strchr(given, '=');
        cf_source source = {.predicts = true};
        size_t bytes = is ? (size_t)(is - given) : 0;
        if (!bytes || bytes >= sizeof source.name || !is[1]) {
            (void)err_set(ASSAY_E_INVALID, "scores are \"%s\"", given);
            err_help("give a name and a file, as in mine=scores.npy");
            return ASSAY_E_INVALID;
        }
        memcpy(source.name, given, bytes);
        source.file = is + 1;
        ASSAY_TRY(with(c, &source));
    }
done:
    return status;
}

static assay_status look(counterfactual *c, const cf_source *source) {
    (void)c;
    (void)source;
    return ASSAY_OK;
}

/* ---- what is trained once ---- */

static assay_status room_make(counterfactual *c) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    size_t targets = s->n_targets, most = s->n_rows - (size_t)s->recipe.batch;
    if (c->size[c->sizes - 1] > most) {
        (void)err_set(ASSAY_E_INVALID,
                      "%zu rows can't be removed: there are %zu, and a "
                      "batch takes %d",
                      c->size[c->sizes - 1], s->n_rows, s->recipe.batch);
        err_help("remove at most %zu", most);
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(c->ctx, &c->scores, s->n_rows * targets, sizeof *c->scores));
    ASSAY_TRY(mem_new(c->ctx, &c->order, s->n_rows * targets, sizeof *c->order));
    ASSAY_TRY(
        mem_new(c->ctx, &c->margins, targets * (size_t)c->o.seeds, sizeof *c->margins));
    ASSAY_TRY(mem_new(c->ctx, &c->base, targets, sizeof *c->base));
    ASSAY_TRY(mem_new(c->ctx, &c->measured, targets, sizeof *c->measured));
    ASSAY_TRY(mem_new(c->ctx, &c->predicted, targets, sizeof *c->predicted));
    ASSAY_TRY(mem_new(c->ctx, &c->after, targets, sizeof *c->after));
    ASSAY_TRY(
        mem_new(c->ctx, &c->fit, c->protocol.fit_subsets * targets, sizeof *c->fit));
done:
    return status;
}

static assay_status models_make(counterfactual *c) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    const att_protocol *p = &c->protocol;
    uint64_t seed = c->o.seed << 24;
    att_ensemble all = {0};
    c->steps = att_steps(&s->recipe, (size_t)(p->share * (double)s->n_rows));
    ASSAY_TRY(att_ensemble_train(&c->members, s, c->o.models, c->steps,
                                 seed + CF_FIRST_MEMBER));
    ASSAY_TRY(att_ensemble_train(&all, s, CF_BASES * c->o.seeds, c->steps,
                                 seed + CF_FIRST_RUN));
    for (size_t t = 0; t < s->n_targets; t++)
        for (int m = 0; m < all.count; m++)
            c->base[t] +=
                (double)all.margins[(size_t)m * s->n_targets + t] / (double)all.count;
    ASSAY_TRY(att_subsets_draw(&c->fit_subsets, s, p->fit_subsets, p->share, RNG_LDS_FIT,
                               c->o.seed));
    progress_begin(c->ctx, "fit", (int64_t)p->fit_subsets, "models");
    ASSAY_TRY(att_subsets_truth(c->fit, s, &c->fit_subsets, 1, seed + CF_FIRST_FIT));
    progress_end(c->ctx);
done:
    att_ensemble_free(&all);
    return status;
}

/* ---- prediction ---- */

/* Least squares of margins by sums of scores, both centred by target. */
static assay_status slope_fit(counterfactual *c) {
    assay_status status = ASSAY_OK;
    size_t targets = c->lab.study.n_targets, subsets = c->fit_subsets.count;
    double xy = 0, xx = 0;
    float *sum = NULL;
    ASSAY_TRY(mem_new(c->ctx, &sum, subsets * targets, sizeof *sum));
    ASSAY_TRY(att_subsets_predict(sum, &c->fit_subsets, c->scores, targets));
    for (size_t t = 0; t < targets; t++) {
        double mx = 0, my = 0;
        for (size_t j = 0; j < subsets; j++) {
            mx += (double)sum[j * targets + t] / (double)subsets;
            my += (double)c->fit[j * targets + t] / (double)subsets;
        }
        for (size_t j = 0; j < subsets; j++) {
            double x = (double)sum[j * targets + t] - mx;
            xy += x * ((double)c->fit[j * targets + t] - my);
            xx += x * x;
        }
    }
    c->slope = xx > 0 ? c->protocol.share * xy / xx : 0;
done:
    mem_free(c->ctx, sum);
    return status;
}

double cf_predict(const counterfactual *c, size_t target, size_t k) {
    const att_study *s = &c->lab.study;
    const uint32_t *order = c->order + target * s->n_rows;
    double all = 0, removed = 0, n = (double)s->n_rows;
    for (size_t i = 0; i < s->n_rows; i++) {
        double x = (double)c->scores[order[i] * s->n_targets + target];
        all += x;
        removed += i < k ? x : 0;
    }
    return -c->slope * n / (n - (double)k) * (removed - (double)k * all / n);
}

/* ---- what is told of one number of rows ---- */

typedef struct cell {
    double measured, predicted; /* means */
    double correlation, flipped;
    size_t right; /* targets that models with all rows get right */
    double by_correlation, by_measured, by_flipped; /* half-widths of 95 % intervals */
} cell;

/* Means over targets, as `pick` has them. */
static assay_status cell_means(cell *out, const counterfactual *c, const uint32_t *pick) {
    assay_status status = ASSAY_OK;
    size_t n = c->lab.study.n_targets;
    float *x = NULL;
    *out = (cell){0};
    ASSAY_TRY(mem_new(c->ctx, &x, 2 * n, sizeof *x));
    for (size_t i = 0; i < n; i++) {
        size_t t = pick ? pick[i] : i;
        x[i] = (float)c->measured[t];
        x[n + i] = (float)c->predicted[t];
        out->measured += c->measured[t] / (double)n;
        out->predicted += c->predicted[t] / (double)n;
        out->right += c->base[t] > 0;
        out->flipped += c->base[t] > 0 && c->after[t] < 0;
    }
    out->flipped = out->right ? out->flipped / (double)out->right : 0;
    ASSAY_TRY(stat_spearman(&out->correlation, c->ctx, x, x + n, 1, n));
done:
    mem_free(c->ctx, x);
    return status;
}

static double half_width(const double *x, int n) {
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    return 1.96 * sqrt(square);
}

static assay_status cell_make(cell *out, const counterfactual *c) {
    assay_status status = ASSAY_OK;
    size_t n = c->lab.study.n_targets;
    int rounds = c->o.rounds < 0 ? 0 : c->o.rounds ? c->o.rounds : CF_ROUNDS;
    uint32_t *pick = NULL;
    double *drawn = NULL;
    ASSAY_TRY(cell_means(out, c, NULL));
    if (!rounds)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(c->ctx, &pick, n, sizeof *pick));
    ASSAY_TRY(mem_new(c->ctx, &drawn, 3 * (size_t)rounds, sizeof *drawn));
    for (int round = 0; round < rounds; round++) {
        rng r = rng_at(c->o.seed, RNG_BOOTSTRAP, 2, (uint64_t)round);
        cell one;
        for (size_t i = 0; i < n; i++)
            pick[i] = (uint32_t)rng_below(&r, n);
        ASSAY_TRY(cell_means(&one, c, pick));
        drawn[round] = one.measured;
        drawn[rounds + round] = one.correlation;
        drawn[2 * rounds + round] = one.flipped;
    }
    out->by_measured = half_width(drawn, rounds);
    out->by_correlation = half_width(drawn + rounds, rounds);
    out->by_flipped = half_width(drawn + 2 * rounds, rounds);
done:
    mem_free(c->ctx, pick);
    mem_free(c->ctx, drawn);
    return status;
}

static void interval(json_out *j, const char *key, double mean, double half) {
    json_key(j, key);
    json_arr(j);
    json_num(j, mean - half);
    json_num(j, mean + half);
    json_arr_end(j);
}

static assay_status cell_tell(counterfactual *c, const cf_source *source, size_t k) {
    assay_status status = ASSAY_OK;
    json_out *j = &c->j;
    cell x;
    ASSAY_TRY(cell_make(&x, c));
    json_obj(j);
    json_kint(j, "removed", (int64_t)k);
    json_knum(j, "measured", x.measured);
    interval(j, "ci", x.measured, x.by_measured);
    json_knum(j, "predicted", source->predicts ? x.predicted : NAN);
    json_knum(j, "correlation", source->predicts ? x.correlation : NAN);
    json_knum(j, "correlation_ci", source->predicts ? x.by_correlation : NAN);
    json_knum(j, "flipped", x.flipped);
    interval(j, "flipped_ci", x.flipped, x.by_flipped);
    json_obj_end(j);
    for (size_t t = 0; t < c->lab.study.n_targets; t++) {
        buf_fmt(&c->csv, "%s,%zu,%u,%.9g,%.9g,", source->name, k, c->lab.study.targets[t],
                c->base[t], c->measured[t]);
        if (source->predicts)
            buf_fmt(&c->csv, "%.9g", c->predicted[t]);
        buf_str(&c->csv, "\n");
    }
done:
    return status;
}

static assay_status remove_rows(counterfactual *c, size_t k) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    size_t seeds = (size_t)c->o.seeds;
    removal *set = NULL;
    ASSAY_TRY(mem_new(c->ctx, &set, s->n_targets, sizeof *set));
    for (size_t t = 0; t < s->n_targets; t++)
        set[t] = (removal){t, c->order + t * s->n_rows, k};
    ASSAY_TRY(removal_measure(c->margins, s, set, s->n_targets, seeds,
                              (c->o.seed << 24) + CF_FIRST_RUN, c->steps, c->o.keep));
    for (size_t t = 0; t < s->n_targets; t++) {
        c->after[t] = 0;
        for (size_t i = 0; i < seeds; i++)
            c->after[t] += (double)c->margins[t * seeds + i] / (double)seeds;
        c->measured[t] = c->after[t] - c->base[t];
        c->predicted[t] = cf_predict(c, t, k);
    }
done:
    mem_free(c->ctx, set);
    return status;
}

static assay_status source_run(counterfactual *c, const cf_source *source) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    json_out *j = &c->j;
    double seconds;
    ASSAY_TRY(cf_scores(c, source, &seconds));
    ASSAY_TRY(slope_fit(c));
    for (size_t t = 0; t < s->n_targets; t++)
        ASSAY_TRY(removal_order(c->order + t * s->n_rows, c->ctx, c->scores + t,
                                s->n_targets, s->n_rows));
    json_obj(j);
    json_kstr(j, "method", source->name);
    json_kint(j, "models", source->method ? c->members.count : 0);
    json_knum(j, "slope", source->predicts ? c->slope : NAN);
    json_knum(j, "seconds", seconds);
    json_key(j, "removals");
    json_arr(j);
    progress_begin(c->ctx, source->name, (int64_t)(c->sizes * s->n_targets) * c->o.seeds,
                   "models");
    for (size_t i = 0; i < c->sizes; i++) {
        ASSAY_TRY(remove_rows(c, c->size[i]));
        ASSAY_TRY(cell_tell(c, source, c->size[i]));
    }
    progress_end(c->ctx);
    json_arr_end(j);
    if (c->o.until_flipped)
        ASSAY_TRY(cf_brittle(c, source));
    json_obj_end(j);
done:
    return status;
}

/* ---- the document ---- */

static void tell_head(counterfactual *c) {
    json_out *j = &c->j;
    double margin = 0, right = 0;
    size_t targets = c->lab.study.n_targets;
    for (size_t t = 0; t < targets; t++) {
        margin += c->base[t] / (double)targets;
        right += (c->base[t] > 0) / (double)targets;
    }
    json_kstr(j, "schema", "assay.counterfactual/1");
    json_kstr(j, "protocol", c->protocol.name);
    json_kstr(j, "model", c->protocol.model);
    json_kint(j, "rows", (int64_t)c->lab.study.n_rows);
    json_kint(j, "targets", (int64_t)targets);
    json_kint(j, "seeds", c->o.seeds);
    json_kint(j, "steps", c->steps);
    json_kint(j, "seed", (int64_t)c->o.seed);
    json_knum(j, "margin", margin);
    json_knum(j, "right", right);
}

static void counterfactual_free(counterfactual *c) {
    att_ensemble_free(&c->members);
    att_subsets_free(&c->fit_subsets);
    mem_free(c->ctx, c->fit);
    mem_free(c->ctx, c->base);
    mem_free(c->ctx, c->scores);
    mem_free(c->ctx, c->order);
    mem_free(c->ctx, c->margins);
    mem_free(c->ctx, c->measured);
    mem_free(c->ctx, c->predicted);
    mem_free(c->ctx, c->after);
    buf_free(&c->csv);
    att_lab_close(&c->lab);
}

assay_status assay_counterfactual(assay_ctx *ctx,
                                  const char *source,
                                  const assay_counterfactual_options *options,
                                  char **json) {
    assay_status status = ASSAY_OK;
    counterfactual c = {
        .ctx = ctx, .o = ASSAY_COUNTERFACTUAL_OPTIONS_INIT, .csv = buf_make(ctx)};
    buf text = buf_make(ctx);
    uint64_t began = os_now_ns();
    *json = NULL;
    c.j = json_out_make(&text, 2);
    ASSAY_TRY(options_read(&c, options));
    ASSAY_TRY(each_source(&c, look)); /* before the work, not behind it */
    ASSAY_TRY(att_lab_open(&c.lab, ctx, source, &c.protocol));
    ASSAY_TRY(room_make(&c));
    ASSAY_TRY(models_make(&c));
    buf_str(&c.csv, "method,removed,target,margin,measured,predicted\n");
    json_obj(&c.j);
    tell_head(&c);
    json_key(&c.j, "methods");
    json_arr(&c.j);
    ASSAY_TRY(each_source(&c, source_run));
    json_arr_end(&c.j);
    json_knum(&c.j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&c.j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&c.csv));
    if (c.o.csv)
        ASSAY_TRY(atomic_put(ctx, c.o.csv, c.csv.data, c.csv.len));
    ASSAY_TRY(mem_strdup(ctx, json, text.data));
done:
    buf_free(&text);
    counterfactual_free(&c);
    return status;
}
