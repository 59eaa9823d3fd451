/* Products of small and middling f32 matrices: the loops around a register tile, once per
 * instruction set. Every element is a sum over stretches of k, in their order, each
 * stretch a chain of fused multiply-adds from nought in the order of k: rounding grows
 * with the length of a stretch, not of k, and all sets give the same bits. Runs on the
 * calling thread. */
#ifndef NN_GEMM_H
#define NN_GEMM_H

#include "nn/rows.h"

enum { GEMM_DEPTH = 192 }; /* of a stretch */

/* C[m,n] = A[m,k] B[k,n], or C + A B; then bias and activation, if asked for. Element
 * (i,p) of A lies at a[i a_row + p a_col]; likewise B, of whose strides one is 1. */
typedef struct gemm_job {
    size_t m, n, k;
    const float *a;
    size_t a_row, a_col;
    const float *b;
    size_t b_row, b_col;
    float *c;
    size_t ldc;
    bool add;
    const float *bias; /* [n], or NULL */
    row_act act;
    float *pre; /* where the numbers before the activation go, as C lies; or NULL */
} gemm_job;

/* C[m,n] = A[m,k] B[k,n], all of them row behind row. What differs is set afterwards. */
static inline gemm_job
gemm_times(float *c, const float *a, const float *b, size_t m, size_t n, size_t k) {
    return (gemm_job){.m = m,
                      .n = n,
                      .k = k,
                      .a = a,
                      .a_row = k,
                      .a_col = 1,
                      .b = b,
                      .b_row = n,
                      .b_col = 1,
                      .c = c,
                      .ldc = n};
}
/* The same with B turned round, [n,k]. */
static inline gemm_job gemm_times_turned(
    float *c, const float *a, const float *b, size_t m, size_t n, size_t k) {
    gemm_job j = gemm_times(c, a, b, m, n, k);
    j.b_row = 1;
    j.b_col = k;
    return j;
}
/* The same with A turned round, [k,m]. */
static inline gemm_job gemm_turned_times(
    float *c, const float *a, const float *b, size_t m, size_t n, size_t k) {
    gemm_job j = gemm_times(c, a, b, m, n, k);
    j.a_row = 1;
    j.a_col = m;
    return j;
}

/* Floats of scratch that a product needs; 64-byte aligned. */
size_t gemm_scratch(size_t m, size_t n, size_t k);
/* By the kernels of the instruction set in use. */
void gemm_run(const gemm_job *job, float *scratch);

typedef struct gemm_kernels {
    const char *name;
    void (*run)(const gemm_job *job, float *scratch);
} gemm_kernels;

const gemm_kernels *gemm_kernels_get(void);

extern const gemm_kernels gemm_kernels_c, gemm_kernels_avx2, gemm_kernels_avx512;

#endif
