/* assay_fleet: what is written, and that it is the same at any number of threads, after a
 * kill, and in parts; members whose numbers fail; what is refused. */
#include "train/testing_source.h"

#include <assay/fleet.h>

#include "base/json.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct setup {
    assay_ctx *ctx;
    test_scratch s;
    test_path source;
    assay_train_options t;
    assay_fleet_options o;
} setup;

static setup setup_make(void) {
    setup u = {.ctx = test_ctx(2), .s = test_scratch_begin()};
    u.source = source_make(&u.s, "src", TRAIN);
    u.t = (assay_train_options)ASSAY_TRAIN_OPTIONS_INIT;
    u.t.settings = "model=mlp-16 epochs=3 batch=10 translate=0 flip=off";
    u.o = (assay_fleet_options)ASSAY_FLEET_OPTIONS_INIT;
    u.o.models = 12;
    u.o.seeds = 2;
    u.o.outputs = "margins,logits,correct,loss";
    return u;
}

static void setup_free(setup *u) {
    test_scratch_end(&u->s);
    assay_ctx_destroy(u->ctx);
}

static assay_status
fleet(setup *u, assay_ctx *ctx, const test_path *out, assay_fleet_result *r) {
    u->o.train = &u->t;
    return assay_fleet(ctx, u->source.text, out->text, &u->o, r);
}

static test_path inside(const test_path *dir, const char *name) {
    test_path p;
    (void)snprintf(p.text, sizeof p.text, "%.400s/%s", dir->text, name);
    return p;
}

static npy_array array(setup *u, const test_path *dir, const char *name, int rows) {
    npy_array a;
    test_path p = inside(dir, name);
    assert_ok(npy_open(&a, u->ctx, p.text, false));
    assert_int_equal(a.dim[0], rows);
    return a;
}

/* Whole folders but the call's own work files, which may hold times. */
static void same_folder(assay_ctx *ctx, const test_path *a, const test_path *b) {
    os_names x, y;
    assert_ok(os_list_dir(ctx, a->text, &x));
    assert_ok(os_list_dir(ctx, b->text, &y));
    assert_int_equal(x.count, y.count);
    for (size_t i = 0; i < x.count; i++) {
        test_path p = inside(a, x.name[i]), q = inside(b, y.name[i]);
        assert_string_equal(x.name[i], y.name[i]);
        if (strcmp(x.name[i], "run") == 0)
            continue;
        if (os_is_dir(p.text)) {
            same_folder(ctx, &p, &q);
            continue;
        }
        size_t n, m;
        uint8_t *c = test_get(ctx, p.text, &n), *d = test_get(ctx, q.text, &m);
        if (n != m || memcmp(c, d, n) != 0)
            fail_msg("%s differs", p.text);
        mem_free(ctx, c);
        mem_free(ctx, d);
    }
    os_names_free(&x);
    os_names_free(&y);
}

/* ---- what is written ---- */

static void outputs_agree(void **state) {
    (void)state;
    setup u = setup_make();
    test_path out = test_in(&u.s, "out");
    assay_fleet_result r;
    u.o.keep_models = 1;
    assert_ok(fleet(&u, u.ctx, &out, &r));
    assert_true(r.models == 12 && r.trained == 12 && r.failed == 0 && r.subsets == 6);
    assert_true(r.seeds == 2 && r.settings == 1 && r.rows == TEST);
    assert_true(r.gflop > 0 && r.seconds > 0 && r.cpu_seconds > 0);
    npy_array mask = array(&u, &out, "masks.npy", 6);
    npy_array row = array(&u, &out, "rows.npy", TEST);
    npy_array seed = array(&u, &out, "seeds.npy", 12);
    npy_array margin = array(&u, &out, "margins.npy", 12);
    npy_array logit = array(&u, &out, "logits.npy", 12);
    npy_array hit = array(&u, &out, "correct.npy", 12);
    npy_array loss = array(&u, &out, "loss.npy", 12);
    assert_int_equal(mask.dim[1], TRAIN);
    assert_int_equal(logit.dim[1], TEST * TOY_CLASSES);
    for (int k = 0; k < 6; k++) {
        int n = 0;
        for (int i = 0; i < TRAIN; i++)
            n += mask.data[k * TRAIN + i];
        assert_int_equal(n, TRAIN / 2);
    }
    assert_memory_not_equal(mask.data, mask.data + TRAIN, TRAIN);
    assert_memory_not_equal(seed.data, seed.data + 8, 8);
    toy *t = toy_make(u.ctx, TRAIN + TEST, "mlp");
    const float *z = (const float *)(const void *)logit.data;
    double right = 0;
    for (int i = 0; i < 12 * TEST; i++, z += TOY_CLASSES) {
        int64_t at = ((const int64_t *)(const void *)row.data)[i % TEST];
        double p[TOY_CLASSES], sum = 0;
        assert_int_equal(at, TRAIN + i % TEST);
        for (int c = 0; c < TOY_CLASSES; c++)
            sum += p[c] = exp((double)z[c]);
        double share = p[t->labels[at]] / sum;
        double m = (double)((const float *)(const void *)margin.data)[i];
        assert_true(fabs(m - log(share / (1 - share))) < 1e-3);
        assert_true(fabs((double)((const float *)(const void *)loss.data)[i] +
                         log(share)) < 1e-4);
        right += (double)((const float *)(const void *)hit.data)[i];
    }
    assert_true(right / (12 * TEST) > 0.6);
    for (int m = 0; m < 12; m++) { /* kept models say the same */
        char name[64];
        float said[TEST * TOY_CLASSES];
        trained_model model;
        (void)snprintf(name, sizeof name, "models/member-%d.safetensors", m);
        test_path p = inside(&out, name);
        uint32_t rows[TEST];
        for (uint32_t i = 0; i < TEST; i++)
            rows[i] = TRAIN + i;
        assert_ok(model_load(&model, u.ctx, p.text));
        assert_ok(
            train_predict(u.ctx, &model, &t->pixels, rows, TEST, false, said, NULL));
        assert_memory_equal(said, logit.data + (size_t)m * sizeof said, sizeof said);
        model_free(&model);
    }
    npy_array *all[] = {&mask, &row, &seed, &margin, &logit, &hit, &loss};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        npy_close(all[i]);
    toy_free(t);
    setup_free(&u);
}

