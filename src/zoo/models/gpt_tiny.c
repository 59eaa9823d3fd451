/* gpt-tiny: a decoder of 4 layers of 4 heads and a width of 128, for bytes and for
 * vocabularies of a few thousand byte pairs on one core. */
#include "zoo/decoder.h"

enum { LAYERS = 4, HEADS = 4, WIDTH = 128 };

static assay_status build(zoo_model *m) {
    return zoo_decoder_build(m, LAYERS, HEADS, WIDTH);
}

const zoo_model_def assay_model_gpt_tiny = {
    .name = "gpt-tiny",
    .summary = "transformer over tokens: 4 layers of 4 heads, 128 wide",
    .build = build,
    .tokens = true,
    .golden = ZOO_DECODER_SIZE(LAYERS, WIDTH, 65, 128),
};
