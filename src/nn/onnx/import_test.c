/* Import and export: graphs of ours and back, shapes computed, training, what is refused.
 */
#include "nn/onnx/export.h"
#include "nn/onnx/model.h"

#include "base/testing.h"

#include "base/rng.h"
#include "nn/graph_inside.h"

#include <math.h>

/* ---- files put together ---- */

enum { MOST = 24 };

typedef struct sketch {
    onnx_node node[MOST];
    const char *names[MOST][8];
    onnx_attr attr[MOST][4];
    onnx_tensor init[MOST];
    int64_t dims[MOST][8];
    onnx_value in[4], out[4];
    onnx_dim in_dim[4][8], out_dim[4][8];
    size_t n_node, n_init, n_in, n_out;
    int64_t opset;
} sketch;

static void
add_port(onnx_value *v, onnx_dim *dim, const char *name, int type, const char *shape) {
    *v = (onnx_value){
        .name = name, .tensor = true, .has_shape = true, .type = type, .dim = dim};
    for (const char *p = shape; *p; p += *p == ',') {
        bool number = *p >= '0' && *p <= '9';
        dim[v->ndim++] =
            number ? (onnx_dim){strtol(p, NULL, 10), ""} : (onnx_dim){-1, "n"};
        p += strcspn(p, ",");
    }
}

static void in(sketch *s, const char *name, int type, const char *shape) {
    add_port(&s->in[s->n_in], s->in_dim[s->n_in], name, type, shape);
    s->n_in++;
}

static void out(sketch *s, const char *name) {
    add_port(&s->out[s->n_out], s->out_dim[s->n_out], name, ONNX_FLOAT, "n");
    s->n_out++;
}

static onnx_node *
node(sketch *s, const char *op, const char *a, const char *b, const char *to) {
    onnx_node *n = &s->node[s->n_node];
    const char **names = s->names[s->n_node];
    size_t count = 0;
    names[count] = a;
    count += a != NULL;
    names[count] = b;
    count += b != NULL;
    names[4] = to;
    *n = (onnx_node){.name = "",
                     .op_type = op,
                     .domain = "",
                     .in = names,
                     .n_in = count,
                     .out = names + 4,
                     .n_out = 1,
                     .attr = s->attr[s->n_node]};
    s->n_node++;
    return n;
}

static void whole(sketch *s, const char *name, size_t n, const int64_t *v) {
    s->dims[s->n_init][0] = (int64_t)n;
    s->init[s->n_init] = (onnx_tensor){.name = name,
                                       .type = ONNX_INT64,
                                       .ndim = 1,
                                       .dim = s->dims[s->n_init],
                                       .raw = (const uint8_t *)v,
                                       .raw_bytes = n * sizeof *v};
    s->n_init++;
}

static assay_status open_sketch_with(assay_model **m,
                                     assay_ctx *ctx,
                                     const sketch *s,
                                     const assay_model_options *o) {
    buf bytes = buf_make(ctx);
    const onnx_model model = {.ir_version = 8,
                              .opset = s->opset ? s->opset : 13,
                              .producer = "test",
                              .producer_version = "",
                              .graph = {.name = "g",
                                        .node = s->node,
                                        .n_node = s->n_node,
                                        .init = s->init,
                                        .n_init = s->n_init,
                                        .in = s->in,
                                        .n_in = s->n_in,
                                        .out = s->out,
                                        .n_out = s->n_out}};
    assert_ok(onnx_pack(&bytes, ctx, &model));
    assay_status status = assay_model_open_memory(m, ctx, bytes.data, bytes.len, o);
    buf_free(&bytes);
    return status;
}

static assay_status open_sketch(assay_model **m, assay_ctx *ctx, const sketch *s) {
    return open_sketch_with(m, ctx, s, NULL);
}

static assay_tensor *floats(assay_ctx *ctx, int ndim, const int64_t *dim, uint64_t seed) {
    assay_tensor *t;
    rng r = rng_at(seed, RNG_TEST, 0, 0);
    assert_ok(assay_tensor_create(&t, ctx, ASSAY_F32, ndim, dim, ASSAY_ROW_MAJOR));
    for (int64_t i = 0; i < assay_tensor_count(t); i++)
        ((float *)assay_tensor_data(t))[i] = (float)rng_normal(&r);
    return t;
}

