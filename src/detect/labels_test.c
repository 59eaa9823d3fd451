/* Label scores, filter and count on made-up probabilities; measures against their
 * definitions. */
#include "detect/detect.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

enum { N = 4000, K = 5 };

typedef struct world {
    assay_ctx *ctx;
    int32_t labels[N];
    float probs[N * K];
    uint8_t wrong[N];
} world;

/* A model that is right about most rows; `flips` of the labels are wrong. */
static void world_make(world *w, double flips) {
    memset(w, 0, sizeof *w);
    w->ctx = test_ctx(1);
    for (uint64_t i = 0; i < N; i++) {
        rng r = rng_at(31, RNG_TEST, 0, i);
        int truth = (int)rng_below(&r, K);
        double sum = 0, e[K];
        for (int c = 0; c < K; c++)
            sum += e[c] = exp((c == truth ? 4 : 0) + 1.2 * rng_normal(&r));
        for (int c = 0; c < K; c++)
            w->probs[i * K + (uint64_t)c] = (float)(e[c] / sum);
        w->wrong[i] = rng_uniform(&r) < flips;
        w->labels[i] = w->wrong[i] ? (truth + 1 + (int)rng_below(&r, K - 1)) % K : truth;
    }
}

static detect_input input(world *w) {
    return (detect_input){.ctx = w->ctx,
                          .rows = N,
                          .train_rows = N,
                          .classes = K,
                          .labels = w->labels,
                          .probs = w->probs};
}

static void test_scores(void **state) {
    (void)state;
    world *w = malloc(sizeof *w);
    world_make(w, 0.05);
    detect_input in = input(w);
    float *score = malloc(N * sizeof *score);
    size_t wrong = 0;
    assert_ok(detect_label_scores(&in, score));
    for (size_t i = 0; i < N; i++) {
        assert_true(score[i] == 1 - w->probs[i * K + (size_t)w->labels[i]]);
        wrong += w->wrong[i];
    }
    assert_true(detect_auroc(score, w->wrong, N) > 0.97);
    assert_true(detect_precision_at(score, w->wrong, N, wrong / 2) > 0.9);
    w->probs[17 * K + (size_t)w->labels[17]] = NAN;
    assert_fails(ASSAY_E_NUMERIC, detect_label_scores(&in, score));
    assert_string_equal(assay_last_error()->where, "row 17");
    assay_ctx_destroy(w->ctx);
    free(score);
    free(w);
}

static void test_filter(void **state) {
    (void)state;
    world *w = malloc(sizeof *w);
    world_make(w, 0.05);
    /* class 4 has three rows: its threshold is the pooled one */
    for (size_t i = 0, left = 3; i < N; i++)
        if (w->labels[i] == 4) {
            if (left)
                left--;
            else
                w->labels[i] = 0;
        }
    detect_input in = input(w);
    uint8_t *flag = malloc(N);
    double sum[K] = {0}, count[K] = {0}, all = 0;
    size_t flagged = 0;
    assert_ok(detect_label_filter(&in, flag));
    for (size_t i = 0; i < N; i++) {
        double p = (double)w->probs[i * K + (size_t)w->labels[i]];
        sum[w->labels[i]] += p;
        count[w->labels[i]]++;
        all += p / N;
    }
    for (size_t i = 0; i < N; i++) {
        int best = -1;
        for (int c = 0; c < K; c++) {
            double p = (double)w->probs[i * K + (size_t)c];
            double t = count[c] < 5 ? all : sum[c] / count[c];
            if (p >= t && (best < 0 || p > (double)w->probs[i * K + (size_t)best]))
                best = c;
        }
        assert_int_equal(flag[i], best >= 0 && best != w->labels[i]);
        flagged += flag[i];
    }
    assert_true(flagged > 0 && flagged < N / 2);
    assay_ctx_destroy(w->ctx);
    free(flag);
    free(w);
}

/* The estimate is near the truth, on the high side, and the method lists what the filter
 * passes. */
static void test_count(void **state) {
    (void)state;
    static const double shares[] = {0, 0.03, 0.10};
    for (size_t s = 0; s < 3; s++) {
        world *w = malloc(sizeof *w);
        world_make(w, shares[s]);
        uint8_t *planted = calloc(N, 1);
        float *score = malloc(N * sizeof *score), cut;
        double count, truth = 0;
        for (size_t i = 0; i < N; i++) {
            planted[i] = i % 20 == 7 && !w->wrong[i];
            if (planted[i])
                w->labels[i] = (w->labels[i] + 1 + (int)(i % (K - 1))) % K;
            truth += w->wrong[i];
        }
        detect_input in = input(w);
        assert_ok(detect_label_scores(&in, score));
        assert_ok(detect_label_count(&in, score, planted, &count, &cut));
        print_message("wrong labels: %.0f, estimated %.0f (cut %.3f)\n", truth, count,
                      (double)cut);
        assert_true(count > 0.75 * truth - 1 && count < 1.6 * truth + 0.01 * N);
        assert_true(cut > 0 && cut <= 1);
        detect_findings out = {.ctx = w->ctx};
        uint8_t *flag = malloc(N);
        size_t flagged = 0;
        assert_ok(detect_label_filter(&in, flag));
        assert_ok(detect_find("label")->run(&in, &out));
        for (size_t i = 0; i < N; i++)
            if (flag[i]) {
                const detect_finding *f = &out.item[flagged++];
                assert_true(f->kind == DETECT_LABEL && f->row == i && f->other == i);
                assert_true(f->score == score[i] && f->likely != w->labels[i]);
            }
        assert_int_equal(out.count, flagged);
        detect_findings_free(&out);
        memset(planted, 0, N);
        assert_ok(detect_label_count(&in, score, planted, &count, &cut));
        assert_true(isnan(count) && isnan(cut));
        assay_ctx_destroy(w->ctx);
        free(flag);
        free(score);
        free(planted);
        free(w);
    }
}

