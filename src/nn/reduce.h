/* Reductions over some axes: one number for all elements that agree in the others. What
 * each keeps of the elements it has seen, how it ends, and the slopes, in reduce.c by
 * kind; an op's file names its kind and its rule in float64.
 *
 * Attributes: "axes" (negative: from the end; default: all), "keepdims" (default 1). Over
 * the batch it is one number of all examples, so the executor runs them in one shard.
 * Everything is added up in f64, so integers are exact up to 2^53. */
#ifndef NN_REDUCE_H
#define NN_REDUCE_H

#include "nn/numbers.h"
#include "nn/op.h"

typedef enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX, /* equal elements share the gradient */
    REDUCE_MIN,
    REDUCE_PROD,
    REDUCE_L1,
    REDUCE_L2, /* the slope at 0 is 0 */
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
    REDUCE_SUM_SQUARE
} reduce_kind;

/* The elements of one output, in float64 and logical order. */
typedef struct reduce_members {
    const double *x;
    int64_t count, first;
    int ndim; /* reduced dimensions, their sizes and strides */
    int64_t dim[NN_MAX_DIMS], stride[NN_MAX_DIMS];
} reduce_members;
int64_t reduce_place(const reduce_members *m, int64_t i);
static inline double reduce_at(const reduce_members *m, int64_t i) {
    return m->x[reduce_place(m, i)];
}

typedef struct reduction {
    reduce_kind kind;
    /* In float64: the value, and its slope by member i. */
    double (*value)(const reduce_members *x);
    double (*slope)(const reduce_members *x, double y, int64_t i);
} reduction;

extern const char *const reduce_attrs[];
extern const nn_op_case reduce_cases[], reduce_cases_positive[];

assay_status reduce_infer(nn_node *node);
assay_status reduce_plan(nn_plan *p);
assay_status reduce_forward(nn_io *io);
assay_status reduce_backward(nn_io *io);
void reduce_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in);

#define REDUCE_OP                                                                        \
    .min_inputs = 1, .max_inputs = 1, .layout = NN_ANY, .dtypes = ~(1u << ASSAY_BOOL),   \
    .attrs = reduce_attrs, .infer = reduce_infer, .plan = reduce_plan,                   \
    .forward = reduce_forward, .backward = reduce_backward,                              \
    .reference = reduce_reference

#endif
