/* The audit as the report sees it. */
#include "report/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names and rows ---- */

const char *report_class(const report_view *v, int c, report_name scratch) {
    if (c < 0 || c >= v->a->classes)
        return "";
    const char *name = NULL;
    if (v->source.class_name)
        name = v->source.class_name(v->source.cookie, c);
    if (name && *name)
        return name;
    (void)snprintf(scratch, sizeof(report_name), "class %d", c);
    return scratch;
}

bool report_planted(const report_view *v, uint32_t row) {
    return row >= v->source.rows;
}

const char *report_split(const report_view *v, uint32_t row) {
    return row < v->a->train_rows ? "train" : "test";
}

uint64_t report_test_index(const report_view *v, uint32_t row) {
    return row - v->a->train_rows;
}

const char *report_id(const report_view *v, uint32_t row, report_name scratch) {
    const char *id = NULL;
    uint64_t number = row;
    const char *where = report_split(v, row);
    if (report_planted(v, row)) {
        where = "planted";
        number = row - v->source.rows;
    } else if (v->source.id) {
        id = v->source.id(v->source.cookie, row);
    }
    if (id && *id)
        return id;
    if (!report_planted(v, row) && row >= v->a->train_rows)
        number = report_test_index(v, row);
    (void)snprintf(scratch, sizeof(report_name), "%s/%llu", where,
                   (unsigned long long)number);
    return scratch;
}

int report_label(const report_view *v, uint32_t row) {
    return row < v->a->rows ? v->a->labels[row] : -1;
}

float report_prob(const report_view *v, uint32_t row, int c) {
    if (!v->a->probs || row >= v->a->rows || c < 0 || c >= v->a->classes)
        return NAN;
    return v->a->probs[(size_t)row * (size_t)v->a->classes + (size_t)c];
}

int report_likely(const report_view *v, uint32_t row, int but) {
    int best = -1;
    for (int c = 0; c < v->a->classes; c++) {
        float p = report_prob(v, row, c);
        if (c != but && !isnan(p) && (best < 0 || p > report_prob(v, row, best)))
            best = c;
    }
    return best;
}

const char *report_kind(const detect_finding *f) {
    if (f->maybe && f->kind == DETECT_LEAKAGE)
        return "leakage_maybe";
    if (f->maybe && f->kind == DETECT_COPY_NEAR)
        return "copy_near_maybe";
    static const char *const name[DETECT_KINDS] = {
        [DETECT_LABEL] = "label",           [DETECT_LEAKAGE] = "leakage",
        [DETECT_COPY_EXACT] = "copy_exact", [DETECT_COPY_NEAR] = "copy_near",
        [DETECT_CORRUPT] = "corrupt",
    };
    return name[f->kind];
}

/* ---- the view ---- */

static int by_likeness(const void *x, const void *y) {
    const detect_finding *a = *(const detect_finding *const *)x;
    const detect_finding *b = *(const detect_finding *const *)y;
    if (a->labels_differ != b->labels_differ)
        return a->labels_differ ? -1 : 1;
    if (a->similarity != b->similarity)
        return a->similarity > b->similarity ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->other < b->other ? -1 : a->other > b->other;
}

/* Findings without a group stand alone. */
static int by_group(const void *x, const void *y) {
    const detect_finding *a = *(const detect_finding *const *)x;
    const detect_finding *b = *(const detect_finding *const *)y;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->other < b->other ? -1 : a->other > b->other;
}

