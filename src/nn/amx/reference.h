/* The three passes of a convolution in plain C: operands rounded to bf16, sums in f32.
 * What the tile kernels are compared with. */
#ifndef NN_AMX_REFERENCE_H
#define NN_AMX_REFERENCE_H

#include "nn/onednn.h"

/* Images are channels-last f32 here, whatever the geometry says of halves. */
void conv_reference_forward(const dn_conv_geometry *g,
                            int64_t n,
                            const float *x,
                            const float *weight,
                            const float *bias,
                            float *y);
void conv_reference_data(const dn_conv_geometry *g,
                         int64_t n,
                         const float *d_y,
                         const float *weight,
                         float *d_x);
void conv_reference_weights(const dn_conv_geometry *g,
                            int64_t n,
                            const float *x,
                            const float *d_y,
                            float *d_weight);
/* One element of each, for samples of large shapes: of y [n,oh,ow,o], of d_x [n,h,w,c],
 * of d_weight [o,c,kh,kw]. */
float conv_reference_y(const dn_conv_geometry *g,
                       const float *x,
                       const float *weight,
                       const float *bias,
                       int64_t at);
float conv_reference_dx(const dn_conv_geometry *g,
                        const float *d_y,
                        const float *weight,
                        int64_t at);
float conv_reference_dw(
    const dn_conv_geometry *g, int64_t n, const float *x, const float *d_y, int64_t at);

#endif
