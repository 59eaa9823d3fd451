/* Tangent graphs against central differences in float64: the directional derivative
 * against losses, the Hessian times a vector against gradients, both of the first graph.
 * Then the executor's numbers against the float64 ones. */
#include "nn/tangent.h"

#include "base/rng.h"
#include "nn/graph_inside.h"
#include "nn/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 5, SIDE = 8, CLASSES = 4, TOKENS = 6, WORDS = 7, MOST = 8192 };

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

/* A graph under construction: x is the value that the next op reads. */
typedef struct build {
    assay_ctx *ctx;
    nn_graph *g;
    nn_value input, labels, x, loss;
} build;

static nn_value param(build *b, const char *name, nn_shape shape) {
    nn_value v;
    ok(nn_graph_param(b->g, name, shape, NN_INIT_KAIMING_UNIFORM, true, &v));
    return v;
}

static void op(build *b, const char *name, const nn_attr *attrs, int n) {
    nn_value out;
    ok(nn_graph_op(b->g, name, &b->x, 1, attrs, n, &out));
    b->x = out;
}

static void op_of(build *b, const char *name, nn_value a, nn_value c) {
    const nn_value in[] = {a, c};
    ok(nn_graph_op(b->g, name, in, 2, NULL, 0, &b->x));
}

static void linear(build *b, const char *name, int64_t width) {
    nn_shape s = nn_graph_shape(b->g, b->x);
    char weight[32], bias[32];
    (void)snprintf(weight, sizeof weight, "%s.weight", name);
    (void)snprintf(bias, sizeof bias, "%s.bias", name);
    const nn_value in[] = {b->x,
                           param(b, weight, (nn_shape){2, {width, s.dim[s.ndim - 1]}}),
                           param(b, bias, (nn_shape){1, {width}})};
    ok(nn_graph_op(b->g, "linear", in, 3, NULL, 0, &b->x));
}

static void conv(build *b, const char *name, int64_t channels, bool bias, int stride) {
    nn_shape s = nn_graph_shape(b->g, b->x);
    char text[32];
    const nn_attr attrs[] = {{.name = "pad", .i = {1}, .count = 1},
                             {.name = "stride", .i = {stride}, .count = 1}};
    nn_value in[3] = {b->x, param(b, name, (nn_shape){4, {channels, s.dim[1], 3, 3}})};
    (void)snprintf(text, sizeof text, "%s.bias", name);
    if (bias)
        in[2] = param(b, text, (nn_shape){1, {channels}});
    ok(nn_graph_op(b->g, "conv2d", in, bias ? 3 : 2, attrs, 2, &b->x));
}

static void finish(build *b, double smoothing) {
    const nn_value in[] = {b->x, b->labels};
    const nn_attr attr = {.name = "smoothing", .f = smoothing};
    ok(nn_graph_op(b->g, "cross_entropy", in, 2, &attr, smoothing > 0, &b->loss));
    ok(nn_graph_name(b->g, b->loss, "loss"));
}

static void images(build *b) {
    ok(nn_graph_input(b->g, "images", ASSAY_F32, (nn_shape){4, {0, 2, SIDE, SIDE}},
                      &b->input));
    ok(nn_graph_input(b->g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &b->labels));
    b->x = b->input;
}

/* ---- what is built ---- */

static void mlp(build *b) {
    images(b);
    op(b, "flatten", NULL, 0);
    linear(b, "a", 9);
    op(b, "relu", NULL, 0);
    linear(b, "b", 7);
    op(b, "relu", NULL, 0);
    linear(b, "c", CLASSES);
    finish(b, 0);
}

static void cnn(build *b) {
    const nn_attr two = {.name = "kernel", .i = {2}, .count = 1};
    images(b);
    conv(b, "a", 5, true, 1);
    op(b, "relu", NULL, 0);
    op(b, "max_pool", &two, 1);
    conv(b, "b", 6, true, 1);
    op(b, "relu", NULL, 0);
    op(b, "max_pool", &two, 1);
    op(b, "flatten", NULL, 0);
    linear(b, "c", CLASSES);
    finish(b, .1);
}

