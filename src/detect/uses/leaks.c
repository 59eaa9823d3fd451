/* leaks: targets that are copies of a training row. By scores: what a row does to a
 * target is held against what it does to others, its median |score|, since rows that are
 * hard to learn score high everywhere; a copy then comes first, and its score is a
 * multiple of the second row's. By pixels: the nearest training row is a copy. Each is
 * told beside the other: a target that both name is a leak, one by pixels alone a copy
 * that the models did not lean on, one by scores alone has a row that is as good as a
 * copy to the models. */
#include "detect/trace/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct leak {
    uint32_t target, first, copy; /* places; copy: UINT32_MAX if there is none */
    float score, out;             /* of the first row; how far it stands out */
    size_t rank;                  /* of the copy among the target's rows, from 1 */
    float similarity;
    bool by_scores, by_pixels, maybe, mirrored, exact;
} leak;

enum { LEAST_TARGETS = 10 };

static int ascending(const void *x, const void *y) {
    float a = *(const float *)x, b = *(const float *)y;
    return (a > b) - (a < b);
}

/* Scores over their row's median |score|; over its mean where that is nought. */
static assay_status lifts(float **out, const trace *t) {
    assay_status status = ASSAY_OK;
    float *size = NULL;
    ASSAY_TRY(mem_new(t->ctx, out, t->n * t->m, sizeof **out));
    ASSAY_TRY(mem_new(t->ctx, &size, t->m, sizeof *size));
    for (size_t i = 0; i < t->n; i++) {
        const float *x = t->scores + i * t->m;
        double usual, mean = 0;
        for (size_t k = 0; k < t->m; k++) {
            size[k] = fabsf(x[k]);
            mean += (double)size[k] / (double)t->m;
        }
        qsort(size, t->m, sizeof *size, ascending);
        usual = size[t->m / 2] > 0 ? (double)size[t->m / 2] : mean;
        for (size_t k = 0; k < t->m; k++)
            (*out)[i * t->m + k] = usual > 0 ? (float)((double)x[k] / usual) : 0;
    }
done:
    mem_free(t->ctx, size);
    return status;
}

/* The first row of a target, and how often its lift is the second's. */
static void stand_out(leak *l, const trace *t, const float *lift) {
    const double most = 1e6;
    float first = -INFINITY, second = -INFINITY;
    for (size_t i = 0; i < t->n; i++) {
        float x = lift[i * t->m + l->target];
        if (x > first) {
            second = first;
            first = x;
            l->first = (uint32_t)i;
        } else if (x > second) {
            second = x;
        }
    }
    l->score = t->scores[l->first * t->m + l->target];
    if (first > 0)
        l->out = (double)first < most * (double)second ? first / second : (float)most;
}

static bool same_pixels(const trace *t, uint32_t a, uint32_t b) {
    size_t bytes =
        (size_t)t->lab.size * (size_t)t->lab.size * (size_t)t->lab.card.channels;
    return memcmp(t->lab.pixels.data + a * bytes, t->lab.pixels.data + b * bytes,
                  bytes) == 0;
}

static void by_scores(leak *out, const trace *t, const float *lift) {
    for (size_t k = 0; k < t->m; k++) {
        out[k] = (leak){.target = (uint32_t)k, .copy = UINT32_MAX};
        stand_out(&out[k], t, lift);
        out[k].by_scores = (double)out[k].out >= t->o.threshold;
    }
}

static assay_status by_pixels(leak *out, const trace *t, const float *lift) {
    assay_status status = ASSAY_OK;
    detect_neighbour *near = NULL;
    uint64_t first = t->lab.targets[0];
    const detect_input in = {.ctx = t->ctx,
                             .rows = dataset_rows(t->lab.data),
                             .train_rows = dataset_train_rows(t->lab.data),
                             .classes = t->lab.card.classes,
                             .size = t->lab.size,
                             .channels = t->lab.card.channels,
                             .labels = t->lab.labels,
                             .pixels = &t->lab.pixels,
                             .seed = t->o.seed};
    ASSAY_TRY(mem_new(t->ctx, &near, t->m, sizeof *near));
    ASSAY_TRY(detect_neighbours(&in, first, first + t->m, 0, t->n, NULL, near));
    for (size_t k = 0; k < t->m; k++) {
        leak *l = &out[k];
        if (!near[k].copy && !near[k].maybe)
            continue;
        l->by_pixels = near[k].copy;
        l->maybe = !near[k].copy;
        l->copy = near[k].row;
        l->similarity = near[k].c1;
        l->mirrored = near[k].mirrored;
        l->exact = same_pixels(t, t->lab.targets[k], near[k].row);
        /* of rows that are equal one stands for all: that the models lean on is named */
        if (same_pixels(t, t->lab.rows[l->first], near[k].row))
            l->copy = l->first;
        l->rank = 1;
        for (size_t i = 0; i < t->n; i++)
            l->rank += lift[i * t->m + k] > lift[l->copy * t->m + k];
    }
done:
    mem_free(t->ctx, near);
    return status;
}

