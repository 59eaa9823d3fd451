/* The plan of a pass, between conv.c, which makes it, and the kernels that follow it. */
#ifndef NN_AMX_CONV_INSIDE_H
#define NN_AMX_CONV_INSIDE_H

#include "nn/amx/conv.h"

enum {
    AMX_SIDE = 32,      /* images, and channels, of a block */
    AMX_BLOCK = 32 * 32 /* its elements: two tiles of bf16, four of f32 */
};

/* Images on one side of a pass. */
typedef struct amx_side {
    int64_t h, w, c, blocks; /* blocks of channels */
    bool half;
} amx_side;

/* Along one dimension: which places of the source a place of the result reads, and
 * through which taps, by ascending place. */
typedef struct amx_reads {
    int32_t *count; /* per place of the result */
    struct amx_read {
        int32_t at, tap;
    } * read; /* `most` per place */
    int64_t most;
} amx_reads;

/* Forward and backward-data gather: every pixel of `to` is a sum over pixels of `from`.
 * Backward-weights reads both: `from` is x, `to` is y. Rows lie packed in rings. */
struct amx_conv {
    assay_ctx *ctx;
    dn_conv_geometry g;
    unsigned what;
    amx_blocking blocking;
    amx_side from, to;
    int64_t taps, from_ring, to_ring; /* rings in rows; to_ring: backward-weights */
    amx_reads rows, cols;             /* gathers */
    bool pairs; /* 3 x 3 at stride 1: two neighbouring pixels share what they read */
    size_t weight_bytes, from_bytes, to_bytes, list_bytes; /* parts of the scratch */
};

/* Which rows of x a band [begin, end) of the result reads. */
typedef struct amx_span {
    int64_t begin, end;
} amx_span;
amx_span amx_conv_sources(const amx_conv *c, int64_t begin, int64_t end);

static inline int64_t amx_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t amx_most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* weights [o][i][taps] in f32 to blocks of bf16 as the gathers read them, and sums of
 * backward-weights back. */
void amx_pack_weights(const amx_conv *c, uint16_t *blocks, const float *weight);
void amx_unpack_weights(const amx_conv *c, float *weight, const float *panels);
void amx_gather(const amx_conv *c,
                int64_t n,
                const void *from,
                const float *weight,
                const float *bias,
                void *to,
                void *scratch);
void amx_weights(const amx_conv *c,
                 int64_t n,
                 const void *x,
                 const void *d_y,
                 float *d_weight,
                 void *scratch);

#endif
