/* Features of a small model: the margin's gradient by finite differences through a
 * projector wide enough to read every coordinate, the same bytes at any number of threads
 * and after a cancellation, stores of another identity redone. */
#include "attribute/gradient/sjlt.h"

#include "base/rng.h"
#include "base/testing.h"
#include "nn/exec.h"
#include "simd/simd.h"

#include <math.h>

enum { SIDE = 9, CLASSES = 3, CHANNELS = 2, ROWS = 6000 };

typedef struct world {
    assay_ctx *ctx;
    trained_model model;
    uint8_t *pixels;
    int32_t *labels;
    npy_array array;
    test_scratch scratch;
    int calls; /* of the progress callback */
    bool cancel;
} world;

static int on_progress(void *cookie, const assay_progress *p) {
    world *w = cookie;
    w->calls++;
    return w->cancel && p->done > 0;
}

static nn_value parameter(nn_graph *g, const char *name, nn_shape s, nn_init init) {
    nn_value v;
    assert_ok(nn_graph_param(g, name, s, init, true, &v));
    return v;
}

static void add_op(nn_graph *g, const char *op, const nn_value *in, int n, nn_value *x) {
    const nn_attr pad = {.name = "pad", .i = {1}, .count = 1};
    nn_value out;
    assert_ok(nn_graph_op(g, op, in, n, &pad, strcmp(op, "conv2d") == 0, &out));
    *x = out;
}

/* Convolution with bias, batch norm, mean, linear: smooth, so that differences are exact.
 */
static void build(world *w, int64_t width) {
    zoo_model *z = &w->model.zoo;
    nn_graph *g = NULL;
    nn_value x;
    assert_ok(nn_graph_create(&g, w->ctx));
    z->graph = g;
    assert_ok(nn_graph_input(g, "images", ASSAY_F32,
                             (nn_shape){4, {0, CHANNELS, SIDE, SIDE}}, &z->images));
    assert_ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &z->labels));
    nn_value conv[3] = {z->images,
                        parameter(g, "conv.weight",
                                  (nn_shape){4, {width, CHANNELS, 3, 3}},
                                  NN_INIT_KAIMING_NORMAL),
                        parameter(g, "conv.bias", (nn_shape){1, {width}}, NN_INIT_ZERO)};
    add_op(g, "conv2d", conv, 3, &x);
    nn_value norm[5] = {x, parameter(g, "bn.weight", (nn_shape){1, {width}}, NN_INIT_ONE),
                        parameter(g, "bn.bias", (nn_shape){1, {width}}, NN_INIT_ZERO), 0,
                        0};
    assert_ok(nn_graph_buffer(g, "bn.running_mean", (nn_shape){1, {width}}, NN_INIT_ZERO,
                              &norm[3]));
    assert_ok(nn_graph_buffer(g, "bn.running_var", (nn_shape){1, {width}}, NN_INIT_ONE,
                              &norm[4]));
    add_op(g, "batch_norm", norm, 5, &x);
    add_op(g, "global_avg_pool", &x, 1, &x);
    add_op(g, "flatten", &x, 1, &x);
    nn_value fc[3] = {x,
                      parameter(g, "fc.weight", (nn_shape){2, {CLASSES, width}},
                                NN_INIT_KAIMING_UNIFORM),
                      parameter(g, "fc.bias", (nn_shape){1, {CLASSES}}, NN_INIT_ZERO)};
    add_op(g, "linear", fc, 3, &x);
    nn_value head[2] = {x, z->labels};
    add_op(g, "margin", head, 2, &z->margin);
    z->logits = x;
}

