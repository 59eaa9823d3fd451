/* The tile kernels against the plain C ones: every element, on shapes whole and ragged,
 * in every mixture of f32 and bf16, under several blockings. */
#include "nn/amx/conv.h"
#include "nn/amx/reference.h"

#include "base/cpu.h"
#include "base/rng.h"
#include "base/testing.h"
#include "tensor/tensor.h"

#include <math.h>

typedef struct rig {
    assay_ctx *ctx;
    dn_conv_geometry g;
    int64_t n, x_count, y_count, w_count;
    float *x, *y, *w, *bias;           /* operands, already rounded to bf16 */
    float *want_x, *want_y, *want_w;   /* what the reference makes of them */
    void *in_x, *in_y, *out_x, *out_y; /* as the kernel sees them */
    float *out_w;
} rig;

static float *floats(int64_t n, rng *r) {
    float *p = calloc((size_t)n + 1, sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n && r; i++)
        p[i] = ten_from_bf16(ten_bf16((float)rng_normal(r)));
    return p;
}

/* The numbers as the kernel is to see them. */
static void *lay(const float *from, int64_t n, bool half) {
    void *p = calloc((size_t)n + 1, half ? 2 : 4);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) {
        if (half)
            ((uint16_t *)p)[i] = ten_bf16(from[i]);
        else
            ((float *)p)[i] = from[i];
    }
    return p;
}

static void rig_open(rig *r, assay_ctx *ctx, dn_conv_geometry g, int64_t n) {
    memset(r, 0, sizeof *r);
    g.n = n;
    g.oh = (g.h + g.pad[0] + g.pad[2] - (g.kh - 1) * g.dilation[0] - 1) / g.stride[0] + 1;
    g.ow = (g.w + g.pad[1] + g.pad[3] - (g.kw - 1) * g.dilation[1] - 1) / g.stride[1] + 1;
    g.bf16 = true;
    r->ctx = ctx;
    r->g = g;
    r->n = n;
    r->x_count = n * g.h * g.w * g.c;
    r->y_count = n * g.oh * g.ow * g.o;
    r->w_count = g.o * g.c * g.kh * g.kw;
    rng rnd = rng_at(3, RNG_TEST, 0, (uint64_t)r->x_count);
    r->x = floats(r->x_count, &rnd);
    r->y = floats(r->y_count, &rnd);
    r->w = floats(r->w_count, &rnd);
    r->bias = floats(g.o, &rnd);
    r->want_x = floats(r->x_count, NULL);
    r->want_y = floats(r->y_count, NULL);
    r->want_w = floats(r->w_count, NULL);
    conv_reference_forward(&r->g, n, r->x, r->w, g.bias ? r->bias : NULL, r->want_y);
    conv_reference_data(&r->g, n, r->y, r->w, r->want_x);
    conv_reference_weights(&r->g, n, r->x, r->y, r->want_w);
    r->in_x = lay(r->x, r->x_count, g.x_half);
    r->in_y = lay(r->y, r->y_count, g.y_half);
    r->out_x = floats(r->x_count, NULL);
    r->out_y = floats(r->y_count, NULL);
    r->out_w = floats(r->w_count, NULL);
}

