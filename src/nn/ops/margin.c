/* margin: logit_y - logsumexp over the others = log(p_y / (1 - p_y)) per example: the
 * model output that attribution differentiates (TRAK, Park et al. 2023, arXiv 2303.14186,
 * section 3.2). Its gradient: 1 at the label, minus the softmax over the other classes
 * elsewhere. */
#include "nn/op.h"

#include <math.h>

static assay_status margin_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *y = &node->in_shape[1];
    if (x->ndim != 2 || x->dim[1] < 2)
        return nn_op_bad_shape(node, 0, "logits [N,K] of two classes or more are needed");
    if (y->ndim != 1 || node->in_dtype[1] != ASSAY_I32)
        return nn_op_bad_shape(node, 1, "labels [N] in i32 are needed");
    node->out_shape = (nn_shape){1, {0}};
    return ASSAY_OK;
}

static assay_status margin_plan(nn_plan *p) {
    p->backward_reads = 3;
    return ASSAY_OK;
}

/* The largest of the other logits and the sum of exp(z - largest) over them. */
static double others(const float *z, int64_t k, int32_t label, double *most) {
    double sum = 0;
    *most = -INFINITY;
    for (int64_t c = 0; c < k; c++)
        if (c != label && (double)z[c] > *most)
            *most = (double)z[c];
    for (int64_t c = 0; c < k; c++)
        if (c != label)
            sum += exp((double)z[c] - *most);
    return sum;
}

static assay_status margin_forward(nn_io *io) {
    int64_t k = io->node->in_shape[0].dim[1];
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    for (int i = 0; i < io->n; i++, z += k) {
        double most;
        if (label[i] < 0 || label[i] >= k)
            return err_set(ASSAY_E_INVALID, "label %d of %lld classes", label[i],
                           (long long)k);
        double sum = others(z, k, label[i], &most);
        ((float *)io->out)[i] = (float)((double)z[label[i]] - most - log(sum));
    }
    return ASSAY_OK;
}

static assay_status margin_backward(nn_io *io) {
    int64_t k = io->node->in_shape[0].dim[1];
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    float *d = io->d_in[0];
    for (int i = 0; i < io->n; i++, z += k, d += k) {
        double most, sum = others(z, k, label[i], &most);
        for (int64_t c = 0; c < k; c++) {
            double g = c == label[i] ? 1 : -exp((double)z[c] - most) / sum;
            d[c] = (float)(g * (double)((const float *)io->d_out)[i]);
        }
    }
    return ASSAY_OK;
}

static void margin_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    int64_t k = node->in_shape[0].dim[1];
    for (int64_t i = 0; i < n; i++) {
        const double *z = in[0] + i * k;
        int64_t y = (int64_t)in[1][i];
        double all = 0;
        for (int64_t c = 0; c < k; c++)
            all += exp(z[c]);
        double p = exp(z[y]) / all;
        out[i] = log(p / (1 - p));
        for (int64_t c = 0; d_out && d_in[0] && c < k; c++) {
            /* d margin / d p_y = 1 / (p (1 - p)); d p_y / d z_c = p_y ([c = y] - p_c) */
            double pc = exp(z[c]) / all;
            d_in[0][i * k + c] = ((c == y ? 1 : 0) - pc) / (1 - p) * d_out[i];
        }
    }
}

static const nn_op_case margin_cases[] = {
    {.name = "ten classes",
     .batch = 5,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 10}}}, {NN_CASE_LABEL, {1, {0}}}}},
    {.name = "two classes, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 2}}}, {NN_CASE_LABEL, {1, {0}}}}},
    {0}};

const nn_op_def assay_op_margin = {
    .name = "margin",
    .summary = "log(p/(1-p)) of the label, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = margin_infer,
    .plan = margin_plan,
    .forward = margin_forward,
    .backward = margin_backward,
    .reference = margin_reference,
    .cases = margin_cases,
};