static void world_make(world *w, int threads, int64_t width) {
    memset(w, 0, sizeof *w);
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = threads;
    o.progress = on_progress;
    o.progress_cookie = w;
    assert_ok(assay_ctx_create(&w->ctx, &o));
    w->scratch = test_scratch_begin();
    build(w, width);
    w->model.ctx = w->ctx;
    assert_ok(nn_weights_create(&w->model.weights, w->ctx, w->model.zoo.graph, 3));
    w->model.card = (model_card){.size = SIDE,
                                 .channels = CHANNELS,
                                 .classes = CLASSES,
                                 .mean = {0.4f, 0.5f},
                                 .std = {0.25f, 0.3f}};
    rng r = rng_at(51, RNG_TEST, 0, 0);
    size_t each = SIDE * SIDE * CHANNELS;
    w->pixels = malloc(ROWS * each);
    w->labels = malloc(ROWS * sizeof *w->labels);
    for (size_t i = 0; i < ROWS * each; i++)
        w->pixels[i] = (uint8_t)rng_u32(&r);
    for (size_t i = 0; i < ROWS; i++)
        w->labels[i] = (int32_t)rng_below(&r, CLASSES);
    w->array = (npy_array){.dtype = ASSAY_U8,
                           .ndim = 4,
                           .dim = {ROWS, SIDE, SIDE, CHANNELS},
                           .data = w->pixels,
                           .bytes = ROWS * each};
}

static void world_free(world *w) {
    nn_weights_destroy(&w->model.weights, w->ctx);
    nn_graph_destroy(w->model.zoo.graph);
    free(w->pixels);
    free(w->labels);
    test_scratch_end(&w->scratch);
    assay_ctx_destroy(w->ctx);
}

static assay_status
run(world *w, row_store **out, const char *hash, int dim, uint64_t seed) {
    test_path path = test_in(&w->scratch, "features");
    const att_sketch sketch = {dim, seed};
    progress_begin(w->ctx, "gradients", w->array.dim[0], "gradients");
    assay_status status = att_features(out, w->ctx, &w->model, hash, &w->array, w->labels,
                                       &sketch, path.text);
    progress_end(w->ctx);
    return status;
}

static void test_differences(void **state) {
    (void)state;
    enum { DIM = 1 << 18, N = 19 };
    world w;
    world_make(&w, 2, 5);
    w.array.dim[0] = N;
    size_t p = nn_graph_param_floats(w.model.zoo.graph), each = SIDE * SIDE * CHANNELS;
    uint32_t *bucket = malloc(p * sizeof *bucket);
    float *sign = malloc(p * sizeof *sign);
    uint64_t seed = 0;
    /* a seed under which no two coordinates meet */
    for (bool clash = true; clash; seed++) {
        clash = false;
        for (size_t j = 0; j < p; j++) {
            bucket[j] = simd_sjlt_place(&sign[j], sjlt_key(seed), j, DIM);
            for (size_t i = 0; i < j; i++)
                clash = clash || bucket[i] == bucket[j];
        }
        if (!clash)
            break;
    }
    row_store *s = NULL;
    assert_ok(run(&w, &s, "model", DIM, seed));
    nn_exec *e = NULL;
    const nn_exec_options o = {
        .mode = NN_EVAL, .batch = N, .target = w.model.zoo.margin, .dtype = ASSAY_F32};
    assert_ok(nn_exec_create(&e, w.ctx, w.model.zoo.graph, &w.model.weights, &o));
    float *images = nn_exec_input(e, w.model.zoo.images);
    double worst = 0, largest = 0;
    for (size_t j = 0; j < p; j++) {
        double value[2][N];
        float was = w.model.weights.params[j], step = 4e-3f;
        for (int way = 0; way < 2; way++) {
            for (size_t i = 0; i < N * each; i++) {
                int c = (int)(i % CHANNELS);
                images[i] = ((float)w.pixels[i] / 255.0f - w.model.card.mean[c]) /
                            w.model.card.std[c];
            }
            memcpy(nn_exec_input(e, w.model.zoo.labels), w.labels, N * sizeof *w.labels);
            w.model.weights.params[j] = way ? was - step : was + step;
            assert_ok(nn_exec_forward(e, N));
            for (size_t i = 0; i < N; i++)
                value[way][i] = (double)nn_exec_value(e, w.model.zoo.margin)[i];
        }
        w.model.weights.params[j] = was;
        for (int64_t i = 0; i < N; i++) {
            double want = (value[0][i] - value[1][i]) / (2 * (double)step);
            double got =
                (double)(store_row_read(s, i)[bucket[j]] * sign[j]) * sqrt((double)p);
            worst = fmax(worst, fabs(got - want));
            largest = fmax(largest, fabs(want));
        }
    }
    print_message("largest gradient %.3f, worst difference %.2g\n", largest, worst);
    assert_true(largest > 0.1 && worst < 2e-3 * fmax(largest, 1));
    /* and nothing anywhere else */
    for (int64_t i = 0; i < N; i++) {
        double all = 0, known = 0;
        for (size_t b = 0; b < DIM; b++)
            all += fabs((double)store_row_read(s, i)[b]);
        for (size_t j = 0; j < p; j++)
            known += fabs((double)store_row_read(s, i)[bucket[j]]);
        assert_true(fabs(all - known) < 1e-6 * all);
    }
    nn_exec_destroy(e);
    store_destroy(s);
    free(bucket);
    free(sign);
    world_free(&w);
}

