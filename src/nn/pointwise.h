/* Activations of one number, y = f(x): what the ops of that family share. Each op names
 * its kernel and says what its numbers are; loops over f32 and bf16, and the walk of the
 * float64 reference, are here. */
#ifndef NN_POINTWISE_H
#define NN_POINTWISE_H

#include "nn/op.h"

/* p: up to three numbers, by kind. */
typedef enum pointwise_kind {
    POINTWISE_LEAKY,        /* x > 0 ? x : p0 x */
    POINTWISE_ELU,          /* x > 0 ? p1 x : p1 p0 (e^(p2 x) - 1) */
    POINTWISE_HARD_SIGMOID, /* p0 x + p1, cut to [0, 1] */
    POINTWISE_HARD_SWISH,   /* x times that */
    POINTWISE_SOFTPLUS,     /* log(1 + e^x) */
    POINTWISE_SOFTSIGN,     /* x / (1 + |x|) */
    POINTWISE_THRESHOLDED,  /* x > p0 ? x : 0 */
    POINTWISE_SHRINK,       /* x < -p0 ? x + p1 : x > p0 ? x - p1 : 0 */
    POINTWISE_MISH,         /* x tanh(log(1 + e^x)) */
    POINTWISE_CUT,          /* x cut to [p0, p1] */
    POINTWISE_KINDS
} pointwise_kind;

enum { POINTWISE_NUMBERS = 3 };

/* The loops, once per instruction set; all give the same bits. */
typedef struct pointwise_kernels {
    const char *name;
    struct {
        void (*forward)(float *y, const float *x, size_t n, const float *p);
        /* d_x = d_y f'(x) */
        void (*backward)(
            float *d_x, const float *d_y, const float *x, size_t n, const float *p);
    } of[POINTWISE_KINDS];
} pointwise_kernels;

const pointwise_kernels *pointwise_kernels_get(void);

extern const pointwise_kernels pointwise_kernels_c, pointwise_kernels_avx2,
    pointwise_kernels_avx512;

/* What an op of the family is. */
typedef struct pointwise {
    pointwise_kind kind;
    void (*numbers)(const nn_node *node, double p[POINTWISE_NUMBERS]);
    /* In float64: f(x), and f'(x) into *slope. */
    double (*at)(double x, const double p[POINTWISE_NUMBERS], double *slope);
} pointwise;

assay_status pointwise_infer(nn_node *node);
assay_status pointwise_plan(nn_plan *p);
void pointwise_forward(const pointwise *f, nn_io *io);
void pointwise_backward(const pointwise *f, nn_io *io);
void pointwise_reference(const pointwise *f,
                         const nn_node *node,
                         int n,
                         const double *in,
                         double *out,
                         const double *d_out,
                         double *d_in);

#endif
