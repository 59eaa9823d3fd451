/* Whatever a recipe asks for, a run that is killed at random moments and continued ends
 * with the bytes of one that was left alone. */
#include "train/testing.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 96, EPOCHS = 8, KILLS = 4 };

static const char *const settings[] = {
    "optimizer=sgd decoupled=on nesterov=off mixup=0.4",
    "optimizer=adamw clip=0.5 cutmix=1 alternate=on flip=on edge=reflect",
    "optimizer=muon newton-steps=3 renorm=on lookahead=2 group=*bias:rate=8,decay=1",
    "optimizer=adamw lookahead=3 validation=0.2 patience=2 lr=0.02",
    "schedule=two-regime auto-switch=on lr=0.001 small-steps=0.01",
    "optimizer=muon-adamw ema=0.9 group=*:epochs=4 freeze=fc*",
};

static assay_status run_in(assay_ctx *ctx, toy *t, const char *dir) {
    train_job job = {
        .dir = dir, .rows = t->rows, .n_rows = t->n, .seed = 5, .identity = "toy"};
    return train_one(ctx, &t->data, &t->recipe, &job);
}

static void child_run(toy *t, const char *dir) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    assay_ctx *ctx;
    if (assay_ctx_create(&ctx, &o) != ASSAY_OK || run_in(ctx, t, dir) != ASSAY_OK)
        _exit(1);
    _exit(0);
}

/* Returns whether the child was still at it. */
static bool run_and_kill(toy *t, const char *dir, uint64_t i) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_run(t, dir);
    rng r = rng_at(2, RNG_TEST, 0, i);
    const struct timespec pause = {.tv_nsec = 5000000 + (long)rng_below(&r, 150000000)};
    (void)nanosleep(&pause, NULL);
    (void)kill(child, SIGKILL);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
    return WIFSIGNALED(how);
}

static void killed_and_continued(void **state) {
    (void)state;
    test_scratch s = test_scratch_begin();
    int killed = 0;
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        char want[600], got[600];
        toy *t = toy_make(NULL, ROWS, "cnn");
        assert_ok(settings_set(&t->recipe, settings[k]));
        t->recipe.epochs = EPOCHS;
        (void)snprintf(want, sizeof want, "%.500s/want-%zu", s.folder, k);
        (void)snprintf(got, sizeof got, "%.500s/got-%zu", s.folder, k);
        for (uint64_t i = 0; i < KILLS; i++)
            killed += run_and_kill(t, got, k * KILLS + i);
        assay_ctx *ctx = test_ctx(1);
        assert_ok(run_in(ctx, t, got));
        assert_ok(run_in(ctx, t, want));
        test_same_file(ctx, want, got, "model.safetensors");
        test_same_file(ctx, want, got, "metrics.jsonl");
        assay_ctx_destroy(ctx);
        toy_free(t);
    }
    assert_true(killed > 0);
    test_scratch_end(&s);
}

/* A file size limit stands in for a full disk: what was written before stays as it is,
 * and with room again the run goes on from it. */
static void a_full_disk_loses_nothing(void **state) {
    (void)state;
    test_scratch s = test_scratch_begin();
    char want[600], got[600], point[700];
    toy *t = toy_make(NULL, ROWS, "mlp");
    t->recipe.epochs = 60;
    (void)snprintf(want, sizeof want, "%.500s/want", s.folder);
    (void)snprintf(got, sizeof got, "%.500s/got", s.folder);
    (void)snprintf(point, sizeof point, "%s/checkpoint.safetensors", got);
    for (uint64_t i = 0; i < 20 && !os_exists(point); i++)
        (void)run_and_kill(t, got, 100 + i);
    assay_ctx *ctx = test_ctx(1);
    if (os_exists(point)) { /* killed between its first epoch and its end */
        struct rlimit old, none;
        size_t n, m;
        uint8_t *before = test_get(ctx, point, &n);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
        none = old;
        none.rlim_cur = 100;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        assay_status full = run_in(ctx, t, got);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        (void)signal(SIGXFSZ, handler);
        assert_int_equal(full, ASSAY_E_NOSPC);
        uint8_t *after = test_get(ctx, point, &m);
        assert_int_equal(n, m);
        assert_memory_equal(before, after, n);
        mem_free(ctx, before);
        mem_free(ctx, after);
    } else {
        print_message("no run was caught with a checkpoint\n");
    }
    assert_ok(run_in(ctx, t, got));
    assert_ok(run_in(ctx, t, want));
    test_same_file(ctx, want, got, "model.safetensors");
    test_same_file(ctx, want, got, "metrics.jsonl");
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_and_continued),
                                       cmocka_unit_test(a_full_disk_loses_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
