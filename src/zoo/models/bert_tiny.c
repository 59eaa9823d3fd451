/* bert-tiny: an encoder that reads tokens both ways and classifies them as one, 2 layers
 * of 2 heads and a width of 128 (Devlin et al. 2019, arXiv 1810.04805; the size is that
 * of Turc et al. 2019, arXiv 1908.08962, table 1): norms behind each part, the first
 * token through a tanh layer to the classes. Names are those of
 * BertForSequenceClassification in Hugging Face's transformers. What fills a sequence up
 * to the context is not seen; all is of one segment; dropout is left out. */
#include "zoo/layers.h"

#include <stdio.h>

enum { LAYERS = 2, HEADS = 2, WIDTH = 128, SEGMENTS = 2 };
static const double eps = 1e-12;

static assay_status add_embeddings(zoo_model *m, nn_value *x) {
    assay_status status = ASSAY_OK;
    const nn_value tokens[] = {*x, *x};
    nn_value segment; /* 0, of each token: its gradient is then each example's own */
    ASSAY_TRY(zoo_embedding(m, x, "bert.embeddings.word_embeddings",
                            m->config.vocabulary + ZOO_SPECIAL, WIDTH));
    ASSAY_TRY(zoo_positions(m, x, "bert.embeddings.position_embeddings"));
    ASSAY_TRY(nn_graph_op(m->graph, "sub", tokens, 2, NULL, 0, &segment));
    ASSAY_TRY(zoo_embedding(m, &segment, "bert.embeddings.token_type_embeddings",
                            SEGMENTS, WIDTH));
    ASSAY_TRY(zoo_add(m, x, segment));
    ASSAY_TRY(zoo_layer_norm(m, x, "bert.embeddings.LayerNorm", eps));
done:
    return status;
}

/* A linear layer, the sum with `shortcut`, a norm. */
static assay_status
add_output(zoo_model *m, nn_value *x, const char *part, nn_value shortcut) {
    assay_status status = ASSAY_OK;
    char name[NN_MAX_NAME];
    ASSAY_TRY(zoo_linear(m, x, zoo_part(name, part, "dense"), WIDTH));
    ASSAY_TRY(zoo_add(m, x, shortcut));
    ASSAY_TRY(zoo_layer_norm(m, x, zoo_part(name, part, "LayerNorm"), eps));
done:
    return status;
}

static assay_status add_layer(zoo_model *m, nn_value *x, const char *layer) {
    static const char *const parts[] = {"attention.self.query", "attention.self.key",
                                        "attention.self.value"};
    assay_status status = ASSAY_OK;
    nn_value qkv[3], shortcut = *x;
    char name[NN_MAX_NAME];
    for (int i = 0; i < 3; i++) {
        qkv[i] = *x;
        ASSAY_TRY(zoo_linear(m, &qkv[i], zoo_part(name, layer, parts[i]), WIDTH));
    }
    ASSAY_TRY(zoo_attention_of(m, x, qkv, HEADS));
    (void)snprintf(name, sizeof name, "%s.attention.output", layer);
    ASSAY_TRY(add_output(m, x, name, shortcut));
    shortcut = *x;
    ASSAY_TRY(zoo_linear(m, x, zoo_part(name, layer, "intermediate.dense"), 4 * WIDTH));
    ASSAY_TRY(zoo_gelu(m, x));
    ASSAY_TRY(add_output(m, x, zoo_part(name, layer, "output"), shortcut));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(add_embeddings(m, &x));
    for (int layer = 0; layer < LAYERS; layer++) {
        char name[NN_MAX_NAME / 2];
        (void)snprintf(name, sizeof name, "bert.encoder.layer.%d", layer);
        ASSAY_TRY(add_layer(m, &x, name));
    }
    ASSAY_TRY(zoo_token(m, &x, 0));
    ASSAY_TRY(zoo_linear(m, &x, "bert.pooler.dense", WIDTH));
    ASSAY_TRY(zoo_op(m, &x, "tanh", NULL, 0));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "classifier", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_bert_tiny = {
    .name = "bert-tiny",
    .summary = "encoder that classifies sequences of tokens: 2 layers, 128 wide",
    .build = build,
    .tokens = true,
    .sequences = true,
    .golden = (65 + ZOO_SPECIAL + 128 + SEGMENTS) * WIDTH + 2 * WIDTH +
              LAYERS * (12 * WIDTH * WIDTH + 13 * WIDTH) + WIDTH * WIDTH + WIDTH +
              WIDTH * 10 + 10,
};
