/* Products of matrices whose operands are rounded to bf16 and added up in f32, on matrix
 * tiles (AMX). What lies in f32 is rounded on its way into the tiles' order. One core;
 * the order of every sum depends on sizes only. */
#ifndef NN_GEMM_HALF_H
#define NN_GEMM_HALF_H

#include "nn/rows.h"

/* Element (i,p) lies `row` i + `col` p elements behind `at`; one of the strides is 1. */
typedef struct half_matrix {
    const void *at;
    bool half;
    size_t row, col;
} half_matrix;

/* C[m,n] = A[m,k] B[k,n], then bias and activation, if asked for. */
typedef struct half_job {
    size_t m, n, k;
    half_matrix a, b;
    row_values c;
    size_t ldc;
    const float *bias; /* [n], or NULL */
    row_act act;
    row_values pre; /* where the numbers before the activation go, as C lies; at NULL */
} half_job;

/* Whether this machine has matrix tiles, and they may be used. */
bool gemm_half_runs(void);
/* Bytes of scratch, 64-byte aligned. */
size_t gemm_half_scratch(size_t m, size_t n, size_t k);
void gemm_half_run(const half_job *job, void *scratch);

#endif
