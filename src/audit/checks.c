/* The checks: detectors over what the members say, the self-test, and how well planted
 * faults were found. */
#include "audit/run.h"

#include "base/os.h"
#include "base/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static detect_input input_of(const audit_run *r, const int32_t *labels, uint64_t rows) {
    const struct assay_audit *a = r->a;
    return (detect_input){.ctx = r->ctx,
                          .rows = rows,
                          .train_rows = a->train_rows,
                          .classes = a->classes,
                          .size = a->size,
                          .channels = a->channels,
                          .labels = labels,
                          .pixels = &r->pixels,
                          .probs = r->judge,
                          .self_influence = a->self_influence,
                          .seed = a->seed};
}

/* ---- one's own probabilities ---- */

static double npy_number(const npy_array *p, size_t i) {
    if (p->dtype == ASSAY_F64) {
        double d;
        memcpy(&d, p->data + i * 8, 8);
        return d;
    }
    float f;
    memcpy(&f, p->data + i * 4, 4);
    return f;
}

static assay_status load_own_probs(audit_run *r) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    size_t k = (size_t)a->classes;
    npy_array p = {0};
    ASSAY_TRY(npy_open(&p, r->ctx, r->opt.pred_probs, false));
    if (p.dtype != ASSAY_F32 && p.dtype != ASSAY_F64) {
        err_set(ASSAY_E_DTYPE, "probabilities must be float32 or float64");
        err_where("%s", r->opt.pred_probs);
        status = ASSAY_E_DTYPE;
        goto done;
    }
    if (p.ndim != 2 || (uint64_t)p.dim[1] != k ||
        ((uint64_t)p.dim[0] != a->train_rows && (uint64_t)p.dim[0] != r->base_rows)) {
        err_set(ASSAY_E_SHAPE, "probabilities of the wrong shape");
        err_where("%s", r->opt.pred_probs);
        err_help(
            "this dataset wants [%llu, %zu] (training rows) or [%llu, %zu] (all rows)",
            (unsigned long long)a->train_rows, k, (unsigned long long)r->base_rows, k);
        status = ASSAY_E_SHAPE;
        goto done;
    }
    ASSAY_TRY(mem_new(r->ctx, &r->judge, r->total_rows * k, sizeof *r->judge));
    memcpy(r->judge, r->probs, r->total_rows * k * sizeof *r->judge);
    for (size_t i = 0; i < (size_t)p.dim[0]; i++) {
        double sum = 0;
        for (size_t c = 0; c < k; c++) {
            double v = npy_number(&p, i * k + c);
            if (!(v >= -1e-6 && v <= 1 + 1e-6))
                sum = NAN;
            sum += v;
            r->judge[i * k + c] = (float)v;
        }
        if (!(fabs(sum - 1) < 1e-2)) {
            err_set(ASSAY_E_NUMERIC, "a row of probabilities does not sum to 1");
            err_where("%s, row %zu", r->opt.pred_probs, i);
            err_help(
                "give out-of-sample probabilities after the softmax, one row per sample");
            status = ASSAY_E_NUMERIC;
            goto done;
        }
    }
done:
    npy_close(&p);
    return status;
}

/* ---- labels ---- */

static int by_score(const void *x, const void *y) {
    const detect_finding *a = x, *b = y;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->other < b->other ? -1 : a->other > b->other;
}

static int most_likely(const float *p, size_t classes) {
    int best = 0;
    for (size_t c = 1; c < classes; c++)
        if (p[c] > p[best])
            best = (int)c;
    return best;
}

static int highest_first(const void *x, const void *y) {
    float a = *(const float *)x, b = *(const float *)y;
    return (a < b) - (a > b);
}

/* The score above which a contradicted row is listed: that of the `count` likeliest. */
static assay_status listing_cut(audit_run *r,
                                const float *score,
                                const uint8_t *contradicted,
                                double count,
                                float *cut) {
    assay_status status = ASSAY_OK;
    size_t n = r->a->train_rows, m = 0;
    float *sorted = NULL;
    *cut = INFINITY;
    ASSAY_TRY(mem_new(r->ctx, &sorted, n, sizeof *sorted));
    for (size_t i = 0; i < n; i++)
        if (contradicted[i])
            sorted[m++] = score[i];
    if (m)
        qsort(sorted, m, sizeof *sorted, highest_first);
    size_t listed = isnan(count) ? 0 : (size_t)llround(count);
    listed = listed < m ? listed : m;
    if (listed)
        *cut = sorted[listed - 1];
done:
    mem_free(r->ctx, sorted);
    return status;
}

