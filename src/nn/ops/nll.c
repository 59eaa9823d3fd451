/* nll: minus the log-probability of the label, z[N,K,...] and labels [N,...] in i32 or
 * i64; with weights [K] as a third input each label's counts by its weight. A label equal
 * to ignore_index counts for nothing; any other outside 0..K-1 is INVALID.
 *
 * reduction 0 (the default) gives one number per label, [N,...]. 1 (sum) and 2 (mean: the
 * sum over the sum of the weights that count) give a scalar, and exist only where the
 * batch is static: a mean over an open batch is the trainer's business. ONNX's
 * SoftmaxCrossEntropyLoss is this behind a log-softmax over axis 1. */
#include "nn/op.h"

#include <math.h>
#include <string.h>

static const char *const nll_attrs[] = {"ignore_index", "reduction", NULL};

enum { NONE, SUM, MEAN };

static assay_status nll_infer(nn_node *node) {
    const nn_shape *z = &node->in_shape[0], *y = &node->in_shape[1];
    int64_t reduction = nn_attr_i(node, "reduction", NONE);
    if (z->ndim < 2)
        return nn_op_bad_shape(node, 0, "log-probabilities [N,K,...] are needed");
    nn_shape labels = {z->ndim - 1, {z->dim[0]}};
    for (int i = 2; i < z->ndim; i++)
        labels.dim[i - 1] = z->dim[i];
    if (!nn_shape_equal(y, &labels))
        return nn_op_bad_shape(node, 1, "labels [N,...] are needed");
    if (node->in_dtype[0] != ASSAY_F32)
        return nn_op_bad_dtype(node, 0, "log-probabilities in f32 are needed");
    if (node->in_dtype[1] != ASSAY_I32 && node->in_dtype[1] != ASSAY_I64)
        return nn_op_bad_dtype(node, 1, "labels in i32 or i64 are needed");
    if (node->n_in > 2 &&
        (node->in_shape[2].ndim != 1 || node->in_shape[2].dim[0] != z->dim[1]))
        return nn_op_bad_shape(node, 2, "one weight per class of input 0 is needed");
    if (node->n_in > 2 && node->in_dtype[2] != ASSAY_F32)
        return nn_op_bad_dtype(node, 2, "weights in f32 are needed");
    if (reduction < NONE || reduction > MEAN)
        return err_set(ASSAY_E_INVALID, "nll: a reduction of %lld", (long long)reduction);
    if (reduction != NONE && nn_shape_open(z))
        return nn_op_bad_shape(node, 0, "a sum or mean needs a static batch");
    node->out_shape = reduction == NONE ? labels : (nn_shape){0, {0}};
    return ASSAY_OK;
}

static assay_status nll_plan(nn_plan *p) {
    p->backward_reads = 6;
    return ASSAY_OK;
}

/* What an element of the labels says: the class (-1: ignored) and where its number lies.
 */
typedef struct nll_walk {
    int64_t classes, inner, count, ignore;
    bool has_ignore;
} nll_walk;

static nll_walk walk_of(const nn_node *node, int n) {
    const nn_shape *z = &node->in_shape[0];
    nll_walk w = {.classes = z->dim[1],
                  .inner = nn_shape_each(z) / z->dim[1],
                  .count = nn_shape_elements(&node->in_shape[1], n),
                  .ignore = nn_attr_i(node, "ignore_index", 0),
                  .has_ignore = nn_attr_get(node, "ignore_index") != NULL};
    return w;
}

/* INVALID if the label is no class. */
static assay_status
class_of(const nn_io *io, const nll_walk *w, int64_t i, int64_t *out) {
    int64_t label = io->node->in_dtype[1] == ASSAY_I64 ? ((const int64_t *)io->in[1])[i]
                                                       : ((const int32_t *)io->in[1])[i];
    *out = -1;
    if (w->has_ignore && label == w->ignore)
        return ASSAY_OK;
    if (label < 0 || label >= w->classes)
        return err_set(ASSAY_E_INVALID, "label %lld of %lld classes", (long long)label,
                       (long long)w->classes);
    *out = label;
    return ASSAY_OK;
}