/* Smooth, with a shortcut, a frozen number, and means. */
static void residual(build *b) {
    const float half = .5f;
    const nn_attr two = {.name = "kernel", .i = {2}, .count = 1};
    const nn_attr tanh_form = {.name = "tanh", .i = {1}, .count = 1};
    nn_value scale, from;
    images(b);
    conv(b, "a", 5, false, 1);
    op(b, "gelu", NULL, 0);
    op(b, "avg_pool", &two, 1);
    from = b->x;
    conv(b, "b", 5, true, 1);
    op(b, "gelu", &tanh_form, 1);
    ok(nn_graph_constant(b->g, "half", ASSAY_F32, (nn_shape){0}, &half, &scale));
    op_of(b, "mul", b->x, scale);
    op_of(b, "add", from, b->x);
    conv(b, "c", 6, false, 2);
    op(b, "gelu", NULL, 0);
    op(b, "global_avg_pool", NULL, 0);
    op(b, "flatten", NULL, 0);
    linear(b, "d", CLASSES);
    finish(b, 0);
}

static void tokens(build *b) {
    nn_value table, places;
    ok(nn_graph_input(b->g, "tokens", ASSAY_I32, (nn_shape){2, {0, TOKENS}}, &b->input));
    ok(nn_graph_input(b->g, "labels", ASSAY_I32, (nn_shape){2, {0, TOKENS}}, &b->labels));
    table = param(b, "table", (nn_shape){2, {WORDS, 6}});
    places = param(b, "places", (nn_shape){2, {TOKENS, 6}});
    op_of(b, "embedding", b->input, table);
    op_of(b, "add", b->x, places);
    linear(b, "a", 8);
    op(b, "gelu", NULL, 0);
    linear(b, "b", CLASSES);
    finish(b, .2);
}

static void norm(build *b, const char *name, const char *how, int n_in) {
    nn_shape s = nn_graph_shape(b->g, b->x), width = {1, {s.dim[s.ndim - 1]}};
    char gain[32], bias[32];
    (void)snprintf(gain, sizeof gain, "%s.gain", name);
    (void)snprintf(bias, sizeof bias, "%s.bias", name);
    nn_value in[3] = {b->x};
    if (n_in > 1)
        in[1] = param(b, gain, width);
    if (n_in > 2)
        in[2] = param(b, bias, width);
    ok(nn_graph_op(b->g, how, in, n_in, NULL, 0, &b->x));
}

/* What a transformer reads: tokens in their places. */
static void words(build *b, int64_t width) {
    nn_value table, places;
    ok(nn_graph_input(b->g, "tokens", ASSAY_I32, (nn_shape){2, {0, TOKENS}}, &b->input));
    ok(nn_graph_input(b->g, "labels", ASSAY_I32, (nn_shape){2, {0, TOKENS}}, &b->labels));
    table = param(b, "table", (nn_shape){2, {WORDS, width}});
    places = param(b, "places", (nn_shape){2, {TOKENS, width}});
    op_of(b, "embedding", b->input, table);
    op_of(b, "add", b->x, places);
}

/* A block of a GPT: norms, causal attention of two heads, shortcuts. */
static void transformer(build *b) {
    const nn_attr attrs[] = {{.name = "heads", .i = {2}, .count = 1},
                             {.name = "causal", .i = {1}, .count = 1}};
    nn_value from;
    words(b, 6);
    from = b->x;
    norm(b, "n1", "layer_norm", 3);
    linear(b, "qkv", 18);
    op(b, "attention", attrs, 2);
    linear(b, "a", 6);
    op_of(b, "add", from, b->x);
    from = b->x;
    norm(b, "n2", "layer_norm", 3);
    linear(b, "up", 9);
    op(b, "gelu", NULL, 0);
    linear(b, "down", 6);
    op_of(b, "add", from, b->x);
    norm(b, "n3", "layer_norm", 2);
    linear(b, "head", CLASSES);
    finish(b, 0);
}

