/* vit-tiny: a transformer over patches of an image, 12 layers of 3 heads and a width of
 * 192 (Dosovitskiy et al. 2021, arXiv 2010.11929; the size is DeiT's, Touvron et al.
 * 2021, arXiv 2012.12877, table 1), with timm's names: norms before each part, a class
 * token in front, learnt positions. Patches have 4 pixels a side in images up to 48, 8 up
 * to 112, and 16 above; what is left at the right and lower border is not seen. */
#include "zoo/layers.h"

#include <stdio.h>

enum { LAYERS = 12, HEADS = 3, WIDTH = 192 };
static const double eps = 1e-6;

static int64_t patch_side(const zoo_config *c) {
    const int side = c->height > c->width ? c->height : c->width;
    return side <= 48 ? 4 : side <= 112 ? 8 : 16;
}

/* Images to [0,T,C], a vector for each patch. */
static assay_status add_patches(zoo_model *m, nn_value *x) {
    assay_status status = ASSAY_OK;
    const int64_t side = patch_side(&m->config);
    const nn_attr rows = {.name = "shape", .i = {0, WIDTH, -1}, .count = 3};
    const nn_attr turn = {.name = "perm", .i = {0, 2, 1}, .count = 3};
    ASSAY_TRY(zoo_conv_of(m, x, "patch_embed.proj",
                          &(zoo_conv_shape){WIDTH, side, side, 0, true}));
    ASSAY_TRY(zoo_op(m, x, "reshape", &rows, 1));
    ASSAY_TRY(zoo_op(m, x, "transpose", &turn, 1));
done:
    return status;
}

/* The class token goes in front of the patches, and each gets its position: room is made
 * by zeros on either side, then all is added. */
static assay_status add_places(zoo_model *m, nn_value *x) {
    assay_status status = ASSAY_OK;
    const int64_t patches = nn_graph_shape(m->graph, *x).dim[1];
    const nn_attr before[] = {{.name = "begins", .i = {0, 1, 0}, .count = 3},
                              {.name = "ends", .i = {0, 0, 0}, .count = 3}};
    const nn_attr behind[] = {{.name = "begins", .i = {0, 0, 0}, .count = 3},
                              {.name = "ends", .i = {0, patches, 0}, .count = 3}};
    nn_value token, places;
    ASSAY_TRY(nn_graph_param(m->graph, "cls_token", (nn_shape){3, {1, 1, WIDTH}},
                             NN_INIT_NORMAL_SMALL, true, &token));
    ASSAY_TRY(nn_graph_param(m->graph, "pos_embed",
                             (nn_shape){3, {1, patches + 1, WIDTH}}, NN_INIT_NORMAL_SMALL,
                             true, &places));
    ASSAY_TRY(zoo_op(m, &token, "pad", behind, 2));
    ASSAY_TRY(zoo_add(m, &places, token));
    ASSAY_TRY(zoo_op(m, x, "pad", before, 2));
    ASSAY_TRY(zoo_add(m, x, places));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    static const zoo_block_names names = {"norm1", "attn.qkv", "attn.proj",
                                          "norm2", "mlp.fc1",  "mlp.fc2"};
    const zoo_block block = {&names, HEADS, false, eps};
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(add_patches(m, &x));
    ASSAY_TRY(add_places(m, &x));
    for (int layer = 0; layer < LAYERS; layer++) {
        char name[32];
        (void)snprintf(name, sizeof name, "blocks.%d", layer);
        ASSAY_TRY(zoo_transformer_block(m, &x, name, &block));
    }
    ASSAY_TRY(zoo_layer_norm(m, &x, "norm", eps));
    ASSAY_TRY(zoo_token(m, &x, 0));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "head", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_vit_tiny = {
    .name = "vit-tiny",
    .summary = "transformer over patches: 12 layers of 3 heads, 192 wide",
    .build = build,
    .least_side = 4,
    .golden = 16 * WIDTH + WIDTH + WIDTH + 50 * WIDTH +
              LAYERS * (12 * WIDTH * WIDTH + 13 * WIDTH) + 2 * WIDTH + WIDTH * 10 + 10,
};
