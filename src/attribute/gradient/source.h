/* A member's model opened for capture: an executor per worker, which runs batches of rows
 * of the study's data and hands out the factors of every parametrised op (nn/exec.h). */
#ifndef ATTRIBUTE_SOURCE_H
#define ATTRIBUTE_SOURCE_H

#include "attribute/method.h"

typedef enum att_output {
    ATT_MARGIN, /* one pass: log(p / (1 - p)) of the label, its mean over tokens; or what
                 the study asks of a row (attribute/output.h) */
    ATT_GAUSSNEWTON /* a pass for each class c: derivatives of the loss for that class
                      times sqrt(p_c); summed over passes, the products of what comes are
                      the Gauss-Newton matrix of the example, exactly. Of models that give
                      each token an answer, one pass: at each place a token drawn from
                      what the model says (keyed by the member's seed, row and place),
                      whose products have the mean over places of their matrices as
                      expectation (Grosse et al. 2023, section 2.2) */
} att_output;

typedef struct att_source {
    assay_ctx *ctx;
    att_member member; /* its arrays are borrowed */
    nn_weights weights;
    att_output output;
    assay_dtype precision;
    size_t passes, batch; /* batch: rows that run at once, at most */
    size_t workers;
    nn_exec **exec; /* [workers], made when first used */
    float **seed;   /* [workers][batch, answers, classes] */
    double **soft;  /* [workers][classes] */
} att_source;

/** @param m  its arrays live longer than the source
 *  @param precision  of the passes (nn/exec.h)
 *  @errors INVALID: the graph has running statistics and the member brings none; NOMEM */
ASSAY_MUST_CHECK assay_status att_source_open(att_source *out,
                                              const att_member *m,
                                              att_output output,
                                              assay_dtype precision,
                                              size_t batch);
void att_source_close(att_source *s); /* accepts a zeroed one */

/** Forward and backward of a pass over `n` rows, at most a batch; then factors are
 * there until the worker's next run.
 *  @param q  [n] 1 - p of the label (of tokens, the mean over those asked for), filled;
 *  NULL: not wanted
 *  @errors NUMERIC: a margin is not finite; NOMEM   @threads one per worker */
ASSAY_MUST_CHECK assay_status att_source_run(
    att_source *s, int worker, const uint32_t *rows, size_t n, size_t pass, float *q);
/** Forward alone: the labels' margins, or what else is asked of a row, out [n]. Errors as
 * above. */
ASSAY_MUST_CHECK assay_status
att_source_margins(att_source *s, int worker, const uint32_t *rows, size_t n, float *out);
/** Forward alone; out [n, floats of an example's penultimate value], filled. */
ASSAY_MUST_CHECK assay_status
att_source_look(att_source *s, int worker, const uint32_t *rows, size_t n, float *out);
/** Forward alone; out [n, classes]. Not of tokens. */
ASSAY_MUST_CHECK assay_status
att_source_logits(att_source *s, int worker, const uint32_t *rows, size_t n, float *out);
size_t att_source_width(const att_source *s); /* floats of the penultimate value */
int att_source_factors(const att_source *s, int worker);
nn_factor att_source_factor(const att_source *s, int worker, int i);

#endif
