/* The two products that a chain of layers spends its time in, once per instruction set;
 * all versions give the same bits. */
#ifndef NN_CHAIN_INSIDE_H
#define NN_CHAIN_INSIDE_H

#include "nn/chain.h"
#include "nn/gemm.h"

/* Widths of rows in memory: whole vectors of every instruction set. */
enum { CHAIN_PAD = 16 };

/* One layer's matrix: [k, wide], k rows of `wide` floats, a multiple of CHAIN_PAD. */
typedef struct chain_kernels {
    const char *name;
    /* y[i][0..wide) = sum over p of x[i][p] w[p][0..wide), added up as gemm.h
     * says. */
    void (*product)(
        float *y, const float *const *x, size_t n, const float *w, size_t k, size_t wide);
    /* g[p][j] = sum over i of x[i][p] d[i][j] in the order of i, and at once the step
     * along it. */
    void (*update)(float *w,
                   float *v,
                   const float *const *x,
                   size_t n,
                   const float *d,
                   size_t k,
                   size_t wide,
                   const chain_sgd *sgd);
} chain_kernels;

/* Those of the instruction set in use. */
const chain_kernels *chain_kernels_get(void);

extern const chain_kernels chain_kernels_c, chain_kernels_avx2, chain_kernels_avx512;

#endif