/* Queries, keys and values apart, of lengths that the first tokens say; a root mean
 * square, a norm without numbers of its own, and shares. */
static void apart(build *b) {
    const nn_attr attrs[] = {{.name = "heads", .i = {3}, .count = 1},
                             {.name = "scale", .f = .7}};
    float still[TOKENS * 9];
    const nn_attr first[] = {{.name = "starts", .i = {0}, .count = 1},
                             {.name = "ends", .i = {1}, .count = 1},
                             {.name = "axes", .i = {1}, .count = 1}};
    const nn_attr flat = {.name = "shape", .i = {0}, .count = 1};
    nn_value stay, qkv[4];
    for (int i = 0; i < TOKENS * 9; i++)
        still[i] = (float)(i % 7) / 4 - .8f;
    words(b, 6);
    norm(b, "n1", "rms_norm", 2);
    nn_value x = b->x;
    b->x = b->input;
    op(b, "slice", first, 3);
    op(b, "reshape", &flat, 1);
    qkv[3] = b->x;
    b->x = x;
    ok(nn_graph_constant(b->g, "still", ASSAY_F32, (nn_shape){2, {TOKENS, 9}}, still,
                         &stay));
    linear(b, "q", 9);
    qkv[0] = b->x;
    b->x = x;
    linear(b, "k", 9);
    op_of(b, "mul", b->x, stay);
    qkv[1] = b->x;
    b->x = x;
    linear(b, "v", 12);
    qkv[2] = b->x;
    ok(nn_graph_op(b->g, "attention", qkv, 4, attrs, 2, &b->x));
    norm(b, "n2", "layer_norm", 1);
    linear(b, "c", 5);
    op(b, "tanh", NULL, 0);
    op(b, "softmax", NULL, 0);
    norm(b, "n3", "rms_norm", 1);
    linear(b, "head", CLASSES);
    finish(b, .1);
}

/* ---- numbers ---- */

typedef struct rig {
    build b;
    nn_graph *tangent;
    nn_value r;
    nn_weights weights; /* of the tangent graph: buffers are the direction */
    size_t floats;
    float input[MOST];
    int32_t token[MOST], label[MOST];
    size_t inputs, labels;
} rig;

static void rig_open(rig *x, void (*make)(build *)) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    rng r = rng_at(11, RNG_TEST, 0, 0);
    memset(x, 0, sizeof *x);
    o.threads = 1;
    ok(assay_ctx_create(&x->b.ctx, &o));
    ok(nn_graph_create(&x->b.g, x->b.ctx));
    make(&x->b);
    ok(nn_tangent_create(&x->tangent, &x->r, x->b.ctx, x->b.g, x->b.loss));
    ok(nn_weights_create(&x->weights, x->b.ctx, x->tangent, 5));
    x->floats = nn_graph_param_floats(x->b.g);
    assert_int_equal(nn_graph_param_floats(x->tangent), x->floats);
    assert_int_equal(nn_graph_buffer_floats(x->tangent), x->floats);
    for (size_t i = 0; i < x->floats; i++)
        x->weights.buffers[i] = (float)rng_normal(&r);
    nn_shape in = nn_graph_shape(x->b.g, x->b.input);
    nn_shape labels = nn_graph_shape(x->b.g, x->b.labels);
    x->inputs = (size_t)nn_shape_elements(&in, BATCH);
    x->labels = (size_t)nn_shape_elements(&labels, BATCH);
    assert_true(x->inputs <= MOST && x->labels <= MOST);
    for (size_t i = 0; i < x->inputs; i++) {
        x->input[i] = (float)rng_normal(&r);
        x->token[i] = (int32_t)rng_below(&r, WORDS);
    }
    for (size_t i = 0; i < x->labels; i++)
        x->label[i] = (int32_t)rng_below(&r, CLASSES);
    if (labels.ndim > 1)
        x->label[3] = -1;
}

