/* Kernels made from factors against scalar products of whole gradients; the dual solution
 * against the primal one. */
#include "attribute/influence/kernel.h"

#include "attribute/algebra/linalg.h"
#include "attribute/study/testing.h"

#include <math.h>

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* Margin gradients of the study's rows, one by one: [rows, parameters]. */
static float *gradients(const little *x) {
    assay_ctx *ctx = x->study.ctx;
    size_t floats = nn_graph_param_floats(x->model.graph), rows = x->toy->n;
    float *g = calloc(rows * floats, sizeof *g), one = 1;
    nn_weights weights = {.params = x->params};
    nn_exec *exec;
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = 1,
                               .target = x->model.margin,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    assert_non_null(g);
    assert_ok(nn_exec_create(&exec, ctx, x->model.graph, &weights, &o));
    for (uint32_t i = 0; i < rows; i++) {
        att_feed(&x->study, exec, &i, 1);
        assert_ok(nn_exec_forward(exec, 1));
        assert_ok(nn_exec_backward(exec, &one));
        memcpy(g + i * floats, nn_exec_grads(exec), floats * sizeof *g);
    }
    nn_exec_destroy(exec);
    return g;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void kernel_of(const zoo_model_def *def, int thin, int wide) {
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, def, &recipe);
    const att_member m = little_member(x);
    size_t floats = nn_graph_param_floats(x->model.graph), rows = x->toy->n;
    float *g = gradients(x), *k = calloc(rows * rows, sizeof *k);
    float *diagonal = calloc(rows, sizeof *diagonal);
    att_layers layers;
    assert_ok(att_capture_study(&layers, &m));
    assert_int_equal(layers.count, thin);
    assert_int_equal(layers.wides, wide);
    assert_ok(att_kernel(k, &layers, rows, 0, rows));
    assert_ok(att_kernel_diagonal(diagonal, &layers));
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < rows; j++) {
            double want = dot(g + i * floats, g + j * floats, floats);
            double scale = sqrt((double)diagonal[i] * (double)diagonal[j]);
            assert_true(fabs((double)k[i * rows + j] - want) < 1e-5 * scale);
        }
        assert_true(fabsf(diagonal[i] - k[i * rows + i]) <= 1e-5f * diagonal[i]);
    }
    float part[5 * 7]; /* columns whose gradients are not among the rows' */
    assert_ok(att_kernel(part, &layers, 5, 30, 7));
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 7; j++)
            assert_true(part[i * 7 + j] == k[i * rows + 30 + j]);
    att_layers_free(&layers);
    free(diagonal);
    free(k);
    free(g);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void kernel_is_of_gradients(void **state) {
    (void)state;
    kernel_of(NULL, 3, 0);
}

static void and_of_convolutions(void **state) {
    (void)state;
    kernel_of(&little_conv, 1, 2);
}

/* Rows and columns in several blocks, of which some are held as both and some are not:
 * the dense Gram matrix again, and the bits of one block. */
static void blocks_give_the_same(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, &little_conv, &recipe);
    const att_member m = little_member(x);
    size_t floats = nn_graph_param_floats(x->model.graph), rows = x->toy->n;
    /* rows, first, columns: all; from within a block on; across blocks; behind the rows
     */
    const size_t parts[][3] = {
        {rows, 0, rows}, {rows, 5, 33}, {47, 27, 41}, {31, 50, 22}};
    float *g = gradients(x), *whole = calloc(rows * rows, sizeof *whole);
    float *k = calloc(rows * rows, sizeof *k);
    float *diagonal = calloc(2 * rows, sizeof *diagonal);
    att_layers layers;
    assert_ok(att_capture_study(&layers, &m));
    size_t each = layers.wide_floats * sizeof(float);
    assert_ok(att_kernel(whole, &layers, rows, 0, rows));
    assert_ok(att_kernel_diagonal(diagonal, &layers));
    for (size_t most = 1; most <= 41 * each; most += 40 * each) { /* 20 rows and 40 */
        layers.most_bytes = most;
        assert_int_equal(att_wide_block(&layers, SIZE_MAX), most == 1 ? 20 : 40);
        for (size_t part = 0; part < 4; part++) {
            size_t n = parts[part][0], first = parts[part][1], columns = parts[part][2];
            assert_ok(att_kernel(k, &layers, n, first, columns));
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < columns; j++) {
                    float got = k[i * columns + j];
                    double want = dot(g + i * floats, g + (first + j) * floats, floats);
                    double scale =
                        sqrt((double)diagonal[i] * (double)diagonal[first + j]);
                    assert_true(fabs((double)got - want) < 1e-5 * scale);
                    assert_true(got == whole[i * rows + first + j]);
                }
        }
        assert_ok(att_kernel_diagonal(diagonal + rows, &layers));
        assert_memory_equal(diagonal, diagonal + rows, rows * sizeof *diagonal);
    }
    att_layers_free(&layers);
    free(diagonal);
    free(whole);
    free(k);
    free(g);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* What a conv's and the other layers' parts look like in the engine's own order. */
static void wide_gradients_are_the_engines(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, &little_conv, &recipe);
    const att_member m = little_member(x);
    size_t floats = nn_graph_param_floats(x->model.graph), rows = x->toy->n;
    float *g = gradients(x);
    att_layers layers;
    assert_ok(att_capture_study(&layers, &m));
    float *wide = calloc(rows * layers.wide_floats, sizeof *wide);
    assert_non_null(wide);
    assert_ok(att_wide_fill(wide, &layers, 0, rows));
    assert_int_equal(layers.wide[0].columns, 10); /* 3x3 and the bias */
    assert_int_equal(layers.wide[1].columns, 36);
    for (size_t i = 0; i < rows; i++)
        for (size_t o = 0; o < 4; o++) {
            const float *at = wide + i * layers.wide_floats + o * 10;
            for (size_t c = 0; c < 9; c++)
                assert_true(fabsf(at[c] - g[i * floats + o * 9 + c]) < 1e-4f);
            assert_true(fabsf(at[9] - g[i * floats + 36 + o]) < 1e-4f);
        }
    free(wide);
    free(g);
    att_layers_free(&layers);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* The sum over classes of what Gauss-Newton's passes hand out is p's covariance, pulled
 * back: here at the logits, where it is diag(p) - p p'. */
