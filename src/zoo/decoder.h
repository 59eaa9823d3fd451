/* Transformers that predict the next token (Radford et al. 2019, "Language Models are
 * Unsupervised Multitask Learners"): norms before each part and behind the last, learnt
 * positions. Names are those of GPT-2 as written with linear layers; the head is not tied
 * to the embedding and has a bias. The vocabulary is the number of classes: 256 for
 * bytes, more for byte pairs. */
#ifndef ZOO_DECODER_H
#define ZOO_DECODER_H

#include "zoo/zoo.h"

ASSAY_MUST_CHECK assay_status zoo_decoder_build(zoo_model *m,
                                                int layers,
                                                int64_t heads,
                                                int64_t width);

/* Parameters: a layer has twelve squares of its width, its biases and norms thirteen
 * widths. */
#define ZOO_DECODER_SIZE(layers, width, vocabulary, context)                             \
    (((vocabulary) + (context)) * (width) +                                              \
     (layers) * (12 * (width) * (width) + 13 * (width)) + 2 * (width) +                  \
     (vocabulary) * ((width) + 1))

#endif
