/* What one study of attribution is about: data, a model, how it is trained, whose
 * influence is asked for and on what. Models of a study differ in their runs alone. */
#ifndef ATTRIBUTE_STUDY_H
#define ATTRIBUTE_STUDY_H

#include "attribute/output.h"
#include "attribute/study/run.h"

typedef struct att_study {
    assay_ctx *ctx;
    const train_data *data;
    const zoo_model *model;
    att_recipe recipe;
    const uint32_t *rows; /* training rows, in the order of scores */
    size_t n_rows;
    const uint32_t *targets; /* rows whose margin is looked at */
    size_t n_targets;
    const att_asked *asked; /* what else than margins; NULL: nothing. Not of models that
                               give each token an answer */
} att_study;

/* Some rows in an executor's inputs. */
void att_feed(const att_study *s, nn_exec *exec, const uint32_t *rows, size_t n);

/** Trains the runs, one per core, and writes each one's margins on the targets, by their
 * running statistics where the model has some: out [n, n_targets]. Adds one to the
 * progress per run.
 *  @param params  where the weights go, [n][parameters], or NULL
 *  @param buffers  where running statistics go, [n][floats of them], or NULL
 *  @errors NUMERIC, NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many */
ASSAY_MUST_CHECK assay_status att_train_models(float *out,
                                               float *const *params,
                                               float *const *buffers,
                                               const att_study *s,
                                               const att_run *runs,
                                               size_t n);
/** The same without buffers. UNSUPPORTED where weights are wanted of a model that has
 * running statistics: they would be lost. */
ASSAY_MUST_CHECK assay_status att_train_margins(
    float *out, float *const *params, const att_study *s, const att_run *runs, size_t n);

/* Random subsets of the training rows, of equal size. */
typedef struct att_subsets {
    assay_ctx *ctx;
    size_t count, size, n_rows;
    uint32_t *row;  /* [count, size] rows of the data, ascending */
    uint8_t *holds; /* [count, n_rows] whether place i of the study's rows is in */
} att_subsets;
/** @param share  of the rows that a subset has, 0 to 1, exclusive
 *  @param stream  RNG_LDS_TRUTH or RNG_LDS_FIT: sets drawn for one never serve the other
 */
ASSAY_MUST_CHECK assay_status att_subsets_draw(att_subsets *out,
                                               const att_study *s,
                                               size_t count,
                                               double share,
                                               uint32_t stream,
                                               uint64_t seed);
void att_subsets_free(att_subsets *x); /* accepts a zeroed one */

/** What scores foretell for subsets: the sum over the rows of each. out [count, targets]
 *  @param scores  [n_rows, targets]   @threads uses the context's */
ASSAY_MUST_CHECK assay_status att_subsets_predict(float *out,
                                                  const att_subsets *x,
                                                  const float *scores,
                                                  size_t targets);

/** Trains `seeds` models on each subset and notes the targets' margins: out [seeds,
 * count, targets]. Seeds of runs follow from `first_seed`, all different.
 *  @errors as att_train_margins */
ASSAY_MUST_CHECK assay_status att_subsets_truth(float *out,
                                                const att_study *s,
                                                const att_subsets *x,
                                                size_t seeds,
                                                uint64_t first_seed);

#endif
