/* A linear layer with its activation in one pass gives what the two give apart, forward
 * and backward, in f32 and bf16, with tokens and with a batch not filled. */
#include "nn/exec.h"

#include "base/rng.h"
#include "nn/onednn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 40, RUN = 37, T = 3, IN = 24, HIDDEN = 50, OUT = 7, MOST = 4096 };

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

typedef struct result {
    float out[BATCH * T * OUT], d_x[BATCH * T * IN], d_params[MOST];
    size_t params;
} result;

/* x -> linear -> act -> linear; `apart` keeps the value between, which forbids one pass.
 */
static void
run(assay_ctx *ctx, const char *act, assay_dtype dtype, bool apart, result *r) {
    nn_graph *g;
    nn_value x, w, b, v, z, y, out;
    nn_weights weights;
    nn_exec *e;
    ok(nn_graph_create(&g, ctx));
    ok(nn_graph_input(g, "x", ASSAY_F32, (nn_shape){3, {0, T, IN}}, &x));
    ok(nn_graph_param(g, "w", (nn_shape){2, {HIDDEN, IN}}, NN_INIT_KAIMING_UNIFORM, true,
                      &w));
    ok(nn_graph_param(g, "b", (nn_shape){1, {HIDDEN}}, NN_INIT_KAIMING_UNIFORM, false,
                      &b));
    ok(nn_graph_param(g, "v", (nn_shape){2, {OUT, HIDDEN}}, NN_INIT_KAIMING_UNIFORM, true,
                      &v));
    ok(nn_graph_op(g, "linear", (nn_value[]){x, w, b}, 3, NULL, 0, &z));
    ok(nn_graph_op(g, act, &z, 1, NULL, 0, &y));
    ok(nn_graph_op(g, "linear", (nn_value[]){y, v}, 2, NULL, 0, &out));
    ok(nn_weights_create(&weights, ctx, g, 4));
    const nn_value keep[] = {x, z};
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = BATCH,
                               .keep = keep,
                               .n_keep = apart ? 2 : 1,
                               .target = out,
                               .dtype = dtype};
    ok(nn_exec_create(&e, ctx, g, &weights, &o));
    rng rnd = rng_at(6, RNG_TEST, 0, 0);
    float *in = nn_exec_input(e, x), seed[BATCH * T * OUT];
    for (size_t i = 0; i < RUN * T * IN; i++)
        in[i] = (float)rng_normal(&rnd);
    for (size_t i = 0; i < RUN * T * OUT; i++)
        seed[i] = (float)rng_normal(&rnd);
    memset(r, 0, sizeof *r);
    ok(nn_exec_forward(e, RUN));
    memcpy(r->out, nn_exec_value(e, out), RUN * T * OUT * sizeof(float));
    ok(nn_exec_backward(e, seed));
    memcpy(r->d_x, nn_exec_input_grad(e, x), RUN * T * IN * sizeof(float));
    r->params = nn_graph_param_floats(g);
    assert_true(r->params <= MOST);
    memcpy(r->d_params, nn_exec_grads(e), r->params * sizeof(float));
    nn_exec_destroy(e);
    nn_weights_destroy(&weights, ctx);
    nn_graph_destroy(g);
}

static void near(const float *a, const float *b, size_t n, double tolerance) {
    double size = 0, apart = 0;
    for (size_t i = 0; i < n; i++) {
        size += (double)a[i] * (double)a[i];
        apart += pow((double)a[i] - (double)b[i], 2);
    }
    assert_true(size > 0);
    assert_true(sqrt(apart) <= tolerance * sqrt(size));
}

static void one_pass_is_two(void **state) {
    (void)state;
    static const char *const acts[] = {"relu", "gelu", "silu"};
    static result one, two;
    assay_ctx *ctx;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    ok(assay_ctx_create(&ctx, &o));
    for (size_t i = 0; i < 3; i++)
        for (int half = 0; half < (dn_bf16_runs() ? 2 : 1); half++) {
            run(ctx, acts[i], half ? ASSAY_BF16 : ASSAY_F32, false, &one);
            run(ctx, acts[i], half ? ASSAY_BF16 : ASSAY_F32, true, &two);
            double tolerance = half ? 1e-2 : 1e-6;
            near(one.out, two.out, RUN * T * OUT, tolerance);
            near(one.d_x, two.d_x, RUN * T * IN, tolerance);
            near(one.d_params, two.d_params, one.params, tolerance);
        }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_pass_is_two)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
