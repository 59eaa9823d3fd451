/* The sliding windows of ONNX's convolutions and poolings, over one or two dimensions. */
#ifndef NN_ONNX_WINDOW_H
#define NN_ONNX_WINDOW_H

#include "nn/onnx/import.h"

typedef struct imp_window {
    int spatial; /* 1 or 2; one dimension is carried out as images of height 1 */
    int64_t kernel[2], stride[2], dilation[2];
    int64_t pad[4]; /* top, left, bottom, right */
    bool ceil;      /* round the number of windows up */
} imp_window;

/* From the node's attributes and x's shape; `kernel` when the attribute is absent (of a
 * weight), else NULL. */
ASSAY_MUST_CHECK assay_status imp_window_read(imp_window *out,
                                              const onnx_node *node,
                                              const nn_shape *x,
                                              const int64_t *kernel);
/* Stride, pad and, where they are not the usual, dilation and ceil_mode; how many. */
int imp_window_attrs(const imp_window *w, nn_attr out[4]);
/* x [N,C,L] as [N,C,1,L], x [N,C,H,W] as it is; UNSUPPORTED for other numbers. */
ASSAY_MUST_CHECK assay_status imp_window_open(imp *im, nn_value x, nn_value *out);
/* The way back where `spatial` is 1. */
ASSAY_MUST_CHECK assay_status imp_window_close(imp *im,
                                               int spatial,
                                               nn_value y,
                                               nn_value *out);

#endif
