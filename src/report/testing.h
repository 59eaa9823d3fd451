/* An audit made up for tests of this room: drawn pictures, findings of every kind, names
 * that try to break out of every format. For *_test.c and the page's sample only. */
#ifndef REPORT_TESTING_H
#define REPORT_TESTING_H

#include "base/testing.h"

#include <math.h>

#include "report/write.h"

typedef struct report_sample {
    assay_ctx *ctx;
    struct assay_audit a;
    report_source source;
    uint8_t *pixels;
    int32_t *labels;
    float *probs, *score;
    uint8_t *filter;
} report_sample;

static inline uint32_t sample_hash(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    return x ^ x >> 16;
}

static inline float sample_unit(uint32_t a, uint32_t b) {
    return (float)(sample_hash(a * 2654435761u ^ sample_hash(b + 77)) >> 8) / 16777216.0f;
}

static inline const char *sample_class(const void *cookie, int c) {
    static const char *const name[] = {
        "circle",
        "</script><script>document.title='broken'</script>",
        "square, \"bordered\"",
        "Kreis & L\xC3\xBC"
        "cke",
        "bars",
        "=1+1",
        "cross",
        "<b>bold</b>",
        "ring",
        "a name that is so long that it hardly fits anywhere on a page"};
    (void)cookie;
    return c < 10 ? name[c] : NULL;
}

static inline const char *sample_id(const void *cookie, uint64_t row) {
    static const char *const name[] = {
        "cat/0412.jpg",
        "</script><script>document.title='broken'</script>.png",
        "line\nend\tand tab.png",
        "quote\".png",
        "comma, semicolon; and more.png",
        "bytes \xFF\xC0 that are not text.png",
        "<!--<script>.png",
        "]]>&amp;'><svg onload=document.title='broken'>.jpg",
    };
    (void)cookie;
    return row % 8 < 8 && row < 64 ? name[row % 8] : NULL;
}

static inline void sample_skipped(const void *cookie,
                                  size_t i,
                                  const char **split,
                                  const char **id,
                                  const char **reason) {
    (void)cookie;
    *split = "train";
    *id = i ? "cat/</script>cut.jpg" : "cat/cut, short.jpg";
    *reason = "JPEG ends early";
}

/* A figure per class, moved and tinted per row. */
static inline void
sample_draw(uint8_t *out, uint32_t row, int figure, int size, int channels) {
    float cx = 0.5f + 0.12f * (sample_unit(row, 1) - 0.5f);
    float cy = 0.5f + 0.12f * (sample_unit(row, 2) - 0.5f);
    float r = 0.26f + 0.1f * sample_unit(row, 3);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float dx = ((float)x + 0.5f) / (float)size - cx;
            float dy = ((float)y + 0.5f) / (float)size - cy;
            float d = sqrtf(dx * dx + dy * dy), m = fmaxf(fabsf(dx), fabsf(dy));
            float in = 0;
            switch (figure % 6) {
            case 0:
                in = d < r;
                break;
            case 1:
                in = m < r;
                break;
            case 2:
                in = m < r && (fabsf(dx) < r / 3 || fabsf(dy) < r / 3);
                break;
            case 3:
                in = d < r && d > r * 0.6f;
                break;
            case 4:
                in = m < r && (int)((dy + 1) * 14) % 2 == 0;
                break;
            default:
                in = fabsf(dx) + fabsf(dy) < r;
                break;
            }
            float noise = 0.12f * sample_unit(row, (uint32_t)(y * size + x) + 9);
            for (int c = 0; c < channels; c++) {
                float tint = 0.45f + 0.55f * sample_unit(row, 4 + (uint32_t)c);
                float v = in * tint * 0.85f + noise;
                out[(y * size + x) * channels + c] = (uint8_t)(255 * fminf(v, 1));
            }
        }
    }
}

static inline void sample_finding(report_sample *s, detect_finding f) {
    struct assay_audit *a = &s->a;
    assert_ok(mem_grow(s->ctx, &a->findings.item, a->findings.count, &a->findings.cap,
                       a->findings.count + 1, sizeof f));
    a->findings.item[a->findings.count++] = f;
}

static inline int sample_score_order(const void *x, const void *y) {
    const detect_finding *a = x, *b = y;
    return a->score != b->score ? (a->score > b->score ? -1 : 1)
           : a->row < b->row    ? -1
                                : 1;
}

