/* What the versions of the small products share: block sizes, and when a product is done
 * the other way round. */
#ifndef NN_GEMM_INSIDE_H
#define NN_GEMM_INSIDE_H

#include "nn/gemm.h"

enum {
    GEMM_TALL = 8,   /* rows of C in registers */
    GEMM_WIDE = 48,  /* columns of C in registers; B is packed in panels of them */
    GEMM_GROUP = 32, /* rows that a panel meets while it is in the first-level cache */
    GEMM_CHUNK = 20 * GEMM_WIDE /* columns whose panels are packed at once */
};

/* Few rows times a transposed B: C^T = B^T A^T instead, where only the small A has to be
 * packed; its result lies in scratch, then is turned back. */
static inline bool gemm_turned(const gemm_job *j) {
    return j->b_row == 1 && j->b_col != 1 && !j->add && j->m <= 64 && 2 * j->m <= j->n;
}
/* A whose columns lie in rows is packed where several panels read it. */
static inline bool gemm_packs_a(const gemm_job *j) {
    return j->a_row == 1 && j->a_col != 1 && j->n > GEMM_WIDE && j->k > 8;
}
static inline size_t gemm_depth(size_t k) {
    return k < GEMM_DEPTH ? k : GEMM_DEPTH;
}
/* Floats of the packed panels, whatever m up to this one. */
static inline size_t gemm_panels(size_t m, size_t n, size_t k) {
    size_t wide = m <= GEMM_GROUP ? GEMM_WIDE : n < GEMM_CHUNK ? n + 15 : GEMM_CHUNK;
    return (wide < GEMM_WIDE ? GEMM_WIDE : wide) * gemm_depth(k);
}
static inline size_t gemm_turned_row(size_t m) {
    return m <= 64 ? (m + 15) / 16 * 16 : 0;
}

#endif
