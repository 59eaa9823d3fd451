/* cross_entropy_tangent: how cross_entropy moves per example when the logits z move by r:
 * sum_c (p_c - t_c) r_c, p the softmax and t the label smoothed. Inputs z, labels, r. Its
 * gradient by r is p - t, that by z is p_c (r_c - <p, r>), which is where the Hessian of
 * a loss begins. Over tokens as cross_entropy: the mean over those that have a label. */
#include "nn/loss.h"

#include <math.h>
#include <string.h>

static const char *const tangent_attrs[] = {"smoothing", NULL};

static assay_status tangent_infer(nn_node *node) {
    double s = nn_attr_f(node, "smoothing", 0);
    if (!(s >= 0 && s < 1))
        return err_set(ASSAY_E_INVALID, "%s: a smoothing of %g", node->op->name, s);
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[2]))
        return nn_op_bad_shape(node, 2, "a tangent like the logits is needed");
    return loss_infer(node);
}

static assay_status tangent_plan(nn_plan *p) {
    loss_rows r = loss_rows_of(p->node);
    assay_status status = loss_plan(p);
    p->backward_reads |= 4;
    p->forward_scratch = (size_t)r.classes * sizeof(float);
    return status;
}

static double inner(const float *a, const float *b, int64_t k) {
    double sum = 0;
    for (int64_t c = 0; c < k; c++)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

static assay_status tangent_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    loss_rows rows = loss_rows_of(io->node);
    const float *z = io->in[0], *r = io->in[2];
    const int32_t *label = io->in[1];
    loss_saved *saved = io->save;
    float *out = io->out, *slope = io->scratch;
    double s = nn_attr_f(io->node, "smoothing", 0);
    int64_t k = rows.classes;
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        double total = 0;
        ASSAY_TRY(loss_count(&count, &rows, label));
        for (int64_t t = 0; t < rows.tokens; t++, z += k, r += k, label++, saved++) {
            if (*label < 0)
                continue;
            (void)loss_row(saved, z, k, *label, s);
            loss_row_back(slope, saved, z, k, *label, s, 1.0f);
            total += inner(slope, r, k);
        }
        out[i] = count ? (float)(total / (double)count) : 0.0f;
    }
done:
    return status;
}

/* d = gain p (r - <p, r>) */
static void curvature(float *d,
                      const loss_saved *saved,
                      const float *z,
                      const float *r,
                      int64_t k,
                      float gain) {
    nn_kernels_get()->exp_scaled(d, z, (size_t)k, saved->most, 1 / saved->sum, 0.0f);
    float mean = (float)inner(d, r, k);
    for (int64_t c = 0; c < k; c++)
        d[c] *= gain * (r[c] - mean);
}

static assay_status tangent_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    loss_rows rows = loss_rows_of(io->node);
    const float *z = io->in[0], *r = io->in[2], *d_out = io->d_out;
    const int32_t *label = io->in[1];
    const loss_saved *saved = io->save;
    double s = nn_attr_f(io->node, "smoothing", 0);
    int64_t k = rows.classes, at = 0;
    for (int i = 0; i < io->n; i++) {
        int64_t count;
        ASSAY_TRY(loss_count(&count, &rows, label));
        float g = count ? d_out[i] / (float)count : 0.0f;
        for (int64_t t = 0; t < rows.tokens; t++, at += k, label++, saved++) {
            float *d_z = io->d_in[0] ? (float *)io->d_in[0] + at : NULL;
            float *d_r = io->d_in[2] ? (float *)io->d_in[2] + at : NULL;
            if (d_z && *label < 0)
                memset(d_z, 0, (size_t)k * sizeof *d_z);
            else if (d_z)
                curvature(d_z, saved, z + at, r + at, k, g);
            if (d_r && *label < 0)
                memset(d_r, 0, (size_t)k * sizeof *d_r);
            else if (d_r)
                loss_row_back(d_r, saved, z + at, k, *label, s, g);
        }
    }
done:
    return status;
}

static void tangent_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training;
    loss_rows rows = loss_rows_of(node);
    int64_t k = rows.classes;
    double s = nn_attr_f(node, "smoothing", 0);
    for (int64_t i = 0; i < n; i++) {
        double count = 0;
        out[i] = 0;
        for (int64_t t = i * rows.tokens; t < (i + 1) * rows.tokens; t++)
            count += in[1][t] >= 0;
        for (int64_t t = i * rows.tokens; t < (i + 1) * rows.tokens; t++) {
            const double *z = in[0] + t * k, *r = in[2] + t * k;
            double sum = 0, mean = 0;
            if (in[1][t] < 0)
                continue;
            for (int64_t c = 0; c < k; c++)
                sum += exp(z[c]);
            for (int64_t c = 0; c < k; c++)
                mean += exp(z[c]) / sum * r[c];
            for (int64_t c = 0; c < k; c++) {
                double target = s / (double)k + (c == (int64_t)in[1][t] ? 1 - s : 0);
                double p = exp(z[c]) / sum;
                out[i] += (p - target) * r[c] / count;
                if (d_out && d_in[2])
                    d_in[2][t * k + c] = (p - target) * d_out[i] / count;
                if (d_out && d_in[0])
                    d_in[0][t * k + c] = p * (r[c] - mean) * d_out[i] / count;
            }
        }
    }
}

static const nn_op_case tangent_cases[] = {
    {.name = "ten classes",
     .batch = 5,
     .n = 4,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {0, 10}}},
            {NN_CASE_LABEL, {1, {0}}},
            {NN_CASE_VALUE, {2, {0, 10}}}}},
    {.name = "smoothing, two classes, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {0, 2}}},
            {NN_CASE_LABEL, {1, {0}}},
            {NN_CASE_VALUE, {2, {0, 2}}}},
     .attr = {{.name = "smoothing", .f = 0.1}},
     .n_attrs = 1},
    {.name = "tokens, smoothing, more classes than lanes",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 37}}},
            {NN_CASE_LABEL, {2, {0, 5}}},
            {NN_CASE_VALUE, {3, {0, 5, 37}}}},
     .attr = {{.name = "smoothing", .f = 0.2}},
     .n_attrs = 1,
     .labels = 37},
    {0}};

const nn_op_def assay_op_cross_entropy_tangent = {
    .name = "cross_entropy_tangent",
    .summary = "how cross_entropy moves with the logits, per example",
    .min_inputs = 3,
    .max_inputs = 3,
    .attrs = tangent_attrs,
    .infer = tangent_infer,
    .plan = tangent_plan,
    .forward = tangent_forward,
    .backward = tangent_backward,
    .reference = tangent_reference,
    .cases = tangent_cases,
};