/* Every 20th training label is wrong; every 10th test row is mistaken. */
static inline void sample_fill(report_sample *s) {
    struct assay_audit *a = &s->a;
    uint32_t k = (uint32_t)a->classes, n = (uint32_t)a->train_rows,
             rows = (uint32_t)a->rows;
    size_t cell = (size_t)(a->size * a->size * a->channels);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t truth = sample_hash(i) % k;
        if (i >= n && i % 11 == 3 &&
            i % 5) /* leaked, with the label it has in training */
            truth = (uint32_t)s->labels[i * 7 % n];
        bool bad = i < n && i % 20 == 3, mistaken = i >= n && i % 10 == 4;
        uint32_t given = bad ? (truth + 1 + sample_hash(i + 5) % (k - 1)) % k : truth;
        uint32_t said = mistaken ? (truth + 1 + sample_hash(i + 6) % (k - 1)) % k : truth;
        float sure = 0.55f + 0.44f * sample_unit(i, 8);
        s->labels[i] = (int32_t)given;
        for (uint32_t c = 0; c < k; c++)
            s->probs[(size_t)i * k + c] = c == said ? sure : (1 - sure) / (float)(k - 1);
        sample_draw(s->pixels + i * cell, i, (int)truth, a->size, a->channels);
        if (i < n) {
            s->score[i] = 1 - s->probs[(size_t)i * k + given];
            s->filter[i] = bad;
            if (bad)
                sample_finding(s, (detect_finding){.kind = DETECT_LABEL,
                                                   .row = i,
                                                   .other = i,
                                                   .group = -1,
                                                   .likely = (int32_t)said,
                                                   .score = s->score[i]});
        } else {
            a->confusion[given * k + said]++;
            a->n_errors += mistaken;
        }
    }
    qsort(a->findings.item, a->findings.count, sizeof *a->findings.item,
          sample_score_order);
    a->label_listed = a->findings.count - a->findings.count / 5;
    a->label_count = 0.049 * n;
}

static inline void sample_copies(report_sample *s) {
    struct assay_audit *a = &s->a;
    uint32_t n = (uint32_t)a->train_rows, tests = (uint32_t)a->rows - n;
    size_t cell = (size_t)(a->size * a->size * a->channels);
    for (uint32_t i = 0; i < tests / 12; i++) {
        uint32_t row = (n + 7) / 11 * 11 + 3 + i * 11, other = row * 7 % n;
        memcpy(s->pixels + row * cell, s->pixels + other * cell, cell);
        sample_finding(
            s, (detect_finding){.kind = DETECT_LEAKAGE,
                                .row = row,
                                .other = other,
                                .group = (int32_t)i,
                                .likely = -1,
                                .score = 0.999f - 0.001f * (float)i,
                                .similarity = 0.999f - 0.001f * (float)i,
                                .mirrored = i % 4 == 1,
                                .maybe = i % 9 == 8,
                                .labels_differ = s->labels[row] != s->labels[other]});
    }
    for (int near = 0; near < 2; near++)
        for (uint32_t i = 0; i < 24; i++) {
            uint32_t group = (i / (i < 6 ? 6 : 2)) + (near ? 100 : 0);
            uint32_t kept = (group * 13) % n,
                     row = (n / 2 + i * 5 + (uint32_t)near * 211) % n;
            if (i % 6 && !s->filter[row] && !s->filter[kept])
                s->labels[row] = s->labels[kept];
            memcpy(s->pixels + row * cell, s->pixels + kept * cell, cell);
            sample_finding(
                s, (detect_finding){.kind = near ? DETECT_COPY_NEAR : DETECT_COPY_EXACT,
                                    .row = row,
                                    .other = kept,
                                    .group = (int32_t)group,
                                    .likely = -1,
                                    .score = near ? 0.98f : 1,
                                    .similarity = near ? 0.98f : 1,
                                    .exact = !near,
                                    .maybe = near && i % 7 == 6,
                                    .labels_differ = s->labels[row] != s->labels[kept]});
        }
    for (uint32_t i = 0; i < 2; i++)
        sample_finding(s, (detect_finding){.kind = DETECT_CORRUPT,
                                           .row = UINT32_MAX,
                                           .other = i,
                                           .group = -1,
                                           .likely = -1,
                                           .score = 1});
    for (size_t i = 0; i < a->findings.count; i++) {
        const detect_finding *f = &a->findings.item[i];
        a->counts.leakage += f->kind == DETECT_LEAKAGE && !f->maybe;
        a->counts.copy_exact += f->kind == DETECT_COPY_EXACT;
        a->counts.copy_near += f->kind == DETECT_COPY_NEAR && !f->maybe;
        a->counts.corrupt += f->kind == DETECT_CORRUPT;
    }
    a->counts.label = a->label_listed;
}

static inline int sample_error_order(const void *x, const void *y) {
    const audit_test_error *a = x, *b = y;
    return a->p_predicted != b->p_predicted ? (a->p_predicted > b->p_predicted ? -1 : 1)
           : a->row < b->row                ? -1
                                            : 1;
}