/* ---- a small network of ours ---- */

typedef struct net {
    nn_graph *g;
    nn_weights w;
    nn_value x, logits;
} net;

static nn_value weight(net *n, const char *name, nn_shape shape) {
    nn_value v;
    assert_ok(nn_graph_param(n->g, name, shape, NN_INIT_KAIMING_UNIFORM, true, &v));
    return v;
}

static nn_value op(net *n,
                   const char *name,
                   int count,
                   const nn_value *in_values,
                   const nn_attr *attr,
                   int n_attr) {
    nn_value v;
    assert_ok(nn_graph_op(n->g, name, in_values, count, attr, n_attr, &v));
    return v;
}

static net make_net(assay_ctx *ctx) {
    net n = {0};
    const nn_attr pad = {.name = "pad", .i = {1}, .count = 1};
    const nn_attr kernel = {.name = "kernel", .i = {2}, .count = 1};
    nn_value v, in_values[5];
    assert_ok(nn_graph_create(&n.g, ctx));
    assert_ok(
        nn_graph_input(n.g, "images", ASSAY_F32, (nn_shape){4, {0, 3, 8, 8}}, &n.x));
    v = op(&n, "conv2d", 3,
           (nn_value[]){n.x, weight(&n, "conv.weight", (nn_shape){4, {6, 3, 3, 3}}),
                        weight(&n, "conv.bias", (nn_shape){1, {6}})},
           &pad, 1);
    in_values[0] = v;
    assert_ok(nn_graph_param(n.g, "bn.weight", (nn_shape){1, {6}}, NN_INIT_ONE, false,
                             &in_values[1]));
    assert_ok(nn_graph_param(n.g, "bn.bias", (nn_shape){1, {6}}, NN_INIT_ZERO, false,
                             &in_values[2]));
    assert_ok(
        nn_graph_buffer(n.g, "bn.mean", (nn_shape){1, {6}}, NN_INIT_ZERO, &in_values[3]));
    assert_ok(
        nn_graph_buffer(n.g, "bn.var", (nn_shape){1, {6}}, NN_INIT_ONE, &in_values[4]));
    v = op(&n, "batch_norm", 5, in_values, NULL, 0);
    v = op(&n, "relu", 1, &v, NULL, 0);
    v = op(&n, "max_pool", 1, &v, &kernel, 1);
    v = op(&n, "flatten", 1, &v, NULL, 0);
    n.logits = op(&n, "linear", 3,
                  (nn_value[]){v, weight(&n, "fc.weight", (nn_shape){2, {4, 96}}),
                               weight(&n, "fc.bias", (nn_shape){1, {4}})},
                  NULL, 0);
    assert_ok(nn_weights_create(&n.w, ctx, n.g, 7));
    rng r = rng_at(3, RNG_TEST, 0, 0);
    for (size_t i = 0; i < nn_graph_buffer_floats(n.g); i++)
        n.w.buffers[i] += 0.3f * (float)rng_uniform(&r);
    return n;
}

static void free_net(net *n, assay_ctx *ctx) {
    nn_weights_destroy(&n->w, ctx);
    nn_graph_destroy(n->g);
}

static void
run_net(net *n, assay_ctx *ctx, const float *x, int batch, float *out_values) {
    nn_exec *e;
    const nn_exec_options o = {
        .mode = NN_EVAL, .batch = batch, .keep = &n->logits, .n_keep = 1, .target = -1};
    assert_ok(nn_exec_create(&e, ctx, n->g, &n->w, &o));
    float *to = nn_exec_input(e, n->x);
    for (int i = 0; i < batch; i++) /* N,C,H,W to N,H,W,C */
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < 64; p++)
                to[(i * 64 + p) * 3 + c] = x[(i * 3 + c) * 64 + p];
    assert_ok(nn_exec_forward(e, batch));
    memcpy(out_values, nn_exec_value(e, n->logits),
           (size_t)batch * 4 * sizeof *out_values);
    nn_exec_destroy(e);
}