static uint8_t *bytes_of(world *w, size_t *n) {
    test_path path = test_in(&w->scratch, "features.npy");
    return test_get(w->ctx, path.text, n);
}

static void test_resume(void **state) {
    (void)state;
    world w[2];
    row_store *s = NULL;
    uint8_t *data[2];
    size_t n[2];
    for (int k = 0; k < 2; k++) {
        world_make(&w[k], k ? 1 : 3, 24);
        if (k) { /* one thread, cancelled on the way, as often as it takes */
            int cancelled = 0;
            assay_status status;
            for (w[k].cancel = true; cancelled < 2; cancelled++) {
                status = run(&w[k], &s, "model", 64, 9);
                if (status == ASSAY_OK)
                    break;
                assert_int_equal(status, ASSAY_E_CANCELLED);
                assert_null(s);
                assay_ctx_resume(w[k].ctx);
            }
            print_message("cancelled %d times\n", cancelled);
            assert_true(cancelled > 0);
            w[k].cancel = false;
            store_destroy(s);
        }
        assert_ok(run(&w[k], &s, "model", 64, 9));
        assert_true(store_complete(s));
        store_destroy(s);
        data[k] = bytes_of(&w[k], &n[k]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(data[0], data[1], n[0]);

    /* kept when nothing changed, redone when something did */
    float kept;
    assert_ok(run(&w[0], &s, "model", 64, 9));
    kept = store_row_read(s, 5)[7];
    w[0].model.weights.params[0] += 1; /* not seen: the hash says it is the same model */
    store_destroy(s);
    assert_ok(run(&w[0], &s, "model", 64, 9));
    assert_true(store_row_read(s, 5)[7] == kept);
    store_destroy(s);
    assert_ok(run(&w[0], &s, "other", 64, 9));
    assert_true(memcmp(store_row_read(s, 0), data[0] + n[0] - ROWS * 64 * 4, 64 * 4) !=
                0);
    store_destroy(s);
    for (int k = 0; k < 2; k++) {
        mem_free(w[k].ctx, data[k]);
        world_free(&w[k]);
    }
}

static void test_refusals(void **state) {
    (void)state;
    world w;
    row_store *s = NULL;
    world_make(&w, 1, 4);
    w.array.dim[0] = 40;
    assert_fails(ASSAY_E_INVALID, run(&w, &s, "model", 0, 1));
    w.labels[33] = CLASSES;
    assert_fails(ASSAY_E_SHAPE, run(&w, &s, "model", 8, 1));
    assert_string_equal(assay_last_error()->where, "row 33");
    w.labels[33] = 0;
    w.model.card.size = SIDE + 1;
    assert_fails(ASSAY_E_SHAPE, run(&w, &s, "model", 8, 1));
    w.model.card.size = SIDE;
    w.model.weights.params[0] = NAN;
    assert_fails(ASSAY_E_NUMERIC, run(&w, &s, "model", 8, 1));
    assert_null(s);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