static inline void sample_errors(report_sample *s) {
    struct assay_audit *a = &s->a;
    uint32_t k = (uint32_t)a->classes, n = (uint32_t)a->train_rows;
    size_t at = 0;
    assert_ok(mem_new(s->ctx, &a->error, a->n_errors + 1, sizeof *a->error));
    for (uint32_t i = n; i < a->rows; i++) {
        const float *p = s->probs + (size_t)i * k;
        int said = 0;
        for (uint32_t c = 1; c < k; c++)
            said = p[c] > p[said] ? (int)c : said;
        if (said == s->labels[i])
            continue;
        audit_test_error *e = &a->error[at++];
        *e = (audit_test_error){.row = i,
                                .given = s->labels[i],
                                .predicted = said,
                                .p_given = p[s->labels[i]],
                                .p_predicted = p[said],
                                .margin = logf(p[s->labels[i]] / (1 - p[s->labels[i]])),
                                .n_towards = AUDIT_CAUSES,
                                .n_against = AUDIT_CAUSES,
                                .removal = i % 3 ? 7 + i % 31 : 0};
        for (uint32_t c = 0; c < AUDIT_CAUSES; c++) {
            e->towards[c].row = (i * 31 + c * 17) % n;
            e->towards[c].effect = -0.31f / (1 + 0.3f * (float)c);
            e->against[c].row = (i * 13 + c * 29 + 1) % n;
            e->against[c].effect = 0.35f / (1 + 0.4f * (float)c);
        }
        e->towards[1].row = i % 40 / 20 * 20 + 3; /* a row whose label is listed */
    }
    assert_int_equal(at, a->n_errors);
    qsort(a->error, a->n_errors, sizeof *a->error, sample_error_order);
}

static inline report_sample *report_sample_create(
    assay_ctx *ctx, uint32_t train, uint32_t test, int classes, int size, int channels) {
    report_sample *s = NULL;
    uint64_t rows = train + test;
    size_t k = (size_t)classes, cell = (size_t)(size * size * channels);
    assert_ok(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    assert_ok(mem_new(ctx, &s->pixels, rows * cell, 1));
    assert_ok(mem_new(ctx, &s->labels, rows, sizeof *s->labels));
    assert_ok(mem_new(ctx, &s->probs, rows * k, sizeof *s->probs));
    assert_ok(mem_new(ctx, &s->score, train, sizeof *s->score));
    assert_ok(mem_new(ctx, &s->filter, train, 1));
    struct assay_audit *a = &s->a;
    *a = (struct assay_audit){
        .ctx = ctx,
        .title = "shapes & </script> figures",
        .recipe = "model=cnn epochs=5 batch=256 lr=0.4 schedule=one-cycle",
        .isa = "avx2",
        .options_text = "seed=7 members=6",
        .rows = rows,
        .train_rows = train,
        .classes = classes,
        .size = size,
        .channels = channels,
        .members = 6,
        .seed = 7,
        .flip = true,
        .labels = s->labels,
        .probs = s->probs,
        .accuracy_single = 0.8912345,
        .accuracy_ensemble = 0.9,
        .accuracy_single_members = {.89, .90, .88, .9, .89, .885},
        .accuracy_without_leaks = 0.896,
        .min_rows_per_class = 24,
        .label_check = true,
        .label_score = s->score,
        .label_filter = s->filter,
        .self_labels = 160,
        .self_labels_found = 139,
        .self_copies = 20,
        .self_copies_found = 20,
        .trust = {.correlation = .38, .slope = .9, .low = .31, .high = .45},
        .attribution = true};
    memset(a->sha256, 'a', 64);
    memset(a->key, 'b', 64);
    a->pixels.dtype = ASSAY_U8;
    a->pixels.ndim = 4;
    a->pixels.dim[0] = (int64_t)rows;
    a->pixels.dim[1] = a->pixels.dim[2] = size;
    a->pixels.dim[3] = channels;
    a->pixels.data = s->pixels;
    a->pixels.bytes = rows * cell;
    assert_ok(mem_new(ctx, &a->confusion, k * k, sizeof *a->confusion));
    s->source = (report_source){.rows = rows,
                                .class_name = sample_class,
                                .id = sample_id,
                                .skipped = 2,
                                .skipped_at = sample_skipped};
    sample_fill(s);
    sample_copies(s);
    sample_errors(s);
    return s;
}

static inline void report_sample_destroy(report_sample *s) {
    mem_free(s->ctx, s->a.confusion);
    mem_free(s->ctx, s->a.error);
    mem_free(s->ctx, s->a.findings.item);
    mem_free(s->ctx, s->pixels);
    mem_free(s->ctx, s->labels);
    mem_free(s->ctx, s->probs);
    mem_free(s->ctx, s->score);
    mem_free(s->ctx, s->filter);
    mem_free(s->ctx, s);
}

#endif