static assay_model *
round_trip(net *n, assay_ctx *ctx, const float *mean, const float *std) {
    buf bytes = buf_make(ctx);
    assay_model *m;
    const char *name = "logits";
    const onnx_pair meta = {"classes", "[]"};
    const onnx_export_options o = {.outputs = &n->logits,
                                   .names = &name,
                                   .n_outputs = 1,
                                   .mean = mean,
                                   .std = std,
                                   .image = n->x,
                                   .meta = &meta,
                                   .n_meta = 1};
    assert_ok(onnx_export(&bytes, ctx, n->g, &n->w, &o));
    assert_ok(assay_model_open_memory(&m, ctx, bytes.data, bytes.len, NULL));
    buf_free(&bytes);
    return m;
}

static void test_round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    net n = make_net(ctx);
    assay_model *m = round_trip(&n, ctx, NULL, NULL);
    float want[5 * 4];
    const int64_t dim[4] = {5, 3, 8, 8};
    assay_tensor *x = floats(ctx, 4, dim, 1), *y;
    assert_int_equal(assay_model_input_count(m), 1);
    assert_int_equal(assay_model_param_count(m), 6);
    assay_model_value v = assay_model_input(m, 0);
    assert_string_equal(v.name, "images");
    assert_int_equal(v.ndim, 4);
    assert_int_equal(v.dim[0], -1);
    assert_string_equal(assay_model_param(m, 0).name, "conv.weight");
    run_net(&n, ctx, assay_tensor_data(x), 5, want);
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, &y));
    for (int i = 0; i < 20; i++)
        assert_true(fabsf(((float *)assay_tensor_data(y))[i] - want[i]) <= 1e-5f);
    assay_tensor_unref(y);
    assay_tensor_unref(x);
    assay_model_close(m);
    free_net(&n, ctx);
    assay_ctx_destroy(ctx);
}

/* Pixels from 0 to 1 go in, what the model was trained on comes behind. */
static void test_normalisation(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    net n = make_net(ctx);
    const float mean[3] = {0.5f, 0.25f, 0.125f}, std[3] = {0.25f, 0.5f, 2};
    assay_model *m = round_trip(&n, ctx, mean, std);
    float want[8], scaled[2 * 192];
    const int64_t dim[4] = {2, 3, 8, 8};
    assay_tensor *x = floats(ctx, 4, dim, 2), *y;
    const float *pixels = assay_tensor_data(x);
    assert_int_equal(assay_model_param_count(m), 6); /* mean and std are not among them */
    for (int i = 0; i < 2 * 192; i++)
        scaled[i] = (pixels[i] - mean[i / 64 % 3]) / std[i / 64 % 3];
    run_net(&n, ctx, scaled, 2, want);
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, &y));
    for (int i = 0; i < 8; i++)
        assert_true(fabsf(((float *)assay_tensor_data(y))[i] - want[i]) <= 1e-5f);
    assay_tensor_unref(y);
    assay_tensor_unref(x);
    assay_model_close(m);
    free_net(&n, ctx);
    assay_ctx_destroy(ctx);
}

/* ---- a transformer's block ---- */

enum { TOKENS = 5, WIDTH = 8, WORDS = 11 };

static nn_value row_norm(net *n, nn_value v, const char *gain, const char *bias) {
    return op(n, "layer_norm", 3,
              (nn_value[]){v, weight(n, gain, (nn_shape){1, {WIDTH}}),
                           weight(n, bias, (nn_shape){1, {WIDTH}})},
              NULL, 0);
}

