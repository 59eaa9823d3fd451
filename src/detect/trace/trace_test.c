/* Uses of scores on tables whose answers are known: planted copies, a planted group, a
 * feature that only one algorithm goes by; and tables that are refused. */
#include <assay/attribute.h>
#include <assay/trace.h>

#include "base/json.h"
#include "base/rng.h"
#include "file/npy.h"
#include "train/testing_source.h"

#include <math.h>

enum { ROWS = TRAIN, TARGETS = TEST, COPIES = 8, GROUP = 24 };

typedef struct world {
    test_scratch scratch;
    assay_ctx *ctx;
    test_path source;
    float scores[ROWS * TARGETS], against[ROWS * TARGETS];
} world;

/* Noise that is larger for some rows than for others, as rows that are hard to learn
 * have large scores everywhere. */
static void noise(float *out, uint64_t seed) {
    for (size_t i = 0; i < ROWS; i++) {
        rng r = rng_at(seed, RNG_TEST, 0, i);
        float size = (float)exp(1.5 * rng_normal(&r));
        for (size_t k = 0; k < TARGETS; k++)
            out[i * TARGETS + k] = size * (float)rng_normal(&r);
    }
}

/* The toy set; the first COPIES test images take the place of training rows 2, 4, ... */
static world *begin(int threads) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->scratch = test_scratch_begin();
    w->ctx = test_ctx(threads);
    w->source = test_in(&w->scratch, "source");
    assert_ok(os_mkdirs(w->source.text));
    toy *t = toy_make(NULL, TRAIN + TEST, "mlp");
    for (size_t i = 0; i < COPIES; i++) {
        memcpy(t->pixels.data + 2 * i * IMAGE, t->pixels.data + (TRAIN + i) * IMAGE,
               IMAGE);
        t->labels[2 * i] = t->labels[TRAIN + i];
    }
    put_split(w->source.text, "train", t, 0, TRAIN);
    put_split(w->source.text, "t10k", t, TRAIN, TEST);
    toy_free(t);
    noise(w->scores, 1);
    noise(w->against, 2);
    return w;
}

static void end(world *w) {
    assay_ctx_destroy(w->ctx);
    test_scratch_end(&w->scratch);
    free(w);
}

static test_path put(const world *w,
                     const char *name,
                     const void *values,
                     size_t columns,
                     assay_dtype dtype) {
    test_path p = test_in(&w->scratch, name);
    const int64_t dim[] = {ROWS, (int64_t)columns};
    assert_ok(npy_put(w->ctx, p.text, dtype, 2, dim, values));
    return p;
}

static json_doc *told(const world *w, const assay_trace_options *o) {
    char *json;
    json_doc *doc;
    assert_ok(assay_trace(w->ctx, w->source.text, o, &json));
    assert_ok(json_parse(&doc, w->ctx, json, strlen(json)));
    assay_string_free(w->ctx, json);
    return doc;
}

static int64_t count_of(const json_val *v, const char *key) {
    return json_get_int(json_get(json_get(v, "counts"), key), -1);
}

static int64_t row_of(const json_val *list, size_t i) {
    return json_get_int(json_get(json_at(list, i), "row"), -1);
}

static void leaks_are_found_by_scores_and_pixels(void **state) {
    (void)state;
    world *w = begin(2);
    /* the models lean on six copies, and not on two; one more row stands out */
    for (size_t k = 0; k < COPIES - 2; k++) {
        double size = 0;
        for (size_t j = 0; j < TARGETS; j++)
            size = fmax(size, fabs((double)w->scores[2 * k * TARGETS + j]));
        w->scores[2 * k * TARGETS + k] = (float)(100 * size);
    }
    for (size_t j = 0; j < TARGETS; j++)
        w->scores[99 * TARGETS + j] = j == 20 ? 1000 : j % 2 ? 1 : -1;
    const test_path scores = put(w, "s.npy", w->scores, TARGETS, ASSAY_F32);
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    o.use = "leaks";
    o.scores = scores.text;
    o.threshold = 5;
    json_doc *doc = told(w, &o);
    const json_val *all = json_root(doc), *named = json_get(all, "named");
    assert_int_equal(count_of(all, "leak"), COPIES - 2);
    assert_int_equal(count_of(all, "copy"), 2);
    assert_int_equal(count_of(all, "alike"), 1);
    for (size_t i = 0; i < COPIES; i++) {
        const json_val *one = json_at(named, i);
        int64_t target = json_get_int(json_get(one, "row"), -1) - TRAIN;
        assert_int_equal(json_get_int(json_get(json_get(one, "of"), "row"), -1),
                         2 * target);
        assert_true(json_get_bool(json_get(one, "exact"), false));
        assert_string_equal(json_get_str(json_get(one, "verdict"), ""),
                            i < COPIES - 2 ? "leak" : "copy");
        assert_true(i >= COPIES - 2 || json_get_int(json_get(one, "rank"), 0) == 1);
    }
    assert_int_equal(json_get_int(json_get(json_at(named, COPIES), "row"), -1),
                     TRAIN + 20);
    json_doc_destroy(doc);
    end(w);
}

