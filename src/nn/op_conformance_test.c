/* Walks the registry. For every case of every op: forward and backward of the executor
 * against the op's float64 reference; the reference's backward against central
 * differences of its forward; and, for ops with parameters, per-example gradients against
 * the gradient of the batch. */
#include "nn/graph_inside.h"

#include "base/rng.h"
#include "nn/numbers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One case set up: graph, weights, inputs in float64. */
typedef struct rig {
    assay_ctx *ctx;
    const nn_op_def *op;
    const nn_op_case *c;
    nn_graph *graph;
    nn_weights weights;
    nn_node node; /* the graph's */
    nn_value in[NN_MAX_INPUTS], out;
    size_t in_count[NN_MAX_INPUTS], out_count;
    double *x[NN_MAX_INPUTS],
        *d_out; /* x as the node sees it, whatever layout it wants */
} rig;

static bool is_flat(nn_case_kind kind) {
    return kind == NN_CASE_PARAM || kind == NN_CASE_BUFFER || kind == NN_CASE_CONSTANT;
}

/* Where the executor keeps what the node has at k: an input of four dimensions lies
 * channels-last, and a `layout` node may stand between it and the node. */
static size_t input_place(const rig *r, int i, size_t k) {
    const nn_shape *s = &r->node.in_shape[i];
    if (is_flat(r->c->in[i].kind) || s->ndim != 4 ||
        r->node.in_layout[i] == ASSAY_CHANNELS_LAST)
        return k;
    size_t pixels = (size_t)(s->dim[2] * s->dim[3]), c = (size_t)s->dim[1];
    size_t image = k / (pixels * c), channel = k / pixels % c, pixel = k % pixels;
    return (image * pixels + pixel) * c + channel;
}

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

static double *doubles(size_t n) {
    double *p = calloc(n + 1, sizeof *p);
    assert_non_null(p);
    return p;
}

/* Draws a constant's numbers: into the rig, for the reference, and as the f32 they are.
 */
static const float *constant_of(rng *rnd, rig *r, int i, int64_t count) {
    static float value[4096];
    assert_true(count <= 4096);
    r->in_count[i] = (size_t)count;
    r->x[i] = doubles((size_t)count);
    for (int64_t k = 0; k < count; k++)
        r->x[i][k] = value[k] = (float)rng_normal(rnd);
    return value;
}

static assay_dtype dtype_of(const nn_op_case *c, int i) {
    return c->in[i].kind == NN_CASE_LABEL && !c->dtype[i] ? ASSAY_I32 : c->dtype[i];
}

/* A number of an input. */
static double drawn(rng *rnd, const nn_op_case *c, int i) {
    nn_case_kind kind = c->in[i].kind;
    assay_dtype dtype = dtype_of(c, i);
    int64_t labels = c->labels ? c->labels : c->in[0].shape.dim[1];
    if (kind == NN_CASE_LABEL)
        return (double)rng_below(rnd, (uint64_t)labels << c->negative) -
               (c->negative ? (double)labels : 0);
    if (dtype == ASSAY_BOOL)
        return (double)rng_below(rnd, 2);
    if (!num_is_float(dtype))
        return kind == NN_CASE_POSITIVE
                   ? 1 + (double)rng_below(rnd, 6)
                   : (double)rng_below(rnd, 11) - (num_is_unsigned(dtype) ? 0 : 5);
    double v = kind == NN_CASE_BUFFER || kind == NN_CASE_POSITIVE ? 0.3 + rng_uniform(rnd)
               : kind == NN_CASE_UNIT      ? 1.8 * rng_uniform(rnd) - 0.9
               : kind == NN_CASE_ABOVE_ONE ? 1.3 + rng_uniform(rnd)
                                           : rng_normal(rnd);
    uint8_t bytes[8];
    num_from_f64(bytes, dtype, &v, 1);
    num_to_f64(&v, bytes, dtype, 1, 1);
    return v;
}

