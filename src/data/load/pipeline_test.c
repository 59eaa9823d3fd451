/* The grammar of pipelines: what is read, what is refused, and in which words. */
#include "data/load/pipeline.h"

#include "base/buf.h"
#include "base/testing.h"

static pipeline parse(assay_ctx *ctx, const char *text) {
    pipeline p;
    assert_ok(pipeline_parse(&p, ctx, text, NULL, 0));
    return p;
}

static void test_reads(void **state) {
    assay_ctx *ctx = *state;
    pipeline p =
        parse(ctx, " a = image : random_resized_crop( 32, scale=0.5:1 ) |flip(0.25)\n"
                   "\n b=image: resize(8:9) ;; label;");
    assert_int_equal(p.outputs, 3);
    assert_string_equal(p.output[0].name, "a");
    assert_string_equal(p.output[0].field, "image");
    assert_int_equal(p.output[0].steps, 2);
    assert_string_equal(p.output[0].step[0].transform->name, "random_resized_crop");
    assert_true(p.output[0].step[0].plan.value[0] == 32);
    assert_true(p.output[0].step[0].plan.value[2] == 0.5);
    assert_string_equal(p.output[0].step[1].transform->name, "flip");
    assert_true(p.output[0].step[1].plan.value[0] == 0.25);
    assert_string_equal(p.output[1].name, "b");
    assert_true(p.output[1].step[0].plan.value[0] == 8);
    assert_true(p.output[1].step[0].plan.value[1] == 9);
    assert_string_equal(p.output[2].name, "label");
    assert_int_equal(p.output[2].steps, 0);
    pipeline_free(&p);
    pipeline_free(&p); /* empty now */
}

static void test_parentheses_keep(void **state) {
    assay_ctx *ctx = *state;
    pipeline p = parse(ctx, "label: replace_label(rows=\"1|2\", label=3)");
    assert_int_equal(p.outputs, 1);
    assert_int_equal(p.output[0].steps, 1);
    pipeline_free(&p);
}

static void test_presets(void **state) {
    assay_ctx *ctx = *state;
    static const char *const names[] = {"rrc224-f32", "rrc224-u8", "cifar-f32",
                                        "cifar-u8"};
    for (size_t i = 0; i < 4; i++) {
        pipeline p = parse(ctx, names[i]);
        assert_true(p.preset);
        assert_int_equal(p.outputs, 2);
        pipeline_free(&p);
        p = parse(ctx, assay_pipeline_preset(names[i]));
        assert_false(p.preset);
        assert_int_equal(p.outputs, 2);
        pipeline_free(&p);
    }
    assert_null(assay_pipeline_preset("rrc224"));
    assert_null(assay_pipeline_preset(NULL));
}

static void refuse(assay_ctx *ctx, const char *text, const char *says) {
    pipeline p;
    char all[2048];
    assert_fails(ASSAY_E_INVALID, pipeline_parse(&p, ctx, text, NULL, 0));
    assert_int_equal(p.outputs, 0);
    const assay_error *e = assay_last_error();
    (void)snprintf(all, sizeof all, "%s | %s | %s", e->message, e->where, e->help);
    if (strstr(all, says) == NULL)
        fail_msg("'%s' is not said of '%s': %s", says, text, all);
}

static void test_refuses(void **state) {
    assay_ctx *ctx = *state;
    char longer[200];
    refuse(ctx, "", "empty");
    refuse(ctx, ";\n ;", "rrc224-f32");
    refuse(ctx, "image: flipp", "flip");
    refuse(ctx, "image: flip | | flip", "step 2");
    refuse(ctx, "image: flip(0.5", "parenthesis");
    refuse(ctx, "image: flip)(", "parenthesis");
    refuse(ctx, "image: flip(1.5)", "output 'image', step 1 (flip)");
    refuse(ctx, "image: flip(q=1)", "q");
    refuse(ctx, "image: random_resized_crop", "size");
    refuse(ctx, "= image", "output's name");
    refuse(ctx, "a = ", "field's name");
    refuse(ctx, "a = b = c", "no name");
    refuse(ctx, "a(b): flip", "no name");
    refuse(ctx, "image; image: flip", "two outputs are called 'image'");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    refuse(ctx, longer, "characters");
}

static void test_limits(void **state) {
    assay_ctx *ctx = *state;
    buf b = buf_make(ctx);
    buf_str(&b, "image: flip");
    for (int i = 1; i < PIPELINE_STEPS; i++)
        buf_str(&b, "|flip");
    pipeline p = parse(ctx, b.data);
    assert_int_equal(p.output[0].steps, PIPELINE_STEPS);
    pipeline_free(&p);
    buf_str(&b, "|flip");
    refuse(ctx, b.data, "more than 32 steps");
    buf_clear(&b);
    for (int i = 0; i <= PIPELINE_OUTPUTS; i++)
        buf_fmt(&b, "o%d = image;", i);
    refuse(ctx, b.data, "more than 256 outputs");
    buf_free(&b);
}

static int setup(void **state) {
    *state = test_ctx(1);
    return 0;
}

static int teardown(void **state) {
    assay_ctx_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),   cmocka_unit_test(test_parentheses_keep),
        cmocka_unit_test(test_presets), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
