/* linear: y = x W^T + b, W [out,in] as PyTorch has it, over every row of x [...,in]. An
 * activation behind it is done in the same pass. */
#include "nn/kernels.h"
#include "nn/product.h"
#include "nn/tangent.h"

#include <string.h>

static int64_t in_of(const nn_node *node) {
    return node->in_shape[1].dim[1];
}
static int64_t out_of(const nn_node *node) {
    return node->in_shape[1].dim[0];
}

/* Rows of the product: examples, or tokens. */
static int64_t rows_of(const nn_node *node, int n) {
    return nn_shape_elements(&node->in_shape[0], n) / in_of(node);
}

static assay_status linear_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *w = &node->in_shape[1];
    bool pooled = x->ndim == 4 && x->dim[2] == 1 && x->dim[3] == 1;
    if (w->ndim != 2 || nn_shape_open(w))
        return nn_op_bad_shape(node, 1, "the weight must be [O,I]");
    pooled &= x->dim[1] == w->dim[1];
    if (x->ndim < 1 || (x->dim[x->ndim - 1] != w->dim[1] && !pooled) ||
        (x->ndim == 1 && nn_shape_open(x)))
        return nn_op_bad_shape(node, 0,
                               "rows as long as the weight's, [...,I], are needed");
    if (node->n_in > 2 &&
        (node->in_shape[2].ndim != 1 || node->in_shape[2].dim[0] != w->dim[0]))
        return nn_op_bad_shape(node, 2, "the bias must be [O]");
    node->out_shape = *x;
    if (pooled)
        node->out_shape.ndim = 2;
    node->out_shape.dim[node->out_shape.ndim - 1] = w->dim[0];
    return ASSAY_OK;
}

/* What is settled once. */
typedef struct linear_state {
    bool tiles;
    row_act act; /* of the node behind, done in the same pass */
} linear_state;

static row_act act_of(const nn_node *node) {
    if (strcmp(node->op->name, "relu") == 0)
        return ACT_RELU;
    if (strcmp(node->op->name, "silu") == 0)
        return ACT_SILU;
    if (strcmp(node->op->name, "gelu") == 0)
        return nn_attr_i(node, "tanh", 0) ? ACT_GELU_TANH : ACT_GELU;
    return ACT_NONE;
}

/* An activation behind it; under capture its gradient must not hide the product's. */
static int linear_fuse(
    const nn_node *node, const nn_node *const *next, int n, nn_mode mode, bool x_grad) {
    (void)node;
    (void)x_grad;
    return mode != NN_CAPTURE && n > 0 && act_of(next[0]) != ACT_NONE ? 1 : 0;
}

/* Whether the numbers before the activation are kept (ReLU's are told by its output). */
static bool keeps_pre(row_act act) {
    return act != ACT_NONE && act != ACT_RELU;
}

static product forward_product(const nn_io *io, const linear_state *s) {
    size_t n = (size_t)rows_of(io->node, io->n), in = (size_t)in_of(io->node);
    size_t out = (size_t)out_of(io->node);
    product p = {.tiles = s->tiles};
    p.job = (half_job){.m = n,
                       .n = out,
                       .k = in,
                       .a = {io->in[0], io->in_half & 1, in, 1},
                       .b = {io->in[1], false, 1, in},
                       .c = {io->out, io->out_half},
                       .ldc = out,
                       .bias = io->node->n_in > 2 ? io->in[2] : NULL,
                       .act = s->act};
    if (keeps_pre(s->act) && io->save)
        p.job.pre = (row_values){io->save, io->out_half};
    return p;
}

static product input_product(const nn_io *io, const linear_state *s, const void *d) {
    size_t n = (size_t)rows_of(io->node, io->n), in = (size_t)in_of(io->node);
    size_t out = (size_t)out_of(io->node);
    product p = {.tiles = s->tiles};
    p.job = (half_job){.m = n,
                       .n = in,
                       .k = out,
                       .a = {d, io->out_half, out, 1},
                       .b = {io->in[1], false, in, 1},
                       .c = {io->d_in[0], io->in_half & 1},
                       .ldc = in};
    return p;
}

