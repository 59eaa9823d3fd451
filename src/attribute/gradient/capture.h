/* Capture: what per-example gradients are made of, copied out of the engine for many rows
 * at once. The gradient of a linear layer that sees an example once is d a', with a its
 * input (1 behind it, for the bias) and d the output's derivative: "thin" layers are held
 * as such factors. All other layers (convolutions, linear layers over tokens, norms,
 * tables of embeddings) are "wide": their gradients are made anew, whole, a block of rows
 * at a time, where somebody needs them. */
#ifndef ATTRIBUTE_CAPTURE_H
#define ATTRIBUTE_CAPTURE_H

#include "attribute/gradient/source.h"

enum { ATT_MOST_LAYERS = 256 };

typedef struct att_layer {
    int factor;     /* the executor's number of it */
    size_t in, out; /* of the factors: `in` counts the bias's 1 */
    bool bias;
    float *a; /* [rows, in] */
    float *d; /* [passes * rows, out], pass by pass */
} att_layer;

/* A wide layer's gradient as a matrix [rows, columns]: [out, patch or in, the bias's
 * last] of convolutions and linear layers, [vocabulary, width] of tables, one row of
 * norms. */
typedef struct att_wide {
    int factor;
    nn_factor_kind kind;
    bool bias, plain; /* plain: it has no Kronecker factors */
    size_t rows, columns;
    size_t in;   /* channels of a convolution */
    size_t at;   /* place in a wide gradient */
    size_t room; /* of nn_factor_gradient */
} att_wide;

typedef struct att_layers {
    assay_ctx *ctx;
    size_t rows, passes;
    int count;
    att_layer layer[ATT_MOST_LAYERS];
    int wides;
    att_wide wide[ATT_MOST_LAYERS];
    size_t wide_floats; /* of a row's wide gradient, all layers one behind the other */
    size_t most_bytes;  /* of a block of wide gradients, where less than usual; 0: any */
    float *q;      /* [rows] 1 - p of the label: with the margin f, the loss is log(1 +
                      e^-f) and its derivative -q times the margin's */
    uint32_t *row; /* [rows] of the data */
    att_source *source; /* runs again for wide gradients */
} att_layers;

/** Layers of a member's model on rows of its study's data.
 *  @param m  its arrays are borrowed as long as `out` lives
 *  @param rows  of the data, borrowed for the call
 *  @errors UNSUPPORTED (parameters that two ops share, too many layers), NUMERIC (not
 *  finite), INVALID (no running statistics), NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost a step of training per row and pass; memory rows x (in + passes out) of thin
 *  layers, nothing for wide ones */
ASSAY_MUST_CHECK assay_status att_capture(att_layers *out,
                                          const att_member *m,
                                          const uint32_t *rows,
                                          size_t n,
                                          att_output output);
void att_layers_free(att_layers *x); /* accepts a zeroed one */

/** Margin layers of all rows of the study, training rows first, then targets. */
ASSAY_MUST_CHECK assay_status att_capture_study(att_layers *out, const att_member *m);

/** Batches that wide gradients are made in: rows of one. */
size_t att_wide_batch(const att_layers *x);
/** Rows of a block of wide gradients: whole batches, as many as fit, one at least.
 *  @param bytes  that a block may have */
size_t att_wide_block(const att_layers *x, size_t bytes);
/** Floats of scratch that att_wide_make wants. */
size_t att_wide_scratch(const att_layers *x);
/** Wide gradients of a batch in one pass, layer by layer: layer l of row i lies at
 * n * wide[l].at + i * rows * columns of it. For one worker of a loop.
 *  @param out  [n * wide_floats], filled   @errors as att_source_run */
ASSAY_MUST_CHECK assay_status att_wide_make(float *out,
                                            const att_layers *x,
                                            int worker,
                                            size_t first,
                                            size_t n,
                                            size_t pass,
                                            float *scratch);
/** Wide gradients of rows [first, first + n), margins' or of the first pass: out [n,
 * wide_floats].
 *  @threads uses the context's   @cost a step of training per row */
ASSAY_MUST_CHECK assay_status att_wide_fill(float *out,
                                            const att_layers *x,
                                            size_t first,
                                            size_t n);

#endif
