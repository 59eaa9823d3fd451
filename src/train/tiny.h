/* Small models take their steps whole (nn/chain.h): which recipes that serves, and the
 * way from a batch to them. */
#ifndef TRAIN_TINY_H
#define TRAIN_TINY_H

#include "train/optimizer.h"
#include "train/trainer.h"

typedef struct tiny tiny;

/* Whether model and recipe are a small chain of layers, on images of one channel, in
 * f32, by plain SGD: a recipe with any other setting takes the general way. */
bool tiny_fits(const train_recipe *r, const zoo_model *z);

/* Starts from flat parameters and velocities. */
ASSAY_MUST_CHECK assay_status tiny_create(tiny **out,
                                          assay_ctx *ctx,
                                          const train_recipe *r,
                                          const zoo_model *z,
                                          int batch,
                                          const float *params,
                                          const float *velocity);
void tiny_destroy(tiny *t); /* accepts NULL */
/* Fills them; velocity NULL: not wanted. */
void tiny_store(const tiny *t, float *params, float *velocity);

/* One step on a batch of n images [n, H, W]: the sum of their losses before it, and how
 * many were right. Allocates nothing. */
ASSAY_MUST_CHECK assay_status tiny_step(tiny *t,
                                        const float *images,
                                        const int32_t *labels,
                                        int n,
                                        train_pace pace,
                                        double *loss,
                                        size_t *right);

#endif
