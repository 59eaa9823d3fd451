/* margin: logit_y - logsumexp over the others = log(p_y / (1 - p_y)) per example: the
 * model output that attribution differentiates (TRAK, Park et al. 2023, arXiv 2303.14186,
 * section 3.2). Its gradient: 1 at the label, minus the softmax over the other classes
 * elsewhere. With a row of logits per token it is the mean over an example's tokens;
 * loss.h says which count. */
#include "nn/loss.h"

#include <math.h>
#include <string.h>

static assay_status margin_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const nn_kernels *kernels = nn_kernels_get();
    loss_rows r = loss_rows_of(io->node);
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    loss_saved *saved = io->save;
    float *margin = io->out;
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        double total = 0;
        ASSAY_TRY(loss_count(&count, &r, label));
        for (int64_t t = 0; t < r.tokens; t++, z += r.classes, label++, saved++) {
            if (*label < 0)
                continue;
            double sum = kernels->exp_sum(&saved->most, z, (size_t)r.classes, *label);
            saved->sum = (float)sum;
            total += (double)z[*label] - (double)saved->most - log(sum);
        }
        margin[i] = count ? (float)(total / (double)count) : 0.0f;
    }
done:
    return status;
}

static assay_status margin_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const nn_kernels *kernels = nn_kernels_get();
    loss_rows r = loss_rows_of(io->node);
    const float *z = io->in[0], *d_out = io->d_out;
    const int32_t *label = io->in[1];
    const loss_saved *saved = io->save;
    float *d = io->d_in[0];
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        ASSAY_TRY(loss_count(&count, &r, label));
        float g = count ? d_out[i] / (float)count : 0.0f;
        for (int64_t t = 0; t < r.tokens; t++, label++, saved++) {
            if (*label < 0) {
                memset(d, 0, (size_t)r.classes * sizeof *d);
            } else {
                kernels->exp_scaled(d, z, (size_t)r.classes, saved->most, -g / saved->sum,
                                    0.0f);
                d[*label] = g;
            }
            z += r.classes;
            d += r.classes;
        }
    }
done:
    return status;
}

static void margin_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    loss_rows r = loss_rows_of(node);
    int64_t k = r.classes;
    for (int64_t i = 0; i < n; i++) {
        double count = 0;
        out[i] = 0;
        for (int64_t t = i * r.tokens; t < (i + 1) * r.tokens; t++)
            count += in[1][t] >= 0;
        for (int64_t t = i * r.tokens; t < (i + 1) * r.tokens; t++) {
            const double *z = in[0] + t * k;
            int64_t y = (int64_t)in[1][t];
            double all = 0;
            if (y < 0)
                continue;
            for (int64_t c = 0; c < k; c++)
                all += exp(z[c]);
            double p = exp(z[y]) / all;
            out[i] += log(p / (1 - p)) / count;
            for (int64_t c = 0; d_out && d_in[0] && c < k; c++) {
                /* d margin / d p_y = 1 / (p (1 - p)); d p_y / d z_c = p_y ([c = y] - p_c)
                 */
                double pc = exp(z[c]) / all;
                d_in[0][t * k + c] = ((c == y ? 1 : 0) - pc) / (1 - p) * d_out[i] / count;
            }
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
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 19}}}, {NN_CASE_LABEL, {2, {0, 5}}}},
     .labels = 19},
    {0}};

const nn_op_def assay_op_margin = {
    .name = "margin",
    .summary = "log(p/(1-p)) of the label, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = loss_infer,
    .plan = loss_plan,
    .forward = margin_forward,
    .backward = margin_backward,
    .reference = margin_reference,
    .cases = margin_cases,
};