static void subsets_of_all_kinds(void **state) {
    (void)state;
    setup u = setup_make();
    test_path out = test_in(&u.s, "folds"), more = test_in(&u.s, "more");
    u.t.settings = "model=mlp-4 epochs=1 batch=10 flip=off";
    u.o.models = 8;
    u.o.seeds = 1;
    u.o.folds = 4;
    u.o.outputs = NULL;
    u.o.rows = "train";
    assay_fleet_result r;
    assert_ok(fleet(&u, u.ctx, &out, &r));
    assert_int_equal(r.rows, TRAIN);
    npy_array mask = array(&u, &out, "masks.npy", 8);
    for (int block = 0; block < 2; block++)
        for (int i = 0; i < TRAIN; i++) {
            int n = 0;
            for (int k = 0; k < 4; k++)
                n += mask.data[(block * 4 + k) * TRAIN + i];
            assert_int_equal(n, 3);
        }
    assert_memory_not_equal(mask.data, mask.data + 4 * TRAIN, 4 * TRAIN);
    /* The same masks from a file give the same outputs. */
    test_path file = inside(&out, "masks.npy");
    u.o.folds = 0;
    u.o.masks = file.text;
    assert_ok(fleet(&u, u.ctx, &more, &r));
    same_folder(u.ctx, &out, &more);
    npy_close(&mask);
    /* A shorter fleet is the beginning of a longer one. */
    test_path few = test_in(&u.s, "few"), many = test_in(&u.s, "many");
    u.o.masks = NULL;
    u.o.models = 3;
    assert_ok(fleet(&u, u.ctx, &few, NULL));
    u.o.models = 5;
    assert_ok(fleet(&u, u.ctx, &many, NULL));
    npy_array a = array(&u, &few, "margins.npy", 3),
              b = array(&u, &many, "margins.npy", 5);
    assert_memory_equal(a.data, b.data, a.bytes);
    npy_close(&a);
    npy_close(&b);
    setup_free(&u);
}

/* ---- the same bytes ---- */

static void threads_and_calls_do_not_matter(void **state) {
    (void)state;
    setup u = setup_make();
    assay_ctx *one = test_ctx(1);
    test_path a = test_in(&u.s, "a"), b = test_in(&u.s, "b");
    assay_fleet_result r;
    u.o.sweep = "lr=0.05,0.2;model=mlp-8,cnn";
    u.o.models = 16;
    u.o.outputs = "margins,loss";
    assert_ok(fleet(&u, u.ctx, &a, &r));
    assert_int_equal(r.settings, 4);
    assert_ok(fleet(&u, one, &b, NULL));
    same_folder(one, &a, &b);
    assert_ok(fleet(&u, one, &b, &r)); /* nothing is left to do */
    assert_int_equal(r.trained, 0);
    assert_int_equal(r.models, 16);
    same_folder(one, &a, &b);
    u.o.outputs = "margins,loss,correct"; /* one more: models are trained again */
    assert_ok(fleet(&u, one, &b, &r));
    assert_int_equal(r.trained, 16);
    assay_ctx_destroy(one);
    setup_free(&u);
}

