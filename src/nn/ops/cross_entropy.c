/* cross_entropy: -sum_c t_c log p_c per example, p the softmax of the logits and t the
 * label's one-hot mixed with the uniform distribution: t = (1 - s) e_y + s / K (label
 * smoothing, Szegedy et al. 2016, arXiv 1512.00567, section 7). A label outside 0..K-1 is
 * INVALID. */
#include "nn/op.h"

#include <math.h>

static const char *const ce_attrs[] = {"smoothing", NULL};

static assay_status ce_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *y = &node->in_shape[1];
    double s = nn_attr_f(node, "smoothing", 0);
    if (x->ndim != 2 || x->dim[1] < 2)
        return nn_op_bad_shape(node, 0, "logits [N,K] of two classes or more are needed");
    if (y->ndim != 1 || node->in_dtype[1] != ASSAY_I32)
        return nn_op_bad_shape(node, 1, "labels [N] in i32 are needed");
    if (!(s >= 0 && s < 1))
        return err_set(ASSAY_E_INVALID, "cross_entropy: a smoothing of %g", s);
    node->out_shape = (nn_shape){1, {0}};
    return ASSAY_OK;
}

static assay_status ce_plan(nn_plan *p) {
    p->backward_reads = 3;
    return ASSAY_OK;
}

static assay_status ce_forward(nn_io *io) {
    int64_t k = io->node->in_shape[0].dim[1];
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    double s = nn_attr_f(io->node, "smoothing", 0);
    for (int i = 0; i < io->n; i++, z += k) {
        if (label[i] < 0 || label[i] >= k)
            return err_set(ASSAY_E_INVALID, "label %d of %lld classes", label[i],
                           (long long)k);
        float most = z[0];
        double sum = 0, all = 0;
        for (int64_t c = 1; c < k; c++)
            most = z[c] > most ? z[c] : most;
        for (int64_t c = 0; c < k; c++) {
            sum += exp((double)z[c] - (double)most);
            all += (double)z[c];
        }
        double target = (1 - s) * (double)z[label[i]] + s * all / (double)k;
        ((float *)io->out)[i] = (float)((double)most + log(sum) - target);
    }
    return ASSAY_OK;
}

static assay_status ce_backward(nn_io *io) {
    int64_t k = io->node->in_shape[0].dim[1];
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    double s = nn_attr_f(io->node, "smoothing", 0);
    float *d = io->d_in[0];
    for (int i = 0; i < io->n; i++, z += k, d += k) {
        float most = z[0];
        double sum = 0;
        for (int64_t c = 1; c < k; c++)
            most = z[c] > most ? z[c] : most;
        for (int64_t c = 0; c < k; c++) {
            double e = exp((double)z[c] - (double)most);
            sum += e;
            d[c] = (float)e;
        }
        for (int64_t c = 0; c < k; c++) {
            double t = s / (double)k + (c == label[i] ? 1 - s : 0);
            d[c] =
                (float)(((double)d[c] / sum - t) * (double)((const float *)io->d_out)[i]);
        }
    }
    return ASSAY_OK;
}

static void ce_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    (void)training;
    int64_t k = node->in_shape[0].dim[1];
    double s = nn_attr_f(node, "smoothing", 0);
    for (int64_t i = 0; i < n; i++) {
        const double *z = in[0] + i * k;
        double sum = 0;
        out[i] = 0;
        for (int64_t c = 0; c < k; c++)
            sum += exp(z[c]);
        for (int64_t c = 0; c < k; c++) {
            double t = s / (double)k + (c == (int64_t)in[1][i] ? 1 - s : 0);
            out[i] -= t * log(exp(z[c]) / sum);
            if (d_out && d_in[0])
                d_in[0][i * k + c] = (exp(z[c]) / sum - t) * d_out[i];
        }
    }
}

static const nn_op_case ce_cases[] = {
    {.name = "ten classes",
     .batch = 5,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 10}}}, {NN_CASE_LABEL, {1, {0}}}}},
    {.name = "smoothing, two classes, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 2}}}, {NN_CASE_LABEL, {1, {0}}}},
     .attr = {{.name = "smoothing", .f = 0.1}},
     .n_attrs = 1},
    {.name = "smoothing, odd",
     .batch = 7,
     .n = 7,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 17}}}, {NN_CASE_LABEL, {1, {0}}}},
     .attr = {{.name = "smoothing", .f = 0.3}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_cross_entropy = {
    .name = "cross_entropy",
    .summary = "the loss of a classification, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = ce_attrs,
    .infer = ce_infer,
    .plan = ce_plan,
    .forward = ce_forward,
    .backward = ce_backward,
    .reference = ce_reference,
    .cases = ce_cases,
};
