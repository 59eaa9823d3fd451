/* A sliding window over the two spatial dimensions: convolutions and poolings. On its
 * own, so that the kernels are not compiled again when ops change. */
#ifndef NN_WINDOW_H
#define NN_WINDOW_H

#include <stdint.h>

/* A convolution's `groups` (0 and 1: one) part the channels; output channels likewise. */
typedef struct nn_window {
    int64_t c, h, w, oh, ow, kh, kw, stride[2], pad[4], dilation[2], groups;
} nn_window;

#endif