/* A label is an issue when models that never saw the image say something else, and either
 * confident learning flags it or it is among the likeliest, as many as the self-test
 * counts. */
static assay_status check_labels(audit_run *r, float *score, uint8_t *filter) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    size_t n = a->train_rows, k = (size_t)a->classes;
    float *spoiled = NULL, cut = 0;
    uint8_t *contradicted = NULL;
    uint64_t *per_class = NULL;
    ASSAY_TRY(mem_new(r->ctx, &spoiled, n, sizeof *spoiled));
    ASSAY_TRY(mem_new(r->ctx, &contradicted, n, 1));
    ASSAY_TRY(mem_new(r->ctx, &per_class, k, sizeof *per_class));
    for (size_t i = 0; i < n; i++)
        per_class[r->labels[i]]++;
    detect_input in = input_of(r, r->labels, r->base_rows);
    ASSAY_TRY(detect_label_scores(&in, score));
    ASSAY_TRY(detect_label_filter(&in, filter));
    for (size_t i = 0; i < n; i++)
        contradicted[i] = r->active[i] &&
                          per_class[r->labels[i]] >= a->min_rows_per_class &&
                          most_likely(r->judge + i * k, k) != r->labels[i];

    /* The self-test's rows are scored under their spoiled labels; nobody who judges them
     * has seen either label. */
    detect_input spoiled_in = input_of(r, r->trained_labels, r->base_rows);
    ASSAY_TRY(detect_label_scores(&spoiled_in, spoiled));
    for (size_t i = 0; i < n; i++)
        if (!r->self_label[i])
            spoiled[i] = score[i];
    a->label_count = NAN;
    if (a->self_labels)
        ASSAY_TRY(detect_label_count(&in, spoiled, r->self_label, &a->label_count, &cut));
    ASSAY_TRY(listing_cut(r, score, contradicted, a->label_count, &cut));

    for (size_t i = 0; i < n; i++) {
        filter[i] = contradicted[i] && (filter[i] || score[i] >= cut);
        if (!filter[i])
            continue;
        const detect_finding f = {.kind = DETECT_LABEL,
                                  .row = (uint32_t)i,
                                  .other = (uint32_t)i,
                                  .group = -1,
                                  .likely = most_likely(r->judge + i * k, k),
                                  .score = score[i]};
        ASSAY_TRY(detect_findings_add(&a->findings, &f));
        a->label_listed += a->self_labels == 0 || score[i] >= cut;
    }
    for (size_t i = 0; i < n; i++)
        a->self_labels_found += r->self_label[i] && spoiled[i] >= cut;
done:
    mem_free(r->ctx, spoiled);
    mem_free(r->ctx, contradicted);
    mem_free(r->ctx, per_class);
    return status;
}

/* ---- copies and leakage ---- */

typedef struct exact_job {
    const audit_run *r;
    uint8_t *hash; /* [total, 16] */
} exact_job;

static assay_status hash_originals(void *arg, int worker, size_t begin, size_t end) {
    const exact_job *job = arg;
    const audit_run *r = job->r;
    assay_status status = ASSAY_OK;
    image im = image_make(r->ctx);
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        hash_sha256 h;
        uint8_t digest[32];
        hash_sha256_init(&h);
        if (i < r->base_rows) {
            ASSAY_TRY(dataset_image(r->a->data, i, &im));
            hash_sha256_u64(&h, (uint64_t)im.width);
            hash_sha256_u64(&h, (uint64_t)im.height);
            hash_sha256_add(&h, im.rgb, (size_t)im.width * (size_t)im.height * 3);
        } else {
            hash_sha256_u64(&h, i); /* an appended row is degraded: equal to none */
        }
        hash_sha256_end(&h, digest);
        memcpy(job->hash + i * 16, digest, 16);
    }
done:
    image_free(&im);
    return status;
}

/* Where images were resized for training, equality is judged on the originals. *out NULL:
 * the pixels at hand are the originals. */
static assay_status exact_hashes(const audit_run *r, uint8_t **out) {
    assay_status status = ASSAY_OK;
    int least, median, most;
    *out = NULL;
    dataset_sizes(r->a->data, &least, &median, &most);
    if (least == r->a->size && most == r->a->size)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(r->ctx, out, r->total_rows, 16));
    exact_job job = {r, *out};
    ASSAY_TRY(assay_parallel_for(r->ctx, r->total_rows, 64, hash_originals, &job));
