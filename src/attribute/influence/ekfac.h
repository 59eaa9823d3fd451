/* EK-FAC: the Gauss-Newton matrix of a model, layer by layer, in the eigenbases of its
 * Kronecker factors (George et al. 2018), with exact expectations over classes (Martens
 * 2020, section 6): no label is sampled.
 *
 * With a the input of a layer and d_c the output's derivative of the loss for class c,
 *     A = mean a a',  B = mean sum_c p_c d_c d_c',  A = Ua diag Ua',  B = Ud diag Ud',
 *     L = mean (Ua' a)^2 (x) sum_c p_c (Ud' d_c)^2
 * and the layer's block is about (Ua (x) Ud) diag(L) (Ua (x) Ud)'.
 *
 * Convolutions and linear layers over tokens (Grosse and Martens 2016): with a_t the
 * patch or the input at a place and d_ct the derivative there, A = mean sum_t a_t a_t',
 * B = mean sum_c p_c sum_t d_ct d_ct', and, after the sum over places,
 *     L = mean sum_c p_c (sum_t Ua' a_t (x) Ud' d_ct)^2,
 * the exact second moments in that basis. Tables of embeddings are turned on the side of
 * their width alone; a product with a turned weight is a linear layer whose sides change
 * places; norms, grouped and transposed convolutions have the diagonal of the
 * Gauss-Newton matrix. */
#ifndef ATTRIBUTE_EKFAC_H
#define ATTRIBUTE_EKFAC_H

#include "attribute/gradient/capture.h"

typedef struct ekfac_layer {
    size_t in, out;
    float *in_vector;  /* [in, in], one eigenvector per row */
    float *out_vector; /* [out, out] */
    float *value;      /* [in, out]: L */
} ekfac_layer;

/* Of a wide layer, whose gradient is [rows, columns]; NULL: as it is. */
typedef struct ekfac_wide {
    float *row_vector;    /* [rows, rows], one eigenvector per row */
    float *column_vector; /* [columns, columns] */
} ekfac_wide;

typedef struct ekfac {
    assay_ctx *ctx;
    int count;
    ekfac_layer layer[ATT_MOST_LAYERS];
    int wides;
    ekfac_wide wide[ATT_MOST_LAYERS];
    float *wide_value; /* [wide floats]: their L, as gradients lie */
    double mean;       /* eigenvalue, over all layers together */
} ekfac;

/** Of a member's model over the study's training rows.
 *  @errors as att_capture
 *  @cost a pass per class, and the layers' eigenvectors; for a wide layer another two
 *  passes per class (bases, one layer after the other; eigenvalues, all at once), and 2
 *  rows columns (rows + columns) per example and class. Memory: four sums of a layer's
 *  squared sides in f64, 20 wide gradients and as much scratch per thread. */
ASSAY_MUST_CHECK assay_status ekfac_make(ekfac *out, const att_member *m);
void ekfac_free(ekfac *e); /* accepts a zeroed one */

/** Turns captured thin layers into the eigenbases, in place: a <- Ua' a, d <- Ud' d. */
ASSAY_MUST_CHECK assay_status ekfac_turn(att_layers *x, const ekfac *e);

/** scores[i, t] += q_i g_i' (G + delta I)^-1 g_t, delta = damping times the mean
 * eigenvalue, for turned layers of the study's rows and targets.
 *  @errors NUMERIC (no damping and a singular matrix), NOMEM, CANCELLED
 *  @threads uses the context's   @cost 2 rows targets in out, per layer; two blocks of
 *  256 MiB of wide gradients or of 20 of them, whichever is more */
ASSAY_MUST_CHECK assay_status ekfac_scores(float *scores,
                                           const ekfac *e,
                                           const att_layers *x,
                                           size_t rows,
                                           size_t targets,
                                           double damping);

/** out[i] += q_i g_i' (G + delta I)^-1 g_i, for turned layers of the study's rows.
 *  @errors, threads  as ekfac_scores   @cost 2 rows in out, per layer */
ASSAY_MUST_CHECK assay_status
ekfac_self(float *out, const ekfac *e, const att_layers *x, size_t rows, double damping);

#endif