static void rig_open(rig *r, assay_ctx *ctx, const nn_op_def *op, const nn_op_case *c) {
    memset(r, 0, sizeof *r);
    r->ctx = ctx;
    r->op = op;
    r->c = c;
    ok(nn_graph_create(&r->graph, ctx));
    rng rnd = rng_at(7, RNG_TEST, 0, (uint64_t)c->batch);
    for (int i = 0; i < c->n_inputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        nn_case_kind kind = c->in[i].kind;
        nn_shape s = c->in[i].shape;
        if (kind == NN_CASE_PARAM)
            ok(nn_graph_param(r->graph, name, s, NN_INIT_ZERO, false, &r->in[i]));
        else if (kind == NN_CASE_BUFFER)
            ok(nn_graph_buffer(r->graph, name, s, NN_INIT_ZERO, &r->in[i]));
        else if (kind == NN_CASE_CONSTANT)
            ok(nn_graph_constant(r->graph, name, ASSAY_F32, s,
                                 constant_of(&rnd, r, i, nn_shape_count(&s)), &r->in[i]));
        else
            ok(nn_graph_input(r->graph, name, dtype_of(c, i), s, &r->in[i]));
        if (kind == NN_CASE_CONSTANT)
            continue;
        r->in_count[i] = (size_t)nn_shape_elements(&s, c->n);
        r->x[i] = doubles(r->in_count[i]);
        for (size_t k = 0; k < r->in_count[i]; k++)
            r->x[i][k] = drawn(&rnd, c, i);
    }
    ok(nn_graph_op(r->graph, op->name, r->in, c->n_inputs, c->attr, c->n_attrs, &r->out));
    r->node = r->graph->node[r->graph->n_nodes - 1];
    r->out_count = (size_t)nn_shape_elements(&r->node.out_shape, c->n);
    r->d_out = doubles(r->out_count);
    for (size_t k = 0; k < r->out_count; k++)
        r->d_out[k] = (double)(float)rng_normal(&rnd);
    ok(nn_weights_create(&r->weights, ctx, r->graph, 1));
}

static void rig_close(rig *r) {
    for (int i = 0; i < NN_MAX_INPUTS; i++)
        free(r->x[i]);
    free(r->d_out);
    nn_weights_destroy(&r->weights, r->ctx);
    nn_graph_destroy(r->graph);
}

static float *seed_of(const rig *r) {
    float *seed = calloc(r->out_count + 1, sizeof *seed);
    assert_non_null(seed);
    for (size_t k = 0; k < r->out_count; k++)
        seed[k] = (float)r->d_out[k];
    return seed;
}

/* Puts the rig's numbers where the executor reads them. */
static void feed(const rig *r, nn_exec *e) {
    size_t param = 0, buffer = 0;
    for (int i = 0; i < r->c->n_inputs; i++) {
        nn_case_kind kind = r->c->in[i].kind;
        if (kind == NN_CASE_CONSTANT)
            continue;
        void *to = kind == NN_CASE_PARAM    ? (void *)(r->weights.params + param)
                   : kind == NN_CASE_BUFFER ? (void *)(r->weights.buffers + buffer)
                                            : nn_exec_input(e, r->in[i]);
        assert_non_null(to);
        assay_dtype dtype = dtype_of(r->c, i);
        for (size_t k = 0; k < r->in_count[i]; k++)
            num_from_f64((uint8_t *)to + input_place(r, i, k) * assay_dtype_size(dtype),
                         dtype, &r->x[i][k], 1);
        param += kind == NN_CASE_PARAM ? r->in_count[i] : 0;
        buffer += kind == NN_CASE_BUFFER ? r->in_count[i] : 0;
    }
}

static nn_exec *run(const rig *r, nn_mode mode, assay_dtype dtype, int shards) {
    nn_exec *e;
    nn_exec_options o = {.mode = mode,
                         .batch = r->c->batch,
                         .keep = r->in,
                         .n_keep = r->c->n_inputs,
                         .target = r->out,
                         .dtype = dtype,
                         .shards = shards};
    ok(nn_exec_create(&e, r->ctx, r->graph, (nn_weights *)&r->weights, &o));
    feed(r, e);
    ok(nn_exec_forward(e, r->c->n));
    return e;
}

static void near(const rig *r,
                 const char *what,
                 const float *got,
                 const double *want,
                 size_t n,
                 int input, /* whose layout `got` has; -1: the node's own */
                 double tolerance) {
    double scale = 1e-3;
    for (size_t k = 0; k < n; k++)
        scale = isfinite(want[k]) ? fmax(scale, fabs(want[k])) : scale;
    for (size_t k = 0; k < n; k++) {
        double is = (double)got[input < 0 ? k : input_place(r, input, k)];
        if (!(fabs(is - want[k]) <= tolerance * scale))
            fail_msg("%s, case '%s': %s[%zu] is %.9g, the reference says %.9g",
                     r->op->name, r->c->name, what, k, is, want[k]);
    }
}

