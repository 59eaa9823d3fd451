/* clip: x, at least "min" and at most "max" (.f each; absent: no bound). The slope is 1
 * within the bounds and at them, 0 outside. Bounds that are computed: maximum and
 * minimum.
 */
#include "nn/numbers.h"
#include "nn/op.h"

#include <math.h>

static const char *const clip_attrs[] = {"min", "max", NULL};

static assay_status clip_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static assay_status clip_plan(nn_plan *p) {
    p->backward_reads = 1;
    return ASSAY_OK;
}

static double clipped(double v, double low, double high) {
    double at_least = v < low ? low : v;
    return at_least > high ? high : at_least;
}

static assay_status clip_forward(nn_io *io) {
    const nn_node *node = io->node;
    assay_dtype dtype = node->in_dtype[0];
    int64_t count = nn_shape_elements(&node->in_shape[0], io->n);
    double low = nn_attr_f(node, "min", -INFINITY),
           high = nn_attr_f(node, "max", INFINITY);
    if (dtype == ASSAY_F32) {
        const float *x = io->in[0], least = (float)low, most = (float)high;
        float *y = io->out;
        for (int64_t i = 0; i < count; i++) {
            float at_least = x[i] < least ? least : x[i];
            y[i] = at_least > most ? most : at_least;
        }
        return ASSAY_OK;
    }
    size_t size = assay_dtype_size(dtype);
    for (int64_t i = 0; i < count; i++) {
        double v;
        num_to_f64(&v, (const uint8_t *)io->in[0] + (size_t)i * size, dtype, 1, 1);
        v = clipped(v, low, high);
        num_from_f64((uint8_t *)io->out + (size_t)i * size, dtype, &v, 1);
    }
    return ASSAY_OK;
}

static assay_status clip_backward(nn_io *io) {
    const float *x = io->in[0], *d_y = io->d_out;
    float *d_x = io->d_in[0];
    float low = (float)nn_attr_f(io->node, "min", -INFINITY),
          high = (float)nn_attr_f(io->node, "max", INFINITY);
    int64_t count = nn_shape_elements(&io->node->in_shape[0], io->n);
    for (int64_t i = 0; i < count; i++)
        d_x[i] = x[i] >= low && x[i] <= high ? d_y[i] : 0;
    return ASSAY_OK;
}

static void clip_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    double low = nn_attr_f(node, "min", -INFINITY),
           high = nn_attr_f(node, "max", INFINITY);
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        double v = in[0][i];
        out[i] = fmin(fmax(v, low), high);
        if (d_out && d_in[0])
            d_in[0][i] = v >= low && v <= high ? d_out[i] : 0;
    }
}

static const nn_op_case clip_cases[] = {
    {.name = "image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 2}}}},
     .attr = {{.name = "min", .f = -0.5}, {.name = "max", .f = 0.75}},
     .n_attrs = 2},
    {.name = "from below",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 33}}}},
     .attr = {{.name = "min", .f = 0.25}},
     .n_attrs = 1},
    {.name = "static i8",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {1, {30}}}},
     .attr = {{.name = "max", .f = 2}},
     .n_attrs = 1,
     .dtype = {ASSAY_I8}},
    {0}};

const nn_op_def assay_op_clip = {
    .name = "clip",
    .summary = "numbers cut to a range",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = ~(1u << ASSAY_BOOL),
    .attrs = clip_attrs,
    .infer = clip_infer,
    .plan = clip_plan,
    .forward = clip_forward,
    .backward = clip_backward,
    .reference = clip_reference,
    .cases = clip_cases,
};
