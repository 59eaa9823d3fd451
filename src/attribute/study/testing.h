/* A small study in memory, for the tests of this room: a toy set of images and an MLP of
 * any widths on it. */
#ifndef ATTRIBUTE_TESTING_H
#define ATTRIBUTE_TESTING_H

#include "attribute/method.h"
#include "train/testing.h"
#include "zoo/layers.h"

enum { LITTLE_ROWS = 60, LITTLE_TARGETS = 12, LITTLE_BATCH = 10 };

static inline assay_status little_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_flatten(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc1", 9));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc2", 7));
    ASSAY_TRY(zoo_relu(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc3", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def little_mlp = {.name = "little", .build = little_build};

/* Convolutions with and without bias, small. */
static inline assay_status little_conv_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv_of(m, &x, "conv1", &(zoo_conv_shape){4, 3, 1, 1, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_conv_of(m, &x, "conv2", &(zoo_conv_shape){6, 3, 2, 0, false}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def little_conv = {.name = "little-conv",
                                          .build = little_conv_build};

/* The same in short, with a batch norm. */
static inline assay_status little_norm_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv(m, &x, "conv1", 4, 3, 2));
    ASSAY_TRY(zoo_norm_relu(m, &x, "bn1"));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def little_norm = {.name = "little-norm",
                                          .build = little_norm_build};

typedef struct little {
    toy *toy;
    zoo_model model;
    uint32_t targets[LITTLE_TARGETS];
    att_study study;
    att_run run;
    float *params, *buffers;
} little;

/* A trained member of it: `def` NULL is an MLP of 144-9-7-4. */
static inline little *
little_make(assay_ctx *ctx, const zoo_model_def *def, const att_recipe *recipe) {
    little *x = calloc(1, sizeof *x);
    float margins[LITTLE_TARGETS];
    assert_non_null(x);
    x->toy = toy_make(ctx, LITTLE_ROWS + LITTLE_TARGETS, "mlp");
    const zoo_config config = {
        .classes = TOY_CLASSES, .channels = 1, .height = TOY_SIDE, .width = TOY_SIDE};
    assert_ok(zoo_build_def(&x->model, ctx, def ? def : &little_mlp, &config));
    for (uint32_t i = 0; i < LITTLE_TARGETS; i++)
        x->targets[i] = LITTLE_ROWS + i;
    x->study = (att_study){.ctx = ctx,
                           .data = &x->toy->data,
                           .model = &x->model,
                           .recipe = *recipe,
                           .rows = x->toy->rows,
                           .n_rows = LITTLE_ROWS,
                           .targets = x->targets,
                           .n_targets = LITTLE_TARGETS};
    x->run = (att_run){.recipe = &x->study.recipe,
                       .rows = x->toy->rows,
                       .n_rows = LITTLE_ROWS,
                       .steps = att_steps(recipe, LITTLE_ROWS),
                       .seed = 3};
    x->params = calloc(nn_graph_param_floats(x->model.graph), sizeof *x->params);
    assert_non_null(x->params);
    x->buffers = calloc(nn_graph_buffer_floats(x->model.graph) + 1, sizeof *x->buffers);
    assert_non_null(x->buffers);
    assert_ok(att_train_models(margins, &x->params, &x->buffers, &x->study, &x->run, 1));
    return x;
}

static inline att_member little_member(const little *x) {
    return (att_member){.study = &x->study,
                        .run = &x->run,
                        .seed = x->run.seed,
                        .params = x->params,
                        .buffers = x->buffers};
}

static inline void little_free(little *x) {
    zoo_destroy(&x->model);
    toy_free(x->toy);
    free(x->params);
    free(x->buffers);
    free(x);
}

#endif
