/* Brittleness (Ilyas et al. 2022, section 4.2): how few rows a right prediction hangs on.
 * The predicted number is tried first; models without so many rows say whether it is
 * enough, and a bisection between too few and enough follows. Its end is confirmed by
 * models of other seeds, since of the numbers that were tried one may have flipped by
 * luck; where they say no, a quarter more rows are taken out, and others are asked. */
#include "attribute/measure/counterfactual.h"

#include "attribute/measure/removal.h"

#include <math.h>
#include <stdlib.h>

enum { TRIES = 9, CONFIRMS = 4, FIRST_GUESS = 16 };

typedef struct search {
    size_t target, predicted; /* rows; 0: none are */
    size_t few, enough;       /* rows that do not flip it, that do; enough 0: none yet */
    size_t next;              /* to try */
    double margin;            /* mean, of the models that confirm */
    bool done, confirmed;
} search;

/* The fewest rows whose predicted change takes the margin below nought. */
static size_t predicted_rows(const counterfactual *c, size_t target, size_t most) {
    for (size_t k = 1; k <= most; k++)
        if (c->base[target] + cf_predict(c, target, k) < 0)
            return k;
    return 0;
}

/* Takes in what models without s->next rows said, and sets what to try then. */
static void learn(search *s, bool flipped, size_t most) {
    if (flipped)
        s->enough = s->next;
    else
        s->few = s->next;
    s->next = s->enough           ? (s->few + s->enough) / 2
              : s->few * 2 < most ? s->few * 2
                                  : most;
    s->done = s->enough ? s->enough - s->few <= 1 + s->enough / 16 : s->few >= most;
}

/* Mean margins of the targets of `list` without their rows: of s->next when searching
 * (confirm below 0), else of s->enough, with the seeds of that round. */
static assay_status
retrain(double *mean, counterfactual *c, search *const *list, size_t n, int confirm) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    size_t seeds = (size_t)c->o.seeds;
    uint64_t first = confirm < 0 ? CF_FIRST_SEARCH
                                 : CF_FIRST_CONFIRM + (uint64_t)confirm * CF_MOST_MODELS;
    removal *set = NULL;
    ASSAY_TRY(mem_new(c->ctx, &set, n, sizeof *set));
    for (size_t i = 0; i < n; i++)
        set[i] = (removal){list[i]->target, c->order + list[i]->target * s->n_rows,
                           confirm < 0 ? list[i]->next : list[i]->enough};
    ASSAY_TRY(removal_measure(c->margins, s, set, n, seeds, (c->o.seed << 24) + first,
                              c->steps, c->o.keep));
    for (size_t i = 0; i < n; i++) {
        mean[i] = 0;
        for (size_t r = 0; r < seeds; r++)
            mean[i] += (double)c->margins[i * seeds + r] / (double)seeds;
    }
done:
    mem_free(c->ctx, set);
    return status;
}

/* Asks models of other seeds; more rows go where they say no. */
static assay_status confirm_all(
    counterfactual *c, search *all, search **list, double *mean, size_t n, size_t most) {
    assay_status status = ASSAY_OK;
    for (int round = 0; round < CONFIRMS; round++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if (all[i].enough && !all[i].confirmed)
                list[count++] = &all[i];
        if (!count)
            break;
        for (size_t i = 0; round && i < count; i++) {
            size_t more = list[i]->enough + list[i]->enough / 4 + 1;
            list[i]->enough = more < most ? more : most;
        }
        ASSAY_TRY(retrain(mean, c, list, count, round));
        for (size_t i = 0; i < count; i++) {
            list[i]->margin = mean[i];
            list[i]->confirmed = mean[i] < 0;
        }
    }
done:
    return status;
}

static assay_status search_all(
    counterfactual *c, search *all, search **list, double *mean, size_t n, size_t most) {
    assay_status status = ASSAY_OK;
    size_t count = n;
    for (int round = 0; round < TRIES && count; round++) {
        count = 0;
        for (size_t i = 0; i < n; i++)
            if (!all[i].done)
                list[count++] = &all[i];
        if (!count)
            break;
        ASSAY_TRY(retrain(mean, c, list, count, -1));
        for (size_t i = 0; i < count; i++)
            learn(list[i], mean[i] < 0, most);
    }
    ASSAY_TRY(confirm_all(c, all, list, mean, n, most));
done:
    return status;
}

static int fewer(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
tell(counterfactual *c, const search *all, double *rows, size_t n, bool predicts) {
    json_out *j = &c->j;
    size_t confirmed = 0, within = 0;
    for (size_t i = 0; i < n; i++) {
        confirmed += all[i].confirmed;
        within += all[i].confirmed && all[i].enough * 100 <= c->lab.study.n_rows;
        rows[i] = all[i].confirmed ? (double)all[i].enough : INFINITY;
    }
    qsort(rows, n, sizeof *rows, fewer);
    json_key(j, "brittle");
    json_obj(j);
    json_kint(j, "right", (int64_t)n);
    json_kint(j, "confirmed", (int64_t)confirmed);
    json_knum(j, "median", n && isfinite(rows[n / 2]) ? rows[n / 2] : NAN);
    json_knum(j, "within_1_percent", n ? (double)within / (double)n : NAN);
    json_key(j, "targets");
    json_arr(j);
    for (size_t i = 0; i < n; i++) {
        json_obj(j);
        json_kint(j, "row", c->lab.study.targets[all[i].target]);
        json_knum(j, "margin", c->base[all[i].target]);
        json_knum(j, "predicted",
                  predicts && all[i].predicted ? (double)all[i].predicted : NAN);
        json_knum(j, "rows", all[i].enough ? (double)all[i].enough : NAN);
        json_knum(j, "margin_without", all[i].enough ? all[i].margin : NAN);
        json_kbool(j, "confirmed", all[i].confirmed);
        json_obj_end(j);
    }
    json_arr_end(j);
    json_obj_end(j);
}

assay_status cf_brittle(counterfactual *c, const cf_source *source) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    size_t n = 0, most = s->n_rows / 2, room = s->n_rows - (size_t)s->recipe.batch;
    search *all = NULL, **list = NULL;
    double *mean = NULL;
    most = most < room ? most : room;
    ASSAY_TRY(mem_new(c->ctx, &all, s->n_targets, sizeof *all));
    ASSAY_TRY(mem_new(c->ctx, &list, s->n_targets, sizeof *list));
    ASSAY_TRY(mem_new(c->ctx, &mean, s->n_targets, sizeof *mean));
    for (size_t t = 0; t < s->n_targets; t++) {
        if (c->base[t] <= 0)
            continue;
        size_t predicted = source->predicts ? predicted_rows(c, t, most) : 0;
        size_t guess = predicted ? predicted : FIRST_GUESS;
        all[n++] = (search){
            .target = t, .predicted = predicted, .next = guess < most ? guess : most};
    }
    progress_begin(c->ctx, "fewest rows", (int64_t)(n * (TRIES + CONFIRMS)) * c->o.seeds,
                   "models");
    ASSAY_TRY(search_all(c, all, list, mean, n, most));
    progress_end(c->ctx);
    tell(c, all, mean, n, source->predicts);
done:
    mem_free(c->ctx, all);
    mem_free(c->ctx, list);
    mem_free(c->ctx, mean);
    return status;
}
