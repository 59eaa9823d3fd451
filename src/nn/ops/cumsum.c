/* cumsum: running sums along "axis" (0): each element the sum up to itself, or
 * ("exclusive" 1) up to the one before; "reverse" 1 begins at the end. Floats are added
 * up in f64, integers in 64 bits. */
#include "nn/numbers.h"
#include "nn/strided.h"

static const char *const cumsum_attrs[] = {"axis", "exclusive", "reverse", NULL};

static assay_status cumsum_infer(nn_node *node) {
    int axis;
    assay_status status = strided_axis_attr(&axis, node, "axis", 0, 0);
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    return status;
}

/* The elements of one sum: `first`, then `step` apart. */
typedef struct line {
    int64_t first, step;
} line;

static strided_axes around(const nn_node *node, int n) {
    int axis = (int)nn_attr_i(node, "axis", 0);
    return strided_around(&node->in_shape[0],
                          axis < 0 ? axis + node->in_shape[0].ndim : axis, n);
}

static line line_at(const strided_axes *a, int64_t i, bool reverse) {
    int64_t first = i / a->inner * a->size * a->inner + i % a->inner;
    if (reverse)
        return (line){first + (a->size - 1) * a->inner, -a->inner};
    return (line){first, a->inner};
}

static void run(void *out,
                const void *in,
                assay_dtype dtype,
                const strided_axes *a,
                bool exclusive,
                bool reverse) {
    size_t size = assay_dtype_size(dtype);
    bool real = num_is_float(dtype);
    for (int64_t i = 0; i < a->outer * a->inner; i++) {
        line at = line_at(a, i, reverse);
        double sum = 0, x;
        int64_t whole = 0, w;
        for (int64_t k = 0; k < a->size; k++, at.first += at.step) {
            const uint8_t *from = (const uint8_t *)in + (size_t)at.first * size;
            uint8_t *to = (uint8_t *)out + (size_t)at.first * size;
            double before = sum;
            int64_t whole_before = whole;
            if (real) {
                num_to_f64(&x, from, dtype, 1, 1);
                sum += x;
                num_from_f64(to, dtype, exclusive ? &before : &sum, 1);
            } else {
                num_to_i64(&w, from, dtype, 1, 1);
                whole = (int64_t)((uint64_t)whole + (uint64_t)w);
                num_from_i64(to, dtype, exclusive ? &whole_before : &whole, 1);
            }
        }
    }
}

static bool flag(const nn_node *node, const char *name) {
    return nn_attr_i(node, name, 0) != 0;
}

static assay_status cumsum_forward(nn_io *io) {
    strided_axes a = around(io->node, io->n);
    run(io->out, io->in[0], io->node->in_dtype[0], &a, flag(io->node, "exclusive"),
        flag(io->node, "reverse"));
    return ASSAY_OK;
}

/* An element is in the sums behind it: the same sums from the other end. */
static assay_status cumsum_backward(nn_io *io) {
    strided_axes a = around(io->node, io->n);
    run(io->d_in[0], io->d_out, ASSAY_F32, &a, flag(io->node, "exclusive"),
        !flag(io->node, "reverse"));
    return ASSAY_OK;
}

static void cumsum_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    strided_axes a = around(node, n);
    bool exclusive = flag(node, "exclusive"), reverse = flag(node, "reverse");
    for (int64_t i = 0; i < a.outer * a.inner; i++) {
        int64_t first = i / a.inner * a.size * a.inner + i % a.inner;
        for (int64_t k = 0; k < a.size; k++) {
            double sum = 0, slope = 0;
            for (int64_t j = 0; j < a.size; j++) {
                bool before = reverse ? j > k : j < k, after = reverse ? j < k : j > k;
                bool same = j == k && !exclusive;
                sum += before || same ? in[0][first + j * a.inner] : 0;
                slope += d_out && (after || same) ? d_out[first + j * a.inner] : 0;
            }
            out[first + k * a.inner] = sum;
            if (d_out && d_in[0])
                d_in[0][first + k * a.inner] = slope;
        }
    }
}

#define CASE(NAME, SHAPE_OF, AXIS, EXCLUSIVE, REVERSE, DTYPE)                            \
    {                                                                                    \
        .name = NAME, .batch = 2, .n = 2, .n_inputs = 1,                                 \
        .in = {{NN_CASE_VALUE, SHAPE_OF}}, .dtype = {DTYPE},                             \
        .attr = {{.name = "axis", .i = {AXIS}, .count = 1},                              \
                 {.name = "exclusive", .i = {EXCLUSIVE}, .count = 1},                    \
                 {.name = "reverse", .i = {REVERSE}, .count = 1}},                       \
        .n_attrs = 3                                                                     \
    }
#define IMAGES                                                                           \
    {                                                                                    \
        4, {                                                                             \
            0, 4, 3, 2                                                                   \
        }                                                                                \
    }
#define LINES                                                                            \
    {                                                                                    \
        3, {                                                                             \
            0, 5, 4                                                                      \
        }                                                                                \
    }

static const nn_op_case cumsum_cases[] = {CASE("channels", IMAGES, 1, 0, 0, ASSAY_F32),
                                          CASE("exclusive", LINES, -1, 1, 0, ASSAY_F32),
                                          CASE("reverse", LINES, 1, 0, 1, ASSAY_F32),
                                          CASE("both", LINES, 2, 1, 1, ASSAY_F32),
                                          CASE("i32", LINES, 2, 0, 0, ASSAY_I32),
                                          {0}};

const nn_op_def assay_op_cumsum = {
    .name = "cumsum",
    .summary = "running sums along an axis",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ROWS,
    .dtypes = ~(1u << ASSAY_BOOL),
    .attrs = cumsum_attrs,
    .infer = cumsum_infer,
    .forward = cumsum_forward,
    .backward = cumsum_backward,
    .reference = cumsum_reference,
    .cases = cumsum_cases,
};
