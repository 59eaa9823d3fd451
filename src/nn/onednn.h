/* oneDNN behind a dozen functions: convolutions and matrix products, f32 and bf16. The
 * only place that knows the library, and that it has two C interfaces (2.x and 3.x).
 *
 * Every call runs on the calling thread alone: bracket them with dn_enter / dn_leave.
 * Weights are PyTorch's OIHW f32 here; the layout the library likes is made inside, in
 * the scratch given. */
#ifndef NN_ONEDNN_H
#define NN_ONEDNN_H

#include "base/ctx.h"

typedef struct dn_engine dn_engine;
typedef struct dn_conv dn_conv;

/* @errors INTERNAL, NOMEM   @threads safe; an engine is used by one thread at a time */
ASSAY_MUST_CHECK assay_status dn_engine_create(dn_engine **out, assay_ctx *ctx);
void dn_engine_destroy(dn_engine *e);
/* Primitives made so far; a steady state must not move it. */
uint64_t dn_primitive_count(const dn_engine *e);

/* "2.6.3" */
const char *dn_version(char out[24]);

/* Keeps the library on the calling thread; leave takes what enter returned. */
int dn_enter(void);
void dn_leave(int before);

/* Whether bf16 products can run here at all, and whether they run on matrix tiles. */
bool dn_bf16_runs(void);
bool dn_bf16_pays(void);

typedef struct dn_conv_geometry {
    int64_t n, c, h, w, o, oh, ow, kh, kw, stride[2], pad[4], dilation[2];
    int64_t groups; /* 0 and 1: one; the weight is [o, c / groups, kh, kw] */
    bool bf16, bias;
    bool x_half, y_half; /* x, y and their gradients lie in bf16 (only with bf16) */
} dn_conv_geometry;
enum { DN_FORWARD = 1, DN_BACKWARD_DATA = 2, DN_BACKWARD_WEIGHTS = 4 };

/* The primitives for one geometry, those of `what`. x, y are channels-last.
 * @errors UNSUPPORTED, NOMEM, INTERNAL */
ASSAY_MUST_CHECK assay_status dn_conv_create(dn_conv **out,
                                             dn_engine *e,
                                             const dn_conv_geometry *g,
                                             unsigned what);
void dn_conv_destroy(dn_conv *c);
/* Bytes of scratch (64-byte aligned) for one call of `what`. */
size_t dn_conv_scratch(const dn_conv *c, unsigned what);
ASSAY_MUST_CHECK assay_status dn_conv_forward(dn_conv *c,
                                              const void *x,
                                              const float *weight,
                                              const float *bias,
                                              void *y,
                                              void *scratch);
ASSAY_MUST_CHECK assay_status dn_conv_backward_data(
    dn_conv *c, const void *d_y, const float *weight, void *d_x, void *scratch);
ASSAY_MUST_CHECK assay_status dn_conv_backward_weights(
    dn_conv *c, const void *x, const void *d_y, float *d_weight, void *scratch);

/* C[m,n] = alpha A B + beta C, row-major; `ta`, `tb`: that operand lies transposed. */
ASSAY_MUST_CHECK assay_status dn_gemm(bool ta,
                                      bool tb,
                                      int64_t m,
                                      int64_t n,
                                      int64_t k,
                                      float alpha,
                                      const float *a,
                                      int64_t lda,
                                      const float *b,
                                      int64_t ldb,
                                      float beta,
                                      float *c,
                                      int64_t ldc);

#endif