/* The same with scores of models that were trained on the copies. */
static void leaks_are_found_in_attribution(void **state) {
    (void)state;
    world *w = begin(2);
    const test_path scores = test_in(&w->scratch, "s.npy");
    assay_attribute_options a = ASSAY_ATTRIBUTE_OPTIONS_INIT;
    char *json;
    a.method = "kernel";
    a.models = 3;
    a.targets = TARGETS;
    a.epochs = 8;
    a.batch = 20;
    a.scores = scores.text;
    assert_ok(assay_attribute(w->ctx, w->source.text, &a, &json));
    assay_string_free(w->ctx, json);
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    o.use = "leaks";
    o.scores = scores.text;
    json_doc *doc = told(w, &o);
    const json_val *all = json_root(doc), *named = json_get(all, "named");
    size_t first = 0;
    assert_int_equal(count_of(all, "leak") + count_of(all, "copy"), COPIES);
    assert_true(count_of(all, "leak") >= COPIES / 2);
    for (size_t i = 0; i < COPIES; i++)
        first += json_get_int(json_get(json_at(named, i), "rank"), 0) == 1;
    assert_true(first >= COPIES - 1);
    json_doc_destroy(doc);
    end(w);
}

static void rows_are_chosen(void **state) {
    (void)state;
    world *w = begin(1);
    /* row 5 has the largest sum, by one target; row 7 helps all a little */
    for (size_t k = 0; k < TARGETS; k++) {
        for (size_t i = 0; i < ROWS; i++)
            w->scores[i * TARGETS + k] = i % 2 && i < 20 ? k % 2 ? .5f : -.25f : -1;
        w->scores[5 * TARGETS + k] = k ? -1 : 1000;
        w->scores[7 * TARGETS + k] = .125f;
    }
    const test_path scores = put(w, "s.npy", w->scores, TARGETS, ASSAY_F32);
    const test_path list = test_in(&w->scratch, "list.txt");
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    o.use = "select";
    o.scores = scores.text;
    o.list = list.text;
    o.count = 30;
    json_doc *doc = told(w, &o);
    assert_int_equal(json_get_int(json_get(json_root(doc), "chosen"), 0), 10);
    assert_int_equal(row_of(json_get(json_root(doc), "named"), 0), 5);
    json_doc_destroy(doc);
    uint8_t *text;
    size_t bytes;
    assert_ok(os_read_file(w->ctx, list.text, 1 << 20, &text, &bytes));
    assert_memory_equal(text, "5\n1\n3\n", 6);
    mem_free(w->ctx, text);
    o.how = "votes"; /* half of the targets are not enough */
    doc = told(w, &o);
    assert_int_equal(json_get_int(json_get(json_root(doc), "chosen"), 0), 1);
    assert_int_equal(row_of(json_get(json_root(doc), "named"), 0), 7);
    json_doc_destroy(doc);
    end(w);
}

/* Rows [GROUP, 2 GROUP) do one thing, whatever their scale; the rest goes by three
 * others. Bytes do not depend on threads. */
