/* Which training rows are behind the errors: gradients of every member, their kernels,
 * and what follows from them for each misclassified test row. */
#include "audit/run.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRUST_TARGETS = 2000 };

static int sketch_dim(const audit_run *r) {
    return r->opt.sketch ? r->opt.sketch : 512;
}

assay_status influence_features(audit_run *r) {
    assay_status status = ASSAY_OK;
    char path[AUDIT_PATH];
    size_t m_count = (size_t)r->a->members;
    ASSAY_TRY(mem_new(r->ctx, &r->store, m_count, sizeof *r->store));
    progress_begin(r->ctx, phase_name(PHASE_GRADIENTS),
                   (int64_t)(m_count * r->total_rows), "gradients");
    for (size_t m = 0; m < m_count; m++) {
        uint32_t w[4];
        rng_philox(w, r->a->seed, RNG_SKETCH, 0, m, 0);
        const att_sketch sketch = {sketch_dim(r), (uint64_t)w[0] | (uint64_t)w[1] << 32};
        audit_file(r, path, "run/member-%zu/features", m);
        ASSAY_TRY(att_features(&r->store[m], r->ctx, &r->model[m], r->model_hash[m],
                               &r->pixels, r->trained_labels, &sketch, path));
    }
    progress_end(r->ctx);
done:
    return status;
}

/* Margin log(p/(1-p)) of a label under logits. */
static float margin_of(const float *logits, int k, int label) {
    double most = -INFINITY, z = 0;
    for (int c = 0; c < k; c++)
        if (c != label && (double)logits[c] > most)
            most = logits[c];
    for (int c = 0; c < k; c++)
        if (c != label)
            z += exp((double)logits[c] - most);
    return (float)((double)logits[label] - most - log(z));
}

assay_status influence_open(audit_run *r) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    const att_trak_options options = {.ridge = r->opt.ridge, .use_q = true};
    if (r->trak)
        return ASSAY_OK;
    if (!r->q)
        ASSAY_TRY(mem_new(r->ctx, &r->q, a->train_rows, sizeof *r->q));
    /* From the members that did not see the row: 1 - p of the label that was trained on. */
    for (uint64_t i = 0; i < a->train_rows; i++)
        r->q[i] = 1 - r->probs[i * (size_t)a->classes + (size_t)r->trained_labels[i]];
    ASSAY_TRY(att_trak_create(&r->trak, r->ctx, r->store, a->members, a->train_rows,
                              r->active, r->q, &options));
done:
    return status;
}

void influence_describe(const audit_run *r, uint32_t row, audit_test_error *e) {
    const struct assay_audit *a = r->a;
    size_t k = (size_t)a->classes;
    const float *p = r->probs + row * k;
    memset(e, 0, sizeof *e);
    e->row = row;
    e->given = r->labels[row];
    for (size_t c = 1; c < k; c++)
        if (p[c] > p[e->predicted])
            e->predicted = (int32_t)c;
    e->p_given = p[e->given];
    e->p_predicted = p[e->predicted];
    double sum = 0;
    for (int m = 0; m < a->members; m++)
        sum += margin_of(r->logits + ((size_t)m * r->total_rows + row) * k, (int)k,
                         e->given);
    e->margin = (float)(sum / a->members);
}

/* Fills the causes from the strongest training rows of both signs (list: positive, then
 * negative). */
static void
fill_causes(const audit_run *r, audit_test_error *e, const att_top *list, int top) {
    double slope = r->a->trust.slope > 0 ? r->a->trust.slope : 1;
    double whole = fabs((double)e->margin) > 1e-3 ? fabs((double)e->margin) : 1e-3;
    double moved = 0;
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < top; i++) {
            const att_top *t = &list[way * top + i];
            if (way ? !(t->score < 0) : !(t->score > 0))
                break;
            if (r->self_label[t->row])
                continue; /* spoiled by the self-test: not the reader's data */
            float effect = (float)(slope * (double)t->score / whole);
            if (way) {
                moved -= slope * (double)t->score;
                if (!e->removal && e->predicted != e->given &&
                    (double)e->margin + moved > 0)
                    e->removal = (uint32_t)i + 1;
            }
            uint32_t *n = way ? &e->n_towards : &e->n_against;
            if (*n < AUDIT_CAUSES) {
                if (way) {
                    e->towards[*n].row = t->row;
                    e->towards[*n].effect = effect;
                } else {
                    e->against[*n].row = t->row;
                    e->against[*n].effect = effect;
                }
                ++*n;
            }
        }
}

assay_status
influence_row(audit_run *r, uint32_t row, int top, audit_test_error *e, att_top *list) {
    assay_status status = ASSAY_OK;
    const uint64_t target = row;
    influence_describe(r, row, e);
    ASSAY_TRY(att_trak_top(r->trak, &target, 1, top, list));
    fill_causes(r, e, list, top);
done:
    return status;
}

