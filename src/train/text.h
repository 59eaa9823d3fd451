/* Text as data of a training run: tokens of the part that is trained on and of the part
 * that is held out, and how well a model predicts each token from those before it. */
#ifndef TRAIN_TEXT_H
#define TRAIN_TEXT_H

#include "data/text/corpus.h"
#include "train/batches.h"

typedef struct text_data {
    token_list train, held;
    size_t held_bytes; /* of the tokens that are predicted: all but the first */
} text_data;

/* `held_out` of the text's end is kept apart. FORMAT as tokenizer_encode. */
ASSAY_MUST_CHECK assay_status text_data_make(text_data *out,
                                             const corpus *c,
                                             const tokenizer *t,
                                             double held_out);
void text_data_free(text_data *d); /* accepts a zeroed one */
/* The tokens that a recipe wants of a text, and what else a card says before training.
 * Characters are those of the whole text; byte pairs are learnt where training happens.
 * INVALID, FORMAT (tokenizer_train), NOMEM */
ASSAY_MUST_CHECK assay_status text_card_make(model_card *card,
                                             assay_ctx *ctx,
                                             const train_recipe *recipe,
                                             const corpus *c,
                                             uint64_t seed);
/* Shards that suit a batch: pieces of about a thousand tokens keep the threads busy. */
int text_shards(int batch, size_t context);
/* Windows in an epoch: as many as fit side by side. */
size_t text_windows(const text_data *d, int context);

/* Loss (nats) and accuracy per token, in windows side by side: every token but the first
 * is predicted once, from those before it in its window. NaN if there is none. */
ASSAY_MUST_CHECK assay_status text_measure(assay_ctx *ctx,
                                           const trained_model *m,
                                           const uint16_t *token,
                                           size_t n,
                                           train_measure *out);

/* assay_generate by a model in memory. */
ASSAY_MUST_CHECK assay_status text_generate(assay_ctx *ctx,
                                            const trained_model *m,
                                            const assay_generate_options *options,
                                            char **out,
                                            size_t *bytes);

/* A loss per token as bits per byte of the text. */
double text_bits(double loss, size_t tokens, size_t bytes);

/* assay_eval of a model of text. */
ASSAY_MUST_CHECK assay_status eval_text(assay_ctx *ctx,
                                        const trained_model *m,
                                        const char *source,
                                        const char *split,
                                        assay_eval_result *result);

#endif