static net make_block(assay_ctx *ctx) {
    net n = {0};
    const nn_attr attention[2] = {{.name = "heads", .i = {2}, .count = 1},
                                  {.name = "causal", .i = {1}, .count = 1}};
    const nn_attr tangent = {.name = "tanh", .i = {1}, .count = 1};
    nn_value v, kept;
    assert_ok(nn_graph_create(&n.g, ctx));
    assert_ok(nn_graph_input(n.g, "tokens", ASSAY_I32, (nn_shape){2, {0, TOKENS}}, &n.x));
    v = op(&n, "embedding", 2,
           (nn_value[]){n.x, weight(&n, "wte", (nn_shape){2, {WORDS, WIDTH}})}, NULL, 0);
    kept =
        op(&n, "add", 2,
           (nn_value[]){v, weight(&n, "wpe", (nn_shape){2, {TOKENS, WIDTH}})}, NULL, 0);
    v = row_norm(&n, kept, "ln1.weight", "ln1.bias");
    v = op(&n, "linear", 3,
           (nn_value[]){v, weight(&n, "qkv.weight", (nn_shape){2, {3 * WIDTH, WIDTH}}),
                        weight(&n, "qkv.bias", (nn_shape){1, {3 * WIDTH}})},
           NULL, 0);
    v = op(&n, "attention", 1, &v, attention, 2);
    kept = op(&n, "add", 2, (nn_value[]){kept, v}, NULL, 0);
    v = row_norm(&n, kept, "ln2.weight", "ln2.bias");
    v = op(&n, "gelu", 1, &v, &tangent, 1);
    v = op(&n, "gelu", 1, &v, NULL, 0);
    v = op(&n, "silu", 1, &v, NULL, 0);
    n.logits =
        op(&n, "linear", 2,
           (nn_value[]){v, weight(&n, "head", (nn_shape){2, {WORDS, WIDTH}})}, NULL, 0);
    assert_ok(nn_weights_create(&n.w, ctx, n.g, 3));
    return n;
}

static void test_block(void **state) {
    (void)state;
    enum { N = 3 };
    assay_ctx *ctx = test_ctx(1);
    net n = make_block(ctx);
    assay_model *m = round_trip(&n, ctx, NULL, NULL);
    nn_exec *e;
    assay_tensor *x, *y;
    const int64_t dim[2] = {N, TOKENS};
    const nn_exec_options o = {
        .mode = NN_EVAL, .batch = N, .keep = &n.logits, .n_keep = 1, .target = -1};
    assert_int_equal(nn_graph_param_floats(m->import.graph), nn_graph_param_floats(n.g));
    assert_ok(assay_tensor_create(&x, ctx, ASSAY_I32, 2, dim, ASSAY_ROW_MAJOR));
    for (int i = 0; i < N * TOKENS; i++)
        ((int32_t *)assay_tensor_data(x))[i] = i * 7 % WORDS;
    assert_ok(nn_exec_create(&e, ctx, n.g, &n.w, &o));
    memcpy(nn_exec_input(e, n.x), assay_tensor_data(x), N * TOKENS * sizeof(int32_t));
    assert_ok(nn_exec_forward(e, N));
    const float *want = nn_exec_value(e, n.logits);
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, &y));
    for (int i = 0; i < N * TOKENS * WORDS; i++)
        assert_true(fabsf(((float *)assay_tensor_data(y))[i] - want[i]) <= 1e-5f);
    nn_exec_destroy(e);
    assay_tensor_unref(x);
    assay_tensor_unref(y);
    assay_model_close(m);
    free_net(&n, ctx);
    assay_ctx_destroy(ctx);
}

/* ---- training what was imported ---- */

static void test_training(void **state) {
    (void)state;
    enum { N = 16, STEPS = 12 };
    assay_ctx *ctx = test_ctx(1);
    net n = make_net(ctx);
    assay_model *m = round_trip(&n, ctx, NULL, NULL);
    nn_graph *g = m->import.graph;
    nn_value labels, loss;
    nn_exec *e;
    float first = 0, last = 0, seed[N];
    const int64_t dim[4] = {N, 3, 8, 8};
    assay_tensor *x = floats(ctx, 4, dim, 5);
    assert_ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &labels));
    const nn_value in_values[2] = {m->import.out[0].value, labels};
    assert_ok(nn_graph_op(g, "cross_entropy", in_values, 2, NULL, 0, &loss));
    const nn_exec_options o = {.mode = NN_TRAIN, .batch = N, .target = loss};
    assert_ok(nn_exec_create(&e, ctx, g, &m->import.weights, &o));
    for (int step = 0; step < STEPS; step++) {
        memcpy(nn_exec_input(e, m->import.in[0].value), assay_tensor_data(x),
               N * 192 * sizeof(float));
        for (int i = 0; i < N; i++) {
            ((int32_t *)nn_exec_input(e, labels))[i] = i % 4;
            seed[i] = 1.0f / N;
        }
        assert_ok(nn_exec_forward(e, N));
        last = 0;
        for (int i = 0; i < N; i++)
            last += nn_exec_value(e, loss)[i] / N;
        first = step ? first : last;
        assert_ok(nn_exec_backward(e, seed));
        for (size_t i = 0; i < nn_graph_param_floats(g); i++)
            m->import.weights.params[i] -= 0.1f * nn_exec_grads(e)[i];
    }
    assert_true(last < 0.7f * first);
    nn_exec_destroy(e);
    assay_tensor_unref(x);
    assay_model_close(m);
    free_net(&n, ctx);
    assay_ctx_destroy(ctx);
}

