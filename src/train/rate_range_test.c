/* The range test finds where training breaks, says the same at any number of threads, and
 * leaves no model. */
#include "train/testing_source.h"

#include <math.h>
#include <unistd.h>

static assay_train_options options_make(void) {
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.model = "mlp";
    o.batch = 16;
    o.seed = 5;
    o.precision = "f32";
    return o;
}

static void finds_the_edge(void **state) {
    (void)state;
    test_scratch s = test_scratch_begin();
    assay_rate_range r[2];
    for (int threads = 1; threads <= 2; threads++) {
        assay_ctx *ctx = test_ctx(threads);
        test_path src = source_make(&s, threads == 1 ? "src1" : "src2", TRAIN);
        test_path out = test_in(&s, threads == 1 ? "out1" : "out2");
        assay_train_options o = options_make();
        assert_ok(assay_find_rate(ctx, src.text, out.text, &o, &r[threads - 1]));
        char path[600];
        (void)snprintf(path, sizeof path, "%s/model.safetensors", out.text);
        assert_int_not_equal(access(path, F_OK), 0);
        assay_ctx_destroy(ctx);
    }
    assert_memory_equal(&r[0], &r[1], sizeof r[0]);
    const assay_rate_range *a = &r[0];
    assert_true(a->broke && a->rows > 3 && a->rows <= ASSAY_RATE_ROWS);
    double least = INFINITY;
    for (int i = 0; i < a->rows; i++) {
        assert_true(fabs(a->row[i].rate - 1e-4 * pow(2, i)) < 1e-9);
        bool last = i == a->rows - 1;
        least = fmin(least, a->row[i].loss);
        assert_int_equal(a->row[i].loss <= 1.5 * least &&
                             a->row[i].loss <= 1.05 * a->row[0].loss,
                         !last);
    }
    assert_true(a->stable == a->row[a->rows - 2].rate / 2);
    test_scratch_end(&s);
}

static void bad_options(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), out = test_in(&s, "out");
    assay_train_options o = options_make();
    assay_rate_range range;
    o.schedule = "zigzag";
    assert_fails(ASSAY_E_INVALID, assay_find_rate(ctx, src.text, out.text, &o, &range));
    o = options_make();
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_find_rate(ctx, "/nowhere", out.text, &o, &range));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_edge),
        cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
