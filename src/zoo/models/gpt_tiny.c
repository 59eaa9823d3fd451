/* gpt-tiny: a transformer that predicts the next token, 4 layers of 4 heads and a width
 * of 128 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners":
 * norms before each part and behind the last, learned positions). Names are those of
 * GPT-2 as written with linear layers; the head is not tied to the embedding and has a
 * bias. */
#include "zoo/layers.h"

#include <stdio.h>

enum { LAYERS = 4, HEADS = 4, WIDTH = 128, NAME = 64 };

static void name_put(char out[NAME], int layer, const char *part) {
    (void)snprintf(out, NAME, "transformer.h.%d.%s", layer, part);
}

static assay_status add_attention(zoo_model *m, nn_value *x, int layer) {
    assay_status status = ASSAY_OK;
    nn_value y = *x;
    char name[NAME];
    name_put(name, layer, "ln_1");
    ASSAY_TRY(zoo_layer_norm(m, &y, name));
    name_put(name, layer, "attn.c_attn");
    ASSAY_TRY(zoo_linear(m, &y, name, 3 * WIDTH));
    ASSAY_TRY(zoo_attention(m, &y, HEADS));
    name_put(name, layer, "attn.c_proj");
    ASSAY_TRY(zoo_linear(m, &y, name, WIDTH));
    ASSAY_TRY(zoo_add(m, &y, *x));
    *x = y;
done:
    return status;
}

static assay_status add_perceptron(zoo_model *m, nn_value *x, int layer) {
    assay_status status = ASSAY_OK;
    nn_value y = *x;
    char name[NAME];
    name_put(name, layer, "ln_2");
    ASSAY_TRY(zoo_layer_norm(m, &y, name));
    name_put(name, layer, "mlp.c_fc");
    ASSAY_TRY(zoo_linear(m, &y, name, 4 * WIDTH));
    ASSAY_TRY(zoo_gelu(m, &y));
    name_put(name, layer, "mlp.c_proj");
    ASSAY_TRY(zoo_linear(m, &y, name, WIDTH));
    ASSAY_TRY(zoo_add(m, &y, *x));
    *x = y;
done:
    return status;
}

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_embedding(m, &x, "transformer.wte", m->config.classes, WIDTH));
    ASSAY_TRY(zoo_positions(m, &x, "transformer.wpe"));
    for (int layer = 0; layer < LAYERS; layer++) {
        ASSAY_TRY(add_attention(m, &x, layer));
        ASSAY_TRY(add_perceptron(m, &x, layer));
    }
    ASSAY_TRY(zoo_layer_norm(m, &x, "transformer.ln_f"));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "lm_head", m->config.classes));
    m->logits = x;
done:
    return status;
}

/* Weights of a layer: 12 squares; its biases and norms: 13 widths. */
#define LAYER (12 * WIDTH * WIDTH + 13 * WIDTH)

const zoo_model_def assay_model_gpt_tiny = {
    .name = "gpt-tiny",
    .summary = "transformer over tokens: 4 layers of 4 heads, 128 wide",
    .build = build,
    .tokens = true,
    .golden = 65 * WIDTH + 128 * WIDTH + LAYERS * LAYER + 2 * WIDTH + WIDTH * 65 + 65,
};
