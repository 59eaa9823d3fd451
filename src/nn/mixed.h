/* Elementwise passes over values that may lie in f32 or bf16, each on its own. */
#ifndef NN_MIXED_H
#define NN_MIXED_H

#include "nn/kernels.h"

/* y = x, converted where the types differ. */
void mixed_copy(void *y, bool y_half, const void *x, bool x_half, size_t n);
/* y = max(x, 0) */
void mixed_relu(void *y, bool y_half, const void *x, bool x_half, size_t n);
/* d_x = d_y where y > 0; d_y lies as y does */
void mixed_relu_back(
    void *d_x, bool x_half, const void *d_y, const void *y, bool y_half, size_t n);
/* y = a + b */
void mixed_add(void *y,
               bool y_half,
               const void *a,
               bool a_half,
               const void *b,
               bool b_half,
               size_t n);

#endif