done:
    return status;
}

static assay_status check_copies(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    static const char *const methods[] = {"copies", "leakage"};
    size_t first = a->findings.count;
    uint8_t *exact = NULL;
    ASSAY_TRY(exact_hashes(r, &exact));
    for (size_t i = 0; i < 2; i++) {
        const detect_method *method = detect_find(methods[i]);
        /* The self-test's copies are test rows for the leakage check alone. */
        detect_input in = input_of(r, r->labels, i ? r->total_rows : r->base_rows);
        in.exact = exact;
        if (!method)
            ASSAY_FAIL(ASSAY_E_INTERNAL, "no detector named '%s'", methods[i]);
        ASSAY_TRY(method->run(&in, &a->findings));
    }
    size_t kept = first;
    for (size_t i = first; i < a->findings.count; i++) {
        const detect_finding f = a->findings.item[i];
        if (f.row >= r->self_first) {
            a->self_copies_found += f.kind == DETECT_LEAKAGE && !f.maybe &&
                                    f.other == r->copy_of[f.row - r->base_rows];
            continue;
        }
        a->findings.item[kept++] = f;
    }
    a->findings.count = kept;
done:
    mem_free(r->ctx, exact);
    return status;
}

static assay_status add_corrupt(audit_run *r) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < dataset_skipped(r->a->data); i++) {
        const detect_finding f = {.kind = DETECT_CORRUPT,
                                  .row = UINT32_MAX,
                                  .other = (uint32_t)i,
                                  .group = -1,
                                  .likely = -1,
                                  .score = 1};
        ASSAY_TRY(detect_findings_add(&r->a->findings, &f));
    }
done:
    return status;
}

/* ---- planted faults ---- */

static assay_status judge_plants(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    float *plain = NULL;
    ASSAY_TRY(mem_new(r->ctx, &plain, a->train_rows, sizeof *plain));
    for (int i = 0; i < r->n_plant; i++) {
        const audit_planting *p = &r->plant[i];
        audit_plant *out = &a->plant[a->n_plant++];
        *out = (audit_plant){.count = p->count,
                             .auroc = NAN,
                             .auroc_plain = NAN,
                             .precision_at_count = NAN,
                             .precision_plain = NAN,
                             .recall = NAN};
        memcpy(out->kind, p->kind, sizeof out->kind);
        if (strcmp(p->kind, "labels") == 0) {
            if (!a->label_score)
                continue;
            size_t n = a->train_rows, k = (size_t)a->classes, found = 0;
            for (size_t row = 0; row < n; row++)
                plain[row] = 1 - r->judge[row * k + (size_t)r->labels[row]];
            out->auroc = detect_auroc(a->label_score, r->planted_label, n);
            out->auroc_plain = detect_auroc(plain, r->planted_label, n);
            out->precision_at_count =
                detect_precision_at(a->label_score, r->planted_label, n, p->count);
            out->precision_plain =
                detect_precision_at(plain, r->planted_label, n, p->count);
            for (uint64_t f = 0; f < a->label_listed; f++)
                found += r->planted_label[a->findings.item[f].row];
            out->recall = (double)found / (double)p->count;
            out->unplanted = a->label_listed - found;
            continue;
        }
        uint64_t found = 0;
        for (size_t f = 0; f < a->findings.count; f++) {
            const detect_finding *d = &a->findings.item[f];
            if (d->kind != DETECT_LEAKAGE || d->maybe)
                continue;
            bool mine = d->row >= p->first && d->row < p->first + p->count;
            bool right =
                d->row >= r->base_rows && d->other == r->copy_of[d->row - r->base_rows];
            found += mine && right;
            out->unplanted += d->row < r->base_rows || (mine && !right);
        }
        out->recall = (double)found / (double)p->count;
    }
done:
    mem_free(r->ctx, plain);
    return status;
}

