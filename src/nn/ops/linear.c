/* linear: y = x W^T + b, W [out,in] as PyTorch has it, over every row of x [...,in]. */
#include "nn/kernels.h"

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

static assay_status linear_plan(nn_plan *p) {
    p->backward_reads = (p->want_d[1] ? 1u : 0u) | (p->want_d[0] ? 2u : 0u);
    p->factor_reads_x = p->factor_reads_d = true;
    return ASSAY_OK;
}

static assay_status linear_forward(nn_io *io) {
    int64_t in = in_of(io->node), out = out_of(io->node), n = rows_of(io->node, io->n);
    assay_status status = dn_gemm(false, true, n, out, in, 1.0f, io->in[0], in, io->in[1],
                                  in, 0.0f, io->out, out);
    if (status == ASSAY_OK && io->node->n_in > 2)
        nn_kernels_get()->add_row(io->out, io->in[2], (size_t)n, (size_t)out);
    return status;
}

static assay_status linear_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    int64_t in = in_of(io->node), out = out_of(io->node);
    int64_t n = rows_of(io->node, io->n);
    const float *d = io->d_out;
    if (io->d_in[0])
        ASSAY_TRY(dn_gemm(false, false, n, in, out, 1.0f, d, out, io->in[1], in, 0.0f,
                          io->d_in[0], in));
    if (io->d_in[1])
        ASSAY_TRY(dn_gemm(true, false, out, in, n, 1.0f, d, out, io->in[0], in, 0.0f,
                          io->d_in[1], in));
    if (io->node->n_in > 2 && io->d_in[2])
        nn_kernels_get()->image[0][0]->sum_rows(io->d_in[2], d, (size_t)n, (size_t)out);
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
    .infer = linear_infer,
    .plan = linear_plan,
    .forward = linear_forward,
    .backward = linear_backward,
    .factors = linear_factors,
    .reference = linear_reference,
    .cases = linear_cases,
};
