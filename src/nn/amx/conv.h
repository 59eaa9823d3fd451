/* Convolutions in bf16 on the processor's matrix tiles (AMX): forward, backward to the
 * images and backward to the weights.
 *
 * The one idea: 32 images at the same pixel fill a tile. Images are packed into blocks of
 * 32 images x 32 channels of one pixel (2 KB), so that a tap of the filter only selects
 * another block: no halo, no unfolding, any stride, and taps that fall into the padding
 * are left out. Images and channels that a block lacks are zeros.
 *
 * Sums are f32. Forward and backward-data add up in one order (blocks of 32 channels,
 * then taps by the place of their source, then channels) whatever the blocking and the
 * number of images. Backward-weights goes by groups of images, bands of rows, then
 * pixels: its order depends on the blocking and on the number of images. Nothing depends
 * on threads or time. */
#ifndef NN_AMX_CONV_H
#define NN_AMX_CONV_H

#include "nn/onednn.h"

/* How a pass is cut up, so that what it packs stays in the second-level cache. */
typedef struct amx_blocking {
    int group; /* blocks of 32 images done together */
    int band;  /* rows of the result (backward-weights: of y) done together */
    int out_panels, in_panels; /* backward-weights: blocks of 32 channels of y and x done
                                  together, tap by tap */
} amx_blocking;

typedef struct amx_conv amx_conv;

/* Whether a pass (one of DN_...) of this geometry can run here. */
bool amx_conv_can(const dn_conv_geometry *g, unsigned what);
/* A blocking that is fair for the shape, without measuring. */
amx_blocking amx_conv_blocking(const dn_conv_geometry *g, unsigned what);
/* Whether a blocking makes sense: no larger than the shape, and what it packs about as
 * large as the cache at most. */
bool amx_conv_fits(const dn_conv_geometry *g, unsigned what, const amx_blocking *b);
/* The plan of one pass for at most g->n images. @errors NOMEM, UNSUPPORTED */
ASSAY_MUST_CHECK assay_status amx_conv_create(amx_conv **out,
                                              assay_ctx *ctx,
                                              const dn_conv_geometry *g,
                                              unsigned what,
                                              const amx_blocking *b);
void amx_conv_destroy(amx_conv *c);
/* Bytes of scratch (64-byte aligned) for one run. */
size_t amx_conv_scratch(const amx_conv *c);

/* Runs for n (1..g->n) images. x, y are channels-last, bf16 or f32 as the geometry says;
 * weights OIHW in f32. A plan may serve several threads at once, each with its own
 * scratch. */
void amx_conv_forward(const amx_conv *c,
                      int64_t n,
                      const void *x,
                      const float *weight,
                      const float *bias,
                      void *y,
                      void *scratch);
void amx_conv_backward_data(const amx_conv *c,
                            int64_t n,
                            const void *d_y,
                            const float *weight,
                            void *d_x,
                            void *scratch);
void amx_conv_backward_weights(const amx_conv *c,
                               int64_t n,
                               const void *x,
                               const void *d_y,
                               float *d_weight,
                               void *scratch);

#endif