static void count_all(audit_run *r) {
    struct assay_audit *a = r->a;
    assay_audit_counts *c = &a->counts;
    size_t k = (size_t)a->classes;
    uint64_t right = 0, tests = r->base_rows - a->train_rows, leaks = 0;
    for (size_t i = 0; i < a->findings.count; i++) {
        const detect_finding *f = &a->findings.item[i];
        if (f->maybe)
            continue;
        c->leakage += f->kind == DETECT_LEAKAGE;
        c->copy_exact += f->kind == DETECT_COPY_EXACT;
        c->copy_near += f->kind == DETECT_COPY_NEAR;
        c->corrupt += f->kind == DETECT_CORRUPT;
        if (f->kind == DETECT_LEAKAGE && f->row < r->base_rows) {
            const float *p = r->probs + f->row * k;
            size_t said = 0;
            for (size_t j = 1; j < k; j++)
                said = p[j] > p[said] ? j : said;
            right += (int32_t)said == r->labels[f->row];
            leaks++;
        }
    }
    c->label = a->label_listed;
    c->rows = a->rows;
    c->train_rows = a->train_rows;
    c->test_rows = a->rows - a->train_rows;
    c->accuracy_single = a->accuracy_single;
    c->accuracy_ensemble = a->accuracy_ensemble;
    a->accuracy_without_leaks =
        tests > leaks ? (a->accuracy_ensemble * (double)tests - (double)right) /
                            (double)(tests - leaks)
                      : NAN;
}

/* ---- kept under the phase's key: findings as columns ---- */

enum { COLUMNS = 8 };

typedef struct columns {
    uint32_t *row, *other;
    int32_t *group, *likely;
    float *score, *similarity;
    uint8_t *kind, *flags;
} columns;

static void columns_free(columns *c, assay_ctx *ctx) {
    mem_free(ctx, c->row);
    mem_free(ctx, c->other);
    mem_free(ctx, c->group);
    mem_free(ctx, c->likely);
    mem_free(ctx, c->score);
    mem_free(ctx, c->similarity);
    mem_free(ctx, c->kind);
    mem_free(ctx, c->flags);
}

static assay_status columns_make(columns *c, assay_ctx *ctx, size_t n) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, &c->row, n + 1, sizeof *c->row));
    ASSAY_TRY(mem_new(ctx, &c->other, n + 1, sizeof *c->other));
    ASSAY_TRY(mem_new(ctx, &c->group, n + 1, sizeof *c->group));
    ASSAY_TRY(mem_new(ctx, &c->likely, n + 1, sizeof *c->likely));
    ASSAY_TRY(mem_new(ctx, &c->score, n + 1, sizeof *c->score));
    ASSAY_TRY(mem_new(ctx, &c->similarity, n + 1, sizeof *c->similarity));
    ASSAY_TRY(mem_new(ctx, &c->kind, n + 1, 1));
    ASSAY_TRY(mem_new(ctx, &c->flags, n + 1, 1));
done:
    return status;
}

static void columns_items(const columns *c, int64_t n, cache_item out[COLUMNS]) {
    out[0] = (cache_item){"row", ASSAY_U32, 1, {n}, c->row};
    out[1] = (cache_item){"other", ASSAY_U32, 1, {n}, c->other};
    out[2] = (cache_item){"group", ASSAY_I32, 1, {n}, c->group};
    out[3] = (cache_item){"likely", ASSAY_I32, 1, {n}, c->likely};
    out[4] = (cache_item){"score", ASSAY_F32, 1, {n}, c->score};
    out[5] = (cache_item){"similarity", ASSAY_F32, 1, {n}, c->similarity};
    out[6] = (cache_item){"kind", ASSAY_U8, 1, {n}, c->kind};
    out[7] = (cache_item){"flags", ASSAY_U8, 1, {n}, c->flags};
}

static void pack_columns(const detect_findings *f, columns *c) {
    for (size_t i = 0; i < f->count; i++) {
        const detect_finding *d = &f->item[i];
        c->row[i] = d->row;
        c->other[i] = d->other;
        c->group[i] = d->group;
        c->likely[i] = d->likely;
        c->score[i] = d->score;
        c->similarity[i] = d->similarity;
        c->kind[i] = (uint8_t)d->kind;
        c->flags[i] = (uint8_t)(d->mirrored | d->maybe << 1 | d->labels_differ << 2 |
                                d->exact << 3);
    }
}

static assay_status unpack_columns(const columns *c, size_t n, detect_findings *f) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < n; i++) {
        const detect_finding d = {.kind = (detect_kind)c->kind[i],
                                  .row = c->row[i],
                                  .other = c->other[i],
                                  .group = c->group[i],
                                  .likely = c->likely[i],
                                  .score = c->score[i],
                                  .similarity = c->similarity[i],
                                  .mirrored = c->flags[i] & 1,
                                  .maybe = c->flags[i] >> 1 & 1,
                                  .labels_differ = c->flags[i] >> 2 & 1,
                                  .exact = c->flags[i] >> 3 & 1};
        ASSAY_TRY(detect_findings_add(f, &d));
    }