static int by_weight(const void *x, const void *y) {
    const copy_group *a = x, *b = y;
    if (a->labels_differ != b->labels_differ)
        return a->labels_differ ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void mark(report_view *v, uint32_t row, uint8_t flag) {
    if (row < v->a->rows)
        v->flags[row] |= flag;
}

static void make_groups(report_view *v) {
    if (v->n_copies)
        qsort(v->copy, v->n_copies, sizeof *v->copy, by_group);
    for (size_t i = 0; i < v->n_copies; i++) {
        const detect_finding *f = v->copy[i];
        bool joins = i > 0 && f->group >= 0 && f->group == v->copy[i - 1]->group;
        if (!joins)
            v->group[v->n_groups++] =
                (copy_group){.first = (uint32_t)i, .kept = f->other, .exact = true};
        copy_group *g = &v->group[v->n_groups - 1];
        g->count++;
        g->exact = g->exact && f->kind == DETECT_COPY_EXACT;
        g->labels_differ = g->labels_differ || f->labels_differ;
    }
    if (v->n_groups)
        qsort(v->group, v->n_groups, sizeof *v->group, by_weight);
}

static assay_status sort_findings(report_view *v) {
    assay_status status = ASSAY_OK;
    const detect_findings *all = &v->a->findings;
    ASSAY_TRY(mem_new(v->ctx, &v->leak, all->count + 1, sizeof *v->leak));
    ASSAY_TRY(mem_new(v->ctx, &v->copy, all->count + 1, sizeof *v->copy));
    ASSAY_TRY(mem_new(v->ctx, &v->group, all->count + 1, sizeof *v->group));
    for (size_t i = 0; i < all->count; i++) {
        const detect_finding *f = &all->item[i];
        if (v->count[f->kind]++ == 0)
            v->first[f->kind] = i;
        switch (f->kind) {
        case DETECT_LABEL:
            if (v->count[DETECT_LABEL] <= v->a->label_listed)
                mark(v, f->row, FLAG_LABEL);
            break;
        case DETECT_LEAKAGE:
            if (f->maybe) {
                v->maybe_leaks++;
                break;
            }
            v->leak[v->n_leaks++] = f;
            mark(v, f->row, FLAG_LEAKAGE);
            mark(v, f->other, FLAG_LEAKAGE);
            break;
        case DETECT_COPY_EXACT:
        case DETECT_COPY_NEAR:
            if (f->maybe) {
                v->maybe_copies++;
                break;
            }
            v->copy[v->n_copies++] = f;
            mark(v, f->row, FLAG_COPY);
            mark(v, f->other, FLAG_COPY);
            break;
        default:
            break;
        }
    }
    if (v->n_leaks)
        qsort(v->leak, v->n_leaks, sizeof *v->leak, by_likeness);
    make_groups(v);
done:
    return status;
}

assay_status report_view_create(report_view *v,
                                assay_ctx *ctx,
                                const struct assay_audit *a,
                                const report_source *source) {
    assay_status status = ASSAY_OK;
    *v = (report_view){.ctx = ctx, .a = a, .source = *source};
    size_t k = (size_t)a->classes;
    ASSAY_TRY(mem_new(ctx, &v->flags, a->rows + 1, 1));
    ASSAY_TRY(mem_new(ctx, &v->class_train, k + 1, sizeof *v->class_train));
    ASSAY_TRY(mem_new(ctx, &v->class_test, k + 1, sizeof *v->class_test));
    ASSAY_TRY(mem_new(ctx, &v->class_right, k + 1, sizeof *v->class_right));
    for (uint64_t row = 0; row < v->source.rows; row++) {
        int c = a->labels[row];
        if (c >= 0 && c < a->classes)
            (row < a->train_rows ? v->class_train : v->class_test)[c]++;
    }
    for (size_t c = 0; a->confusion && c < k; c++) {
        v->class_test[c] = 0;
        for (size_t said = 0; said < k; said++)
            v->class_test[c] += a->confusion[c * k + said];
        v->class_right[c] = a->confusion[c * k + c];
    }
    ASSAY_TRY(sort_findings(v));
done:
    if (status != ASSAY_OK)
        report_view_free(v);
    return status;
}

void report_view_free(report_view *v) {
    if (!v->ctx)
        return;
    mem_free(v->ctx, v->leak);
    mem_free(v->ctx, v->copy);
    mem_free(v->ctx, v->group);
    mem_free(v->ctx, v->flags);
    mem_free(v->ctx, v->class_train);
    mem_free(v->ctx, v->class_test);
    mem_free(v->ctx, v->class_right);
    *v = (report_view){0};
}
