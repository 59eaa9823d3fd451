/* The inside of a measurement: what its parts (truth, ensembles, the stack, the document)
 * hand on. */
#ifndef ATTRIBUTE_LDS_H
#define ATTRIBUTE_LDS_H

#include <assay/attribute.h>

#include "attribute/ensemble.h"
#include "attribute/measure/stats.h"
#include "attribute/method.h"
#include "attribute/study/lab.h"
#include "base/json.h"

/* Seeds of runs: the truth's, the attributed models' and the fitting models' never meet.
 */
enum { LDS_FIRST_MEMBER = 5, LDS_FIRST_TRUTH = 10000, LDS_FIRST_FIT = 500000 };
enum { LDS_MOST_SIZES = 16, LDS_MOST_MODELS = 1000, LDS_ROUNDS = 200, LDS_VERSION = 2 };
enum { LDS_STACK_MODELS = 10 /* of EK-FAC, in the stack, however many replays */ };
#define LDS_STACK "stack"

/* What an ensemble reached. */
typedef struct lds_entry {
    const char *method;
    int models;
    stat_lds lds;
    double null_targets, null_rows; /* what scores of other targets, other rows reach */
    double seed_sd; /* of one model's LDS over the ensemble; NaN: it is not one */
    double fit;     /* LDS on the fit subsets, NaN if there are none */
    double seconds, cpu_seconds; /* training of the models included */
    const char *chose[2]; /* names of settings chosen on the fit subsets; NULL: none */
    double chosen[2];
} lds_entry;

/* Scores that another method is made of. */
typedef struct lds_kept {
    float *scores; /* [n_rows, n_targets] */
    double seconds, cpu_seconds;
} lds_kept;

typedef struct lds {
    assay_ctx *ctx;
    assay_lds_options o;
    att_settings settings;
    bool matched, stack;
    int size[LDS_MOST_SIZES], sizes; /* of ensembles, ascending */
    int most;                        /* models that are trained */
    att_lab lab;
    att_subsets subsets;
    float *truth; /* [seeds, subsets, targets] */
    float *mean;  /* [subsets, targets] */
    double reliability, truth_seconds, truth_cpu, accuracy;
    bool truth_kept; /* it was found, not made */
    att_subsets fit_subsets;
    float *fit; /* [fit_subsets, targets] margins */
    double fit_seconds, fit_cpu;
    att_ensemble members; /* [most] models that are attributed by */
    float *predicted;     /* [subsets, targets] */
    lds_kept ekfac, replay[LDS_MOST_SIZES];
    json_out j;
} lds;

static inline uint64_t lds_seed(const lds *l) {
    return l->o.seed << 24;
}

/** Trains the truth's models, or finds what they said in the folder that keeps it. */
ASSAY_MUST_CHECK assay_status lds_truth_make(lds *l);
/** The same for the subsets that settings are chosen on, one model each. */
ASSAY_MUST_CHECK assay_status lds_fit_make(lds *l);
/** Trains the models that are attributed by. */
ASSAY_MUST_CHECK assay_status lds_members_train(lds *l);
/** Scores of one method, member by member; an entry in the document at each size that was
 * asked for, if `tells`. Keeps what the stack needs. */
ASSAY_MUST_CHECK assay_status lds_method_run(lds *l,
                                             const att_method *method,
                                             bool tells);
/** Whether any setting is to be chosen on the fit subsets. */
static inline bool lds_tunes(const lds *l) {
    return l->o.ridge < 0 || l->o.damping < 0 || l->o.threshold < 0;
}
/** The settings of a method: as asked for, or the best of a grid on the fit subsets, with
 * the first models. Notes in `e` what was chosen. @cost the method, for each of the grid
 */
ASSAY_MUST_CHECK assay_status lds_tune(att_settings *out,
                                       lds_entry *e,
                                       lds *l,
                                       const att_method *method);
/** LDS of scores on the fit subsets, which must have been made. */
ASSAY_MUST_CHECK assay_status lds_on_fit(double *out, const lds *l, const float *scores);
/** EK-FAC and replay added up with weights fitted on the fit subsets. */
ASSAY_MUST_CHECK assay_status lds_stack_run(lds *l);
/** LDS with intervals and null controls. `scratch` [n_rows, n_targets] is spoiled. */
ASSAY_MUST_CHECK assay_status lds_judge(lds_entry *e,
                                        lds *l,
                                        const float *scores,
                                        float *scratch);
void lds_tell(lds *l, const lds_entry *e);

#endif
