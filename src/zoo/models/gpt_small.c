/* gpt-small: a decoder of 6 layers of 6 heads and a width of 384, ten times gpt-tiny: the
 * size that is usual for a text of a million characters. */
#include "zoo/decoder.h"

enum { LAYERS = 6, HEADS = 6, WIDTH = 384 };

static assay_status build(zoo_model *m) {
    return zoo_decoder_build(m, LAYERS, HEADS, WIDTH);
}

const zoo_model_def assay_model_gpt_small = {
    .name = "gpt-small",
    .summary = "transformer over tokens: 6 layers of 6 heads, 384 wide",
    .build = build,
    .tokens = true,
    .golden = ZOO_DECODER_SIZE(LAYERS, WIDTH, 65, 128),
};
