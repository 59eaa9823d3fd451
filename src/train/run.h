/* What train.c, eval.c and their tests share: a model's verdict on rows of a dataset. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "train/trainer.h"

/* Verdicts of an ensemble, added up model by model. */
typedef struct verdicts {
    assay_ctx *ctx;
    size_t rows, classes;
    int models;
    float *logits;         /* [rows, classes], of the last model added */
    double *probabilities; /* [rows, classes], sums over models */
    double single;         /* sum over models of their own accuracy */
} verdicts;

ASSAY_MUST_CHECK assay_status verdicts_init(verdicts *v,
                                            assay_ctx *ctx,
                                            size_t rows,
                                            size_t classes);
void verdicts_free(verdicts *v); /* accepts a zeroed one */
/* Adds what a model says of rows of pixels, or of sentences; their labels are
 * data->labels[rows[i]]. */
ASSAY_MUST_CHECK assay_status verdicts_add(verdicts *v,
                                           const trained_model *m,
                                           const train_data *data,
                                           const uint32_t *rows,
                                           predict_views views);
/* Accuracy and mean cross-entropy of the averaged probabilities, and the mean accuracy of
 * the single models; 0 without rows. */
void verdicts_measure(const verdicts *v,
                      const uint32_t *rows,
                      const int32_t *labels,
                      double *accuracy,
                      double *single,
                      double *loss);

#endif
