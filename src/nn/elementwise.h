/* Ops that compute each element of their output from one element of each input: maths of
 * one number, arithmetic and comparisons of two with broadcasting. An op says what it
 * computes in float64 (value and slopes), for integers, and which f32 kernel does it;
 * loops, element types, gradients and the float64 reference are here.
 *
 * f32, bf16 and f16 are computed in f32, f64 in f64, integers in 64 bits and cut to their
 * own (they wrap). The gradient of an input that repeats is added up in float64. */
#ifndef NN_ELEMENTWISE_H
#define NN_ELEMENTWISE_H

#include "nn/numbers.h"
#include "nn/op.h"

typedef enum unary_kind {
    UNARY_ABS,
    UNARY_NEG,
    UNARY_SIGN,
    UNARY_RECIPROCAL,
    UNARY_SQRT,
    UNARY_EXP,
    UNARY_LOG,
    UNARY_ERF,
    UNARY_SIN,
    UNARY_COS,
    UNARY_TAN,
    UNARY_ASIN,
    UNARY_ACOS,
    UNARY_ATAN,
    UNARY_SINH,
    UNARY_COSH,
    UNARY_ASINH,
    UNARY_ACOSH,
    UNARY_ATANH,
    UNARY_TANH,
    UNARY_SIGMOID,
    UNARY_FLOOR,
    UNARY_CEIL,
    UNARY_ROUND,
    UNARY_KINDS
} unary_kind;

typedef enum binary_kind {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_POW,
    BINARY_MINIMUM,
    BINARY_MAXIMUM,
    BINARY_MOD,
    BINARY_FMOD,
    BINARY_KINDS
} binary_kind;

/* The loops in f32, once per instruction set; all give the same bits. */
typedef struct elementwise_kernels {
    const char *name;
    struct {
        void (*forward)(float *y, const float *x, size_t n);
        /* d_x = d_y f'(x) */
        void (*backward)(float *d_x, const float *d_y, const float *x, size_t n);
    } unary[UNARY_KINDS];
    struct {
        void (*forward)(float *y, const float *a, const float *b, size_t n);
        void (*backward)(float *d_a,
                         float *d_b,
                         const float *d_y,
                         const float *a,
                         const float *b,
                         size_t n);
    } binary[BINARY_KINDS];
} elementwise_kernels;

const elementwise_kernels *elementwise_kernels_get(void);

extern const elementwise_kernels elementwise_kernels_c, elementwise_kernels_avx2,
    elementwise_kernels_avx512;

/* What an op of one number is: the `family` of its nn_op_def. */
typedef struct unary {
    unary_kind kind;
    /* In float64: f(x), and f'(x) into *slope. */
    double (*at)(double x, double *slope);
    /* Of an integer (u64 by its bits); NULL: it takes floats only. */
    int64_t (*whole)(int64_t x, bool is_unsigned);
} unary;

assay_status unary_infer(nn_node *node);
assay_status unary_plan(nn_plan *p);
assay_status unary_forward(nn_io *io);
assay_status unary_backward(nn_io *io);
void unary_reference(const nn_node *node,
                     int n,
                     bool training,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in);
/* An odd image, vectors, a static scalar: with normal numbers, or within a domain. */
extern const nn_op_case unary_cases[], unary_cases_positive[], unary_cases_unit[],
    unary_cases_above_one[];

enum {
    NUM_FLOATS = 1u << ASSAY_F32 | 1u << ASSAY_F64 | 1u << ASSAY_F16 | 1u << ASSAY_BF16,
    NUM_BOOL = 1u << ASSAY_BOOL,
    NUM_UNSIGNED = 1u << ASSAY_U8 | 1u << ASSAY_U16 | 1u << ASSAY_U32 | 1u << ASSAY_U64,
    NUM_SIGNED = 1u << ASSAY_I8 | 1u << ASSAY_I16 | 1u << ASSAY_I32 | 1u << ASSAY_I64,
    NUM_INTEGERS = NUM_UNSIGNED | NUM_SIGNED,
    NUM_ALL = NUM_FLOATS | NUM_INTEGERS
};

/* What the descriptors of unary ops have in common. */
#define UNARY_OP                                                                         \
    .min_inputs = 1, .max_inputs = 1, .layout = NN_ANY, .half_in = 1, .half_out = true,  \
    .infer = unary_infer, .plan = unary_plan, .forward = unary_forward,                  \
    .backward = unary_backward, .reference = unary_reference

/* What an op of two numbers is. */
typedef struct binary {
    int kind; /* binary_kind; -1: it has no f32 kernel and gives truth values */
    /* In float64: the value and, if `slope` is given, the slopes by a and by b. */
    double (*at)(double a, double b, double *slope);
    /* Of integers; u64 by its bits, with `is_unsigned`. false: there is no value. */
    bool (*whole)(int64_t *y, int64_t a, int64_t b, bool is_unsigned);
    bool mixed; /* its inputs may differ in type; the output has the first one's */
} binary;

assay_status binary_infer(nn_node *node);
assay_status binary_plan(nn_plan *p);
assay_status binary_forward(nn_io *io);
/* The same for an op that chooses at run time. */
assay_status binary_run(nn_io *io, const binary *f);
assay_status binary_backward(nn_io *io);
void binary_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in);
void binary_reference_as(const nn_node *node,
                         const binary *f,
                         int n,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in);
/* Equal shapes, rows, scalars, both sides repeating, static; floats and integers. */
extern const nn_op_case binary_cases[], add_cases[], binary_cases_positive[], binary_cases_bool[];

#define BINARY_OP                                                                        \
    .min_inputs = 2, .max_inputs = 2, .layout = NN_ANY, .half_in = 3, .half_out = true,  \
    .infer = binary_infer, .plan = binary_plan, .forward = binary_forward,               \
    .backward = binary_backward, .reference = binary_reference

/* Comparisons and logic: truth values, without gradients. */
#define RELATION_OP                                                                      \
    .min_inputs = 2, .max_inputs = 2, .layout = NN_ANY, .no_grad = true,                 \
    .infer = binary_infer, .forward = binary_forward, .reference = binary_reference

#endif
