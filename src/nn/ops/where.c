/* where: x where the condition (truth values) is true, y elsewhere, with broadcasting.
 * The gradient goes to the one that was taken. */
#include "nn/numbers.h"
#include "nn/walk.h"

#include <string.h>

static assay_status where_infer(nn_node *node) {
    if (node->in_dtype[0] != ASSAY_BOOL)
        return nn_op_bad_dtype(node, 0, "the condition is truth values");
    if (node->in_dtype[1] != node->in_dtype[2])
        return nn_op_bad_dtype(node, 2, "both values must have one element type");
    node->out_dtype = node->in_dtype[1];
    return walk_broadcast(node);
}

static void walk_out(nn_walk *w, const nn_node *node, int n) {
    static const int all[] = {0, 1, 2};
    walk_make(w, node, &node->out_shape, node->out_layout, n, all, 3);
}

static size_t sums(const nn_node *node, int i, int n) {
    return (size_t)nn_shape_elements(&node->in_shape[i], n);
}

static assay_status where_plan(nn_plan *p) {
    p->backward_reads = 1;
    for (int i = 1; i < 3; i++)
        p->backward_scratch += sums(p->node, i, p->batch) * sizeof(double);
    return ASSAY_OK;
}

static assay_status where_forward(nn_io *io) {
    const uint8_t *condition = io->in[0];
    int64_t size = (int64_t)assay_dtype_size(io->node->out_dtype);
    nn_walk w;
    walk_row row = {0};
    walk_out(&w, io->node, io->n);
    while (walk_next(&w, &row))
        for (int64_t i = 0; i < (int64_t)walk_length(&w); i++) {
            int k = condition[row.at[0] + i * walk_step(&w, 0)] ? 1 : 2;
            int64_t from = row.at[k] + i * walk_step(&w, k);
            memcpy((uint8_t *)io->out + (row.first + i) * size,
                   (const uint8_t *)io->in[k] + from * size, (size_t)size);
        }
    return ASSAY_OK;
}

static assay_status where_backward(nn_io *io) {
    const nn_node *node = io->node;
    const uint8_t *condition = io->in[0];
    const float *d_out = io->d_out;
    double *sum[3] = {NULL, io->scratch, (double *)io->scratch + sums(node, 1, io->n)};
    nn_walk w;
    walk_row row = {0};
    memset(io->scratch, 0,
           (sums(node, 1, io->n) + sums(node, 2, io->n)) * sizeof(double));
    walk_out(&w, node, io->n);
    while (walk_next(&w, &row))
        for (int64_t i = 0; i < (int64_t)walk_length(&w); i++) {
            int k = condition[row.at[0] + i * walk_step(&w, 0)] ? 1 : 2;
            sum[k][row.at[k] + i * walk_step(&w, k)] += (double)d_out[row.first + i];
        }
    for (int k = 1; k < 3; k++)
        if (io->d_in[k])
            num_from_f64(io->d_in[k], ASSAY_F32, sum[k], sums(node, k, io->n));
    return ASSAY_OK;
}

/* Where element i of the output, in logical order, lies in it (`put`) and in the inputs.
 */
static int64_t places(const nn_node *node, int n, int64_t i, int64_t get[3]) {
    const nn_shape *out = &node->out_shape;
    int64_t put = 0, to[NN_MAX_DIMS], from[NN_MAX_DIMS];
    nn_strides(out, node->out_layout, to);
    for (int k = 0; k < 3; k++) {
        const nn_shape *s = &node->in_shape[k];
        int64_t rest = i;
        nn_strides(s, node->in_layout[k], from);
        put = get[k] = 0;
        for (int d = out->ndim; d-- > 0;) {
            int64_t size = out->dim[d] ? out->dim[d] : n, index = rest % size;
            int own = d - (out->ndim - s->ndim);
            rest /= size;
            put += index * to[d];
            get[k] += own < 0 || s->dim[own] == 1 ? 0 : index * from[own];
        }
    }
    return put;
}

static void where_reference(const nn_node *node,
                            int n,
                            bool training,
                            const double *const *in,
                            double *out,
                            const double *d_out,
                            double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->out_shape, n), get[3];
    for (int k = 1; d_out && k < 3; k++)
        if (d_in[k])
            memset(d_in[k], 0, sums(node, k, n) * sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        int64_t put = places(node, n, i, get);
        int k = in[0][get[0]] != 0 ? 1 : 2;
        out[put] = in[k][get[k]];
        if (d_out && d_in[k])
            d_in[k][get[k]] += d_out[put];
    }
}

static const nn_op_case where_cases[] = {{.name = "images",
                                          .batch = 3,
                                          .n = 2,
                                          .n_inputs = 3,
                                          .in = {{NN_CASE_VALUE, {4, {0, 3, 4, 5}}},
                                                 {NN_CASE_VALUE, {4, {0, 3, 4, 5}}},
                                                 {NN_CASE_VALUE, {4, {0, 3, 4, 5}}}},
                                          .dtype = {ASSAY_BOOL}},
                                         {.name = "a mask, and a scalar",
                                          .batch = 2,
                                          .n = 2,
                                          .n_inputs = 3,
                                          .in = {{NN_CASE_VALUE, {2, {4, 5}}},
                                                 {NN_CASE_VALUE, {3, {0, 4, 5}}},
                                                 {NN_CASE_VALUE, {0, {0}}}},
                                          .dtype = {ASSAY_BOOL}},
                                         {.name = "static i64",
                                          .batch = 1,
                                          .n = 1,
                                          .n_inputs = 3,
                                          .in = {{NN_CASE_VALUE, {2, {3, 1}}},
                                                 {NN_CASE_VALUE, {1, {4}}},
                                                 {NN_CASE_VALUE, {2, {3, 4}}}},
                                          .dtype = {ASSAY_BOOL, ASSAY_I64, ASSAY_I64}},
                                         {0}};

const nn_op_def assay_op_where = {
    .name = "where",
    .summary = "one of two values, by a condition",
    .min_inputs = 3,
    .max_inputs = 3,
    .layout = NN_ANY,
    .dtypes = ~0u,
    .infer = where_infer,
    .plan = where_plan,
    .forward = where_forward,
    .backward = where_backward,
    .reference = where_reference,
    .cases = where_cases,
};