static void a_group_is_one_cluster(void **state) {
    (void)state;
    uint32_t cluster[2][ROWS];
    for (int run = 0; run < 2; run++) {
        world *w = begin(run + 1);
        for (size_t i = 0; i < ROWS; i++) {
            size_t way = i >= GROUP && i < 2 * GROUP ? 3 : i % 3;
            for (size_t k = 0; k < TARGETS; k++)
                if (k % 4 == way)
                    w->scores[i * TARGETS + k] +=
                        6 * fabsf(w->scores[i * TARGETS + (k + 1) % TARGETS]) +
                        (float)(2 * (i % 5 + 1));
        }
        const test_path scores = put(w, "s.npy", w->scores, TARGETS, ASSAY_F32);
        const test_path csv = test_in(&w->scratch, "c.csv");
        assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
        o.use = "clusters";
        o.scores = scores.text;
        o.csv = csv.text;
        o.count = 4;
        json_doc *doc = told(w, &o);
        const json_val *list = json_get(json_root(doc), "clusters");
        size_t rows = 0;
        for (size_t c = 0; c < json_len(list); c++) {
            rows += (size_t)json_get_int(json_get(json_at(list, c), "size"), 0);
            double purity = json_get_num(json_get(json_at(list, c), "purity"), 0);
            assert_true(purity >= 1.0 / TOY_CLASSES && purity <= 1);
        }
        assert_int_equal(rows, ROWS);
        json_doc_destroy(doc);
        uint8_t *text;
        size_t bytes;
        assert_ok(os_read_file(w->ctx, csv.text, 1 << 20, &text, &bytes));
        char *at = strchr((char *)text, '\n') + 1;
        for (size_t i = 0; i < ROWS; i++) {
            unsigned row, label;
            assert_int_equal(sscanf(at, "%u,%u,%u", &row, &label, &cluster[run][i]), 3);
            at = strchr(at, '\n') + 1;
        }
        mem_free(w->ctx, text);
        end(w);
    }
    assert_memory_equal(cluster[0], cluster[1], sizeof cluster[0]);
    size_t inside = 0, outside = 0;
    for (size_t i = 0; i < ROWS; i++) {
        bool same = cluster[0][i] == cluster[0][GROUP + 1];
        inside += same && i >= GROUP && i < 2 * GROUP;
        outside += same && !(i >= GROUP && i < 2 * GROUP);
    }
    assert_true(inside >= GROUP - 2 && outside <= 2);
}

/* Both algorithms go by the same directions; one also by ten rows, on eight targets. */
static void a_difference_is_the_first_component(void **state) {
    (void)state;
    enum { SIDE_ROWS = 10, SIDE_TARGETS = 8 };
    world *w = begin(1);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < TARGETS; k++) {
            float *a = &w->scores[i * TARGETS + k], *b = &w->against[i * TARGETS + k];
            float shared = i % 4 == k % 4 ? 3 : -1;
            rng r = rng_at(9, RNG_TEST, (uint32_t)k, i);
            *a = 2 * shared + .5f * (float)rng_normal(&r);
            *b = 5 * shared + .5f * (float)rng_normal(&r); /* scale is no difference */
            if (i >= 50 && i < 50 + SIDE_ROWS && k >= 10 && k < 10 + SIDE_TARGETS)
                *a += 12;
        }
    double wide[ROWS * TARGETS];
    for (size_t c = 0; c < (size_t)ROWS * TARGETS; c++)
        wide[c] = (double)w->against[c];
    const test_path scores = put(w, "a.npy", w->scores, TARGETS, ASSAY_F32);
    const test_path against = put(w, "b.npy", wide, TARGETS, ASSAY_F64);
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    o.use = "compare";
    o.scores = scores.text;
    o.against = against.text;
    o.count = 2;
    o.top = SIDE_ROWS;
    json_doc *doc = told(w, &o);
    const json_val *ways = json_get(json_root(doc), "ways");
    assert_int_equal(json_len(ways), 2);
    const json_val *list = json_get(json_at(ways, 0), "components");
    assert_int_equal(json_len(list), 2);
    const json_val *first = json_at(list, 0), *second = json_at(list, 1);
    assert_true(json_get_num(json_get(first, "of_residual"), 0) > .5);
    assert_true(json_get_num(json_get(first, "of_residual"), 0) >
                5 * json_get_num(json_get(second, "of_residual"), 0));
    assert_true(json_get_num(json_get(first, "of_own"), 0) >
                10 * json_get_num(json_get(first, "of_other"), 1));
    for (size_t i = 0; i < SIDE_ROWS; i++) {
        int64_t row = row_of(json_get(first, "rows_high"), i);
        assert_true(row >= 50 && row < 50 + SIDE_ROWS);
    }
    for (size_t i = 0; i < SIDE_TARGETS; i++) {
        int64_t target = row_of(json_get(first, "targets_high"), i) - TRAIN;
        assert_true(target >= 10 && target < 10 + SIDE_TARGETS);
    }
    /* nothing but noise is the other's own */
    const json_val *back = json_at(json_get(json_at(ways, 1), "components"), 0);
    assert_true(json_get_num(json_get(back, "of_own"), 1) < .05);
    json_doc_destroy(doc);
    end(w);
}