static void parts_make_the_whole(void **state) {
    (void)state;
    setup u = setup_make();
    test_path whole = test_in(&u.s, "whole"), parts = test_in(&u.s, "parts");
    assay_fleet_result r;
    u.o.keep_models = 1;
    assert_ok(fleet(&u, u.ctx, &whole, NULL));
    for (int missing = 0; missing < 2; missing++) {
        uint64_t sum = 0;
        u.o.shards = 5;
        for (u.o.shard = 1; u.o.shard <= 5 - missing; u.o.shard++) {
            assert_ok(fleet(&u, u.ctx, &parts, &r));
            sum += r.models;
        }
        assert_int_equal(sum, missing ? 10 : 12);
        u.o.shard = u.o.shards = 0;
        assert_ok(fleet(&u, u.ctx, &parts, &r));
        assert_int_equal(r.trained, 12 - sum);
        same_folder(u.ctx, &whole, &parts);
        assert_ok(os_remove_tree(parts.text));
    }
    /* A part of another fleet is left alone. */
    u.o.shard = u.o.shards = 1;
    u.t.seed = 9;
    assert_ok(fleet(&u, u.ctx, &parts, NULL));
    u.o.shard = u.o.shards = 0;
    u.t.seed = 0;
    assert_ok(fleet(&u, u.ctx, &parts, &r));
    assert_int_equal(r.trained, 12);
    test_path other = inside(&parts, "shard-1-of-1");
    assert_true(os_is_dir(other.text));
    setup_free(&u);
}

/* In a child: train until killed. */
static void child_run(setup *u, const test_path *out) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 2;
    assay_ctx *ctx;
    if (assay_ctx_create(&ctx, &o) != ASSAY_OK || fleet(u, ctx, out, NULL) != ASSAY_OK)
        _exit(1);
    _exit(0);
}

static void kill_and_continue(double checkpoint_gflop) {
    enum { MODELS = 24 };
    setup u = setup_make();
    test_path want = test_in(&u.s, "want"), got = test_in(&u.s, "got");
    u.t.settings = "model=mlp-32-16 epochs=6 batch=4 translate=0 flip=off";
    u.o.models = MODELS;
    u.o.checkpoint_gflop = checkpoint_gflop;
    u.o.keep_models = 1;
    u.o.outputs = "margins,correct";
    uint64_t began = os_now_ns();
    assay_fleet_result r;
    assert_ok(fleet(&u, u.ctx, &want, &r));
    uint64_t whole = os_now_ns() - began;
    int killed = 0;
    rng dice = rng_at(17, RNG_TEST, 0, (uint64_t)getpid());
    for (int i = 0; i < 4; i++) {
        uint64_t wait = (uint64_t)((double)whole * 0.6 * rng_uniform(&dice));
        const struct timespec t = {(time_t)(wait / 1000000000),
                                   (long)(wait % 1000000000)};
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            child_run(&u, &got);
        (void)nanosleep(&t, NULL);
        (void)kill(child, SIGKILL);
        int how;
        assert_true(waitpid(child, &how, 0) == child);
        killed += WIFSIGNALED(how);
        assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
    }
    assert_ok(fleet(&u, u.ctx, &got, &r));
    same_folder(u.ctx, &want, &got);
    print_message("killed %d times; %llu models were left\n", killed,
                  (unsigned long long)r.trained);
    test_path work = inside(&got, "run"); /* no member's own folder stays */
    os_names names;
    assert_ok(os_list_dir(u.ctx, work.text, &names));
    for (size_t i = 0; i < names.count; i++)
        assert_null(strstr(names.name[i], "member"));
    os_names_free(&names);
    setup_free(&u);
}

static void killed_and_continued(void **state) {
    (void)state;
    kill_and_continue(0);
}

/* Members with checkpoints, as long ones have. */
static void killed_in_members(void **state) {
    (void)state;
    kill_and_continue(1e-9);
}

/* ---- failures ---- */

static void failed_members_are_noted(void **state) {
    (void)state;
    setup u = setup_make();
    test_path good = test_in(&u.s, "good"), both = test_in(&u.s, "both");
    assay_fleet_result r;
    u.o.outputs = "margins";
    u.o.models = 3;
    u.o.seeds = 1;
    u.t.lr = 0.05;
    assert_ok(fleet(&u, u.ctx, &good, NULL));
    u.o.models = 6;
    u.o.sweep = "lr=0.05,1000";
    for (int i = 0; i < 2; i++) { /* the second time nothing is trained */
        assert_fails(ASSAY_E_NUMERIC, fleet(&u, u.ctx, &both, &r));
        assert_int_equal(r.failed, 3);
        assert_int_equal(r.trained, i ? 0 : 6);
        assert_non_null(strstr(assay_last_error()->message, "model 1 (subset 0, seed 0, "
                                                            "lr=1000)"));
    }
    npy_array a = array(&u, &good, "margins.npy", 3),
              b = array(&u, &both, "margins.npy", 6);
    for (int m = 0; m < 6; m++) {
        const float *row = (const float *)(const void *)b.data + m * TEST;
        if (m % 2)
            for (int i = 0; i < TEST; i++)
                assert_true(isnan(row[i]));
        else
            assert_memory_equal(row, a.data + m / 2 * TEST * 4, TEST * 4);
    }
    npy_close(&a);
    npy_close(&b);
    size_t n;
    test_path p = inside(&both, "fleet.json");
    json_doc *doc;
    uint8_t *text = test_get(u.ctx, p.text, &n);
    assert_ok(json_parse(&doc, u.ctx, (char *)text, n));
    const json_val *failed = json_get(json_root(doc), "failed");
    assert_int_equal(json_len(failed), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_get_int(json_at(failed, i), -1), 2 * i + 1);
    json_doc_destroy(doc);
    mem_free(u.ctx, text);
    setup_free(&u);
}

