/* Weights between their own order, [o][i][tap] in f32, and the blocks of the kernels. A
 * run of 16 input channels is transposed as a matrix of 16 channels by 16 taps. */
#include "nn/amx/conv_inside.h"

#ifdef __AMX_BF16__

#include "nn/amx/tiles.h"

/* The weights of one output channel and 32 input channels from i on: row t of `rows`
 * (`step` elements apart) becomes tap t in bf16. */
static void take_channels(
    uint16_t *rows, int64_t step, const float *weight, int64_t channels, int64_t taps) {
    if (taps == 1) {
        _mm512_storeu_si512(rows, take(weight, 0, false, first_lanes(channels)));
        return;
    }
    for (int64_t t0 = 0; t0 < taps; t0 += 16) {
        const __mmask16 mask = (__mmask16)first_lanes(amx_least(taps - t0, 16));
        __m512i low[16], high[16];
        for (int64_t i = 0; i < 16; i++) {
            const float *p = weight + i * taps + t0, *q = p + 16 * taps;
            low[i] = _mm512_maskz_loadu_epi32(i < channels ? mask : 0, p);
            high[i] = _mm512_maskz_loadu_epi32(i + 16 < channels ? mask : 0, q);
        }
        transpose(low);
        transpose(high);
        for (int64_t t = 0; t < 16 && t0 + t < taps; t++)
            _mm512_storeu_si512(rows + (t0 + t) * step,
                                to_half((__m512)low[t], (__m512)high[t]));
    }
}

/* Rows of one tap, [32 o][32 i], to a block that multiplies source channels: pairs of
 * them side by side, [2 halves of the result's channels][16 pairs][16 channels][2]. */
static void put_forward(uint16_t *block, const uint16_t *rows) {
    for (int half = 0; half < 2; half++) {
        __m512i r[16];
        for (int i = 0; i < 16; i++)
            r[i] = _mm512_loadu_si512(rows + (16 * half + i) * AMX_SIDE);
        transpose(r);
        for (int i = 0; i < 16; i++)
            _mm512_storeu_si512(block + (16 * half + i) * AMX_SIDE, r[i]);
    }
}

static void put_backward(uint16_t *block, const uint16_t *rows) {
    for (int pair = 0; pair < 16; pair++) {
        __m512i a = _mm512_loadu_si512(rows + 2 * pair * AMX_SIDE);
        __m512i b = _mm512_loadu_si512(rows + (2 * pair + 1) * AMX_SIDE);
        _mm512_storeu_si512(block + pair * AMX_SIDE, zip_low(a, b));
        _mm512_storeu_si512(block + (16 + pair) * AMX_SIDE, zip_high(a, b));
    }
}

/* Blocks lie [to][from][tap]. `rows` behind them takes one block, all taps. */
void amx_pack_weights(const amx_conv *c, uint16_t *blocks, const float *weight) {
    const int64_t in = c->g.c, out = c->g.o, taps = c->taps;
    const int64_t in_blocks = (in + 31) / AMX_SIDE, out_blocks = (out + 31) / AMX_SIDE;
    const bool back = c->what == DN_BACKWARD_DATA;
    uint16_t *rows = blocks + c->weight_bytes / sizeof *blocks;
    for (int64_t ob = 0; ob < out_blocks; ob++)
        for (int64_t ib = 0; ib < in_blocks; ib++) {
            for (int64_t k = 0; k < AMX_SIDE; k++) {
                int64_t o = ob * AMX_SIDE + k, i = ib * AMX_SIDE;
                const float *p = weight + (amx_least(o, out - 1) * in + i) * taps;
                take_channels(rows + k * AMX_SIDE, AMX_BLOCK, p, o < out ? in - i : 0,
                              taps);
            }
            int64_t at = back ? ib * out_blocks + ob : ob * in_blocks + ib;
            for (int64_t t = 0; t < taps; t++) {
                uint16_t *block = blocks + (at * taps + t) * AMX_BLOCK;
                if (back)
                    put_backward(block, rows + t * AMX_BLOCK);
                else
                    put_forward(block, rows + t * AMX_BLOCK);
            }
        }
}

/* Sums of one output channel and 16 input channels, `panel` at tap 0, into weights. */
static void
put_channels(float *weight, const float *panel, int64_t channels, int64_t taps) {
    for (int64_t t0 = 0; t0 < taps; t0 += 16) {
        const __mmask16 mask = (__mmask16)first_lanes(amx_least(taps - t0, 16));
        __m512i r[16];
        for (int64_t t = 0; t < 16; t++)
            r[t] = t0 + t < taps ? _mm512_loadu_si512(panel + (t0 + t) * AMX_BLOCK)
                                 : _mm512_setzero_si512();
        transpose(r);
        for (int64_t i = 0; i < 16 && i < channels; i++)
            _mm512_mask_storeu_epi32(weight + i * taps + t0, mask, r[i]);
    }
}

/* Panels lie [from][to][tap][2 halves of o][2 halves of i][16 o][16 i]. */
void amx_unpack_weights(const amx_conv *c, float *weight, const float *panels) {
    const int64_t in = c->g.c, out = c->g.o, taps = c->taps;
    for (int64_t ib = 0; ib < c->from.blocks; ib++)
        for (int64_t o = 0; o < out; o++) {
            const float *panel =
                panels + (ib * c->to.blocks + o / AMX_SIDE) * taps * AMX_BLOCK;
            panel += o % AMX_SIDE / 16 * 512 + o % 16 * 16;
            for (int64_t i = ib * AMX_SIDE; i < in && i < (ib + 1) * AMX_SIDE; i += 16)
                put_channels(weight + (o * in + i) * taps,
                             panel + i % AMX_SIDE / 16 * 256, in - i, taps);
        }
}

#else

#include <assert.h>

void amx_pack_weights(const amx_conv *c, uint16_t *blocks, const float *weight) {
    (void)c, (void)blocks, (void)weight;
    assert(!"tiles on a processor without them");
}
void amx_unpack_weights(const amx_conv *c, float *weight, const float *panels) {
    (void)c, (void)weight, (void)panels;
    assert(!"tiles on a processor without them");
}

#endif