static void rig_close(rig *x) {
    nn_weights_destroy(&x->weights, x->b.ctx);
    nn_graph_destroy(x->tangent);
    nn_graph_destroy(x->b.g);
    assay_ctx_destroy(x->b.ctx);
}

static bool of_tokens(const rig *x) {
    return nn_graph_dtype(x->b.g, x->b.input) == ASSAY_I32;
}

static nn_reference *reference_of(const rig *x, const nn_graph *g) {
    nn_reference *r;
    ok(nn_reference_create(&r, x->b.ctx, g, &x->weights, NN_TRAIN, BATCH));
    for (size_t i = 0; i < x->inputs; i++)
        nn_reference_value(r, x->b.input)[i] =
            of_tokens(x) ? (double)x->token[i] : (double)x->input[i];
    for (size_t i = 0; i < x->labels; i++)
        nn_reference_value(r, x->b.labels)[i] = (double)x->label[i];
    return r;
}

static double *doubles(size_t n) {
    double *p = calloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static const double seed[BATCH] = {.3, -.2, 1, .5, .7};

/* The gradients of sum seed_i target_i, flat. */
static void gradient(double *to, const rig *x, nn_reference *r, nn_value target) {
    ok(nn_reference_backward(r, target, seed));
    for (size_t i = 0; i < x->b.g->n_params; i++) {
        nn_param_info p = nn_graph_param_at(x->b.g, i);
        const double *d = nn_reference_grad(r, x->b.g->param[i]);
        for (size_t k = 0; k < p.count; k++)
            to[p.offset + k] = d ? d[k] : 0;
    }
}

/* Losses and gradients of the first graph at w + h nu. */
static void moved(double *losses, double *grads, const rig *x, double h) {
    nn_reference *r = reference_of(x, x->b.g);
    for (size_t i = 0; i < x->b.g->n_params; i++) {
        nn_param_info p = nn_graph_param_at(x->b.g, i);
        double *w = nn_reference_value(r, x->b.g->param[i]);
        for (size_t k = 0; k < p.count; k++)
            w[k] += h * (double)x->weights.buffers[p.offset + k];
    }
    nn_reference_forward(r, x->b.loss);
    memcpy(losses, nn_reference_value(r, x->b.loss), BATCH * sizeof *losses);
    gradient(grads, x, r, x->b.loss);
    nn_reference_destroy(r);
}

static void near(
    const char *what, const double *got, const double *want, size_t n, double tolerance) {
    double scale = 0;
    for (size_t k = 0; k < n; k++)
        scale = fmax(scale, fabs(want[k]));
    assert_true(scale > 1e-3);
    for (size_t k = 0; k < n; k++)
        if (!(fabs(got[k] - want[k]) <= tolerance * scale))
            fail_msg("%s[%zu] is %.9g, not %.9g", what, k, got[k], want[k]);
}

/* What the executor says, in R and in H nu. */
static void execute(double *r, double *hessian, const rig *x) {
    nn_exec *e;
    float from[BATCH];
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = BATCH,
                               .target = x->r,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    for (int i = 0; i < BATCH; i++)
        from[i] = (float)seed[i];
    ok(nn_exec_create(&e, x->b.ctx, x->tangent, (nn_weights *)&x->weights, &o));
    memcpy(nn_exec_input(e, x->b.input),
           of_tokens(x) ? (const void *)x->token : (const void *)x->input, x->inputs * 4);
    memcpy(nn_exec_input(e, x->b.labels), x->label, x->labels * 4);
    ok(nn_exec_forward(e, BATCH));
    for (int i = 0; i < BATCH; i++)
        r[i] = (double)nn_exec_value(e, x->r)[i];
    ok(nn_exec_backward(e, from));
    for (size_t i = 0; i < x->floats; i++)
        hessian[i] = (double)nn_exec_grads(e)[i];
    nn_exec_destroy(e);
}

static void check(void (*make)(build *)) {
    rig x;
    rig_open(&x, make);
    double *up = doubles(6 * x.floats), *down = up + x.floats, *want = up + 2 * x.floats,
           *got = up + 3 * x.floats, *fast = up + 4 * x.floats;
    double loss_up[BATCH], loss_down[BATCH], slope[BATCH], fast_slope[BATCH];
    const double h = 1e-6;
    nn_reference *r = reference_of(&x, x.tangent);
    nn_reference_forward(r, x.r);
    moved(loss_up, up, &x, h);
    moved(loss_down, down, &x, -h);
    for (int i = 0; i < BATCH; i++)
        slope[i] = (loss_up[i] - loss_down[i]) / (2 * h);
    for (size_t i = 0; i < x.floats; i++)
        want[i] = (up[i] - down[i]) / (2 * h);
    near("R", nn_reference_value(r, x.r), slope, BATCH, 1e-7);
    gradient(got, &x, r, x.r);
    near("H nu", got, want, x.floats, 1e-6);
    execute(fast_slope, fast, &x);
    near("the executor's R", fast_slope, slope, BATCH, 1e-5);
    near("the executor's H nu", fast, want, x.floats, 1e-5);
    nn_reference_destroy(r);
    free(up);
    rig_close(&x);
}

static void chains_of_linear_layers(void **state) {
    (void)state;
    check(mlp);
}

static void convolutions_and_maxima(void **state) {
    (void)state;
    check(cnn);
}

static void shortcuts_and_means(void **state) {
    (void)state;
    check(residual);
}

static void rows_of_tokens(void **state) {
    (void)state;
    check(tokens);
}

static void blocks_of_transformers(void **state) {
    (void)state;
    check(transformer);
}

static void attention_of_three(void **state) {
    (void)state;
    check(apart);
}

static void what_has_no_tangent_is_named(void **state) {
    (void)state;
    build b = {0};
    nn_graph *out = (nn_graph *)&b;
    nn_value r;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    ok(assay_ctx_create(&b.ctx, &o));
    ok(nn_graph_create(&b.g, b.ctx));
    images(&b);
    op(&b, "flatten", NULL, 0);
    linear(&b, "a", CLASSES);
    op(&b, "softsign", NULL, 0);
    finish(&b, 0);
    assert_int_equal(nn_tangent_create(&out, &r, b.ctx, b.g, b.loss),
                     ASSAY_E_UNSUPPORTED);
    assert_null(out);
    assert_non_null(strstr(assay_last_error()->message, "softsign"));
    assert_int_equal(nn_tangent_create(&out, &r, b.ctx, b.g, b.input), ASSAY_E_INVALID);
    nn_graph_destroy(b.g);
    assay_ctx_destroy(b.ctx);
}

/* A target that no parameter moves. */
static void what_does_not_move_is_refused(void **state) {
    (void)state;
    build b = {0};
    nn_graph *out;
    nn_value r;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    ok(assay_ctx_create(&b.ctx, &o));
    ok(nn_graph_create(&b.g, b.ctx));
    images(&b);
    op(&b, "flatten", NULL, 0);
    finish(&b, 0);
    assert_int_equal(nn_tangent_create(&out, &r, b.ctx, b.g, b.loss), ASSAY_E_INVALID);
    nn_graph_destroy(b.g);
    assay_ctx_destroy(b.ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_of_linear_layers),
        cmocka_unit_test(convolutions_and_maxima),
        cmocka_unit_test(shortcuts_and_means),
        cmocka_unit_test(rows_of_tokens),
        cmocka_unit_test(blocks_of_transformers),
        cmocka_unit_test(attention_of_three),
        cmocka_unit_test(what_has_no_tangent_is_named),
        cmocka_unit_test(what_does_not_move_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
