/* kl: the divergence sum_k t_k (log t_k - z_k) per example, z the log-probabilities that
 * a model gives (input 0) and t the target's probabilities (input 1), or their logarithms
 * with log_target 1. A target of zero adds nothing. The mean over the batch is PyTorch's
 * kl_div with reduction "batchmean". */
#include "nn/op.h"

#include <math.h>

static const char *const kl_attrs[] = {"log_target", NULL};

static assay_status kl_infer(nn_node *node) {
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[1]))
        return nn_op_bad_shape(node, 1, "both values must have the shape of input 0");
    if (node->in_shape[0].ndim < 1)
        return nn_op_bad_shape(node, 0, "values with a batch dimension are needed");
    node->out_shape = (nn_shape){1, {node->in_shape[0].dim[0]}};
    return ASSAY_OK;
}

static assay_status kl_plan(nn_plan *p) {
    p->backward_reads = 3;
    return ASSAY_OK;
}

/* One term and its slopes by z and by t as it is given. */
typedef struct kl_term {
    double value, by_z, by_t;
} kl_term;

static kl_term term_of(double z, double t, bool is_log) {
    double p = is_log ? exp(t) : t, log_p = is_log ? t : t > 0 ? log(t) : 0;
    kl_term k = {p > 0 ? p * (log_p - z) : 0, -p, 0};
    if (is_log)
        k.by_t = p * (log_p - z) + p;
    else if (t > 0)
        k.by_t = log_p + 1 - z;
    return k;
}

static assay_status kl_forward(nn_io *io) {
    int64_t each = nn_shape_each(&io->node->in_shape[0]);
    bool is_log = nn_attr_i(io->node, "log_target", 0) != 0;
    const float *z = io->in[0], *t = io->in[1];
    for (int i = 0; i < io->n; i++, z += each, t += each) {
        double sum = 0;
        for (int64_t k = 0; k < each; k++)
            sum += term_of((double)z[k], (double)t[k], is_log).value;
        ((float *)io->out)[i] = (float)sum;
    }
    return ASSAY_OK;
}

static assay_status kl_backward(nn_io *io) {
    int64_t each = nn_shape_each(&io->node->in_shape[0]);
    bool is_log = nn_attr_i(io->node, "log_target", 0) != 0;
    const float *z = io->in[0], *t = io->in[1], *d_y = io->d_out;
    float *d_z = io->d_in[0], *d_t = io->d_in[1];
    for (int64_t k = 0; k < io->n * each; k++) {
        kl_term s = term_of((double)z[k], (double)t[k], is_log);
        if (d_z)
            d_z[k] = (float)(s.by_z * (double)d_y[k / each]);
        if (d_t)
            d_t[k] = (float)(s.by_t * (double)d_y[k / each]);
    }
    return ASSAY_OK;
}

static void kl_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    (void)training;
    int64_t each = nn_shape_each(&node->in_shape[0]);
    bool is_log = nn_attr_i(node, "log_target", 0) != 0;
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t k = i * each; k < (i + 1) * each; k++) {
            kl_term s = term_of(in[0][k], in[1][k], is_log);
            out[i] += s.value;
            if (d_out && d_in[0])
                d_in[0][k] = s.by_z * d_out[i];
            if (d_out && d_in[1])
                d_in[1][k] = s.by_t * d_out[i];
        }
    }
}

static const nn_op_case kl_cases[] = {
    {.name = "probabilities",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 11}}}, {NN_CASE_POSITIVE, {2, {0, 11}}}}},
    {.name = "logarithms, tokens",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 5}}}, {NN_CASE_VALUE, {3, {0, 4, 5}}}},
     .attr = {{.name = "log_target", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_kl = {
    .name = "kl",
    .summary = "the Kullback-Leibler divergence of log-probabilities, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .attrs = kl_attrs,
    .infer = kl_infer,
    .plan = kl_plan,
    .forward = kl_forward,
    .backward = kl_backward,
    .reference = kl_reference,
    .cases = kl_cases,
};
