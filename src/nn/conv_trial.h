/* One convolution on random data, to be timed and checked: what the tuner and the bench
 * stand on. Times are processor time of the calling thread, the best of a few. */
#ifndef NN_CONV_TRIAL_H
#define NN_CONV_TRIAL_H

#include "nn/conv_choice.h"

typedef struct conv_trial conv_trial;

/* Draws x, y, weights and a bias for the geometry. */
ASSAY_MUST_CHECK assay_status conv_trial_create(conv_trial **out,
                                                assay_ctx *ctx,
                                                dn_engine *engine,
                                                const dn_conv_geometry *g);
void conv_trial_destroy(conv_trial *t);
/* Milliseconds of a pass (one of DN_...) on the kernel chosen. One run more goes ahead.
 */
ASSAY_MUST_CHECK assay_status conv_trial_time(
    double *ms, conv_trial *t, unsigned what, const conv_choice *choice, int repeats);
/* The largest distance of `samples` elements of the last pass timed from the reference,
 * in units of the elements' root mean square. */
double conv_trial_error(const conv_trial *t, int samples);

/* What timing finds for one pass. */
typedef struct conv_tuned {
    conv_choice best;      /* of all */
    amx_blocking blocking; /* of our own kernels */
    double own_ms, onednn_ms;
} conv_tuned;
/* Tries blockings of our own kernel, then the best of them and oneDNN by turns. The pass
 * must be one that amx_conv_can. @cost some thirty runs of the pass */
ASSAY_MUST_CHECK assay_status conv_tune(conv_tuned *out, conv_trial *t, unsigned what);

#endif
