/* How exact the gradients of a whole network are: the executor in f32 against the float64
 * reference, on one batch of random data. What PyTorch's own f32 error is on the same
 * weights and data, bench/gradients_torch.py records in bench/gradients.json.
 *
 * A sign at a ReLU, or a winner of a maximum, that rounding turns moves the gradient by
 * far more than all other rounding, on one seed in several, on either side. So networks
 * are also compared as their smooth twins (zoo_config.smooth), where each seed counts. */
#ifndef TRAIN_GRADIENT_CHECK_H
#define TRAIN_GRADIENT_CHECK_H

#include "zoo/zoo.h"

typedef struct gradient_check {
    assay_ctx *ctx;
    char name[48]; /* of the network; of its smooth twin, with "-smooth" behind */
    zoo_model zoo;
    nn_weights weights;
    int batch;
    float *images;           /* [batch,H,W,C], of models of images */
    int32_t *tokens;         /* [batch,T], of models of tokens */
    int32_t *labels;         /* [batch] or [batch,T] */
    size_t each, label_each; /* numbers of an example */
    double *ours, *exact;    /* [parameters]: gradients of the mean loss */
    double error;            /* |ours - exact| / |exact|, 2-norms over all parameters */
} gradient_check;

/* Builds one of the networks of train/bench_nets.h, or its smooth twin, with weights and
 * data from `seed` and computes both gradients. @errors as bench_net_build, NOMEM   @cost
 * the reference is plain C: seconds to a minute */
ASSAY_MUST_CHECK assay_status gradient_check_run(
    gradient_check *out, assay_ctx *ctx, const char *name, int batch, uint64_t seed);
/* The same of a model of the zoo at some size. @errors as zoo_build, NOMEM */
ASSAY_MUST_CHECK assay_status gradient_check_zoo(gradient_check *out,
                                                 assay_ctx *ctx,
                                                 const char *name,
                                                 const zoo_config *config,
                                                 int batch,
                                                 uint64_t seed);
bool gradient_check_smooth(const char *name); /* whether it names a smooth twin */
void gradient_check_free(gradient_check *c);  /* accepts a zeroed one */

#endif
