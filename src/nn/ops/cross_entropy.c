/* cross_entropy: -sum_c t_c log p_c per example, p the softmax of the logits and t the
 * label's one-hot mixed with the uniform distribution: t = (1 - s) e_y + s / K (label
 * smoothing, Szegedy et al. 2016, arXiv 1512.00567, section 7). With a row of logits per
 * token it is the mean over an example's tokens; loss.h says which count. A label outside
 * 0..K-1 is INVALID. */
#include "nn/loss.h"
#include "nn/tangent.h"

#include <math.h>
#include <string.h>

static const char *const ce_attrs[] = {"smoothing", NULL};

static assay_status ce_infer(nn_node *node) {
    double s = nn_attr_f(node, "smoothing", 0);
    if (!(s >= 0 && s < 1))
        return err_set(ASSAY_E_INVALID, "cross_entropy: a smoothing of %g", s);
    return loss_infer(node);
}

static assay_status ce_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    loss_rows r = loss_rows_of(io->node);
    const float *z = io->in[0];
    const int32_t *label = io->in[1];
    loss_saved *saved = io->save;
    float *loss = io->out;
    double s = nn_attr_f(io->node, "smoothing", 0);
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        double total = 0;
        ASSAY_TRY(loss_count(&count, &r, label));
        for (int64_t t = 0; t < r.tokens; t++, z += r.classes, label++, saved++) {
            if (*label < 0)
                continue;
            total += loss_row(saved, z, r.classes, *label, s);
        }
        loss[i] = count ? (float)(total / (double)count) : 0.0f;
    }
done:
    return status;
}

static assay_status ce_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    loss_rows r = loss_rows_of(io->node);
    const float *z = io->in[0], *d_out = io->d_out;
    const int32_t *label = io->in[1];
    const loss_saved *saved = io->save;
    float *d = io->d_in[0];
    double s = nn_attr_f(io->node, "smoothing", 0);
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        ASSAY_TRY(loss_count(&count, &r, label));
        float g = count ? d_out[i] / (float)count : 0.0f;
        for (int64_t t = 0; t < r.tokens; t++, label++, saved++) {
            if (*label < 0) {
                memset(d, 0, (size_t)r.classes * sizeof *d);
            } else {
                loss_row_back(d, saved, z, r.classes, *label, s, g);
            }
            z += r.classes;
            d += r.classes;
        }
    }
done:
    return status;
}

static assay_status ce_tangent(nn_value *out, const nn_tangent *t) {
    const nn_value in[] = {t->node->in[0], t->node->in[1], t->of[0]};
    return nn_tangent_op(out, t, "cross_entropy_tangent", in, 3);
}

static void ce_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    (void)training;
    loss_rows r = loss_rows_of(node);
    int64_t k = r.classes;
    double s = nn_attr_f(node, "smoothing", 0);
    for (int64_t i = 0; i < n; i++) {
        double count = 0;
        out[i] = 0;
        for (int64_t t = i * r.tokens; t < (i + 1) * r.tokens; t++)
            count += in[1][t] >= 0;
        for (int64_t t = i * r.tokens; t < (i + 1) * r.tokens; t++) {
            const double *z = in[0] + t * k;
            double sum = 0;
            if (in[1][t] < 0)
                continue;
            for (int64_t c = 0; c < k; c++)
                sum += exp(z[c]);
            for (int64_t c = 0; c < k; c++) {
                double target = s / (double)k + (c == (int64_t)in[1][t] ? 1 - s : 0);
                out[i] -= target * log(exp(z[c]) / sum) / count;
                if (d_out && d_in[0])
                    d_in[0][t * k + c] = (exp(z[c]) / sum - target) * d_out[i] / count;
            }
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
    {.name = "tokens, more classes than lanes",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 37}}}, {NN_CASE_LABEL, {2, {0, 5}}}},
     .labels = 37},
    {.name = "tokens, smoothing",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 6}}}, {NN_CASE_LABEL, {2, {0, 4}}}},
     .attr = {{.name = "smoothing", .f = 0.2}},
     .n_attrs = 1,
     .labels = 6},
    {0}};

const nn_op_def assay_op_cross_entropy = {
    .name = "cross_entropy",
    .summary = "the loss of a classification, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = ce_attrs,
    .infer = ce_infer,
    .plan = loss_plan,
    .forward = ce_forward,
    .backward = ce_backward,
    .tangent = ce_tangent,
    .reference = ce_reference,
    .cases = ce_cases,
};
