/* Six steps end where tests/torch_golden.py ends; the iteration makes matrices orthogonal
 * and leaves nought alone. */
#include "base/testing.h"
#include "train/muon.h"

#include "base/rng.h"

#include <math.h>

enum { FLOATS = 16 };

static float number(uint64_t stream, uint64_t i) {
    uint32_t word = (uint32_t)((i + 1000 * stream + 1) * 2654435761U);
    return (float)(word >> 16) / 65536.0F - 0.5F;
}

/* A matrix, a convolution, a bias: of 6, 8 and 2 numbers. */
static float of_stream(uint64_t first, uint64_t i) {
    return i < 6    ? number(first, i)
           : i < 14 ? number(first + 1, i - 6)
                    : number(first + 2, i - 14);
}

static void check(const optimizer_options *how, const double golden[FLOATS]) {
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g;
    nn_value v;
    optimizer o;
    float w[FLOATS], grads[FLOATS];
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_param(g, "fc", (nn_shape){2, {2, 3}}, NN_INIT_ZERO, true, &v));
    assert_ok(
        nn_graph_param(g, "conv", (nn_shape){4, {4, 1, 1, 2}}, NN_INIT_ZERO, true, &v));
    assert_ok(nn_graph_param(g, "bias", (nn_shape){1, {2}}, NN_INIT_ZERO, false, &v));
    assert_ok(optimizer_create(&o, ctx, g, how));
    assert_int_equal(o.n_parts, 3);
    for (uint64_t i = 0; i < FLOATS; i++)
        w[i] = of_stream(0, i);
    for (uint64_t step = 0; step < 6; step++) {
        for (uint64_t i = 0; i < FLOATS; i++)
            grads[i] = of_stream(10 + 4 * step, i);
        optimizer_step(&o, w, grads, (train_pace){0.05, 0.9});
    }
    for (size_t i = 0; i < FLOATS; i++)
        assert_true(fabs((double)w[i] - golden[i]) < 2e-6);
    optimizer_destroy(&o);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

static void ends_where_pytorch_does(void **state) {
    (void)state;
    static const double plain[FLOATS] = {
        0.165823238,  -0.369448236, 0.286942088, -0.0182397265, -0.422515972, 0.365670109,
        0.156554667,  -0.188417032, 0.359335803, -0.0365930221, -0.341649999, 0.391835177,
        -0.279058614, 0.31474123,   0.412749677, -0.248055292};
    static const double renormed[FLOATS] = {
        0.307466324,  -0.676954922, 0.671786036, -0.102661244,  -0.843529956, 0.58987463,
        0.339263331,  -0.561408808, 0.890677002, -0.0355105356, -0.878839075, 0.7143095,
        -0.480762488, 1.01302407,   0.393188694, -0.259252787};
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.name = "muon";
    o.weight_decay = 0.1;
    check(&o, plain);
    o.newton_steps = 3;
    o.renorm = true;
    o.nesterov = false;
    check(&o, renormed);
}

/* Rows (or columns, if there are fewer) of about length one, about at right angles: five
 * steps leave singular values between 0.68 and 1.14. */
static void makes_orthogonal(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {7, 3}, {16, 144}, {65, 20}, {33, 33}};
    assay_ctx *ctx = test_ctx(1);
    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        const optimizer_part part = {.rows = shapes[c][0], .cols = shapes[c][1]};
        size_t n = part.rows * part.cols,
               s = part.rows < part.cols ? part.rows : part.cols;
        float *x, *scratch;
        assert_ok(mem_new(ctx, &x, n, sizeof *x));
        assert_ok(mem_new(ctx, &scratch, muon_scratch(&part), sizeof *scratch));
        rng r = rng_at(3, RNG_TEST, 0, c);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)rng_normal(&r);
        muon_orthogonal(x, part.rows, part.cols, 5, scratch);
        double square = 0; /* of singular values, summed */
        for (size_t i = 0; i < n; i++)
            square += (double)x[i] * (double)x[i];
        assert_true(square > 0.4 * (double)s && square < 1.35 * (double)s);
        memset(x, 0, n * sizeof *x);
        muon_orthogonal(x, part.rows, part.cols, 5, scratch);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs((double)x[i]) <= 0);
        mem_free(ctx, x);
        mem_free(ctx, scratch);
    }
    assay_ctx_destroy(ctx);
}

/* A matrix that a group takes away from muon is stepped as sgd would; with adamw for the
 * rest as adamw would. */
static void others_are_stepped_otherwise(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"muon", "sgd"}, {"muon-adamw", "adamw"}};
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g;
    nn_value v;
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_param(g, "fc", (nn_shape){2, {2, 3}}, NN_INIT_ZERO, true, &v));
    for (size_t c = 0; c < 2; c++) {
        float w[2][6], grads[6];
        for (size_t k = 0; k < 2; k++) {
            optimizer o;
            optimizer_options how = OPTIMIZER_OPTIONS_INIT;
            how.name = pairs[c][k];
            how.groups = "fc:matrix=0";
            assert_ok(optimizer_create(&o, ctx, g, &how));
            for (uint64_t i = 0; i < 6; i++)
                w[k][i] = number(0, i);
            for (uint64_t step = 0; step < 3; step++) {
                for (uint64_t i = 0; i < 6; i++)
                    grads[i] = number(9 + step, i);
                optimizer_step(&o, w[k], grads, (train_pace){0.05, 0.9});
            }
            optimizer_destroy(&o);
        }
        assert_memory_equal(w[0], w[1], sizeof w[0]);
    }
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_where_pytorch_does),
        cmocka_unit_test(makes_orthogonal),
        cmocka_unit_test(others_are_stepped_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