static void refused(setup *u, assay_status status, const char *says) {
    test_path out = test_in(&u->s, "refused");
    assert_fails(status, fleet(u, u->ctx, &out, NULL));
    const assay_error *e = assay_last_error();
    if (!strstr(e->message, says) && !strstr(e->help, says))
        fail_msg("\"%s\" and \"%s\" do not say \"%s\"", e->message, e->help, says);
    u->o = (assay_fleet_options)ASSAY_FLEET_OPTIONS_INIT;
    u->o.models = 12;
}

static void refusals(void **state) {
    (void)state;
    setup u = setup_make();
    static const char *const sweeps[] = {"lr", "=1", "lr=", "lr=1;;",
                                         "a=1;b=1;c=1;d=1;"
                                         "e=1;f=1;g=1;h=1;i=1"};
    u.o.models = 7;
    refused(&u, ASSAY_E_INVALID, "multiple of 2");
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        u.o.sweep = sweeps[i];
        refused(&u, ASSAY_E_INVALID, "lr=0.1,0.01");
    }
    u.o.sweep = "colour=1,2";
    refused(&u, ASSAY_E_INVALID, "colour");
    u.o.sweep = "model=mlp-0";
    refused(&u, ASSAY_E_INVALID, "mlp-128-64");
    u.o.outputs = "margins,margins";
    refused(&u, ASSAY_E_INVALID, "correct");
    u.o.outputs = "";
    refused(&u, ASSAY_E_INVALID, "correct");
    u.o.subset = 0;
    refused(&u, ASSAY_E_INVALID, "share");
    u.o.subset = NAN;
    refused(&u, ASSAY_E_INVALID, "share");
    u.o.subset = 0.001;
    refused(&u, ASSAY_E_INVALID, "too small");
    u.o.folds = 1;
    refused(&u, ASSAY_E_INVALID, "folds");
    u.o.shard = 4;
    u.o.shards = 3;
    refused(&u, ASSAY_E_INVALID, "1/8");
    u.o.masks = "nowhere.npy";
    refused(&u, ASSAY_E_NOTFOUND, "");
    u.t.members = 3;
    refused(&u, ASSAY_E_INVALID, "ensembles");
    u.t.members = 0;
    test_path p = test_in(&u.s, "m.npy");
    uint8_t mask[12 * TRAIN];
    memset(mask, 1, sizeof mask);
    mask[5] = 2;
    assert_ok(npy_put(u.ctx, p.text, ASSAY_U8, 2, (const int64_t[]){12, TRAIN}, mask));
    u.o.masks = p.text;
    refused(&u, ASSAY_E_FORMAT, "0 or 1");
    memset(mask, 0, sizeof mask);
    assert_ok(npy_put(u.ctx, p.text, ASSAY_BOOL, 2, (const int64_t[]){12, TRAIN}, mask));
    u.o.masks = p.text;
    refused(&u, ASSAY_E_FORMAT, "0 rows");
    assert_ok(npy_put(u.ctx, p.text, ASSAY_U8, 2, (const int64_t[]){11, TRAIN}, mask));
    u.o.masks = p.text;
    refused(&u, ASSAY_E_SHAPE, "12 subsets");
    u.o.masks = NULL;
    const int64_t far[] = {3, TRAIN + TEST};
    assert_ok(npy_put(u.ctx, p.text, ASSAY_I64, 1, (const int64_t[]){2}, far));
    u.o.rows = p.text;
    refused(&u, ASSAY_E_FORMAT, "row 160 of 160");
    setup_free(&u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_agree),
        cmocka_unit_test(subsets_of_all_kinds),
        cmocka_unit_test(threads_and_calls_do_not_matter),
        cmocka_unit_test(parts_make_the_whole),
        cmocka_unit_test(killed_and_continued),
        cmocka_unit_test(killed_in_members),
        cmocka_unit_test(failed_members_are_noted),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