static void rig_close(rig *r) {
    void *const all[] = {r->x,      r->y,    r->w,    r->bias,  r->want_x, r->want_y,
                         r->want_w, r->in_x, r->in_y, r->out_x, r->out_y,  r->out_w};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void near(const rig *r,
                 const char *what,
                 const void *got,
                 const float *want,
                 int64_t n,
                 bool half) {
    double square = 1e-6;
    for (int64_t i = 0; i < n; i++)
        square += (double)want[i] * (double)want[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double is = (double)(half ? ten_from_bf16(((const uint16_t *)got)[i])
                                  : ((const float *)got)[i]);
        double off = 1e-5 * sqrt(square) + (half ? fabs((double)want[i]) / 256 : 0);
        if (!(fabs(is - (double)want[i]) <= off))
            fail_msg("%s of %d x %dx%dx%d -> %d k %dx%d: [%d] is %.8g, reference %.8g",
                     what, (int)r->n, (int)r->g.h, (int)r->g.w, (int)r->g.c, (int)r->g.o,
                     (int)r->g.kh, (int)r->g.kw, (int)i, is, (double)want[i]);
    }
}

/* Runs one pass into `to`, which is spoiled before. */
static void run(rig *r, unsigned what, const amx_blocking *b, void *to, size_t bytes) {
    amx_conv *c;
    assert_true(amx_conv_can(&r->g, what));
    assert_int_equal(amx_conv_create(&c, r->ctx, &r->g, what, b), ASSAY_OK);
    size_t need = amx_conv_scratch(c);
    void *scratch = mem_alloc(r->ctx, need + 64);
    assert_non_null(scratch);
    memset(scratch, 0xff, need + 64);
    memset(to, 0xff, bytes);
    if (what == DN_FORWARD)
        amx_conv_forward(c, r->n, r->in_x, r->w, r->g.bias ? r->bias : NULL, to, scratch);
    else if (what == DN_BACKWARD_DATA)
        amx_conv_backward_data(c, r->n, r->in_y, r->w, to, scratch);
    else
        amx_conv_backward_weights(c, r->n, r->in_x, r->in_y, to, scratch);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(((uint8_t *)scratch)[need + i], 0xff);
    mem_free(r->ctx, scratch);
    amx_conv_destroy(c);
}

/* A gather gives the same bits under every blocking. */
static void check_gather(rig *r, unsigned what) {
    static const amx_blocking blocking[] = {{1, 1, 1, 1}, {2, 3, 1, 1}, {4, 64, 1, 1}};
    const bool data = what == DN_BACKWARD_DATA;
    const bool half = data ? r->g.x_half : r->g.y_half;
    const int64_t count = data ? r->x_count : r->y_count;
    void *to = data ? r->out_x : r->out_y;
    size_t bytes = (size_t)count * (half ? 2 : 4);
    amx_blocking own = amx_conv_blocking(&r->g, what);
    void *first = malloc(bytes + 1);
    assert_non_null(first);
    run(r, what, &own, first, bytes);
    near(r, data ? "backward-data" : "forward", first, data ? r->want_x : r->want_y,
         count, half);
    for (size_t i = 0; i < sizeof blocking / sizeof *blocking; i++) {
        run(r, what, &blocking[i], to, bytes);
        assert_memory_equal(to, first, bytes);
    }
    free(first);
}

static void check_weights(rig *r) {
    static const amx_blocking blocking[] = {{1, 1, 1, 1}, {2, 3, 2, 1}, {4, 64, 1, 4}};
    size_t bytes = (size_t)r->w_count * 4;
    float *again = malloc(bytes);
    assert_non_null(again);
    for (size_t i = 0; i < 1 + sizeof blocking / sizeof *blocking; i++) {
        amx_blocking b =
            i ? blocking[i - 1] : amx_conv_blocking(&r->g, DN_BACKWARD_WEIGHTS);
        run(r, DN_BACKWARD_WEIGHTS, &b, r->out_w, bytes);
        near(r, "backward-weights", r->out_w, r->want_w, r->w_count, false);
        run(r, DN_BACKWARD_WEIGHTS, &b, again, bytes);
        assert_memory_equal(r->out_w, again, bytes);
    }
    free(again);
}

static void kernels_agree_with_the_reference(void **state) {
    static const struct {
        int64_t n, h, w, c, o, kh, kw, stride, pad[4], dilation;
        int halves; /* bit 0: x, bit 1: y */
        bool bias;
    } shape[] = {
        {32, 5, 5, 32, 64, 3, 3, 1, {1, 1, 1, 1}, 1, 3, false},
        {64, 4, 4, 64, 32, 3, 3, 1, {1, 1, 1, 1}, 1, 3, true},
        {32, 7, 7, 32, 32, 3, 3, 2, {1, 1, 1, 1}, 1, 3, false},
        {32, 6, 8, 32, 32, 5, 5, 2, {2, 2, 2, 2}, 1, 3, true},
        {64, 3, 4, 64, 64, 1, 1, 1, {0, 0, 0, 0}, 1, 3, false},
        {32, 6, 6, 32, 32, 1, 1, 2, {0, 0, 0, 0}, 1, 3, false},
        {32, 6, 6, 32, 32, 3, 3, 1, {0, 0, 0, 0}, 1, 3, true},
        {33, 4, 6, 40, 24, 3, 3, 1, {1, 1, 1, 1}, 1, 3, true},
        {5, 6, 5, 3, 33, 3, 3, 1, {1, 1, 1, 1}, 1, 2, true},
        {17, 5, 6, 16, 96, 3, 2, 1, {0, 1, 2, 0}, 1, 0, true},
        {40, 8, 7, 32, 48, 3, 3, 1, {2, 2, 2, 2}, 2, 1, false},
        {1, 9, 9, 32, 32, 4, 4, 3, {1, 2, 3, 0}, 1, 2, false},
        {70, 2, 2, 48, 80, 3, 3, 1, {1, 1, 1, 1}, 1, 0, false},
        {3, 4, 4, 8, 8, 5, 5, 1, {4, 4, 4, 4}, 1, 3, false},
    };
    if (!cpu_amx()) {
        print_message("no matrix tiles here: skipped\n");
        return;
    }
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        dn_conv_geometry g = {.h = shape[i].h,
                              .w = shape[i].w,
                              .c = shape[i].c,
                              .o = shape[i].o,
                              .kh = shape[i].kh,
                              .kw = shape[i].kw,
                              .stride = {shape[i].stride, shape[i].stride},
                              .dilation = {shape[i].dilation, shape[i].dilation},
                              .bias = shape[i].bias,
                              .x_half = shape[i].halves & 1,
                              .y_half = shape[i].halves >> 1 & 1};
        memcpy(g.pad, shape[i].pad, sizeof g.pad);
        rig r;
        rig_open(&r, *state, g, shape[i].n);
        check_gather(&r, DN_FORWARD);
        check_gather(&r, DN_BACKWARD_DATA);
        check_weights(&r);
        rig_close(&r);
    }
}

/* What the kernels can't do, they refuse. */
static void others_are_refused(void **state) {
    (void)state;
    dn_conv_geometry g = {.n = 32,
                          .c = 32,
                          .h = 4,
                          .w = 4,
                          .o = 32,
                          .oh = 4,
                          .ow = 4,
                          .kh = 1,
                          .kw = 1,
                          .stride = {1, 1},
                          .dilation = {1, 1}};
    assert_false(amx_conv_can(&g, DN_FORWARD)); /* f32 */
    g.bf16 = true;
    assert_int_equal(amx_conv_can(&g, DN_FORWARD), cpu_amx());
    g.groups = 2;
    assert_false(amx_conv_can(&g, DN_FORWARD));
}

static int open_ctx(void **state) {
    *state = test_ctx(1);
    return 0;
}
static int close_ctx(void **state) {
    assay_ctx_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_agree_with_the_reference),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
