/* Builds a decoder of some depth and width. */
#include "zoo/decoder.h"

#include "zoo/layers.h"

#include <stdio.h>

static const double eps = 1e-5;

assay_status zoo_decoder_build(zoo_model *m, int layers, int64_t heads, int64_t width) {
    static const zoo_block_names names = {"ln_1", "attn.c_attn", "attn.c_proj",
                                          "ln_2", "mlp.c_fc",    "mlp.c_proj"};
    const zoo_block block = {&names, heads, true, eps};
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_embedding(m, &x, "transformer.wte", m->config.classes, width));
    ASSAY_TRY(zoo_positions(m, &x, "transformer.wpe"));
    for (int layer = 0; layer < layers; layer++) {
        char name[NN_MAX_NAME / 2];
        (void)snprintf(name, sizeof name, "transformer.h.%d", layer);
        ASSAY_TRY(zoo_transformer_block(m, &x, name, &block));
    }
    ASSAY_TRY(zoo_layer_norm(m, &x, "transformer.ln_f", eps));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "lm_head", m->config.classes));
    m->logits = x;
done:
    return status;
}
