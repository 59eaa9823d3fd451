/* The engine's bench: minimum over repetitions of processor time of the thread, since the
 * machine is shared. Random data: tiles run faster on zeros. */
#include "nn/bench.h"

#include "base/os.h"
#include "base/rng.h"
#include "nn/op.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 128, SIDE = 28, CLASSES = 10, WIDTH1 = 32, WIDTH2 = 64, WIDTH3 = 64 };

typedef struct bench {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights weights;
    nn_value images, labels, loss, margin, logits;
} bench;

static assay_status add_op(
    nn_graph *g, const char *op, const nn_value *in, int n, nn_attr *a, nn_value *out) {
    return nn_graph_op(g, op, in, n, a, a ? 1 : 0, out);
}

/* x becomes pool(relu(bn(conv(x)))). */
static assay_status
add_block(nn_graph *g, int index, int64_t in, int64_t out, bool pool, nn_value *x) {
    assay_status status = ASSAY_OK;
    static const char *const part[] = {"weight", "scale", "shift", "mean", "var"};
    nn_attr pad = {.name = "pad", .i = {1}, .count = 1};
    nn_attr kernel = {.name = "kernel", .i = {2}, .count = 1};
    nn_value v[6];
    for (int i = 0; i < 5; i++) {
        char name[32];
        nn_shape s = i ? (nn_shape){1, {out}} : (nn_shape){4, {out, in, 3, 3}};
        nn_init init = i == 0             ? NN_INIT_KAIMING_NORMAL
                       : i == 1 || i == 4 ? NN_INIT_ONE
                                          : NN_INIT_ZERO;
        snprintf(name, sizeof name, "%d.%s", index, part[i]);
        ASSAY_TRY(i < 3 ? nn_graph_param(g, name, s, init, i == 0, &v[i])
                        : nn_graph_buffer(g, name, s, init, &v[i]));
    }
    ASSAY_TRY(add_op(g, "conv2d", (nn_value[]){*x, v[0]}, 2, &pad, x));
    ASSAY_TRY(
        add_op(g, "batch_norm", (nn_value[]){*x, v[1], v[2], v[3], v[4]}, 5, NULL, x));
    ASSAY_TRY(add_op(g, "relu", (nn_value[]){*x}, 1, NULL, x));
    if (pool)
        ASSAY_TRY(add_op(g, "max_pool", (nn_value[]){*x}, 1, &kernel, x));
done:
    return status;
}

static void bench_close(bench *b) {
    nn_weights_destroy(&b->weights, b->ctx);
    nn_graph_destroy(b->graph);
}

static assay_status bench_open(bench *b, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    nn_value x, w, bias;
    memset(b, 0, sizeof *b);
    b->ctx = ctx;
    ASSAY_TRY(nn_graph_create(&b->graph, ctx));
    nn_graph *g = b->graph;
    ASSAY_TRY(nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, 1, SIDE, SIDE}},
                             &b->images));
    ASSAY_TRY(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &b->labels));
    x = b->images;
    ASSAY_TRY(add_block(g, 1, 1, WIDTH1, true, &x));
    ASSAY_TRY(add_block(g, 2, WIDTH1, WIDTH2, true, &x));
    ASSAY_TRY(add_block(g, 3, WIDTH2, WIDTH3, false, &x));
    ASSAY_TRY(add_op(g, "global_avg_pool", (nn_value[]){x}, 1, NULL, &x));
    ASSAY_TRY(nn_graph_param(g, "fc.weight", (nn_shape){2, {CLASSES, WIDTH3}},
                             NN_INIT_KAIMING_UNIFORM, true, &w));
    ASSAY_TRY(nn_graph_param(g, "fc.bias", (nn_shape){1, {CLASSES}},
                             NN_INIT_KAIMING_UNIFORM, false, &bias));
    ASSAY_TRY(add_op(g, "linear", (nn_value[]){x, w, bias}, 3, NULL, &b->logits));
    ASSAY_TRY(add_op(g, "cross_entropy", (nn_value[]){b->logits, b->labels}, 2, NULL,
                     &b->loss));
    ASSAY_TRY(
        add_op(g, "margin", (nn_value[]){b->logits, b->labels}, 2, NULL, &b->margin));
    ASSAY_TRY(nn_weights_create(&b->weights, ctx, g, 1));
done:
    if (status != ASSAY_OK)
        bench_close(b);
    return status;
}

/* Floating-point operations of the products of one image. No gradient goes to the pixels.
 */
static double flops(nn_mode mode) {
    double first = 2.0 * SIDE * SIDE * 9 * WIDTH1;
    double second = 2.0 * (SIDE / 2) * (SIDE / 2) * 9 * WIDTH1 * WIDTH2;
    double third = 2.0 * (SIDE / 4) * (SIDE / 4) * 9 * WIDTH2 * WIDTH3;
    double rest = second + third + 2.0 * WIDTH3 * CLASSES;
    return mode == NN_TRAIN  ? 2 * first + 3 * rest
           : mode == NN_EVAL ? first + rest
                             : first + 2 * rest;
}