static double sum_of(assay_model *m, const assay_tensor *x, const assay_tensor *seed) {
    assay_tensor *y;
    double sum = 0;
    assert_ok(assay_model_run(m, &x, &y));
    for (int64_t i = 0; i < assay_tensor_count(y); i++)
        sum += (double)((float *)assay_tensor_data(y))[i] *
               (double)((float *)assay_tensor_data(seed))[i];
    assay_tensor_unref(y);
    return sum;
}

static void test_gradients(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    net n = make_net(ctx);
    assay_model *m = round_trip(&n, ctx, NULL, NULL);
    const int64_t dim[4] = {2, 3, 8, 8}, out_dim[2] = {2, 4};
    assay_tensor *x = floats(ctx, 4, dim, 8), *seed = floats(ctx, 2, out_dim, 9);
    assay_tensor *d_x, *value, *d_params[6];
    const assay_tensor *const list[1] = {x};
    assert_ok(assay_model_gradients(m, list, 0, seed, &value, &d_x, NULL));
    assert_int_equal(assay_tensor_ndim(d_x), 4);
    float *pixels = assay_tensor_data(x);
    const float *d = assay_tensor_data(d_x);
    for (int i = 0; i < 384; i += 29) {
        float kept = pixels[i];
        const float h = 1e-3f;
        pixels[i] = kept + h;
        double above = sum_of(m, x, seed);
        pixels[i] = kept - h;
        double slope = (above - sum_of(m, x, seed)) / (2 * (double)h);
        pixels[i] = kept;
        assert_true(fabs(slope - (double)d[i]) <= 2e-3 + 2e-2 * fabs(slope));
    }
    assay_tensor_unref(value);
    assay_tensor_unref(d_x);
    assert_ok(assay_model_gradients(m, list, 0, seed, NULL, NULL, d_params));
    /* The last layer's bias gets the seed's sums. */
    const float *s = assay_tensor_data(seed), *d_bias = assay_tensor_data(d_params[5]);
    for (int k = 0; k < 4; k++)
        assert_true(fabsf(d_bias[k] - (s[k] + s[4 + k])) < 1e-5f);
    for (int i = 0; i < 6; i++)
        assay_tensor_unref(d_params[i]);
    assert_fails(ASSAY_E_INVALID,
                 assay_model_gradients(m, list, 1, NULL, NULL, &d_x, NULL));
    assay_tensor_unref(seed);
    assay_tensor_unref(x);
    assay_model_close(m);
    free_net(&n, ctx);
    assay_ctx_destroy(ctx);
}

/* ---- shapes that are computed ---- */