static void test_measures(void **state) {
    (void)state;
    enum { M = 500 };
    float score[M];
    uint8_t truth[M];
    rng r = rng_at(32, RNG_TEST, 0, 0);
    for (int flip = 0; flip < 2; flip++) {
        double wins = 0, pairs = 0;
        for (size_t i = 0; i < M; i++) {
            truth[i] = rng_below(&r, 10) < (flip ? 8u : 2u);
            score[i] = (float)((int)rng_below(&r, 12) + 3 * truth[i]) - 6; /* with ties */
        }
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < M; j++)
                if (truth[i] && !truth[j]) {
                    pairs++;
                    wins += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
                }
        assert_true(fabs(detect_auroc(score, truth, M) - wins / pairs) < 1e-12);
        for (size_t count = 1; count <= M; count += 83) {
            size_t found = 0;
            for (size_t i = 0; i < M; i++) {
                size_t rank = 0;
                for (size_t j = 0; j < M; j++)
                    rank += score[j] > score[i] || (score[j] == score[i] && j < i);
                found += rank < count && truth[i];
            }
            assert_true(fabs(detect_precision_at(score, truth, M, count) -
                             (double)found / (double)count) < 1e-12);
        }
    }
    memset(truth, 0, sizeof truth);
    assert_true(isnan(detect_auroc(score, truth, M)));
    assert_true(isnan(detect_precision_at(score, truth, M, 0)));
    assert_true(detect_precision_at(score, truth, M, 2 * M) == 0);
}

/* The interval is about as wide as DeLong et al. 1988 have it. */
static void test_interval(void **state) {
    (void)state;
    enum { M = 2000 };
    float score[M];
    uint8_t truth[M];
    double part[M], mean[2] = {0}, square[2] = {0}, count[2] = {0}, interval[2];
    assay_ctx *ctx = test_ctx(1);
    rng r = rng_at(33, RNG_TEST, 0, 0);
    for (size_t i = 0; i < M; i++) {
        truth[i] = rng_below(&r, 10) == 0;
        score[i] = (float)(rng_normal(&r) + 1.5 * truth[i]);
    }
    for (size_t i = 0; i < M; i++)
        count[truth[i]]++;
    for (size_t i = 0; i < M; i++) {
        part[i] = 0;
        for (size_t j = 0; j < M; j++)
            part[i] += truth[i] != truth[j] &&
                       (truth[i] ? score[i] > score[j] : score[i] < score[j]);
        part[i] /= count[!truth[i]];
        mean[truth[i]] += part[i] / count[truth[i]];
    }
    for (size_t i = 0; i < M; i++)
        square[truth[i]] += (part[i] - mean[truth[i]]) * (part[i] - mean[truth[i]]);
    double width = 2 * 1.96 *
                   sqrt(square[0] / (count[0] * (count[0] - 1)) +
                        square[1] / (count[1] * (count[1] - 1)));
    double area = detect_auroc(score, truth, M);
    assert_ok(detect_auroc_interval(interval, ctx, score, truth, M, 1000, 0));
    assert_true(interval[0] < area && area < interval[1]);
    assert_true(fabs(interval[1] - interval[0] - width) < .15 * width);
    assert_ok(detect_auroc_interval(interval, ctx, score, truth, M, 0, 0));
    assert_true(isnan(interval[0]) && isnan(interval[1]));
    memset(truth, 0, sizeof truth);
    assert_ok(detect_auroc_interval(interval, ctx, score, truth, M, 10, 0));
    assert_true(isnan(interval[0]) && isnan(interval[1]));
    assay_ctx_destroy(ctx);
}

static void test_flips(void **state) {
    (void)state;
    enum { M = 300, WAYS = 3 };
    int32_t labels[M];
    uint8_t flag[M] = {0}, leave[M];
    size_t changed = 0, to[WAYS] = {0};
    for (size_t i = 0; i < M; i++) {
        labels[i] = 1;
        leave[i] = i % 3 == 0;
    }
    assert_int_equal(detect_flip_labels(labels, flag, leave, M, WAYS, 150, 7, RNG_TEST),
                     150);
    for (size_t i = 0; i < M; i++) {
        assert_int_equal(labels[i] != 1, flag[i]);
        assert_false(flag[i] && leave[i]);
        changed += flag[i];
        to[labels[i]]++;
    }
    assert_int_equal(changed, 150);
    assert_true(to[0] > 50 && to[2] > 50);
    assert_int_equal(detect_flip_labels(labels, flag, leave, M, WAYS, M, 8, RNG_TEST),
                     200);
}

static void test_registry(void **state) {
    (void)state;
    assert_true(detect_count() >= 3);
    for (size_t i = 0; i < detect_count(); i++) {
        const detect_method *m = detect_at(i);
        assert_ptr_equal(detect_find(m->name), m);
        assert_true(m->summary[0] != 0 && m->run);
    }
    assert_null(detect_at(detect_count()));
    assert_null(detect_find("nothing"));
    assert_string_equal(detect_kind_name(DETECT_COPY_NEAR), "copy_near");
    assert_string_equal(detect_kind_name(DETECT_KINDS), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),   cmocka_unit_test(test_filter),
        cmocka_unit_test(test_count),    cmocka_unit_test(test_measures),
        cmocka_unit_test(test_registry), cmocka_unit_test(test_interval),
        cmocka_unit_test(test_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