/* The output as f32, whatever its type. */
static const float *output_of(const rig *r, const nn_exec *e, float *room) {
    const void *out = nn_exec_value(e, r->out);
    num_to_f32(room, out, r->node.out_dtype, 1, r->out_count);
    return room;
}

/* Whether a gradient goes through the node. */
static bool differentiable(const rig *r) {
    return !r->op->no_grad && r->node.out_dtype == ASSAY_F32;
}

/* Runs the reference; gradients into d[i] (made here), NULL where an input has none. */
static void reference(const rig *r, bool training, double *out, double **d) {
    for (int i = 0; d && i < r->c->n_inputs; i++) {
        nn_case_kind kind = r->c->in[i].kind;
        bool has = kind != NN_CASE_BUFFER && kind != NN_CASE_CONSTANT;
        has &= dtype_of(r->c, i) == ASSAY_F32 && !(r->op->held >> i & 1);
        d[i] = has ? doubles(r->in_count[i]) : NULL;
    }
    double *none[NN_MAX_INPUTS] = {0};
    r->op->reference(&r->node, r->c->n, training, (const double *const *)r->x, out,
                     d ? r->d_out : NULL, d ? d : none);
}

static void
check_mode(const rig *r, nn_mode mode, assay_dtype dtype, int shards, double tolerance) {
    double *out = doubles(r->out_count), *d[NN_MAX_INPUTS] = {0};
    float *seed = seed_of(r);
    reference(r, mode == NN_TRAIN, out, d);
    nn_exec *e = run(r, mode, dtype, shards);
    float *room = calloc(r->out_count + 1, sizeof *room);
    assert_non_null(room);
    near(r, "out", output_of(r, e, room), out, r->out_count, -1, tolerance);
    free(room);
    if (mode != NN_EVAL && differentiable(r)) {
        ok(nn_exec_backward(e, seed));
        size_t param = 0;
        for (int i = 0; i < r->c->n_inputs; i++) {
            nn_case_kind kind = r->c->in[i].kind;
            bool value = kind != NN_CASE_PARAM && d[i];
            const float *got = value ? nn_exec_input_grad(e, r->in[i])
                               : kind == NN_CASE_PARAM && mode == NN_TRAIN
                                   ? nn_exec_grads(e) + param
                                   : NULL;
            if (value)
                assert_non_null(got);
            if (got)
                near(r, "gradient", got, d[i], r->in_count[i], i, tolerance);
            param += kind == NN_CASE_PARAM ? r->in_count[i] : 0;
        }
    }
    nn_exec_destroy(e);
    free(seed);
    free(out);
    for (int i = 0; i < NN_MAX_INPUTS; i++)
        free(d[i]);
}

static double objective(const rig *r, bool training, double *out) {
    double sum = 0;
    reference(r, training, out, NULL);
    for (size_t k = 0; k < r->out_count; k++)
        sum += out[k] * r->d_out[k];
    return sum;
}

/* The reference against central differences, at a few places of every input. */
static void check_differences(const rig *r, bool training) {
    if (!differentiable(r))
        return;
    double *out = doubles(r->out_count), *d[NN_MAX_INPUTS] = {0};
    reference(r, training, out, d);
    for (int i = 0; i < r->c->n_inputs; i++) {
        size_t step = r->in_count[i] / 24 + 1;
        for (size_t k = 0; d[i] && k < r->in_count[i]; k += step) {
            double at = r->x[i][k], h = 1e-5;
            r->x[i][k] = at + h;
            double up = objective(r, training, out);
            r->x[i][k] = at - h;
            double down = objective(r, training, out);
            r->x[i][k] = at;
            double slope = (up - down) / (2 * h);
            if (!(fabs(slope - d[i][k]) <= 2e-5 * (1 + fabs(slope))))
                fail_msg("%s, case '%s': d input %d [%zu] is %.9g, differences say %.9g",
                         r->op->name, r->c->name, i, k, d[i][k], slope);
        }
    }
    free(out);
    for (int i = 0; i < NN_MAX_INPUTS; i++)
        free(d[i]);
}

