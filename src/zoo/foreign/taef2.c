/* TAEF2, the tiny autoencoder of FLUX.2's latents (TAESD's family, Ollin Boer Bohan
 * 2023): images in [0, 1] to latents of 32 channels at an eighth of the sides, and back.
 * Blocks of three 3x3 convolutions with ReLU around a shortcut; those at the middle first
 * add a detour of two 1x1 convolutions with a group norm between. Names are the places in
 * the published sequence of modules. */
#include "zoo/foreign/foreign.h"

#include <stdio.h>

enum { WIDTH = 64, DETOUR = 256, LATENT = 32, GROUPS = 4 };

static assay_status add_two(nn_graph *g, nn_value *x, nn_value other) {
    nn_value out;
    assay_status status =
        nn_graph_op(g, "add", (nn_value[]){*x, other}, 2, NULL, 0, &out);
    if (status == ASSAY_OK)
        *x = out;
    return status;
}

static assay_status
conv(nn_graph *g, nn_value *x, int place, const char *part, foreign_conv c) {
    char name[32];
    (void)snprintf(name, sizeof name, "%d%s", place, part);
    return foreign_add_conv(g, x, name, &c);
}

/* x + conv1x1(relu(norm(conv1x1(x)))) */
static assay_status detour(nn_graph *g, nn_value *x, int place) {
    assay_status status = ASSAY_OK;
    char norm[32];
    nn_value side = *x;
    (void)snprintf(norm, sizeof norm, "%d.pool.1", place);
    ASSAY_TRY(conv(g, &side, place, ".pool.0", (foreign_conv){DETOUR, 1, 1, 1, 0, true}));
    ASSAY_TRY(foreign_add_group_norm(g, &side, norm, GROUPS));
    ASSAY_TRY(foreign_add(g, &side, "relu", NULL, 0));
    ASSAY_TRY(conv(g, &side, place, ".pool.3", (foreign_conv){WIDTH, 1, 1, 1, 0, true}));
    ASSAY_TRY(add_two(g, x, side));
done:
    return status;
}

static assay_status block(nn_graph *g, nn_value *x, int place, bool middle) {
    static const char *const part[] = {".conv.0", ".conv.2", ".conv.4"};
    assay_status status = ASSAY_OK;
    if (middle)
        ASSAY_TRY(detour(g, x, place));
    nn_value y = *x;
    for (int i = 0; i < 3; i++) {
        ASSAY_TRY(conv(g, &y, place, part[i], (foreign_conv){WIDTH, 3, 1, 1, 0, false}));
        if (i < 2)
            ASSAY_TRY(foreign_add(g, &y, "relu", NULL, 0));
    }
    ASSAY_TRY(add_two(g, &y, *x));
    ASSAY_TRY(foreign_add(g, &y, "relu", NULL, 0));
    *x = y;
done:
    return status;
}

static assay_status encoder(nn_graph *g, nn_value *x) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(g, *x);
    if (in.dim[2] % 8 || in.dim[3] % 8)
        ASSAY_FAIL(ASSAY_E_SHAPE,
                   "TAEF2 needs sides that are multiples of 8, has %d x %d",
                   (int)in.dim[2], (int)in.dim[3]);
    ASSAY_TRY(conv(g, x, 0, "", (foreign_conv){WIDTH, 3, 1, 1, 0, false}));
    ASSAY_TRY(block(g, x, 1, false));
    for (int place = 2; place <= 10; place += 4) {
        ASSAY_TRY(conv(g, x, place, "", (foreign_conv){WIDTH, 3, 2, 1, 0, true}));
        for (int i = 1; i <= 3; i++)
            ASSAY_TRY(block(g, x, place + i, place == 10));
    }
    ASSAY_TRY(conv(g, x, 14, "", (foreign_conv){LATENT, 3, 1, 1, 0, false}));
done:
    return status;
}

/* 3 tanh(x / 3) */
static assay_status soft_clamp(nn_graph *g, nn_value *x) {
    static const float factor[2] = {1 / 3.0f, 3};
    static const char *const name[2] = {"0.narrow", "0.widen"};
    assay_status status = ASSAY_OK;
    for (int i = 0; i < 2; i++) {
        nn_value v[2] = {*x}, out;
        ASSAY_TRY(nn_graph_constant(g, name[i], ASSAY_F32, (nn_shape){0, {0}}, &factor[i],
                                    &v[1]));
        ASSAY_TRY(nn_graph_op(g, "mul", v, 2, NULL, 0, &out));
        *x = out;
        if (i == 0)
            ASSAY_TRY(foreign_add(g, x, "tanh", NULL, 0));
    }
done:
    return status;
}

static assay_status twice_as_large(nn_graph *g, nn_value *x) {
    const nn_attr attrs[] = {{.name = "scale_h", .f = 2}, {.name = "scale_w", .f = 2}};
    return foreign_add(g, x, "resize", attrs, 2);
}

static assay_status decoder(nn_graph *g, nn_value *x) {
    static const nn_attr to_one[] = {{.name = "alpha", .f = 1}, {.name = "beta", .f = 0}};
    assay_status status = ASSAY_OK;
    ASSAY_TRY(soft_clamp(g, x));
    ASSAY_TRY(conv(g, x, 1, "", (foreign_conv){WIDTH, 3, 1, 1, 0, false}));
    ASSAY_TRY(foreign_add(g, x, "relu", NULL, 0));
    for (int place = 3; place <= 13; place += 5) {
        for (int i = 0; i < 3; i++)
            ASSAY_TRY(block(g, x, place + i, place == 3));
        ASSAY_TRY(twice_as_large(g, x));
        ASSAY_TRY(conv(g, x, place + 4, "", (foreign_conv){WIDTH, 3, 1, 1, 0, true}));
    }
    ASSAY_TRY(block(g, x, 18, false));
    ASSAY_TRY(conv(g, x, 19, "", (foreign_conv){3, 3, 1, 1, 0, false}));
    ASSAY_TRY(foreign_add(g, x, "hard_sigmoid", to_one, 2)); /* x cut to [0, 1] */
done:
    return status;
}

const foreign_net foreign_taef2_encoder = {
    .name = "taef2-encoder",
    .summary = "TAEF2: images in [0, 1] to latents",
    .input = "images",
    .output = "latents",
    .mark = "14.weight",
    .mark_shape = {LATENT, WIDTH, 3, 3},
    .size = {224, 224},
    .channels = 3,
    .build = encoder,
};

const foreign_net foreign_taef2_decoder = {
    .name = "taef2-decoder",
    .summary = "TAEF2: latents to images in [0, 1]",
    .input = "latents",
    .output = "images",
    .mark = "1.weight",
    .mark_shape = {WIDTH, LATENT, 3, 3},
    .size = {28, 28},
    .channels = LATENT,
    .build = decoder,
};
