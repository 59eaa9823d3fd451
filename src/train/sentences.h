/* Sentences as data of a training run, and what a model of sequences says of them. */
#ifndef TRAIN_SENTENCES_H
#define TRAIN_SENTENCES_H

#include "data/text/sentences.h"
#include "train/run.h"

/* Cuts sentences into the tokens that a card's model reads, at its context.
 * FORMAT as sentences_cut */
ASSAY_MUST_CHECK assay_status sentences_for(sentences *s, const model_card *card);
/* The tokens that a recipe wants of these rows' texts, the classes, and what else a card
 * says before training. INVALID, FORMAT (tokenizer_train), NOMEM */
ASSAY_MUST_CHECK assay_status sentences_card_make(model_card *card,
                                                  assay_ctx *ctx,
                                                  const train_recipe *recipe,
                                                  const sentences *s,
                                                  const uint32_t *rows,
                                                  size_t n,
                                                  uint64_t seed);
/* A file's labels by the numbers that a model's card has for their names. SHAPE: a class
 * that it does not know */
ASSAY_MUST_CHECK assay_status sentences_labels(sentences *s, const model_card *card);
/* Whether a row is kept apart from training: a share of all, the same for all seeds. */
bool sentences_held(double held_out, size_t row);

/* Forward in evaluation mode over rows, in parallel: logits [n, classes]. */
ASSAY_MUST_CHECK assay_status sentences_predict(assay_ctx *ctx,
                                                const trained_model *m,
                                                const sentences *s,
                                                const uint32_t *rows,
                                                size_t n,
                                                float *logits);

/* assay_eval of models of sequences: on the rows of a split where the file is the one
 * that they were trained on, else on all. SHAPE: a class that they do not know */
ASSAY_MUST_CHECK assay_status eval_sentences(assay_ctx *ctx,
                                             const trained_model *m,
                                             int models,
                                             const char *source,
                                             const char *split,
                                             assay_eval_result *result);

#endif
