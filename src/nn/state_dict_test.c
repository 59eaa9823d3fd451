/* A state_dict gives the outputs that PyTorch computed from it (tests/torch_golden.py),
 * in f32, f16 and bf16; and what does not fit is named. */
#include "nn/state_dict.h"

#include "base/testing.h"
#include "nn/exec.h"

#include <math.h>

enum { TENSORS = 8, MOST = 64, N = 2, C = 2, H = 5, W = 4 };

static float number(uint64_t stream, uint64_t i) {
    uint32_t word = (uint32_t)((i + 1000 * stream + 1) * 2654435761U);
    return (float)(word >> 16) / 65536.0F - 0.5F;
}

/* conv, batch norm, ReLU, global mean, linear. */
typedef struct net {
    nn_graph *g;
    nn_weights w;
    nn_value images, out;
} net;

static nn_value value(nn_graph *g, bool buffer, const char *name, nn_shape shape) {
    nn_value v;
    if (buffer)
        assert_ok(nn_graph_buffer(g, name, shape, NN_INIT_ONE, &v));
    else
        assert_ok(nn_graph_param(g, name, shape, NN_INIT_ONE, false, &v));
    return v;
}

static nn_value apply(nn_graph *g, const char *op, const nn_value *in, int n) {
    const nn_attr pad = {.name = "pad", .i = {1}, .count = 1};
    nn_value v;
    assert_ok(nn_graph_op(g, op, in, n, &pad, strcmp(op, "conv2d") == 0, &v));
    return v;
}

static net net_make(assay_ctx *ctx) {
    net m;
    assert_ok(nn_graph_create(&m.g, ctx));
    nn_graph *g = m.g;
    const nn_shape three = {1, {3}};
    assert_ok(
        nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, C, H, W}}, &m.images));
    nn_value x = m.images;
    x = apply(
        g, "conv2d",
        (nn_value[]){x, value(g, false, "conv.weight", (nn_shape){4, {3, 2, 3, 3}})}, 2);
    nn_value norm[5] = {x};
    norm[1] = value(g, false, "bn.weight", three);
    norm[2] = value(g, false, "bn.bias", three);
    norm[3] = value(g, true, "bn.running_mean", three);
    norm[4] = value(g, true, "bn.running_var", three);
    x = apply(g, "batch_norm", norm, 5);
    x = apply(g, "relu", &x, 1);
    x = apply(g, "global_avg_pool", &x, 1);
    nn_value head[3] = {apply(g, "flatten", &x, 1)};
    head[1] = value(g, false, "fc.weight", (nn_shape){2, {2, 3}});
    head[2] = value(g, false, "fc.bias", (nn_shape){1, {2}});
    m.out = apply(g, "linear", head, 3);
    assert_ok(nn_weights_create(&m.w, ctx, g, 0));
    return m;
}

static void net_free(net *m, assay_ctx *ctx) {
    nn_weights_destroy(&m->w, ctx);
    nn_graph_destroy(m->g);
}

/* A file's tensors, as PyTorch orders them. */
typedef struct state {
    st_tensor tensor[TENSORS];
    uint8_t bytes[TENSORS][MOST * 8];
} state;

static void state_fill(state *s, assay_dtype dtype) {
    static const struct {
        const char *name;
        int ndim;
        int64_t dim[4];
    } of[TENSORS] = {{"conv.weight", 4, {3, 2, 3, 3}},
                     {"bn.weight", 1, {3}},
                     {"bn.bias", 1, {3}},
                     {"bn.running_mean", 1, {3}},
                     {"bn.running_var", 1, {3}},
                     {"fc.weight", 2, {2, 3}},
                     {"fc.bias", 1, {2}},
                     {"bn.num_batches_tracked", 0, {0}}};
    memset(s, 0, sizeof *s);
    for (uint64_t k = 0; k < TENSORS; k++) {
        st_tensor *t = &s->tensor[k];
        size_t count = 1;
        *t = (st_tensor){.name = of[k].name,
                         .dtype = k == TENSORS - 1 ? ASSAY_I64 : dtype,
                         .ndim = of[k].ndim,
                         .data = s->bytes[k]};
        for (int d = 0; d < t->ndim; d++)
            count *= (size_t)(t->dim[d] = of[k].dim[d]);
        t->bytes = count * assay_dtype_size(t->dtype);
        for (size_t i = 0; i < count && k < TENSORS - 1; i++) {
            float v = number(k, i) + (strcmp(t->name, "bn.running_var") == 0 ? 1 : 0);
            uint16_t half = dtype == ASSAY_F16 ? ten_f16(v) : ten_bf16(v);
            if (dtype == ASSAY_F32)
                memcpy(s->bytes[k] + i * 4, &v, 4);
            else
                memcpy(s->bytes[k] + i * 2, &half, 2);
        }
    }
}

