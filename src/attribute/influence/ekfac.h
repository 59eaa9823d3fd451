/* EK-FAC: the Gauss-Newton matrix of a model, layer by layer, in the eigenbases of its
 * Kronecker factors (George et al. 2018), with exact expectations over classes (Martens
 * 2020, section 6): no label is sampled.
 *
 * With a the input of a layer and d_c the output's derivative of the loss for class c,
 *     A = mean a a',  B = mean sum_c p_c d_c d_c',  A = Ua diag Ua',  B = Ud diag Ud',
 *     L = mean (Ua' a)^2 (x) sum_c p_c (Ud' d_c)^2
 * and the layer's block is about (Ua (x) Ud) diag(L) (Ua (x) Ud)'. */
#ifndef ATTRIBUTE_EKFAC_H
#define ATTRIBUTE_EKFAC_H

#include "attribute/gradient/capture.h"

typedef struct ekfac_layer {
    size_t in, out;
    float *in_vector;  /* [in, in], one eigenvector per row */
    float *out_vector; /* [out, out] */
    float *value;      /* [in, out]: L */
} ekfac_layer;

typedef struct ekfac {
    assay_ctx *ctx;
    int count;
    ekfac_layer layer[ATT_MOST_LAYERS];
    double mean; /* eigenvalue, over all layers together */
} ekfac;

/** Of a member's model over the study's training rows.
 *  @errors as att_capture   @cost a pass per class, and the layers' eigenvectors */
ASSAY_MUST_CHECK assay_status ekfac_make(ekfac *out, const att_member *m);
void ekfac_free(ekfac *e); /* accepts a zeroed one */

/** Turns captured layers into the eigenbases, in place: a <- Ua' a, d <- Ud' d. */
ASSAY_MUST_CHECK assay_status ekfac_turn(att_layers *x, const ekfac *e);

/** scores[i, t] += q_i g_i' (G + delta I)^-1 g_t, delta = damping times the mean
 * eigenvalue, for turned layers of the study's rows and targets.
 *  @errors NUMERIC (no damping and a singular matrix), NOMEM, CANCELLED
 *  @threads uses the context's   @cost 2 rows targets in out, per layer */
ASSAY_MUST_CHECK assay_status ekfac_scores(float *scores,
                                           const ekfac *e,
                                           const att_layers *x,
                                           size_t rows,
                                           size_t targets,
                                           double damping);

#endif
