/* Shapes and labels of the losses over logits. */
#include "nn/loss.h"

#include <math.h>

assay_status loss_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *y = &node->in_shape[1];
    bool tokens = x->ndim == 3;
    if ((x->ndim != 2 && !tokens) || x->dim[x->ndim - 1] < 2)
        return nn_op_bad_shape(
            node, 0, "logits [N,K] or [N,T,K] of two classes or more are needed");
    if (y->ndim != x->ndim - 1 || node->in_dtype[1] != ASSAY_I32 ||
        (tokens && y->dim[1] != x->dim[1]))
        return nn_op_bad_shape(node, 1,
                               "one label in i32 for each row of logits is needed");
    node->out_shape = (nn_shape){1, {0}};
    return ASSAY_OK;
}

loss_rows loss_rows_of(const nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    bool tokens = x->ndim == 3;
    return (loss_rows){tokens ? x->dim[1] : 1, x->dim[x->ndim - 1], tokens};
}

assay_status loss_plan(nn_plan *p) {
    loss_rows r = loss_rows_of(p->node);
    p->backward_reads = 3;
    p->save_bytes = (size_t)p->batch * (size_t)r.tokens * sizeof(loss_saved);
    return ASSAY_OK;
}

assay_status loss_count(int64_t *out, const loss_rows *r, const int32_t *label) {
    *out = 0;
    for (int64_t t = 0; t < r->tokens; t++) {
        bool skipped = r->may_skip && label[t] == -1;
        if (!skipped && (label[t] < 0 || label[t] >= r->classes))
            return err_set(ASSAY_E_INVALID, "label %d of %lld classes", label[t],
                           (long long)r->classes);
        *out += !skipped;
    }
    return ASSAY_OK;
}

static double mean_of(const float *z, int64_t k) {
    double sum = 0;
    for (int64_t c = 0; c < k; c++)
        sum += (double)z[c];
    return sum / (double)k;
}

double loss_row(loss_saved *saved, const float *z, int64_t k, int32_t label, double s) {
    double sum = nn_kernels_get()->exp_sum(&saved->most, z, (size_t)k, -1);
    saved->sum = (float)sum;
    double target = (1 - s) * (double)z[label];
    if (s > 0)
        target += s * mean_of(z, k);
    return (double)saved->most + log(sum) - target;
}

void loss_row_back(float *d,
                   const loss_saved *saved,
                   const float *z,
                   int64_t k,
                   int32_t label,
                   double s,
                   float gain) {
    float even = (float)((double)gain * s / (double)k);
    nn_kernels_get()->exp_scaled(d, z, (size_t)k, saved->most, gain / saved->sum, even);
    d[label] -= (float)(1 - s) * gain;
}