static int worst_first(const void *x, const void *y) {
    const audit_test_error *a = x, *b = y;
    if (a->p_predicted != b->p_predicted)
        return a->p_predicted > b->p_predicted ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static assay_status list_errors(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    size_t cap = 0;
    for (uint64_t i = a->train_rows; i < r->base_rows; i++) {
        audit_test_error e;
        influence_describe(r, (uint32_t)i, &e);
        if (e.predicted == e.given)
            continue;
        ASSAY_TRY(
            mem_grow(r->ctx, &a->error, a->n_errors, &cap, a->n_errors + 1, sizeof e));
        a->error[a->n_errors++] = e;
    }
    if (a->n_errors)
        qsort(a->error, a->n_errors, sizeof *a->error, worst_first);
done:
    return status;
}

static assay_status measure_trust(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    size_t k = (size_t)a->classes;
    uint64_t tests = r->base_rows - a->train_rows;
    size_t n = tests < TRUST_TARGETS ? (size_t)tests : TRUST_TARGETS;
    uint64_t *target = NULL;
    float *margin = NULL;
    ASSAY_TRY(mem_new(r->ctx, &target, n, sizeof *target));
    ASSAY_TRY(mem_new(r->ctx, &margin, n * (size_t)a->members, sizeof *margin));
    rng_perm perm = rng_perm_make(tests, a->seed, RNG_BOOTSTRAP, 1);
    for (size_t i = 0; i < n; i++)
        target[i] = a->train_rows + rng_perm_at(&perm, i);
    for (int m = 0; m < a->members; m++)
        for (size_t i = 0; i < n; i++)
            margin[(size_t)m * n + i] =
                margin_of(r->logits + ((size_t)m * r->total_rows + target[i]) * k, (int)k,
                          r->labels[target[i]]);
    ASSAY_TRY(att_trak_trust(r->trak, r->seen, target, n, margin, a->seed, &a->trust));
done:
    mem_free(r->ctx, target);
    mem_free(r->ctx, margin);
    return status;
}

assay_status influence_errors(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    char path[AUDIT_PATH];
    uint64_t *target = NULL;
    float *weight = NULL, *harm = NULL, *self = NULL, *score = NULL;
    uint32_t *row = NULL;
    att_top *top = NULL;
    double trust[4] = {0};
    bool hit = false;
    enum { TOP = AUDIT_REMOVAL_LIST };
    ASSAY_TRY(list_errors(r));
    size_t n = a->n_errors, entries = n * 2 * TOP;
    uint64_t tests = r->base_rows - a->train_rows;
    ASSAY_TRY(mem_new(r->ctx, &harm, a->train_rows, sizeof *harm));
    ASSAY_TRY(mem_new(r->ctx, &self, a->train_rows, sizeof *self));
    ASSAY_TRY(mem_new(r->ctx, &row, entries + 1, sizeof *row));
    ASSAY_TRY(mem_new(r->ctx, &score, entries + 1, sizeof *score));
    ASSAY_TRY(mem_new(r->ctx, &top, entries + 1, sizeof *top));
    const int64_t t = (int64_t)a->train_rows, e = (int64_t)n;
    const cache_item items[] = {
        {"self_influence", ASSAY_F32, 1, {t}, self},
        {"harm", ASSAY_F32, 1, {t}, harm},
        {"trust", ASSAY_F64, 1, {4}, trust},
        {"top_row", ASSAY_U32, 3, {e, 2, TOP}, row},
        {"top_score", ASSAY_F32, 3, {e, 2, TOP}, score},
    };
    const size_t n_items = sizeof items / sizeof *items;
    audit_file(r, path, "run/attribution.safetensors");
    ASSAY_TRY(cache_load(r, path, r->key[PHASE_ATTRIBUTION], items, n_items, &hit));
    if (!hit) {
        progress_begin(r->ctx, phase_name(PHASE_ATTRIBUTION), 4, "steps");
        ASSAY_TRY(influence_open(r));
        progress_add(r->ctx, 1);
        ASSAY_TRY(att_trak_self(r->trak, self));
        ASSAY_TRY(measure_trust(r));
        progress_add(r->ctx, 1);
        ASSAY_TRY(mem_new(r->ctx, &target, tests + n + 1, sizeof *target));
        ASSAY_TRY(mem_new(r->ctx, &weight, tests + 1, sizeof *weight));
        for (uint64_t i = 0; i < tests; i++) {
            target[i] = a->train_rows + i;
            weight[i] =
                1 -
                r->probs[target[i] * (size_t)a->classes + (size_t)r->labels[target[i]]];
        }
        ASSAY_TRY(att_trak_mean(r->trak, target, weight, tests, harm));
        progress_add(r->ctx, 1);
        for (size_t i = 0; i < n; i++)
            target[i] = a->error[i].row;
        ASSAY_TRY(att_trak_top(r->trak, target, n, TOP, top));
        for (size_t i = 0; i < entries; i++) {
            row[i] = top[i].row;
            score[i] = top[i].score;
        }
        trust[0] = a->trust.correlation;
        trust[1] = a->trust.slope;
        trust[2] = a->trust.low;
        trust[3] = a->trust.high;
        progress_end(r->ctx);
        ASSAY_TRY(cache_save(r, path, r->key[PHASE_ATTRIBUTION], items, n_items));
    }
    a->trust = (att_trust){trust[0], trust[1], trust[2], trust[3]};
    for (size_t i = 0; i < entries; i++)
        top[i] = (att_top){row[i], score[i]};
    for (size_t i = 0; i < n; i++)
        fill_causes(r, &a->error[i], top + i * 2 * TOP, TOP);
    a->harm = harm;
    a->self_influence = self;
    harm = self = NULL;
    a->attribution = true;
done:
    mem_free(r->ctx, target);
    mem_free(r->ctx, weight);
    mem_free(r->ctx, harm);
    mem_free(r->ctx, self);
    mem_free(r->ctx, row);
    mem_free(r->ctx, score);
    mem_free(r->ctx, top);
    return status;
}
