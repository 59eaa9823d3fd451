/* The inside of a counterfactual: what its parts (sources of scores, slopes, removals,
 * the document) hand on. */
#ifndef ATTRIBUTE_COUNTERFACTUAL_H
#define ATTRIBUTE_COUNTERFACTUAL_H

#include <assay/attribute.h>

#include "attribute/ensemble.h"
#include "attribute/study/lab.h"
#include "base/json.h"

/* Seeds of runs, apart from those of truth, members and fits (lds.h). */
enum { CF_FIRST_MEMBER = 5, CF_FIRST_FIT = 500000, CF_FIRST_RUN = 700000 };
enum { CF_FIRST_SEARCH = 900000, CF_FIRST_CONFIRM = 1100000 };
enum { CF_MOST_SIZES = 16, CF_MOST_MODELS = 1000, CF_BASES = 4 /* for each seed */ };

/* What names the rows to remove. */
typedef struct cf_source {
    char name[64];
    const att_method *method; /* NULL: a baseline, or scores from a file */
    const char *file;         /* of scores; NULL: none */
    bool predicts;            /* its scores add up to something */
} cf_source;

typedef struct counterfactual {
    assay_ctx *ctx;
    assay_counterfactual_options o;
    att_settings settings;
    att_protocol protocol; /* with as many targets as were asked for */
    att_lab lab;
    size_t size[CF_MOST_SIZES], sizes;
    int64_t steps; /* of every model on all rows, or on what is left of them */
    att_ensemble members;
    att_subsets fit_subsets;
    float *fit;                           /* [fit_subsets, targets] margins */
    double *base;                         /* [targets] mean margin with all rows */
    float *scores;                        /* [rows, targets] of the source at hand */
    double slope;                         /* of margins by sums of scores */
    uint32_t *order;                      /* [targets, rows] places by falling score */
    float *margins;                       /* [targets, seeds] without rows */
    double *measured, *predicted, *after; /* [targets] */
    buf csv;
    json_out j;
} counterfactual;

/** Scores of a source, [rows, targets] into c->scores; larger ones are removed first.
 *  @errors as att_method's score; SHAPE, FORMAT, DTYPE with the file's name */
ASSAY_MUST_CHECK assay_status cf_scores(counterfactual *c,
                                        const cf_source *source,
                                        double *seconds);
/** The change of a target's margin that is predicted when the `k` first of its order go.
 */
double cf_predict(const counterfactual *c, size_t target, size_t k);
/** Searches, for each right target, the fewest rows of the order at hand that flip it,
 * and tells what it found. @cost about 10 seeds models a target */
ASSAY_MUST_CHECK assay_status cf_brittle(counterfactual *c, const cf_source *source);
/** The source of that name, NOTFOUND with a list of all. */
ASSAY_MUST_CHECK assay_status cf_source_find(cf_source *out,
                                             assay_ctx *ctx,
                                             const char *name,
                                             size_t bytes);

#endif