static product weight_product(const nn_io *io, const linear_state *s, const void *d) {
    size_t n = (size_t)rows_of(io->node, io->n), in = (size_t)in_of(io->node);
    size_t out = (size_t)out_of(io->node);
    product p = {.tiles = s->tiles};
    p.job = (half_job){.m = out,
                       .n = in,
                       .k = n,
                       .a = {d, io->out_half, 1, out},
                       .b = {io->in[0], io->in_half & 1, in, 1},
                       .c = {io->d_in[1], false},
                       .ldc = in};
    return p;
}

/* Bytes of the gradient before the activation. */
static size_t slope_bytes(const nn_node *node, int n, row_act act, bool half) {
    size_t count = (size_t)(rows_of(node, n) * out_of(node));
    return act == ACT_NONE ? 0 : (count * (half ? 2 : 4) + 63) / 64 * 64;
}

/* Of one stretch's share of the bias' gradient. */
static size_t sums_bytes(size_t out) {
    return (out * sizeof(float) + 63) / 64 * 64;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static assay_status linear_plan(nn_plan *p) {
    linear_state *s;
    assay_status status = mem_new(p->ctx, &s, 1, sizeof *s);
    if (status != ASSAY_OK)
        return status;
    p->state = s;
    s->tiles = p->dtype == ASSAY_BF16 && gemm_half_runs();
    s->act = p->n_fused ? act_of(p->fused[0]) : ACT_NONE;
    size_t slope = slope_bytes(p->node, p->batch, s->act, p->out_half);
    p->save_bytes = p->backward && keeps_pre(s->act) ? slope : 0;
    p->backward_reads_out = s->act == ACT_RELU;
    p->backward_reads = (p->want_d[1] ? 1u : 0u) | (p->want_d[0] ? 2u : 0u);
    p->factor_reads_x = p->factor_reads_d = true;
    const nn_io io = {
        .node = p->node, .n = p->batch, .in_half = p->in_half, .out_half = p->out_half};
    product y = forward_product(&io, s), x = input_product(&io, s, NULL),
            w = weight_product(&io, s, NULL);
    p->forward_scratch = product_scratch(&y);
    p->backward_scratch = slope + sums_bytes((size_t)out_of(p->node)) +
                          larger(product_scratch(&x), product_scratch(&w));
    return ASSAY_OK;
}

static void linear_unplan(nn_plan *p) {
    mem_free(p->ctx, p->state);
    p->state = NULL;
}

static assay_status linear_forward(nn_io *io) {
    product p = forward_product(io, io->state);
    return product_run(&p, io->scratch);
}

/* d_out before the activation, for `n` rows: in scratch, or where it lies. */
static const void *
slope_of(const nn_io *io, const linear_state *s, size_t first, size_t n) {
    size_t out = (size_t)out_of(io->node), each = out * (io->out_half ? 2 : 4);
    uint8_t *d = (uint8_t *)io->d_out + first * each;
    if (s->act == ACT_NONE)
        return d;
    uint8_t *at = keeps_pre(s->act) ? io->save : io->out;
    row_kernels_get()->act_back(
        (row_values){io->scratch, io->out_half}, (row_values){d, io->out_half},
        (row_values){at + first * each, io->out_half}, n * out, s->act);
    return io->scratch;
}

/* Rows that all of backward is done for while their gradients are in the second-level
 * cache: whole stretches of the products' sums, which thus keep their order. */
static size_t stretch_of(size_t out) {
    size_t rows = ((size_t)1 << 17) / out / GEMM_DEPTH * GEMM_DEPTH;
    return rows ? rows : GEMM_DEPTH;
}

/* The same in f32, where there are several stretches of rows. */
static assay_status backward_by_stretches(nn_io *io, const linear_state *s) {
    assay_status status = ASSAY_OK;
    size_t out = (size_t)out_of(io->node), in = (size_t)in_of(io->node);
    size_t n = (size_t)rows_of(io->node, io->n), most = stretch_of(out);
    uint8_t *scratch = (uint8_t *)io->scratch +
                       slope_bytes(io->node, io->n, s->act, false) + sums_bytes(out);
    float *sums = (float *)(void *)(scratch - sums_bytes(out));
    float *d_bias = io->node->n_in > 2 ? io->d_in[2] : NULL;
    for (size_t first = 0; first < n; first += most) {
        size_t rows = n - first < most ? n - first : most;
        const float *d = slope_of(io, s, first, rows);
        if (io->d_in[0]) {
            product p = input_product(io, s, d);
            p.own = true;
            p.job.m = rows;
            p.job.c.at = (float *)io->d_in[0] + first * in;
            ASSAY_TRY(product_run(&p, scratch));
        }
        if (io->d_in[1]) {
            product p = weight_product(io, s, d);
            p.own = true;
            p.add = first > 0;
            p.job.k = rows;
            p.job.b.at = (const float *)io->in[0] + first * in;
            ASSAY_TRY(product_run(&p, scratch));
        }
        if (d_bias) {
            nn_kernels_get()->image[0][0]->sum_rows(first ? sums : d_bias, d, rows, out);
            for (size_t o = 0; first && o < out; o++)
                d_bias[o] += sums[o];
        }
    }
done:
    return status;
}

static assay_status linear_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const linear_state *s = io->state;
    size_t out = (size_t)out_of(io->node), n = (size_t)rows_of(io->node, io->n);
    uint8_t *scratch =
        (uint8_t *)io->scratch + slope_bytes(io->node, io->n, s->act, io->out_half);
    if (!s->tiles && !io->out_half && !(io->in_half & 1) && n > stretch_of(out))
        return backward_by_stretches(io, s);
    const void *d = slope_of(io, s, 0, n);
    if (io->d_in[0]) {
        product p = input_product(io, s, d);
        ASSAY_TRY(product_run(&p, scratch));
    }
    if (io->d_in[1]) {
        product p = weight_product(io, s, d);
        ASSAY_TRY(product_run(&p, scratch));
    }
    if (io->node->n_in > 2 && io->d_in[2])
        nn_kernels_get()->image[io->out_half][0]->sum_rows(io->d_in[2], d, n, out);
done:
    return status;
}

