/* select: training rows for a set of targets. By sum: rows with the largest sums of
 * scores over all targets, as long as these are above nought. By votes: rows that help
 * the most targets, whatever the scale of their scores, as long as that is more than
 * half. (Sums of what is above nought alone choose rows that are hard to learn, wrong
 * labels among them, and train worse than random ones: docs/evidence/attribution.md.) */
#include "detect/trace/trace.h"

#include <string.h>

/* Sums of a row's scores, and how many targets it helps. */
static void values(float *sum, float *votes, const trace *t) {
    for (size_t i = 0; i < t->n; i++) {
        double all = 0;
        size_t helped = 0;
        for (size_t k = 0; k < t->m; k++) {
            all += (double)t->scores[i * t->m + k];
            helped += t->scores[i * t->m + k] > 0;
        }
        sum[i] = (float)all;
        votes[i] = (float)helped;
    }
}

/* Orders by votes, equals as they come in `order`. */
static assay_status by_votes(uint32_t *order, const trace *t, const float *votes) {
    assay_status status = ASSAY_OK;
    float *value = NULL;
    uint32_t *at = NULL;
    ASSAY_TRY(mem_new(t->ctx, &value, t->n, sizeof *value));
    ASSAY_TRY(mem_new(t->ctx, &at, 2 * t->n, sizeof *at));
    uint32_t *by_sum = at + t->n;
    for (size_t i = 0; i < t->n; i++) {
        by_sum[i] = order[i];
        value[i] = votes[order[i]];
    }
    ASSAY_TRY(detect_order(at, t->ctx, value, t->n));
    for (size_t i = 0; i < t->n; i++)
        order[i] = by_sum[at[i]];
done:
    mem_free(t->ctx, value);
    mem_free(t->ctx, at);
    return status;
}

static assay_status
tell(trace *t, const uint32_t *chosen, size_t count, const float *value) {
    assay_status status = ASSAY_OK;
    size_t *of_class = NULL;
    int classes = dataset_classes(t->lab.data);
    ASSAY_TRY(mem_new(t->ctx, &of_class, (size_t)classes, sizeof *of_class));
    buf_str(&t->csv, "row,label,value\n");
    for (size_t i = 0; i < count; i++) {
        uint32_t row = t->lab.rows[chosen[i]];
        of_class[t->lab.labels[row]]++;
        buf_fmt(&t->csv, "%u,%d,%.9g\n", row, t->lab.labels[row],
                (double)value[chosen[i]]);
        buf_fmt(&t->list, "%llu\n", (unsigned long long)dataset_sample(t->lab.data, row));
    }
    json_kstr(&t->json, "how", t->o.how);
    json_kint(&t->json, "chosen", (int64_t)count);
    json_key(&t->json, "classes");
    json_obj(&t->json);
    for (int c = 0; c < classes; c++)
        json_kint(&t->json, dataset_class_name(t->lab.data, c), (int64_t)of_class[c]);
    json_obj_end(&t->json);
    json_key(&t->json, "named");
    json_arr(&t->json);
    for (size_t i = 0; i < count && i < (size_t)t->o.top; i++) {
        json_obj(&t->json);
        trace_tell_row(t, t->lab.rows[chosen[i]]);
        json_knum(&t->json, "value", (double)value[chosen[i]]);
        json_obj_end(&t->json);
    }
    json_arr_end(&t->json);
done:
    mem_free(t->ctx, of_class);
    return status;
}

static assay_status run(trace *t) {
    assay_status status = ASSAY_OK;
    bool vote = strcmp(t->o.how, "votes") == 0;
    float *sum = NULL, *votes = NULL;
    uint32_t *order = NULL;
    size_t want = t->o.count ? (size_t)t->o.count : (t->n + 9) / 10, count = 0;
    ASSAY_TRY(mem_new(t->ctx, &sum, t->n, sizeof *sum));
    ASSAY_TRY(mem_new(t->ctx, &votes, t->n, sizeof *votes));
    ASSAY_TRY(mem_new(t->ctx, &order, t->n, sizeof *order));
    if (want > t->n)
        ASSAY_FAIL(ASSAY_E_INVALID, "%zu rows are to be chosen among %zu", want, t->n);
    values(sum, votes, t);
    ASSAY_TRY(detect_order(order, t->ctx, sum, t->n));
    if (vote)
        ASSAY_TRY(by_votes(order, t, votes));
    while (count < want &&
           (vote ? 2 * votes[order[count]] > (float)t->m : sum[order[count]] > 0))
        count++;
    ASSAY_TRY(tell(t, order, count, vote ? votes : sum));
done:
    mem_free(t->ctx, sum);
    mem_free(t->ctx, votes);
    mem_free(t->ctx, order);
    return status;
}

const trace_use assay_use_select = {
    .name = "select",
    .summary = "training rows that help a set of targets most",
    .run = run,
};
