/* harm: how much training on a row lowers test rows' margins, each weighed with its own
 * loss's slope, 1 - p: the predicted effect on the loss of all of them. */
#include "detect/mislabels/mislabels.h"

#include <string.h>

enum { MOST_CELLS = 1 << 26 };

/* Sums over a block of test rows. */
typedef struct block {
    size_t first, count;
    float *part, *all, *out; /* [n, count] */
    float *weight, *weights; /* [n] */
} block;

static void harm_add(double *to, const mislabels *m, const block *b) {
    size_t k = (size_t)m->lab.card.classes;
    for (size_t t = 0; t < b->count; t++) {
        size_t at = m->n + b->first + t;
        double slope = 1 - (double)m->judged[at * k + (size_t)m->lab.labels[m->row[at]]];
        for (size_t r = 0; r < m->n; r++)
            to[r] -= slope * (double)b->out[r * b->count + t];
    }
}

/* One block: into harm[0] by all members together, into harm[1 + i] by each. */
static assay_status
block_run(double *harm, const mislabels *m, const att_method *method, const block *b) {
    assay_status status = ASSAY_OK;
    att_study study = m->lab.study;
    size_t cells = m->n * b->count;
    att_sum part = {b->part, b->weight}, all = {b->all, b->weights};
    study.targets = m->row + m->n + b->first;
    study.n_targets = b->count;
    memset(b->all, 0, cells * sizeof(float));
    memset(b->weights, 0, m->n * sizeof(float));
    for (int i = 0; i < m->o.members; i++) {
        att_member member = mislabels_member(m, i);
        member.study = &study;
        memset(b->part, 0, cells * sizeof(float));
        memset(b->weight, 0, m->n * sizeof(float));
        ASSAY_TRY_AT(method->score(&part, &member, &m->settings), "%s", method->name);
        for (size_t c = 0; c < cells; c++)
            b->all[c] += b->part[c];
        for (size_t r = 0; r < m->n; r++)
            b->weights[r] += b->weight[r];
        ASSAY_TRY(att_sum_finish(b->out, m->ctx, &part, method, &m->settings, 1, m->n,
                                 b->count));
        harm_add(harm + (size_t)(1 + i) * m->n, m, b);
        progress_add(m->ctx, 1);
    }
    ASSAY_TRY(att_sum_finish(b->out, m->ctx, &all, method, &m->settings, m->o.members,
                             m->n, b->count));
    harm_add(harm, m, b);
done:
    return status;
}

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    assay_status status = ASSAY_OK;
    const att_method *method = att_method_find(variant);
    size_t most = MOST_CELLS / m->n + 1;
    block b = {0};
    double *harm = NULL;
    if (m->tests == 0)
        ASSAY_FAIL(ASSAY_E_SHAPE, "there are no test rows that could be harmed");
    most = most < m->tests ? most : m->tests;
    ASSAY_TRY(mem_new(m->ctx, &harm, (size_t)(1 + m->o.members) * m->n, sizeof *harm));
    ASSAY_TRY(mem_new(m->ctx, &b.part, m->n * most, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &b.all, m->n * most, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &b.out, m->n * most, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &b.weight, m->n, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &b.weights, m->n, sizeof(float)));
    progress_begin(m->ctx, "harm", (int64_t)((m->tests + most - 1) / most) * m->o.members,
                   "models");
    for (; b.first < m->tests; b.first += b.count) {
        b.count = m->tests - b.first < most ? m->tests - b.first : most;
        ASSAY_TRY(block_run(harm, m, method, &b));
    }
    progress_end(m->ctx);
    for (size_t r = 0; r < m->n; r++) {
        out->score[r] = (float)harm[r];
        for (size_t i = 1; i <= (size_t)m->o.members; i++) {
            float x = (float)harm[i * m->n + r];
            out->low[r] = i == 1 || x < out->low[r] ? x : out->low[r];
            out->high[r] = i == 1 || x > out->high[r] ? x : out->high[r];
        }
    }
done:
    mem_free(m->ctx, harm);
    mem_free(m->ctx, b.part);
    mem_free(m->ctx, b.all);
    mem_free(m->ctx, b.out);
    mem_free(m->ctx, b.weight);
    mem_free(m->ctx, b.weights);
    return status;
}

const detect_suspicion assay_suspicion_harm = {
    .name = "harm",
    .summary = "what training on a row does to test rows' loss, by attribution",
    .influence = true,
    .usual = "trak",
    .run = run,
};