/* Per-example gradients add up to the batch's in evaluation semantics. */
static void check_factors(const rig *r) {
    if (!r->op->factors || r->c->in[1].kind != NN_CASE_PARAM ||
        !nn_shape_open(&r->node.out_shape))
        return;
    double *out = doubles(r->out_count), *d[NN_MAX_INPUTS] = {0};
    float *seed = seed_of(r);
    reference(r, false, out, d);
    nn_exec *e = run(r, NN_CAPTURE, ASSAY_F32, 1);
    ok(nn_exec_backward(e, seed));
    assert_null(nn_exec_grads(e));
    assert_int_equal(nn_exec_factor_count(e), 1);
    nn_factor f = nn_exec_factor(e, 0);
    assert_int_equal(f.n, r->c->n);
    assert_int_equal(f.weight_count, r->in_count[1]);
    size_t count = f.weight_count + f.bias_count;
    float *one = calloc(count + 1, sizeof *one), *sum = calloc(count + 1, sizeof *sum);
    float *scratch = aligned_alloc(64, (nn_factor_scratch(&f) * 4 + 63) / 64 * 64);
    assert_true(one && sum && scratch);
    for (int i = 0; i < f.n; i++) {
        nn_factor_gradient(&f, i, one, scratch);
        for (size_t k = 0; k < count; k++)
            sum[k] += one[k];
    }
    near(r, "sum over examples of the weight's gradient", sum, d[1], f.weight_count, -1,
         2e-5);
    if (f.bias_count)
        near(r, "sum over examples of the bias's gradient", sum + f.weight_count, d[2],
             f.bias_count, -1, 2e-5);
    free(one);
    free(sum);
    free(scratch);
    nn_exec_destroy(e);
    free(seed);
    free(out);
    for (int i = 0; i < NN_MAX_INPUTS; i++)
        free(d[i]);
}

static void every_case(void (*check)(rig *r)) {
    assay_ctx *ctx;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    ok(assay_ctx_create(&ctx, &o));
    for (size_t i = 0; i < nn_op_count(); i++) {
        const nn_op_def *op = nn_op_at(i);
        assert_non_null(op->summary);
        assert_true(op->cases && op->cases->name);
        for (const nn_op_case *c = op->cases; c->name; c++) {
            rig r;
            rig_open(&r, ctx, op, c);
            check(&r);
            rig_close(&r);
        }
    }
    assay_ctx_destroy(ctx);
}

static void case_f32(rig *r) {
    check_mode(r, NN_TRAIN, ASSAY_F32, 1, 2e-5);
    check_mode(r, NN_EVAL, ASSAY_F32, 1, 2e-5);
    if (nn_shape_open(&r->node.out_shape)) /* what is the same for all has no gradient
                                              of one example */
        check_mode(r, NN_CAPTURE, ASSAY_F32, 1, 2e-5);
}
static void case_shards(rig *r) {
    for (int shards = 2; shards <= 3; shards++)
        check_mode(r, NN_TRAIN, ASSAY_F32, shards, 2e-5);
    check_mode(r, NN_EVAL, ASSAY_F32, 2, 2e-5);
}
static void case_bf16(rig *r) {
    check_mode(r, NN_TRAIN, ASSAY_BF16, 1, 2e-2);
}
static void case_differences(rig *r) {
    check_differences(r, true);
    check_differences(r, false);
}
static void case_factors(rig *r) {
    check_factors(r);
}

static void f32_agrees_with_the_reference(void **state) {
    (void)state;
    every_case(case_f32);
}
static void shards_agree_with_the_reference(void **state) {
    (void)state;
    every_case(case_shards);
}
static void bf16_is_near_the_reference(void **state) {
    (void)state;
    if (!dn_bf16_runs()) {
        print_message("no bf16 here: skipped\n");
        return;
    }
    every_case(case_bf16);
}
static void reference_agrees_with_differences(void **state) {
    (void)state;
    every_case(case_differences);
}
static void examples_add_up(void **state) {
    (void)state;
    every_case(case_factors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_agrees_with_the_reference),
        cmocka_unit_test(shards_agree_with_the_reference),
        cmocka_unit_test(bf16_is_near_the_reference),
        cmocka_unit_test(reference_agrees_with_differences),
        cmocka_unit_test(examples_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
