/* The promises of a fleet: the same bytes at any thread count and after any interruption,
 * nothing allocated in its steps, and numbers that are not finite reported with the last
 * good state kept. */
#include "train/checkpoint.h"
#include "train/run_dir.h"
#include "train/testing.h"

#include "file/safetensors.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 96, JOBS = 2 };

typedef struct fleet {
    char dir[JOBS][512];
    train_job job[JOBS];
} fleet;

static fleet fleet_make(const toy *t, const test_scratch *s, const char *name) {
    fleet f;
    memset(&f, 0, sizeof f);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(f.dir[i], sizeof f.dir[i], "%.200s/%s-%d", s->folder, name, i);
        f.job[i] = (train_job){.dir = f.dir[i],
                               .rows = t->rows + i * 20,
                               .n_rows = t->n - (size_t)i * 20,
                               .seed = (uint64_t)i,
                               .identity = "toy"};
    }
    return f;
}

/* f's pointers into itself are set anew: it was returned by value. */
static assay_status fleet_run(assay_ctx *ctx, toy *t, fleet *f) {
    for (int i = 0; i < JOBS; i++)
        f->job[i].dir = f->dir[i];
    return train_fleet(ctx, &t->data, &t->recipe, f->job, JOBS);
}

/* Model and metrics are the same, and there is nothing else but, in bf16, which kernels
 * it ran on. */
static void same_runs(assay_ctx *ctx, const fleet *a, const fleet *b) {
    for (int i = 0; i < JOBS; i++) {
        test_same_file(ctx, a->dir[i], b->dir[i], "model.safetensors");
        test_same_file(ctx, a->dir[i], b->dir[i], "metrics.jsonl");
        os_names names;
        assert_ok(os_list_dir(ctx, b->dir[i], &names));
        for (size_t n = 0; n < names.count; n++)
            assert_true(strcmp(names.name[n], "model.safetensors") == 0 ||
                        strcmp(names.name[n], "metrics.jsonl") == 0 ||
                        strcmp(names.name[n], RUN_KERNELS) == 0);
        os_names_free(&names);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    for (size_t k = 0; k < 2 * TOY_MODELS; k++) {
        assay_ctx *one = test_ctx(1), *two = test_ctx(2);
        test_scratch s = test_scratch_begin();
        toy *t = toy_make(one, ROWS, toy_model(k / 2));
        if (k % 2) /* whatever this machine would choose, f32 works everywhere */
            (void)snprintf(t->recipe.precision, sizeof t->recipe.precision, "f32");
        fleet a = fleet_make(t, &s, "one"), b = fleet_make(t, &s, "two");
        assert_ok(fleet_run(one, t, &a));
        assert_ok(fleet_run(two, t, &b));
        same_runs(one, &a, &b);
        toy_free(t);
        test_scratch_end(&s);
        assay_ctx_destroy(one);
        assay_ctx_destroy(two);
    }
}

/* A model that has all threads for its shards. */
static void threads_do_not_matter_to_one(void **state) {
    (void)state;
    assay_ctx *ctx[3] = {test_ctx(1), test_ctx(2), test_ctx(3)};
    test_scratch s = test_scratch_begin();
    for (size_t k = 0; k < TOY_MODELS; k++) {
        char dir[3][600];
        toy *t = toy_make(ctx[0], 2 * ROWS, toy_model(k));
        t->recipe.batch = ROWS; /* two shards */
        for (int i = 0; i < 3; i++) {
            (void)snprintf(dir[i], sizeof dir[i], "%.200s/%zu-%d", s.folder, k, i);
            train_job job = {.dir = dir[i],
                             .rows = t->rows,
                             .n_rows = t->n,
                             .seed = 3,
                             .identity = "toy",
                             .wide = true};
            assert_ok(train_fleet(ctx[i], &t->data, &t->recipe, &job, 1));
        }
        for (int i = 1; i < 3; i++) {
            test_same_file(ctx[0], dir[0], dir[i], "model.safetensors");
            test_same_file(ctx[0], dir[0], dir[i], "metrics.jsonl");
        }
        toy_free(t);
    }
    test_scratch_end(&s);
    for (int i = 0; i < 3; i++)
        assay_ctx_destroy(ctx[i]);
}

/* ---- interruptions ---- */

typedef struct counter {
    int left;
} counter;

static int count_down(void *cookie, const assay_progress *p) {
    counter *c = cookie;
    (void)p;
    return --c->left <= 0;
}

static assay_ctx *ctx_that_stops(counter *c) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 2;
    o.progress = count_down;
    o.progress_cookie = c;
    assay_ctx *ctx;
    assert_ok(assay_ctx_create(&ctx, &o));
    return ctx;
}

