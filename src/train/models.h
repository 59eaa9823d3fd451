/* Trained models as they lie on disk: a run's folder with one model or several, or a
 * file, .onnx too.
 */
#ifndef TRAIN_MODELS_H
#define TRAIN_MODELS_H

#include "train/trainer.h"

/** @param out  [*count], the caller's; NULL on failure
 *  @errors NOTFOUND (a run that is not finished says so), FORMAT, SHAPE, NOMEM */
ASSAY_MUST_CHECK assay_status models_load(trained_model **out,
                                          int *count,
                                          assay_ctx *ctx,
                                          const char *path);
void models_free(trained_model *model, int count, assay_ctx *ctx); /* accepts NULL */

#endif
