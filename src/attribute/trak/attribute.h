/* Attribution: which training rows made the models say this.
 *
 * TRAK (Park et al. 2023) over an ensemble: per-example gradients of the margin
 * log(p/(1-p)), sketched, one store per member; scores tau[i,t] = mean_m(phi_i,m (Phi'Phi
 * + lambda I)^-1 phi_t,m) times q_i, the mean of 1 - p over the members that did not see
 * row i. Positive: training on i raises t's margin. Nothing of size rows x targets is
 * ever held. */
#ifndef ATTRIBUTE_ATTRIBUTE_H
#define ATTRIBUTE_ATTRIBUTE_H

#include "attribute/trak/heap.h"
#include "file/store.h"
#include "train/trainer.h"

/* ---- features ---- */

typedef struct att_sketch {
    int dim;       /* k; 512 unless asked */
    uint64_t seed; /* differs per member */
} att_sketch;

/** Sketched margin gradients of all rows of `pixels` under one model into a resumable
 * store [rows, dim] at `path`: phi = S' g / sqrt(parameters), S one signed entry per
 * coordinate (SJLT). Gradients are made per example from the layers' factors, one
 * parametrised op at a time. Finished blocks of a store are kept when its identity
 * matches (model file hash, labels, sketch, version). Adds one to the progress per row,
 * for the caller's phase.
 *  @param out  the complete store, open; NULL on failure   @param labels  [rows]
 *  @errors SHAPE, NUMERIC (a gradient is not finite), CANCELLED (sealed blocks stay), IO,
 * NOSPC, NOMEM   @threads uses the context's; bytes do not depend on how many */
ASSAY_MUST_CHECK assay_status att_features(row_store **out,
                                           assay_ctx *ctx,
                                           const trained_model *m,
                                           const char *model_hash,
                                           const npy_array *pixels,
                                           const int32_t *labels,
                                           const att_sketch *sketch,
                                           const char *path);

/* ---- TRAK ---- */

typedef struct att_trak att_trak;
typedef struct att_trak_options {
    double ridge; /* lambda over the mean diagonal of Phi'Phi; the setting that matters
                     most; 1 is good */
    bool use_q;
} att_trak_options;

/** Factorises each member's kernel Phi'Phi + lambda I over the active rows.
 *  Stores and arrays are borrowed for the life of `out`.
 *  @param train_rows  rows [0, train_rows) of the stores are training examples
 *  @param active  NULL, or [train_rows] flags: rows that no member trained on count for
 * nothing
 *  @param q  [train_rows] in [0,1]; NULL only without use_q
 *  @param options  NULL: ridge 1, with q
 *  @errors SHAPE, INVALID, NUMERIC (features not finite; no ridge and a singular kernel),
 * NOMEM, CANCELLED   @threads uses the context's   @cost M (n k^2 + k^3/3) */
ASSAY_MUST_CHECK assay_status att_trak_create(att_trak **out,
                                              assay_ctx *ctx,
                                              row_store *const *stores,
                                              int members,
                                              uint64_t train_rows,
                                              const uint8_t *active,
                                              const float *q,
                                              const att_trak_options *options);
void att_trak_destroy(att_trak *t);

/** Scores of all training rows for one target row of the stores: out [train_rows]. */
ASSAY_MUST_CHECK assay_status att_trak_scores(att_trak *t,
                                              uint64_t target_row,
                                              float *out);

/** The `top` strongest positive and negative training rows of each target, streamed over
 * blocks of rows.
 *  @param out  [n_targets, 2, top]: positive first, strongest first, ties by row
 *  @cost 2 M k n n_targets, in products of blocks */
ASSAY_MUST_CHECK assay_status att_trak_top(
    att_trak *t, const uint64_t *targets, size_t n_targets, int top, att_top *out);

/** Self-influence phi_i (Phi'Phi + lambda I)^-1 phi_i q_i, mean over members: out
 * [train_rows]. */
ASSAY_MUST_CHECK assay_status att_trak_self(att_trak *t, float *out);

/** sum_t weight_t tau[i,t]: with weight = 1 - p_t(true) it is the predicted effect of row
 * i on the total test loss (negative = harmful). out [train_rows]. @cost that of one
 * target */
ASSAY_MUST_CHECK assay_status att_trak_mean(
    att_trak *t, const uint64_t *targets, const float *weight, size_t n, float *out);

/* How far to trust it: over targets and members, correlation between the predicted
 * deviation of a member's margin (sum of tau over the rows it saw, centred over members)
 * and the actual one, and the slope actual/predicted (the scale on which predicted
 * effects are in margin units). */
typedef struct att_trust {
    double correlation, slope;
    double low, high; /* 95 % interval of the correlation, bootstrap over targets */
} att_trust;
/** @param seen  [members, train_rows] flags   @param margins  [members, n_targets] actual
 * margins All zero when there is nothing to correlate (fewer than two members, no
 * deviation). */
ASSAY_MUST_CHECK assay_status att_trak_trust(att_trak *t,
                                             const uint8_t *seen,
                                             const uint64_t *targets,
                                             size_t n_targets,
                                             const float *margins,
                                             uint64_t seed,
                                             att_trust *out);

#endif