static void gauss_newton_at_the_logits(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    const att_member m = little_member(x);
    att_layers layers;
    assert_ok(att_capture(&layers, &m, x->toy->rows, 5, ATT_GAUSSNEWTON));
    const att_layer *last = &layers.layer[layers.count - 1];
    assert_int_equal(layers.passes, TOY_CLASSES);
    for (size_t i = 0; i < 5; i++) {
        double c[TOY_CLASSES][TOY_CLASSES] = {{0}}, trace = 0, off = 0;
        for (size_t pass = 0; pass < TOY_CLASSES; pass++) {
            const float *d = last->d + (pass * 5 + i) * last->out;
            for (int j = 0; j < TOY_CLASSES; j++)
                for (int k = 0; k < TOY_CLASSES; k++)
                    c[j][k] += (double)d[j] * (double)d[k];
        }
        for (int j = 0; j < TOY_CLASSES; j++) {
            double row = 0;
            for (int k = 0; k < TOY_CLASSES; k++)
                row += c[j][k];
            assert_true(fabs(row) < 1e-6); /* (diag(p) - p p') 1 = 0 */
            trace += c[j][j];
            off += c[j][(j + 1) % TOY_CLASSES];
        }
        assert_true(trace > 0.01 && trace < 1 && off < 0);
        /* the label's entry is p (1 - p), with 1 - p = q */
        double q = (double)layers.q[i];
        int label = x->toy->labels[i];
        assert_true(fabs(c[label][label] - q * (1 - q)) < 1e-5);
    }
    att_layers_free(&layers);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* (K + l)^-1 G g_t = G (G'G + l)^-1 g_t */
static void dual_equals_primal(void **state) {
    (void)state;
    enum { N = 6, P = 4, T = 2 };
    assay_ctx *ctx = test_ctx(1);
    float g[(N + T) * P], k[N * (N + T)], scores[N * T] = {0};
    double inside[P * P] = {0}, trace = 0;
    for (int i = 0; i < (N + T) * P; i++) {
        rng r = rng_at(5, RNG_TEST, 0, (uint64_t)i);
        g[i] = (float)rng_normal(&r);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N + T; j++)
            k[i * (N + T) + j] = (float)dot(g + i * P, g + j * P, P);
    assert_ok(att_dual_add(scores, ctx, k, N, T, .5, P));
    for (int i = 0; i < N; i++)
        for (int a = 0; a < P; a++)
            for (int b = 0; b < P; b++)
                inside[a * P + b] += (double)g[i * P + a] * (double)g[i * P + b];
    for (int a = 0; a < P; a++)
        trace += inside[a * P + a];
    for (int a = 0; a < P; a++)
        inside[a * P + a] += .5 * trace / P;
    assert_ok(la_cholesky(P, inside));
    for (int t = 0; t < T; t++) {
        double v[P];
        for (int a = 0; a < P; a++)
            v[a] = (double)g[(N + t) * P + a];
        assert_ok(la_cholesky_solve(P, inside, 1, v));
        for (int i = 0; i < N; i++) {
            double want = 0;
            for (int a = 0; a < P; a++)
                want += (double)g[i * P + a] * v[a];
            assert_true(fabs((double)scores[i * T + t] - want) < 1e-5);
        }
    }
    assay_ctx_destroy(ctx);
}

static void bad_kernels_are_refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    float k[2 * 3] = {1, 1, 1, 1, 1, 1}, scores[2] = {0};
    assert_fails(ASSAY_E_NUMERIC, att_dual_add(scores, ctx, k, 2, 1, 0, 2));
    assert_non_null(strstr(assay_last_error()->help, "ridge"));
    k[0] = NAN;
    assert_fails(ASSAY_E_NUMERIC, att_dual_add(scores, ctx, k, 2, 1, 1, 2));
    assay_ctx_destroy(ctx);
}

/* Running statistics are the member's to bring. */
static void statistics_are_missed(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    zoo_model mlp = x->model;
    const zoo_config config = x->model.config;
    assert_ok(zoo_build(&x->model, ctx, "cnn", &config));
    nn_weights weights;
    assert_ok(nn_weights_create(&weights, ctx, x->model.graph, 1));
    att_member m = {.study = &x->study, .run = &x->run, .params = weights.params};
    att_layers layers;
    assert_fails(ASSAY_E_INVALID, att_capture_study(&layers, &m));
    m.buffers = weights.buffers;
    assert_ok(att_capture_study(&layers, &m));
    assert_int_equal(layers.wides, 10); /* convolutions and norms */
    att_layers_free(&layers);
    nn_weights_destroy(&weights, ctx);
    zoo_destroy(&x->model);
    x->model = mlp;
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_is_of_gradients),
        cmocka_unit_test(and_of_convolutions),
        cmocka_unit_test(blocks_give_the_same),
        cmocka_unit_test(wide_gradients_are_the_engines),
        cmocka_unit_test(gauss_newton_at_the_logits),
        cmocka_unit_test(dual_equals_primal),
        cmocka_unit_test(bad_kernels_are_refused),
        cmocka_unit_test(statistics_are_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