/* reshape(x, [shape(x)[0], -1]) as exporters write it, with an open batch. */
static void test_shape_arithmetic(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static const int64_t zero[1] = {0}, minus[1] = {-1}, none[1] = {0};
    sketch s = {0};
    assay_model *m;
    in(&s, "x", ONNX_FLOAT, "n,3,4,2");
    out(&s, "y");
    whole(&s, "zero", 1, zero);
    whole(&s, "minus", 1, minus);
    node(&s, "Shape", "x", NULL, "shape");
    node(&s, "Gather", "shape", "zero", "batch");
    onnx_node *cat = node(&s, "Concat", "batch", "minus", "to");
    s.attr[2][0] = (onnx_attr){.name = "axis", .kind = ONNX_ATTR_INT, .i = 0, .s = ""};
    cat->n_attr = 1;
    node(&s, "Reshape", "x", "to", "y");
    (void)none;
    assay_status status = open_sketch(&m, ctx, &s);
    assert_ok(status);
    assay_model_value y = assay_model_output(m, 0);
    assert_int_equal(y.ndim, 2);
    assert_int_equal(y.dim[0], -1);
    assert_int_equal(y.dim[1], 24);
    const int64_t dim[4] = {3, 3, 4, 2};
    assay_tensor *x = floats(ctx, 4, dim, 1), *out_tensor;
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, &out_tensor));
    assert_memory_equal(assay_tensor_data(x), assay_tensor_data(out_tensor), 72 * 4);
    assay_tensor_unref(out_tensor);
    assay_tensor_unref(x);
    assay_model_close(m);
    assay_ctx_destroy(ctx);
}

/* ---- what is refused, and how it is told ---- */

static void refuse(assay_ctx *ctx, const sketch *s, assay_status code, const char *word) {
    assay_model *m;
    assert_fails(code, open_sketch(&m, ctx, s));
    assert_null(m);
    const assay_error *e = assay_last_error();
    if (!strstr(e->message, word) && !strstr(e->where, word))
        fail_msg("'%s' is in neither '%s' nor '%s'", word, e->message, e->where);
}

/* A constant of x's shape, which the batch has a part in. */
static void test_stretched_over_batch(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    sketch s = {0};
    assay_model *m;
    in(&s, "x", ONNX_FLOAT, "n,3");
    out(&s, "zeros");
    out(&s, "y");
    node(&s, "Shape", "x", NULL, "shape");
    node(&s, "ConstantOfShape", "shape", NULL, "zeros");
    node(&s, "Add", "zeros", "x", "y");
    assert_ok(open_sketch(&m, ctx, &s));
    assert_int_equal(assay_model_output(m, 0).dim[0], -1);
    const int64_t dim[2] = {4, 3};
    assay_tensor *x = floats(ctx, 2, dim, 1), *y[2];
    ((float *)assay_tensor_data(x))[0] = NAN;
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, y));
    assert_int_equal(assay_tensor_count(y[0]), 12);
    for (int i = 0; i < 12; i++)
        assert_true(((float *)assay_tensor_data(y[0]))[i] == 0);
    assert_memory_equal(assay_tensor_data(x), assay_tensor_data(y[1]), 12 * 4);
    assay_tensor_unref(y[0]);
    assay_tensor_unref(y[1]);
    assay_tensor_unref(x);
    assay_model_close(m);
    assay_ctx_destroy(ctx);
}

/* Dimensions in another order than ours can have them: with a batch of known size. */
static void test_fixed_batch(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    sketch s = {0};
    assay_model *m;
    in(&s, "x", ONNX_FLOAT, "n,3");
    out(&s, "y");
    node(&s, "Transpose", "x", NULL, "y");
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "the batch would not be the first dimension");
    const int64_t dim[2] = {4, 3};
    assay_tensor *x = floats(ctx, 2, dim, 1), *y;
    assay_model_options o = ASSAY_MODEL_OPTIONS_INIT;
    o.inputs = (const assay_tensor *const *)&x;
    o.n_inputs = 1;
    assert_ok(open_sketch_with(&m, ctx, &s, &o));
    assert_int_equal(assay_model_input(m, 0).dim[0], 4);
    assert_ok(assay_model_run(m, o.inputs, &y));
    for (int i = 0; i < 12; i++)
        assert_true(((float *)assay_tensor_data(y))[i] ==
                    ((float *)assay_tensor_data(x))[i % 4 * 3 + i / 4]);
    assay_tensor_unref(y);
    assay_tensor_unref(x);
    assay_model_close(m);
    assay_ctx_destroy(ctx);
}

