/* One head of attention over one example: the products and passes behind the op. */
#ifndef NN_ATTEND_H
#define NN_ATTEND_H

#include "nn/op.h"

typedef struct attend_shape {
    size_t heads, queries, keys;
    size_t width, out_width; /* of a head's queries and keys; of its values */
    float scale;
    bool causal;
    double rotary; /* base; 0: none */
} attend_shape;

/* Rows of a head in memory, `ld` elements apart; at NULL: none. */
typedef struct attend_rows {
    void *at;
    bool half;
    size_t ld, rows, width;
} attend_rows;

typedef struct attend_head {
    const attend_shape *shape;
    size_t keys;        /* that are seen at all: the first so many of the shape's */
    const float *turns; /* of attend_turns_create */
    attend_rows q, k, v;
    float *log_sum; /* [queries]; written forward, read backward */
} attend_head;

attend_shape attend_shape_of(const nn_node *node);
/* Floats. */
size_t attend_forward_scratch(const attend_shape *s);
size_t attend_backward_scratch(const attend_shape *s);
/* Cosines and sines of all positions; *out stays NULL where there is no rotation. */
ASSAY_MUST_CHECK assay_status attend_turns_create(void **out,
                                                  assay_ctx *ctx,
                                                  const attend_shape *s);
void attend_forward(const attend_head *a, attend_rows out, float *scratch);
void attend_backward(const attend_head *a,
                     attend_rows d_out,
                     attend_rows d_q,
                     attend_rows d_k,
                     attend_rows d_v,
                     float *scratch);

/* The op's rule of nn/tangent.h. */
assay_status attend_tangent(nn_value *out, const nn_tangent *t);

#endif