static void same_outputs_as_pytorch(void **unused) {
    (void)unused;
    static const struct {
        assay_dtype dtype;
        float out[N * 2];
    } golden[] = {
        {ASSAY_F32, {0.231998771F, 0.0713566691F, 0.237743795F, 0.0625547767F}},
        {ASSAY_F16, {0.232065901F, 0.0714022368F, 0.237814963F, 0.0625972673F}},
        {ASSAY_BF16, {0.232176483F, 0.071165204F, 0.237950921F, 0.0623476505F}}};
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "net.safetensors");
    for (size_t k = 0; k < sizeof golden / sizeof *golden; k++) {
        state s;
        state_fill(&s, golden[k].dtype);
        assert_ok(st_put(ctx, path.text, s.tensor, TENSORS, NULL, 0));
        net m = net_make(ctx);
        assert_ok(state_dict_load(ctx, path.text, m.g, &m.w));
        const nn_exec_options o = {.mode = NN_EVAL,
                                   .batch = N,
                                   .keep = &m.out,
                                   .n_keep = 1,
                                   .target = -1,
                                   .dtype = ASSAY_F32};
        nn_exec *e;
        assert_ok(nn_exec_create(&e, ctx, m.g, &m.w, &o));
        float *x = nn_exec_input(e, m.images);
        for (size_t i = 0; i < N * C * H * W; i++) { /* i counts N,C,H,W */
            size_t n = i / (C * H * W), c = i / (H * W) % C, p = i % (H * W);
            x[(n * H * W + p) * C + c] = number(90, i);
        }
        assert_ok(nn_exec_forward(e, N));
        const float *out = nn_exec_value(e, m.out);
        for (size_t i = 0; i < N * 2; i++)
            assert_true(fabsf(out[i] - golden[k].out[i]) < 1e-6F);
        nn_exec_destroy(e);
        net_free(&m, ctx);
    }
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void what_does_not_fit_is_named(void **unused) {
    (void)unused;
    static const struct {
        size_t tensor;
        int how; /* 0 left out, 1 renamed, 2 another shape, 3 another type, 4 not finite
                  */
        assay_status want;
        const char *word, *word2;
    } of[] = {
        {0, 0, ASSAY_E_NOTFOUND, "1 of", "conv.weight"},
        {3, 0, ASSAY_E_NOTFOUND, "missing", "bn.running_mean"},
        {5, 1, ASSAY_E_NOTFOUND, "fc.weight", ""},
        {7, 1, ASSAY_E_INVALID, "not the model's", "another"},
        {5, 2, ASSAY_E_SHAPE, "'fc.weight' is [3,2]", "[2,3]"},
        {6, 3, ASSAY_E_DTYPE, "fc.bias", "i32"},
        {1, 4, ASSAY_E_NUMERIC, "bn.weight", "finite"},
    };
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "net.safetensors");
    net m = net_make(ctx);
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        state s;
        state_fill(&s, ASSAY_F32);
        st_tensor *t = &s.tensor[of[k].tensor];
        size_t count = TENSORS;
        if (of[k].how == 0) {
            memmove(t, t + 1, (TENSORS - 1 - of[k].tensor) * sizeof *t);
            count--;
        } else if (of[k].how == 1) {
            t->name = "another";
        } else if (of[k].how == 2) {
            t->dim[0] = 3;
            t->dim[1] = 2;
        } else if (of[k].how == 3) {
            t->dtype = ASSAY_I32;
        } else {
            const float inf = INFINITY;
            memcpy(s.bytes[of[k].tensor], &inf, sizeof inf);
        }
        assert_ok(st_put(ctx, path.text, s.tensor, count, NULL, 0));
        assert_fails(of[k].want, state_dict_load(ctx, path.text, m.g, &m.w));
        assert_non_null(strstr(assay_last_error()->message, of[k].word));
        assert_non_null(strstr(assay_last_error()->message, of[k].word2));
        assert_non_null(strstr(assay_last_error()->where, "net.safetensors"));
    }
    assert_fails(ASSAY_E_NOTFOUND, state_dict_load(ctx, "/nonexistent", m.g, &m.w));
    net_free(&m, ctx);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_outputs_as_pytorch),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