static const char *verdict(const leak *l) {
    bool pair = l->copy == l->first;
    if (l->by_pixels)
        return l->by_scores && pair ? "leak" : "copy";
    if (l->maybe)
        return l->by_scores && pair ? "leak" : "maybe";
    return l->by_scores ? "alike" : "";
}

static int sure(const leak *l) {
    const char *v = verdict(l);
    return *v == 'l' ? 4 : *v == 'c' ? 3 : *v == 'm' ? 2 : *v == 'a' ? 1 : 0;
}

static int surest_first(const void *x, const void *y) {
    const leak *a = x, *b = y;
    if (sure(a) != sure(b))
        return sure(a) > sure(b) ? -1 : 1;
    if (a->out != b->out)
        return a->out > b->out ? -1 : 1;
    return a->target < b->target ? -1 : a->target > b->target;
}

static void tell_leak(trace *t, const leak *l) {
    bool copy = l->copy != UINT32_MAX;
    uint32_t row = t->lab.rows[copy ? l->copy : l->first];
    json_obj(&t->json);
    json_kstr(&t->json, "verdict", verdict(l));
    trace_tell_row(t, t->lab.targets[l->target]);
    json_key(&t->json, "of");
    json_obj(&t->json);
    trace_tell_row(t, row);
    json_obj_end(&t->json);
    json_knum(&t->json, "out", (double)l->out);
    json_knum(&t->json, "first_score", (double)l->score);
    json_kint(&t->json, "rank", copy ? (int64_t)l->rank : 1);
    json_knum(&t->json, "similarity", copy ? (double)l->similarity : NAN);
    json_kbool(&t->json, "exact", l->exact);
    json_kbool(&t->json, "mirrored", l->mirrored);
    json_obj_end(&t->json);
}

static void tell(trace *t, const leak *all) {
    static const char *const kinds[] = {"leak", "copy", "maybe", "alike"};
    json_knum(&t->json, "threshold", t->o.threshold);
    json_key(&t->json, "counts");
    json_obj(&t->json);
    for (size_t v = 0; v < sizeof kinds / sizeof *kinds; v++) {
        int64_t count = 0;
        for (size_t k = 0; k < t->m; k++)
            count += strcmp(verdict(&all[k]), kinds[v]) == 0;
        json_kint(&t->json, kinds[v], count);
    }
    json_obj_end(&t->json);
    json_key(&t->json, "named");
    json_arr(&t->json);
    for (size_t k = 0; k < t->m && k < (size_t)t->o.top && sure(&all[k]); k++)
        tell_leak(t, &all[k]);
    json_arr_end(&t->json);
    buf_str(&t->csv, "target,verdict,first,out,copy,rank,similarity\n");
    for (size_t k = 0; k < t->m; k++) {
        const leak *l = &all[k];
        buf_fmt(&t->csv, "%u,%s,%u,%.9g,", t->lab.targets[l->target], verdict(l),
                t->lab.rows[l->first], (double)l->out);
        if (l->copy == UINT32_MAX)
            buf_str(&t->csv, ",,\n");
        else
            buf_fmt(&t->csv, "%u,%zu,%.9g\n", t->lab.rows[l->copy], l->rank,
                    (double)l->similarity);
    }
}

static assay_status run(trace *t) {
    assay_status status = ASSAY_OK;
    leak *all = NULL;
    float *lift = NULL;
    if (t->m < LEAST_TARGETS || t->n < 2) {
        (void)err_set(ASSAY_E_SHAPE,
                      "scores of %zu rows for %zu targets are too few to "
                      "find leaks by",
                      t->n, t->m);
        err_help(
            "a row's score is held against its scores for others: %d targets at least",
            LEAST_TARGETS);
        return ASSAY_E_SHAPE;
    }
    ASSAY_TRY(mem_new(t->ctx, &all, t->m, sizeof *all));
    ASSAY_TRY(lifts(&lift, t));
    by_scores(all, t, lift);
    ASSAY_TRY(by_pixels(all, t, lift));
    qsort(all, t->m, sizeof *all, surest_first);
    tell(t, all);
done:
    mem_free(t->ctx, all);
    mem_free(t->ctx, lift);
    return status;
}

const trace_use assay_use_leaks = {
    .name = "leaks",
    .summary = "targets that are copies of training rows, by scores and by pixels",
    .run = run,
};