static void test_refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    sketch s = {0};
    in(&s, "x", ONNX_FLOAT, "n,3");
    out(&s, "y");
    refuse(ctx, &s, ASSAY_E_FORMAT, "nothing makes the output 'y'");
    onnx_node *n = node(&s, "Imaginary", "x", NULL, "y");
    n->name = "the_node";
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "node 'the_node' (Imaginary)");
    n->op_type = "Relu";
    s.names[0][0] = "absent";
    refuse(ctx, &s, ASSAY_E_FORMAT, "'absent'");
    s.names[0][0] = "x";
    s.opset = 99;
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "opset 99");
    s.opset = 13;
    s.in[0].type = ONNX_STRING;
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "strings");
    s.in[0].type = ONNX_FLOAT;
    s.in_dim[0][1] = (onnx_dim){-1, "width"};
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "'width'");
    s.in_dim[0][1] = (onnx_dim){INT64_MAX, ""};
    refuse(ctx, &s, ASSAY_E_FORMAT, "dimension 1");
    s.in_dim[0][1] = (onnx_dim){3, ""};
    s.out[0].name = "x2";
    node(&s, "Relu", "x", NULL, "y");
    refuse(ctx, &s, ASSAY_E_FORMAT, "x2");
    assay_ctx_destroy(ctx);
}

/* Weights that claim more memory than their bytes bring, and inputs that would. */
static void test_huge_weights(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static const float v[3] = {1, 2, 3};
    sketch s = {0};
    in(&s, "x", ONNX_FLOAT, "n,3");
    out(&s, "y");
    onnx_node *n = node(&s, "Gemm", "x", "w", "y");
    s.attr[0][0] = (onnx_attr){.name = "transB", .kind = ONNX_ATTR_INT, .i = 1, .s = ""};
    n->n_attr = 1;
    s.dims[0][0] = (int64_t)1 << 30;
    s.dims[0][1] = 3;
    s.init[0] = (onnx_tensor){.name = "w",
                              .type = ONNX_FLOAT,
                              .ndim = 2,
                              .dim = s.dims[0],
                              .raw = (const uint8_t *)v,
                              .raw_bytes = sizeof v};
    s.n_init = 1;
    refuse(ctx, &s, ASSAY_E_FORMAT, "12 bytes");
    s.n_init = 0;
    in(&s, "w", ONNX_FLOAT, "1073741824,3");
    refuse(ctx, &s, ASSAY_E_UNSUPPORTED, "inputs that are used as weights");
    assay_ctx_destroy(ctx);
}

/* Initialisers that claim more than they bring, and files outside the folder. */
static void test_tensors(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static const float v[4] = {1, 2, 3, 4};
    int64_t dim[2] = {2, 2};
    onnx_tensor t = {.name = "t",
                     .type = ONNX_FLOAT,
                     .ndim = 2,
                     .dim = dim,
                     .floats = v,
                     .n_floats = 4};
    onnx_array a;
    assert_ok(onnx_array_read(&a, ctx, &t, NULL));
    assert_memory_equal(a.data, v, sizeof v);
    onnx_array_free(&a, ctx);
    dim[0] = (int64_t)1 << 40;
    assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, NULL));
    dim[0] = INT64_MAX;
    assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, NULL));
    dim[0] = -1;
    assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, NULL));
    dim[0] = 2;
    t.raw = (const uint8_t *)v;
    t.raw_bytes = 15;
    assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, NULL));
    t.raw = NULL;
    t.external = true;
    static const char *const outside[] = {
        "/etc/passwd", "../x", "a/../../x", "a/..", "", "..", "a\\..\\b"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        t.location = outside[i];
        assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, "/tmp"));
    }
    t.location = "weights.bin";
    assert_fails(ASSAY_E_UNSUPPORTED, onnx_array_read(&a, ctx, &t, NULL));
    t.offset = "18446744073709551616";
    assert_fails(ASSAY_E_FORMAT, onnx_array_read(&a, ctx, &t, "/tmp"));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_normalisation),
                                       cmocka_unit_test(test_block),
                                       cmocka_unit_test(test_training),
                                       cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_shape_arithmetic),
                                       cmocka_unit_test(test_stretched_over_batch),
                                       cmocka_unit_test(test_fixed_batch),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_huge_weights),
                                       cmocka_unit_test(test_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