static void linear_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_OUTER;
    f->x = io->in[0];
    f->d = io->d_out;
    f->t = rows_of(io->node, io->n) / io->n;
    f->in = in_of(io->node);
    f->out = out_of(io->node);
}

static void linear_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    int64_t ni = in_of(node), no = out_of(node), rows = rows_of(node, n);
    const double *x = in[0], *w = in[1];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t o = 0; o < no; o++) {
            double v = node->n_in > 2 ? in[2][o] : 0;
            for (int64_t k = 0; k < ni; k++)
                v += x[i * ni + k] * w[o * ni + k];
            out[i * no + o] = v;
        }
    for (int64_t i = 0; d_out && i < rows; i++)
        for (int64_t o = 0; o < no; o++) {
            double d = d_out[i * no + o];
            if (node->n_in > 2 && d_in[2])
                d_in[2][o] += d;
            for (int64_t k = 0; k < ni; k++) {
                if (d_in[0])
                    d_in[0][i * ni + k] += d * w[o * ni + k];
                if (d_in[1])
                    d_in[1][o * ni + k] += d * x[i * ni + k];
            }
        }
}

static const nn_op_case linear_cases[] = {
    {.name = "with bias",
     .batch = 5,
     .n = 3,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {0, 19}}},
            {NN_CASE_PARAM, {2, {7, 19}}},
            {NN_CASE_PARAM, {1, {7}}}}},
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 9, 21}}},
            {NN_CASE_PARAM, {2, {17, 21}}},
            {NN_CASE_PARAM, {1, {17}}}}},
    {.name = "several stretches of rows",
     .batch = 3,
     .n = 3,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 70, 3}}},
            {NN_CASE_PARAM, {2, {350, 3}}},
            {NN_CASE_PARAM, {1, {350}}}}},
    {.name = "behind a pooling, no bias",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 1, 1}}}, {NN_CASE_PARAM, {2, {10, 16}}}}},
    {0}};

const nn_op_def assay_op_linear = {
    .name = "linear",
    .summary = "a matrix product with a bias",
    .min_inputs = 2,
    .max_inputs = 3,
    .layout = NN_ROWS,
    .half_in = 1,
    .half_out = true,
    .infer = linear_infer,
    .fuse = linear_fuse,
    .plan = linear_plan,
    .unplan = linear_unplan,
    .forward = linear_forward,
    .backward = linear_backward,
    .factors = linear_factors,
    .tangent = nn_tangent_product,
    .reference = linear_reference,
    .cases = linear_cases,
};
