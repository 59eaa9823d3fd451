/* Convolutions whose patch is small (a first layer over one or three channels): the input
 * is too thin for oneDNN's blocks, so each example is padded once and the taps are read
 * in place.
 *
 * Weights are packed [taps][o16]: tap = (row, column, channel), outputs last, zeros up to
 * a whole number of vectors. */
#ifndef NN_DIRECT_H
#define NN_DIRECT_H

#include "nn/window.h"

#include <stdbool.h>
#include <stddef.h>

enum { DIRECT_MAX_TAPS = 32 };

typedef struct direct_conv {
    nn_window g;
    size_t o, o16, taps;
    size_t padded_h, padded_w;
    size_t padded_floats, packed_floats, out_floats; /* of one example; of the weights */
    int32_t offset[DIRECT_MAX_TAPS]; /* of a tap from the pixel's corner */
} direct_conv;

/* False if the patch is not small, of several groups, or cut off (padding below 0). */
bool direct_make(direct_conv *out, const nn_window *g, int64_t outputs);
void direct_pack(const direct_conv *d, float *packed, const float *weight);
void direct_unpack(const direct_conv *d, float *weight, const float *packed);
/* Copies an example into its frame; the frame (padded_floats, zeroed once) stays zero. */
void direct_pad(const direct_conv *d, float *padded, const float *x);

#endif
