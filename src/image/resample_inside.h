/* Inside of the resampler: weights of an axis, tables of the horizontal pass, and the
 * kernels that exist once per instruction set.
 *
 * All sums are sums of integers, so every set gives the same bits. Between the passes a
 * row is bytes; for the cubic filter, which overshoots, words of 1/64 level. */
#ifndef IMAGE_RESAMPLE_INSIDE_H
#define IMAGE_RESAMPLE_INSIDE_H

#include "base/cpu.h"
#include "image/resample.h"

enum {
    RESAMPLE_NARROW = 64,    /* inputs of an output that 16-bit weights serve */
    RESAMPLE_WIDE_BITS = 22, /* fraction bits of weights for more */
    RESAMPLE_ACROSS_BITS = 14,
    RESAMPLE_WORD_BITS = 6, /* fraction bits of a word between the passes */
    RESAMPLE_PAD = 64       /* elements that kernels may touch behind a row's end */
};

/* The inputs of an output: `count` from `begin` on. */
typedef struct resample_span {
    int32_t begin, count;
} resample_span;

/* One axis: the weights of output o are weight[o * stride ...], zeros behind the
 * span's count; they sum to 1 << bits. */
typedef struct resample_axis {
    resample_filter filter;
    bool linear; /* the area filter by the enlarging rule */
    int in, out, bits;
    int taps, stride; /* the largest count; between outputs' weights */
    resample_span *span;
    int32_t *weight;
    double *raw; /* of one output, on the way */
    size_t span_cap, weight_cap, raw_cap;
} resample_axis;

/* NOMEM. `narrow_bits`: fraction bits where 16-bit weights serve. Does nothing, and says
 * so in *changed, if the axis is that already. */
ASSAY_MUST_CHECK assay_status resample_axis_make(resample_axis *a,
                                                 assay_ctx *ctx,
                                                 bool *changed,
                                                 resample_filter filter,
                                                 bool linear,
                                                 int in,
                                                 int out,
                                                 int narrow_bits);
void resample_axis_free(resample_axis *a, assay_ctx *ctx);

/* The horizontal pass of one image. Outputs in the order they are stored (mirrored if
 * asked). Two ways besides the plain one: by groups, where one permutation fetches an
 * input for each output of a group; by dot products of consecutive inputs. */
typedef struct resample_across {
    const resample_axis *axis;
    bool mirror, words; /* rows of words, not bytes */
    size_t plane;       /* elements between the planes of a row */
    int32_t *begin;     /* [out]: first input of a group, or of an output's dot product */
    int group;          /* outputs of a group; 0: by dot products */
    int steps;          /* pairs of inputs of a group; eights of a dot product */
    int reach;          /* inputs that a group spans at most */
    uint8_t *pick;      /* [block][steps][4 outputs of a block]: which bytes */
    int16_t *weight;    /* [block][steps][2 outputs of a block], or [out][8 steps] */
    int32_t *sums;      /* [3][out, padded]: for a row */
    size_t begin_cap, pick_cap, weight_cap, sums_cap, sums_stride;
    /* what becomes of a sum */
    image_output output; /* 3 channels; scale is that of a sum */
    int bits;            /* fraction bits of a sum */
    size_t out_plane;    /* elements between planes of the output */
} resample_across;

/* Rows end with RESAMPLE_PAD elements that may be read and written. */
typedef struct resample_kernels {
    bool tables;              /* whether `across` wants groups or dot products */
    int group;                /* outputs of a group */
    int side;                 /* groups of a block, side by side in a register */
    int window, window_words; /* bytes, and words, that a group may span */
    /* A weighted sum of rows of n bytes: weights of 15 bits to bytes, of 14 to words */
    void (*blend)(uint8_t *out,
                  const uint8_t *const *row,
                  const int32_t *weight,
                  int taps,
                  size_t n);
    void (*blend_words)(int16_t *out,
                        const uint8_t *const *row,
                        const int32_t *weight,
                        int taps,
                        size_t n);
    /* sums += weight row, for many rows */
    void (*add)(int32_t *sums, const uint8_t *row, int32_t weight, size_t n);
    /* A row between the passes to a row of the output, `out` its first element */
    void (*across)(const resample_across *a, const void *row, void *out);
    /* Makes streamed stores visible to other threads, once for an image; may be NULL */
    void (*finish)(void);
} resample_kernels;

const resample_kernels *resample_kernels_for(cpu_isa isa);
/* Like resampler_create, for one instruction set. */
ASSAY_MUST_CHECK assay_status resampler_create_for(resampler **out,
                                                   assay_ctx *ctx,
                                                   cpu_isa isa);

/* The tables for kernels `k` from axis, mirror and words. NOMEM */
ASSAY_MUST_CHECK assay_status resample_across_make(resample_across *a,
                                                   assay_ctx *ctx,
                                                   const resample_kernels *k);
void resample_across_free(resample_across *a, assay_ctx *ctx);

#endif
