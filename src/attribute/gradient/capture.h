/* Capture: what per-example gradients are made of, from batched passes forward and back
 * to the inputs of the layers. An example's gradient of a linear layer is d a', with a
 * the layer's input (1 behind it, for the bias) and d the output's derivative; the
 * gradients themselves, [examples, parameters], are never held. */
#ifndef ATTRIBUTE_CAPTURE_H
#define ATTRIBUTE_CAPTURE_H

#include "attribute/method.h"

enum { ATT_MOST_LAYERS = 64 };

typedef struct att_layer {
    size_t in, out; /* of the factors: `in` counts the bias's 1 */
    bool bias;
    float *a; /* [rows, in] */
    float *d; /* [passes * rows, out], pass by pass */
} att_layer;

typedef struct att_layers {
    assay_ctx *ctx;
    size_t rows, passes;
    int count;
    att_layer layer[ATT_MOST_LAYERS];
    float *q; /* [rows] 1 - p of the label: with the margin f, the loss is log(1 + e^-f)
                 and its derivative -q times the margin's */
} att_layers;

typedef enum att_output {
    ATT_MARGIN,     /* one pass: log(p / (1 - p)) of the label */
    ATT_GAUSSNEWTON /* a pass for each class c: derivatives of the loss for that class
                      times sqrt(p_c); summed over passes, the products of what comes are
                      the Gauss-Newton matrix of the example, exactly */
} att_output;

/** Layers of a member's model on rows of its study's data.
 *  @param rows  of the data, borrowed for the call
 *  @errors UNSUPPORTED (a layer that is not linear, or sees several places of an
 * example), NUMERIC (not finite), NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost a step of training per row and pass; memory rows x (in + passes out) */
ASSAY_MUST_CHECK assay_status att_capture(att_layers *out,
                                          const att_member *m,
                                          const uint32_t *rows,
                                          size_t n,
                                          att_output output);
void att_layers_free(att_layers *x); /* accepts a zeroed one */

/** Margin layers of all rows of the study, training rows first, then targets. */
ASSAY_MUST_CHECK assay_status att_capture_study(att_layers *out, const att_member *m);

#endif