static int64_t place_of(const nll_walk *w, int64_t i, int64_t label) {
    return (i / w->inner * w->classes + label) * w->inner + i % w->inner;
}

static double weight_of(const nn_io *io, int64_t label) {
    return label < 0 ? 0 : io->in[2] ? (double)((const float *)io->in[2])[label] : 1;
}

static assay_status nll_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    nll_walk w = walk_of(io->node, io->n);
    int64_t reduction = nn_attr_i(io->node, "reduction", NONE), label;
    const float *z = io->in[0];
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < w.count; i++) {
        ASSAY_TRY(class_of(io, &w, i, &label));
        double weight = weight_of(io, label);
        double loss = label < 0 ? 0 : -weight * (double)z[place_of(&w, i, label)];
        sum += loss;
        weights += weight;
        if (reduction == NONE)
            ((float *)io->out)[i] = (float)loss;
    }
    if (reduction != NONE)
        *(float *)io->out = (float)(reduction == MEAN ? sum / weights : sum);
done:
    return status;
}

static assay_status nll_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    nll_walk w = walk_of(io->node, io->n);
    int64_t reduction = nn_attr_i(io->node, "reduction", NONE), label;
    const float *d_y = io->d_out;
    float *d_z = io->d_in[0];
    double weights = 0;
    if (!d_z)
        return ASSAY_OK;
    memset(d_z, 0, (size_t)(w.count * w.classes) * sizeof *d_z);
    for (int64_t i = 0; i < w.count; i++) {
        ASSAY_TRY(class_of(io, &w, i, &label));
        weights += weight_of(io, label);
    }
    double share = reduction == MEAN ? 1 / weights : 1;
    for (int64_t i = 0; i < w.count; i++) {
        ASSAY_TRY(class_of(io, &w, i, &label));
        if (label >= 0)
            d_z[place_of(&w, i, label)] = (float)(-weight_of(io, label) * share *
                                                  (double)d_y[reduction == NONE ? i : 0]);
    }
done:
    return status;
}

static void nll_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training;
    nll_walk w = walk_of(node, n);
    int64_t reduction = nn_attr_i(node, "reduction", NONE);
    double weights = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < w.count; i++) {
            int64_t label = (int64_t)in[1][i];
            bool counts = !w.has_ignore || label != w.ignore;
            double weight = !counts ? 0 : node->n_in > 2 ? in[2][label] : 1;
            int64_t at = counts ? place_of(&w, i, label) : 0;
            double share = reduction == MEAN && pass ? 1 / weights : 1;
            weights += pass ? 0 : weight;
            if (pass == 0) {
                sum -= weight * in[0][at];
                if (reduction == NONE)
                    out[i] = -weight * in[0][at];
            } else if (d_out && d_in[0]) {
                d_in[0][at] -= weight * share * d_out[reduction == NONE ? i : 0];
            }
        }
    if (reduction != NONE)
        out[0] = reduction == MEAN ? sum / weights : sum;
}

static const nn_op_case nll_cases[] = {
    {.name = "ten classes",
     .batch = 5,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 10}}}, {NN_CASE_LABEL, {1, {0}}}}},
    {.name = "pixels, weights, one class ignored",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 4}}},
            {NN_CASE_LABEL, {3, {0, 3, 4}}},
            {NN_CASE_CONSTANT, {1, {5}}}},
     .attr = {{.name = "ignore_index", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "mean of a static batch",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {3, 4, 7}}},
            {NN_CASE_LABEL, {2, {3, 7}}},
            {NN_CASE_CONSTANT, {1, {4}}}},
     .attr = {{.name = "reduction", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "sum of a static batch",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {3, 4}}}, {NN_CASE_LABEL, {1, {3}}}},
     .attr = {{.name = "reduction", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_nll = {
    .name = "nll",
    .summary = "minus the log-probability of the label",
    .min_inputs = 2,
    .max_inputs = 3,
    .layout = NN_ROWS,
    .dtypes = 1u << ASSAY_F32 | 1u << ASSAY_I32 | 1u << ASSAY_I64,
    .attrs = nll_attrs,
    .infer = nll_infer,
    .plan = nll_plan,
    .forward = nll_forward,
    .backward = nll_backward,
    .reference = nll_reference,
    .cases = nll_cases,
};
