/* One matrix product as ops ask for it, by whatever is fastest for its shape: matrix
 * tiles where bf16 is allowed and the machine has them, else f32, our own kernels or
 * oneDNN's by a fixed rule. */
#ifndef NN_PRODUCT_H
#define NN_PRODUCT_H

#include "nn/gemm.h"
#include "nn/gemm_half.h"
#include "nn/op.h"

typedef struct product {
    half_job job; /* operands in bf16 lie without gaps */
    bool tiles;   /* operands may be rounded to bf16, and gemm_half_runs() */
    bool add;     /* C + A B; f32, and not by tiles */
    bool own;     /* f32 by our own kernels, whatever the rule says */
} product;

/* Bytes, 64-byte aligned. */
size_t product_scratch(const product *p);
ASSAY_MUST_CHECK assay_status product_run(const product *p, void *scratch);

#endif
