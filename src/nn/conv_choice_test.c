/* Choices of kernels: what the environment says, what a run remembers, what is timed once
 * and then found again. */
#include "nn/conv_choice.h"

#include "base/cpu.h"
#include "base/testing.h"
#include "nn/choice_file.h"

typedef struct rig {
    assay_ctx *ctx;
    dn_engine *engine;
    char folder[64], cache[96], run[96];
} rig;

static const dn_conv_geometry small = {.n = 32,
                                       .c = 32,
                                       .h = 4,
                                       .w = 4,
                                       .o = 32,
                                       .oh = 4,
                                       .ow = 4,
                                       .kh = 3,
                                       .kw = 3,
                                       .stride = {1, 1},
                                       .pad = {1, 1, 1, 1},
                                       .dilation = {1, 1},
                                       .bf16 = true,
                                       .x_half = true,
                                       .y_half = true};

static void rig_open(rig *r, const char *kernels) {
    r->ctx = test_ctx(1);
    assert_ok(dn_engine_create(&r->engine, r->ctx));
    (void)snprintf(r->folder, sizeof r->folder, "/tmp/assay-choice-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->cache, sizeof r->cache, "%s/kernels.txt", r->folder);
    snprintf(r->run, sizeof r->run, "%s/run.txt", r->folder);
    assert_int_equal(setenv("ASSAY_CACHE", r->folder, 1), 0);
    assert_int_equal(setenv("ASSAY_KERNELS", kernels, 1), 0);
}

static void rig_close(rig *r) {
    assert_ok(os_remove_tree(r->folder));
    assert_int_equal(unsetenv("ASSAY_CACHE"), 0);
    assert_int_equal(unsetenv("ASSAY_KERNELS"), 0);
    dn_engine_destroy(r->engine);
    assay_ctx_destroy(r->ctx);
}

static conv_choice choose(rig *r, const dn_conv_geometry *g, unsigned what) {
    conv_choice c;
    assert_ok(conv_choose(&c, r->ctx, r->engine, g, what, r->run));
    return c;
}

static void words_limit_the_choice(void **state) {
    (void)state;
    rig r;
    rig_open(&r, "onednn");
    assert_false(choose(&r, &small, DN_FORWARD).own);
    assert_int_equal(setenv("ASSAY_KERNELS", "own", 1), 0);
    assert_int_equal(choose(&r, &small, DN_FORWARD).own, cpu_amx());
    assert_int_equal(setenv("ASSAY_KERNELS", "rule", 1), 0);
    assert_int_equal(choose(&r, &small, DN_BACKWARD_WEIGHTS).own, cpu_amx());
    assert_false(os_exists(r.cache));
    dn_conv_geometry f32 = small;
    f32.bf16 = f32.x_half = f32.y_half = false;
    assert_int_equal(setenv("ASSAY_KERNELS", "own", 1), 0);
    assert_false(choose(&r, &f32, DN_FORWARD).own);
    rig_close(&r);
}

/* The first choice is timed and written; later ones are read, a run's before the
 * cache's; damaged ones are made again by the rule or by timing. */
static void choices_are_remembered(void **state) {
    (void)state;
    rig r;
    if (!cpu_amx()) {
        print_message("no matrix tiles here: skipped\n");
        return;
    }
    rig_open(&r, "auto");
    conv_choice first = choose(&r, &small, DN_BACKWARD_WEIGHTS);
    assert_true(os_exists(r.cache) && os_exists(r.run));
    conv_choice again = choose(&r, &small, DN_BACKWARD_WEIGHTS);
    assert_memory_equal(&first, &again, sizeof first);
    uint8_t *text;
    size_t bytes;
    assert_ok(os_read_file(r.ctx, r.run, 4096, &text, &bytes));
    char *equals = strstr((char *)text, " = ");
    assert_non_null(equals);
    assert_null(strstr(equals, " ms"));
    char key[512];
    snprintf(key, sizeof key, "%.*s", (int)(equals - (char *)text), (char *)text);
    mem_free(r.ctx, text);
    assert_ok(os_remove_tree(r.run));
    assert_true(choice_add(r.ctx, r.run, key, first.own ? "onednn" : "own 1 1 1 1"));
    assert_int_equal(choose(&r, &small, DN_BACKWARD_WEIGHTS).own, !first.own);
    static const char *const broken[] = {"own", "own 0 1 1 1", "own 1 99999999 1 1",
                                         "own 1 -1 1 1", "owner"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_ok(os_remove_tree(r.run));
        assert_true(choice_add(r.ctx, r.run, key, broken[i]));
        conv_choice c = choose(&r, &small, DN_BACKWARD_WEIGHTS);
        assert_memory_equal(&c, &first, sizeof c);
    }
    rig_close(&r);
}

static void lines_are_found(void **state) {
    (void)state;
    rig r;
    char value[CHOICE_TEXT];
    rig_open(&r, "auto");
    assert_false(choice_find(value, r.ctx, r.cache, "a"));
    assert_true(choice_add(r.ctx, r.cache, "ab", "1"));
    assert_true(choice_add(r.ctx, r.cache, "a", "2"));
    assert_true(choice_add(r.ctx, r.cache, "a", "3"));
    assert_true(choice_find(value, r.ctx, r.cache, "a"));
    assert_string_equal(value, "2");
    assert_false(choice_find(value, r.ctx, r.cache, "b"));
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_limit_the_choice),
        cmocka_unit_test(choices_are_remembered),
        cmocka_unit_test(lines_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
