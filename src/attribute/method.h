/* Methods of attribution: one file each under attribute/methods, all of which turn a
 * trained model into scores of training rows for targets. Positive: training on the row
 * raises the target's margin. */
#ifndef ATTRIBUTE_METHOD_H
#define ATTRIBUTE_METHOD_H

#include "attribute/study/study.h"

/* A model to attribute by: a run of the study that has been trained, or a checkpoint. */
typedef struct att_member {
    const att_study *study;
    const att_run *run; /* how it came about, to do it again; NULL: not known, and
                           methods that want it say so */
    uint64_t seed;      /* draws its projections */
    float *params;      /* where the run ended; not changed */
    float *buffers; /* running statistics beside them; NULL where the graph has none */
} att_member;

/* What the methods can be told. Each reads what concerns it. */
typedef struct att_settings {
    double damping;  /* over the mean eigenvalue of all layers together */
    double ridge;    /* over the mean diagonal of the kernel */
    double from;     /* share of the run, at its beginning, that replay leaves out */
    int checkpoints; /* of a run, that tracin goes by */
    int dim;         /* of projections */
    const char *projector; /* one of attribute/gradient/projectors */
    assay_dtype precision; /* of the passes that projections start from: ASSAY_F32, or
                              ASSAY_BF16 (nn/exec.h) */
    bool unweighed;        /* methods that weigh leave it */
    double threshold; /* soft: this quantile of a target's |scores| is taken away from all
                         of them, down to nought; 0: nothing is */
    bool traker; /* trak as its authors' code computes it, for comparison: the ridge is
                    absolute, and each model's inverse goes over its mean element */
} att_settings;
#define ATT_SETTINGS_INIT                                                                \
    {                                                                                    \
        .damping = 1, .ridge = 1, .from = .25, .checkpoints = 5, .dim = 4096,            \
        .projector = "sjlt", .precision = ASSAY_F32                                      \
    }

/** Settings as public options have them: negative damping, ridge and from, dim and
 * checkpoints of 0, no projector: the usual.
 *  @errors INVALID: out of range */
ASSAY_MUST_CHECK assay_status att_settings_make(att_settings *out,
                                                double damping,
                                                double ridge,
                                                double from,
                                                int dim,
                                                const char *projector,
                                                int checkpoints);

/* Sums over the members of an ensemble. A score is the mean of `scores` over members,
 * times the mean of `weight` where the method has one (TRAK's Q). */
typedef struct att_sum {
    float *scores; /* [n_rows, n_targets], added to */
    float *weight; /* [n_rows], added to; methods that do not weigh leave it alone */
} att_sum;

/* Settings that a method reads, of those that can be chosen on fit subsets. */
enum { ATT_READS_RIDGE = 1, ATT_READS_DAMPING = 2 };

typedef struct att_method {
    const char *name, *summary;
    bool weighs;
    unsigned reads;
    /* Adds one member's scores. SHAPE, UNSUPPORTED (an op it can't treat), NUMERIC,
     * NOMEM, CANCELLED. Uses the context's threads; bytes do not depend on how many. */
    assay_status (*score)(att_sum *sum, const att_member *m, const att_settings *o);
    /* Self-influence: adds each row's score for itself, as if it were a target, to
     * sum->scores, here [n_rows]; its weight as above. The study's targets are not looked
     * at. NULL: none that would cost less than all rows as targets. Errors as above. */
    assay_status (*self)(att_sum *sum, const att_member *m, const att_settings *o);
} att_method;

size_t att_method_count(void);
const att_method *att_method_at(size_t i);
const att_method *att_method_find(const char *name); /* NULL if there is none */

/** The ensemble's scores from its sums: out [n_rows, n_targets], which may be the sum's.
 *  @errors NUMERIC if one is not finite: scores are never silently NaN; NOMEM */
ASSAY_MUST_CHECK assay_status att_sum_finish(float *out,
                                             assay_ctx *ctx,
                                             const att_sum *sum,
                                             const att_method *method,
                                             const att_settings *settings,
                                             int members,
                                             size_t n_rows,
                                             size_t n_targets);

#endif
