/* Wrong labels planted in a toy set are found by every method, spoiled rows are not
 * named, bytes do not depend on threads, and what makes no sense is refused. */
#include <assay/detect.h>

#include "base/json.h"
#include "train/testing_source.h"

#include <math.h>

static char *told(assay_ctx *ctx, const char *source, const assay_mislabels_options *o) {
    char *json;
    assert_ok(assay_mislabels(ctx, source, o, &json));
    return json;
}

static assay_mislabels_options quick(void) {
    assay_mislabels_options o = ASSAY_MISLABELS_OPTIONS_INIT;
    o.model = "mlp";
    o.members = 3;
    o.epochs = 12;
    o.flip = .1;
    o.top = 200;
    o.dim = 64;
    o.rounds = 50;
    return o;
}

/* Whether two documents agree in all lines but those that tell seconds. */
static bool same_but_times(char *a, char *b) {
    for (;;) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        bool time = n > 9 && strstr(a, "seconds\"") && strstr(a, "seconds\"") < a + n;
        if (!time && (n != m || memcmp(a, b, n) != 0))
            return false;
        if (!a[n] || !b[m])
            return a[n] == b[m];
        a += n + 1;
        b += m + 1;
    }
}

static void planted_labels_are_found(void **state) {
    (void)state;
    test_scratch scratch = test_scratch_begin();
    char *json[2];
    const test_path source = source_make(&scratch, "found", TRAIN);
    assay_mislabels_options o = quick();
    o.methods = "probability,loss,margin,confident,loss:seen,self-influence,"
                "self-influence:ekfac,harm,harm:grad-dot";
    for (int run = 0; run < 2; run++) {
        assay_ctx *ctx = test_ctx(run + 1);
        char *text = told(ctx, source.text, &o);
        json[run] = malloc(strlen(text) + 1);
        assert_non_null(json[run]);
        memcpy(json[run], text, strlen(text) + 1);
        assay_string_free(ctx, text);
        assay_ctx_destroy(ctx);
    }
    assert_true(same_but_times(json[0], json[1]));
    assay_ctx *ctx = test_ctx(1);
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, json[0], strlen(json[0])));
    const json_val *all = json_root(doc), *methods = json_get(all, "methods");
    const json_val *named = json_get(all, "named");
    assert_int_equal(json_get_int(json_get(all, "planted"), 0), 12);
    assert_int_equal(json_len(methods), 9);
    assert_int_equal(json_len(named), TRAIN - 12);
    for (size_t i = 0; i < json_len(methods); i++) {
        const json_val *m = json_at(methods, i), *ci = json_get(m, "ci");
        double area = json_get_num(json_get(m, "auroc"), 0);
        double low = json_get_num(json_at(ci, 0), 9);
        double high = json_get_num(json_at(ci, 1), -9);
        /* a toy set of four classes: chance is .5 */
        if (!(area > (i < 5 ? .9 : .6)) || !(low <= area && area <= high))
            fail_msg("%s: %g in %g - %g", json_get_str(json_get(m, "method"), ""), area,
                     low, high);
    }
    double before = INFINITY;
    for (size_t i = 0; i < json_len(named); i++) {
        const json_val *row = json_at(named, i);
        double score = json_get_num(json_get(row, "score"), NAN);
        assert_true(score <= before);
        assert_true(json_get_num(json_get(row, "low"), 9) <= score + 1e-6);
        assert_true(json_get_num(json_get(row, "high"), -9) >= score - 1e-6);
        before = score;
    }
    json_doc_destroy(doc);
    free(json[0]);
    free(json[1]);
    assay_ctx_destroy(ctx);
    test_scratch_end(&scratch);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    test_scratch scratch = test_scratch_begin();
    assay_ctx *ctx = test_ctx(1);
    char *json = (char *)1;
    const test_path source = source_make(&scratch, "bad", TRAIN);
    assay_mislabels_options o = quick();
    o.members = 4;
    assert_fails(ASSAY_E_INVALID, assay_mislabels(ctx, source.text, &o, &json));
    assert_null(json);
    o = quick();
    o.methods = "probability,guess";
    assert_fails(ASSAY_E_NOTFOUND, assay_mislabels(ctx, source.text, &o, &json));
    assert_non_null(strstr(assay_last_error()->help, "confident"));
    o.methods = "loss:trak";
    assert_fails(ASSAY_E_NOTFOUND, assay_mislabels(ctx, source.text, &o, &json));
    o.methods = "self-influence:replay"; /* would cost a training per row */
    assert_fails(ASSAY_E_NOTFOUND, assay_mislabels(ctx, source.text, &o, &json));
    assert_non_null(strstr(assay_last_error()->help, "ekfac"));
    o.methods = "";
    assert_fails(ASSAY_E_NOTFOUND, assay_mislabels(ctx, source.text, &o, &json));
    o = quick();
    o.flip = .6;
    assert_fails(ASSAY_E_INVALID, assay_mislabels(ctx, source.text, &o, &json));
    o = quick();
    o.rows = TRAIN + 1;
    assert_fails(ASSAY_E_SHAPE, assay_mislabels(ctx, source.text, &o, &json));
    o.rows = 4;
    assert_fails(ASSAY_E_SHAPE, assay_mislabels(ctx, source.text, &o, &json));
    assay_ctx_destroy(ctx);
    test_scratch_end(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_labels_are_found),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
