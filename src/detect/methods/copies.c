/* Copies among training rows: equal pictures by hash, near ones by correlation. Groups
 * stand round a medoid, the row with most copies: every member is a copy of it. Chaining
 * would join pictures that are no copies of each other. */
#include "detect/nearest.h"

#include <stdlib.h>

/* That `a` and `b` are copies of each other, as seen from either. */
typedef struct edge {
    uint32_t a, b;
    float gap;
    uint8_t mirrored, maybe;
} edge;

typedef struct edges {
    edge *item;
    size_t count, cap;
} edges;

static int by_ends(const void *x, const void *y) {
    const edge *p = x, *q = y;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    if (p->b != q->b)
        return p->b < q->b ? -1 : 1;
    if (p->maybe != q->maybe)
        return p->maybe < q->maybe ? -1 : 1;
    return (p->gap > q->gap) - (p->gap < q->gap);
}

/* Both directions of every pair, each once, the surer verdict kept. */
static void unique(edges *e) {
    size_t kept = 0;
    if (e->count)
        qsort(e->item, e->count, sizeof *e->item, by_ends);
    for (size_t i = 0; i < e->count; i++)
        if (kept == 0 || e->item[kept - 1].a != e->item[i].a ||
            e->item[kept - 1].b != e->item[i].b)
            e->item[kept++] = e->item[i];
    e->count = kept;
}

static assay_status find_edges(const detect_input *in, const uint32_t *first, edges *e) {
    assay_status status = ASSAY_OK;
    frame f = {0};
    uint32_t *row = NULL;
    nearest *list = NULL;
    size_t n = 0;
    detect_input train = *in;
    train.rows = in->train_rows;
    ASSAY_TRY(mem_new(in->ctx, &row, in->train_rows, sizeof *row));
    ASSAY_TRY(mem_new(in->ctx, &list, in->train_rows, sizeof *list));
    for (uint64_t i = 0; i < in->train_rows; i++)
        if (first[i] == i)
            row[n++] = (uint32_t)i;
    ASSAY_TRY(frame_make(&f, &train));
    ASSAY_TRY(nearest_search(&f, row, n, row, n, list));
    for (size_t i = 0; i < n; i++) {
        nearest_verdict v = nearest_judge(&list[i], NULL);
        for (int k = 0; k < v.copies; k++) {
            const nearest_item *x = &list[i].item[k];
            ASSAY_TRY(mem_grow(in->ctx, &e->item, e->count, &e->cap, e->count + 2,
                               sizeof *e->item));
            e->item[e->count++] = (edge){row[i], x->row, x->gap, x->mirrored, v.maybe};
            e->item[e->count++] = (edge){x->row, row[i], x->gap, x->mirrored, v.maybe};
        }
    }
    unique(e);
done:
    frame_free(&f);
    mem_free(in->ctx, row);
    mem_free(in->ctx, list);
    return status;
}

static assay_status add(const detect_input *in,
                        detect_kind kind,
                        const edge *e,
                        int32_t group,
                        detect_findings *out) {
    const detect_finding f = {.kind = kind,
                              .row = e->b,
                              .other = e->a,
                              .group = group,
                              .likely = -1,
                              .score = (1 - e->gap) * (e->maybe ? 0.5f : 1.0f),
                              .similarity = 1 - e->gap,
                              .mirrored = e->mirrored,
                              .maybe = e->maybe,
                              .labels_differ =
                                  in->labels && in->labels[e->a] != in->labels[e->b],
                              .exact = kind == DETECT_COPY_EXACT};
    return detect_findings_add(out, &f);
}

typedef struct centre {
    uint32_t row;
    size_t first, degree; /* its edges */
} centre;

static int most_copies_first(const void *x, const void *y) {
    const centre *a = x, *b = y;
    if (a->degree != b->degree)
        return a->degree > b->degree ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* Groups of one sureness: sure ones first, then pairs that may be copies among what is
 * left. */
static assay_status group_edges(const detect_input *in,
                                const edges *e,
                                uint8_t maybe,
                                int32_t *group,
                                int32_t *groups,
                                detect_findings *out) {
    assay_status status = ASSAY_OK;
    centre *c = NULL;
    size_t n = 0;
    ASSAY_TRY(mem_new(in->ctx, &c, e->count + 1, sizeof *c));
    for (size_t i = 0; i < e->count; i++) {
        if (n == 0 || c[n - 1].row != e->item[i].a)
            c[n++] = (centre){e->item[i].a, i, 0};
        c[n - 1].degree += e->item[i].maybe == maybe;
    }
    qsort(c, n, sizeof *c, most_copies_first);
    for (size_t k = 0; k < n; k++) {
        if (group[c[k].row] >= 0)
            continue;
        for (size_t i = c[k].first; i < e->count && e->item[i].a == c[k].row; i++) {
            const edge *x = &e->item[i];
            if (x->maybe != maybe || group[x->b] >= 0)
                continue;
            if (group[x->a] < 0)
                group[x->a] = (*groups)++;
            group[x->b] = group[x->a];
            ASSAY_TRY(add(in, DETECT_COPY_NEAR, x, group[x->a], out));
        }
    }
done:
    mem_free(in->ctx, c);
    return status;
}

static assay_status run(const detect_input *in, detect_findings *out) {
    assay_status status = ASSAY_OK;
    uint32_t *first = NULL;
    int32_t *group = NULL, groups = 0;
    edges e = {NULL, 0, 0};
    size_t n = in->train_rows;
    if (n == 0)
        goto done;
    ASSAY_TRY(mem_new(in->ctx, &first, in->rows, sizeof *first));
    ASSAY_TRY(mem_new(in->ctx, &group, n, sizeof *group));
    ASSAY_TRY(nearest_equal(in, first));
    ASSAY_TRY(find_edges(in, first, &e));
    for (size_t i = 0; i < n; i++)
        group[i] = -1;
    ASSAY_TRY(group_edges(in, &e, 0, group, &groups, out));
    ASSAY_TRY(group_edges(in, &e, 1, group, &groups, out));
    for (size_t i = 0; i < n; i++) {
        if (first[i] == i)
            continue;
        if (group[first[i]] < 0)
            group[first[i]] = groups++;
        const edge x = {first[i], (uint32_t)i, 0, 0, 0};
        ASSAY_TRY(add(in, DETECT_COPY_EXACT, &x, group[first[i]], out));
    }
done:
    mem_free(in->ctx, first);
    mem_free(in->ctx, group);
    mem_free(in->ctx, e.item);
    return status;
}

extern const detect_method assay_detector_copies;
const detect_method assay_detector_copies = {
    "copies", "training rows that are copies of each other, equal or nearly so", run};