done:
    return status;
}

/* The scalars that go with the findings, in one array. */
enum { S_COUNT, S_LABEL_COUNT, S_LABEL_LISTED, S_SELF_LABELS, S_SELF_COPIES, SCALARS };

static assay_status detect_all(audit_run *r, float *score, uint8_t *filter) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    progress_begin(r->ctx, phase_name(PHASE_CHECKS), 2, "checks");
    if (a->label_check)
        ASSAY_TRY(check_labels(r, score, filter));
    progress_add(r->ctx, 1);
    ASSAY_TRY(check_copies(r));
    ASSAY_TRY(add_corrupt(r));
    progress_end(r->ctx);
    if (a->findings.count)
        qsort(a->findings.item, a->findings.count, sizeof *a->findings.item, by_score);
done:
    return status;
}

assay_status checks_run(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    char path[AUDIT_PATH];
    float *score = NULL;
    uint8_t *filter = NULL;
    double scalar[SCALARS] = {0};
    columns col = {0};
    bool hit = false;
    const int64_t n = (int64_t)a->train_rows;
    a->own_probs = r->opt.pred_probs != NULL;
    if (a->own_probs) {
        ASSAY_TRY(load_own_probs(r));
    } else {
        ASSAY_TRY(mem_new(r->ctx, &r->judge, r->total_rows * (size_t)a->classes,
                          sizeof *r->judge));
        memcpy(r->judge, r->probs, r->total_rows * (size_t)a->classes * sizeof *r->judge);
    }
    ASSAY_TRY(mem_new(r->ctx, &score, a->train_rows, sizeof *score));
    ASSAY_TRY(mem_new(r->ctx, &filter, a->train_rows, 1));
    audit_file(r, path, "run/checks.safetensors");
    cache_item items[3 + COLUMNS] = {
        {"scalars", ASSAY_F64, 1, {SCALARS}, scalar},
        {"label_score", ASSAY_F32, 1, {n}, score},
        {"label_filter", ASSAY_U8, 1, {n}, filter},
    };
    ASSAY_TRY(cache_load(r, path, r->key[PHASE_CHECKS], items, 3, &hit));
    if (hit) {
        size_t count = (size_t)scalar[S_COUNT];
        ASSAY_TRY(columns_make(&col, r->ctx, count));
        columns_items(&col, (int64_t)count, items + 3);
        ASSAY_TRY(cache_load(r, path, r->key[PHASE_CHECKS], items + 3, COLUMNS, &hit));
        if (hit) {
            ASSAY_TRY(unpack_columns(&col, count, &a->findings));
            a->label_count = scalar[S_LABEL_COUNT];
            a->label_listed = (uint64_t)scalar[S_LABEL_LISTED];
            a->self_labels_found = (uint64_t)scalar[S_SELF_LABELS];
            a->self_copies_found = (uint64_t)scalar[S_SELF_COPIES];
        }
    }
    if (!hit) {
        columns_free(&col, r->ctx);
        col = (columns){0};
        a->label_count = NAN;
        ASSAY_TRY(detect_all(r, score, filter));
        scalar[S_COUNT] = (double)a->findings.count;
        scalar[S_LABEL_COUNT] = a->label_count;
        scalar[S_LABEL_LISTED] = (double)a->label_listed;
        scalar[S_SELF_LABELS] = (double)a->self_labels_found;
        scalar[S_SELF_COPIES] = (double)a->self_copies_found;
        ASSAY_TRY(columns_make(&col, r->ctx, a->findings.count));
        columns_items(&col, (int64_t)a->findings.count, items + 3);
        pack_columns(&a->findings, &col);
        ASSAY_TRY(cache_save(r, path, r->key[PHASE_CHECKS], items, 3 + COLUMNS));
    }
    if (a->label_check) {
        a->label_score = score;
        a->label_filter = filter;
        score = NULL;
        filter = NULL;
    }
    ASSAY_TRY(judge_plants(r));
    count_all(r);
done:
    columns_free(&col, r->ctx);
    mem_free(r->ctx, score);
    mem_free(r->ctx, filter);
    return status;
}