static void fill(const bench *b, nn_exec *e) {
    rng r = rng_at(1, RNG_TEST, 0, 0);
    float *x = nn_exec_input(e, b->images);
    int32_t *y = nn_exec_input(e, b->labels);
    for (size_t i = 0; i < (size_t)BATCH * SIDE * SIDE; i++)
        x[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < BATCH && y; i++)
        y[i] = (int32_t)rng_below(&r, CLASSES);
}

/* Best times in milliseconds per image: forward, backward, per-example gradients. */
typedef struct times {
    double forward, backward, examples;
} times;

static void take_best(double *best, uint64_t since) {
    double ms = (double)(os_thread_cpu_ns() - since) / 1e6 / BATCH;
    if (*best == 0 || ms < *best)
        *best = ms;
}

/* Every example's gradient of every factor, one after the other into one buffer. */
static void materialise(const nn_exec *e, float *out, float *scratch) {
    for (int k = 0; k < nn_exec_factor_count(e); k++) {
        nn_factor f = nn_exec_factor(e, k);
        for (int i = 0; i < f.n; i++)
            nn_factor_gradient(&f, i, out, scratch);
    }
}

static assay_status
measure(const bench *b, nn_mode mode, assay_dtype dtype, int repeats, times *best) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    float *out = NULL, *scratch = NULL, seed[BATCH];
    nn_value target = mode == NN_CAPTURE ? b->margin : mode == NN_TRAIN ? b->loss : -1;
    nn_weights w = b->weights;
    nn_exec_options o = {.mode = mode,
                         .batch = BATCH,
                         .keep = &b->logits,
                         .n_keep = 1,
                         .target = target,
                         .dtype = dtype};
    memset(best, 0, sizeof *best);
    for (int i = 0; i < BATCH; i++)
        seed[i] = 1.0f / BATCH;
    ASSAY_TRY(nn_exec_create(&e, b->ctx, b->graph, &w, &o));
    fill(b, e);
    size_t floats = nn_graph_param_floats(b->graph), most = 0;
    ASSAY_TRY(mem_new(b->ctx, &out, floats, sizeof *out));
    for (int i = 0; i < repeats; i++) {
        uint64_t t = os_thread_cpu_ns();
        ASSAY_TRY(nn_exec_forward(e, BATCH));
        take_best(&best->forward, t);
        if (mode == NN_EVAL)
            continue;
        t = os_thread_cpu_ns();
        ASSAY_TRY(nn_exec_backward(e, seed));
        take_best(&best->backward, t);
        if (mode != NN_CAPTURE)
            continue;
        for (int k = 0; k < nn_exec_factor_count(e); k++) {
            nn_factor f = nn_exec_factor(e, k);
            if (nn_factor_scratch(&f) > most) {
                most = nn_factor_scratch(&f);
                mem_free(b->ctx, scratch);
                ASSAY_TRY(mem_new(b->ctx, &scratch, most, sizeof *scratch));
            }
        }
        t = os_thread_cpu_ns();
        materialise(e, out, scratch);
        take_best(&best->examples, t);
    }
done:
    mem_free(b->ctx, out);
    mem_free(b->ctx, scratch);
    nn_exec_destroy(e);
    return status;
}

assay_status nn_bench_ops(assay_ctx *ctx, buf *out) {
    assay_status status = ASSAY_OK;
    static const struct {
        const char *name;
        nn_mode mode;
    } row[] = {{"train", NN_TRAIN}, {"evaluate", NN_EVAL}, {"capture", NN_CAPTURE}};
    bench b;
    ASSAY_TRY(bench_open(&b, ctx));
    buf_fmt(out, "ms per image, batch %d, one core, %s\n%-10s %-5s %9s %9s %9s %9s %9s\n",
            BATCH, assay_isa_name(), "mode", "type", "forward", "backward", "total",
            "floor", "examples");
    for (int half = 0; half < 2; half++)
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            times t;
            if (half && !nn_bf16_pays())
                continue;
            ASSAY_TRY_AT(measure(&b, row[i].mode, half ? ASSAY_BF16 : ASSAY_F32, 20, &t),
                         "bench '%s'", row[i].name);
            double work = flops(row[i].mode);
            buf_fmt(out, "%-10s %-5s %9.4f %9.4f %9.4f %9.4f %9.4f\n", row[i].name,
                    half ? "bf16" : "f32", t.forward, t.backward, t.forward + t.backward,
                    work / 150e9 * 1e3, t.examples);
        }
    status = buf_check(out);
done:
    bench_close(&b);
    return status;
}
