/* Rows of a study's data as a model takes them: images, sentences, or windows of
 * a text. */
#ifndef ATTRIBUTE_EXAMPLES_H
#define ATTRIBUTE_EXAMPLES_H

#include "train/trainer.h"

/* Images alone: out [n, H, W, C], normalised. */
void att_images(float *out, const train_data *data, const uint32_t *rows, size_t n);

/* What goes into a model's input and into its labels. */
void att_examples(void *inputs,
                  int32_t *labels,
                  const train_data *data,
                  const uint32_t *rows,
                  size_t n);

#endif
