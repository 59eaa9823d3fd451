/* Geometry and packing of small-patch convolutions; the loops are in kernels.inc. */
#include "nn/direct.h"

#include <string.h>

bool direct_make(direct_conv *out, const nn_window *g, int64_t outputs) {
    if (g->groups > 1 || g->pad[2] < 0 || g->pad[3] < 0 ||
        g->kh * g->kw * g->c > DIRECT_MAX_TAPS)
        return false;
    direct_conv d = {.g = *g, .o = (size_t)outputs};
    d.o16 = (d.o + 15) / 16 * 16;
    d.taps = (size_t)(g->kh * g->kw * g->c);
    d.padded_h = (size_t)(g->h + g->pad[0] + g->pad[2]);
    d.padded_w = (size_t)(g->w + g->pad[1] + g->pad[3]);
    d.padded_floats = d.padded_h * d.padded_w * (size_t)g->c;
    d.packed_floats = d.taps * d.o16;
    d.out_floats = (size_t)(g->oh * g->ow) * d.o;
    for (int64_t t = 0; t < (int64_t)d.taps; t++) {
        int64_t c = t % g->c, v = t / g->c % g->kw, u = t / g->c / g->kw;
        d.offset[t] =
            (int32_t)((u * g->dilation[0] * (int64_t)d.padded_w + v * g->dilation[1]) *
                          g->c +
                      c);
    }
    *out = d;
    return true;
}

/* Where tap t of output o lies in PyTorch's [O,I,kh,kw]. */
static size_t place(const direct_conv *d, size_t t, size_t o) {
    size_t c = (size_t)d->g.c, window = (size_t)(d->g.kh * d->g.kw);
    return (o * c + t % c) * window + t / c;
}

void direct_pack(const direct_conv *d, float *packed, const float *weight) {
    memset(packed, 0, d->packed_floats * sizeof *packed);
    for (size_t t = 0; t < d->taps; t++)
        for (size_t o = 0; o < d->o; o++)
            packed[t * d->o16 + o] = weight[place(d, t, o)];
}

void direct_unpack(const direct_conv *d, float *weight, const float *packed) {
    for (size_t t = 0; t < d->taps; t++)
        for (size_t o = 0; o < d->o; o++)
            weight[place(d, t, o)] = packed[t * d->o16 + o];
}

void direct_pad(const direct_conv *d, float *padded, const float *x) {
    size_t row = (size_t)(d->g.w * d->g.c), c = (size_t)d->g.c;
    for (size_t r = 0; r < (size_t)d->g.h; r++)
        memcpy(padded +
                   ((r + (size_t)d->g.pad[0]) * d->padded_w + (size_t)d->g.pad[1]) * c,
               x + r * row, row * sizeof *x);
}