static void bad_tables_are_refused(void **state) {
    (void)state;
    world *w = begin(1);
    char *json = (char *)1;
    const test_path good = put(w, "good.npy", w->scores, TARGETS, ASSAY_F32);
    const test_path narrow = put(w, "narrow.npy", w->scores, TARGETS - 1, ASSAY_F32);
    const test_path few = put(w, "few.npy", w->scores, 4, ASSAY_F32);
    const test_path wide = put(w, "wide.npy", w->scores, TARGETS / 2, ASSAY_F64);
    const test_path kind = put(w, "kind.npy", w->scores, TARGETS, ASSAY_I32);
    w->scores[3 * TARGETS + 5] = NAN;
    const test_path nan = put(w, "nan.npy", w->scores, TARGETS, ASSAY_F32);
    for (size_t c = 0; c < (size_t)ROWS * TARGETS; c++)
        w->scores[c] = 1;
    const test_path same = put(w, "same.npy", w->scores, TARGETS, ASSAY_F32);
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    o.use = "clusters";
    o.scores = nan.text;
    assert_fails(ASSAY_E_NUMERIC, assay_trace(w->ctx, w->source.text, &o, &json));
    assert_null(json);
    assert_non_null(strstr(assay_last_error()->message, "row 3 for target 5"));
    assert_non_null(strstr(assay_last_error()->where, "nan.npy"));
    o.scores = kind.text;
    assert_fails(ASSAY_E_DTYPE, assay_trace(w->ctx, w->source.text, &o, &json));
    o.scores = same.text; /* all alike */
    assert_fails(ASSAY_E_NUMERIC, assay_trace(w->ctx, w->source.text, &o, &json));
    o.use = "compare";
    o.scores = good.text;
    assert_fails(ASSAY_E_INVALID, assay_trace(w->ctx, w->source.text, &o, &json));
    o.against = narrow.text;
    assert_fails(ASSAY_E_SHAPE, assay_trace(w->ctx, w->source.text, &o, &json));
    assert_non_null(strstr(assay_last_error()->where, "narrow.npy"));
    o.use = "leaks";
    assert_fails(ASSAY_E_INVALID, assay_trace(w->ctx, w->source.text, &o, &json));
    o.against = NULL;
    o.scores = few.text;
    assert_fails(ASSAY_E_SHAPE, assay_trace(w->ctx, w->source.text, &o, &json));
    o.use = "select";
    o.scores = good.text;
    o.count = ROWS + 1;
    assert_fails(ASSAY_E_INVALID, assay_trace(w->ctx, w->source.text, &o, &json));
    o.count = 0;
    o.how = "dice";
    assert_fails(ASSAY_E_INVALID, assay_trace(w->ctx, w->source.text, &o, &json));
    o.how = NULL;
    o.use = "gold";
    assert_fails(ASSAY_E_NOTFOUND, assay_trace(w->ctx, w->source.text, &o, &json));
    assert_non_null(strstr(assay_last_error()->help, "leaks"));
    o.use = "select";
    o.scores = NULL;
    assert_fails(ASSAY_E_INVALID, assay_trace(w->ctx, w->source.text, &o, &json));
    /* halves of floats read as doubles: whatever they say, it is no crash */
    o.scores = wide.text;
    (void)!assay_trace(w->ctx, w->source.text, &o, &json);
    assay_string_free(w->ctx, json);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaks_are_found_by_scores_and_pixels),
        cmocka_unit_test(leaks_are_found_in_attribution),
        cmocka_unit_test(rows_are_chosen),
        cmocka_unit_test(a_group_is_one_cluster),
        cmocka_unit_test(a_difference_is_the_first_component),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