static void cancelled_and_continued(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "mlp");
    t->recipe.epochs = 40;
    fleet want = fleet_make(t, &s, "want"), got = fleet_make(t, &s, "got");
    assert_ok(fleet_run(ctx, t, &want));
    int stops = 0;
    for (int i = 0; i < 6; i++) {
        counter c = {1 + i / 2};
        assay_ctx *stopped = ctx_that_stops(&c);
        assay_status status = fleet_run(stopped, t, &got);
        assay_ctx_destroy(stopped);
        if (status == ASSAY_OK)
            break;
        assert_int_equal(status, ASSAY_E_CANCELLED);
        stops++;
    }
    assert_true(stops > 0);
    assert_ok(fleet_run(ctx, t, &got));
    same_runs(ctx, &want, &got);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* In a child: train until killed. */
static void child_run(toy *t, fleet *f) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 2;
    assay_ctx *ctx;
    if (assay_ctx_create(&ctx, &o) != ASSAY_OK || fleet_run(ctx, t, f) != ASSAY_OK)
        _exit(1);
    _exit(0);
}

static void killed_and_continued(void **state) {
    (void)state;
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(NULL, ROWS, "mlp");
    t->recipe.epochs = 40;
    fleet want = fleet_make(t, &s, "want"), got = fleet_make(t, &s, "got");
    /* The parent has no threads yet when it forks. */
    int killed = 0;
    for (uint64_t i = 0; i < 10; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            child_run(t, &got);
        rng r = rng_at(1, RNG_TEST, 0, i);
        const struct timespec pause = {.tv_nsec =
                                           1000000 + (long)rng_below(&r, 60000000)};
        (void)nanosleep(&pause, NULL);
        (void)kill(child, SIGKILL);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        killed += WIFSIGNALED(how);
        assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
    }
    assert_true(killed > 0);
    assay_ctx *ctx = test_ctx(2);
    assert_ok(fleet_run(ctx, t, &got));
    assert_ok(fleet_run(ctx, t, &want));
    same_runs(ctx, &want, &got);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- what is kept and what is redone ---- */

static void finished_jobs_are_kept(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "mlp");
    fleet f = fleet_make(t, &s, "a");
    trained_model m = {0}, n = {0};
    f.job[0].result = &m;
    assert_ok(fleet_run(ctx, t, &f));
    assert_true(f.job[0].gflop > 0);
    f.job[0].result = &n;
    assert_ok(fleet_run(ctx, t, &f));
    assert_true(f.job[0].gflop == 0);
    assert_string_equal(m.card.key, n.card.key);
    assert_memory_equal(m.weights.params, n.weights.params,
                        nn_graph_param_floats(m.zoo.graph) * sizeof(float));
    model_free(&m);
    model_free(&n);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void changed_inputs_are_redone(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "mlp");
    fleet f = fleet_make(t, &s, "a");
    assert_ok(fleet_run(ctx, t, &f));
    for (int change = 0; change < 5; change++) {
        if (change == 0)
            f.job[0].identity = "another";
        if (change == 1)
            f.job[0].seed++;
        if (change == 2)
            t->recipe.lr *= 0.5;
        if (change == 3)
            f.job[0].n_rows--;
        if (change == 4)
            t->labels[5] = (t->labels[5] + 1) % TOY_CLASSES; /* its label counts, too */
        assert_ok(fleet_run(ctx, t, &f));
        assert_true(f.job[0].gflop > 0);
    }
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void damaged_files_are_redone(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "mlp");
    fleet want = fleet_make(t, &s, "want"), got = fleet_make(t, &s, "got");
    assert_ok(fleet_run(ctx, t, &want));
    char path[600];
    for (int i = 0; i < JOBS; i++) {
        assert_ok(os_mkdirs(got.dir[i]));
        (void)snprintf(path, sizeof path, "%s/checkpoint.safetensors", got.dir[i]);
        test_put(path, "not a checkpoint", 16);
        (void)snprintf(path, sizeof path, "%s/model.safetensors", got.dir[i]);
        test_put(path, "\x08\0\0\0\0\0\0\0{}      ", 16);
        (void)snprintf(path, sizeof path, "%s/model.safetensors.tmp-123-0", got.dir[i]);
        test_put(path, "half", 4);
    }
    assert_ok(fleet_run(ctx, t, &got));
    same_runs(ctx, &want, &got);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- numbers ---- */

/* Every number in the file is finite; returns its finished epochs. */
static int check_checkpoint(assay_ctx *ctx, const char *path) {
    st_file *f;
    assert_ok(st_open(&f, ctx, path));
    for (size_t i = 0; i < st_count(f); i++) {
        st_tensor t = st_at(f, i);
        for (size_t k = 0; t.dtype == ASSAY_F32 && k < t.bytes / sizeof(float); k++) {
            float v;
            memcpy(&v, (const uint8_t *)t.data + k * sizeof v, sizeof v);
            assert_true(isfinite(v));
        }
    }
    int epochs = atoi(st_metadata(f, "assay.epoch"));
    st_close(f);
    return epochs;
}

/* A decay of 1 makes weights grow without bound once the rate passes 2, some epochs into
 * the rise. */
static void last_good_checkpoint_stays(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "mlp");
    t->recipe.epochs = 50;
    t->recipe.lr = 20;
    t->recipe.momentum = 0;
    t->recipe.weight_decay = 1;
    fleet f = fleet_make(t, &s, "a");
    char point[600], model[600];
    (void)snprintf(point, sizeof point, "%s/checkpoint.safetensors", f.dir[0]);
    (void)snprintf(model, sizeof model, "%s/model.safetensors", f.dir[0]);
    int epochs = 0;
    for (int i = 0; i < 2; i++) { /* trying again changes nothing */
        assert_fails(ASSAY_E_NUMERIC, fleet_run(ctx, t, &f));
        assert_non_null(strstr(assay_last_error()->message, "not finite"));
        assert_non_null(strstr(assay_last_error()->where, "epoch"));
        assert_non_null(strstr(assay_last_error()->help, "--lr"));
        assert_non_null(strstr(assay_last_error()->help, "checkpoint.safetensors"));
        assert_false(os_exists(model));
        int now = check_checkpoint(ctx, point);
        assert_true(now > 0 && now < 50);
        assert_true(i == 0 || now == epochs);
        epochs = now;
    }
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static uint64_t allocations(int epochs) {
    assay_ctx *ctx = test_ctx(1);
    toy *t = toy_make(ctx, ROWS, "cnn");
    t->recipe.epochs = epochs;
    trained_model m = {0};
    train_job job = {
        .rows = t->rows, .n_rows = t->n, .seed = 1, .identity = "x", .result = &m};
    assert_ok(train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    model_free(&m);
    uint64_t n = mem_alloc_count(ctx);
    toy_free(t);
    assay_ctx_destroy(ctx);
    return n;
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    assert_int_equal(allocations(1), allocations(5));
}

static void metrics_are_lines(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, ROWS, "cnn");
    t->recipe.epochs = 6;
    fleet f = fleet_make(t, &s, "a");
    assert_ok(fleet_run(ctx, t, &f));
    char path[600];
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", f.dir[0]);
    size_t n;
    uint8_t *text = test_get(ctx, path, &n);
    double first = 0, last = 0, accuracy = 0;
    int lines = 0;
    for (char *line = (char *)text, *stop; (stop = strchr(line, '\n')); line = stop + 1) {
        json_doc *doc;
        assert_ok(json_parse(&doc, ctx, line, (size_t)(stop - line)));
        const json_val *v = json_root(doc);
        assert_int_equal(json_get_int(json_get(v, "epoch"), 0), ++lines);
        last = json_get_num(json_get(v, "loss"), -1);
        first = lines == 1 ? last : first;
        accuracy = json_get_num(json_get(v, "accuracy"), -1);
        assert_true(json_get_num(json_get(v, "lr"), -1) > 0);
        json_doc_destroy(doc);
    }
    assert_int_equal(lines, 6);
    assert_true(last < first);
    assert_true(accuracy > 0.9 && accuracy <= 1);
    mem_free(ctx, text);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void bad_jobs(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    toy *t = toy_make(ctx, 32, "mlp");
    train_job job = {.rows = t->rows, .n_rows = 1, .identity = "x"};
    assert_fails(ASSAY_E_SHAPE, train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    job.n_rows = 32;
    t->rows[3] = 32;
    assert_fails(ASSAY_E_SHAPE, train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    t->rows[3] = 3;
    t->labels[3] = TOY_CLASSES;
    assert_fails(ASSAY_E_SHAPE, train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    t->labels[3] = 0;
    t->card.size++;
    assert_fails(ASSAY_E_SHAPE, train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    toy_free(t);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_and_continued), /* first: it forks */
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(threads_do_not_matter_to_one),
        cmocka_unit_test(cancelled_and_continued),
        cmocka_unit_test(finished_jobs_are_kept),
        cmocka_unit_test(changed_inputs_are_redone),
        cmocka_unit_test(damaged_files_are_redone),
        cmocka_unit_test(last_good_checkpoint_stays),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(metrics_are_lines),
        cmocka_unit_test(bad_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
