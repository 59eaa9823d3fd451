/* What a run needs before its first step: model, weights, optimizer, averages, batches,
 * executor; from the last checkpoint, if there is one. */
#include "train/trainer_inside.h"

#include "train/pretrained.h"
#include "train/run_dir.h"

#include <string.h>

checkpoint trainer_checkpoint(trainer *t) {
    checkpoint c = {.graph = t->model.zoo.graph,
                    .weights = &t->model.weights,
                    .optimizer = &t->optimizer,
                    .key = t->model.card.key,
                    .metrics = t->metrics,
                    .epochs = t->recipe->epochs,
                    .done = t->done};
    int n = 0;
    if (average_on(&t->average))
        c.more[n++] = (checkpoint_weights){"average", &t->average.kept};
    if (t->best.params)
        c.more[n++] = (checkpoint_weights){"best", &t->best};
    return c;
}

/* Weights as they are before the first step. */
static assay_status weights_make(trainer *t) {
    assay_status status = ASSAY_OK;
    const model_card *c = t->data->card;
    nn_weights *w = &t->model.weights;
    nn_weights_destroy(w, t->ctx);
    ASSAY_TRY(nn_weights_create(w, t->ctx, t->model.zoo.graph, t->job->seed));
    if (t->data->pixels) {
        const zoo_sample sample = {.pixels = t->data->pixels->data,
                                   .rows = t->job->rows,
                                   .n = t->job->n_rows,
                                   .mean = c->mean,
                                   .std = c->std};
        ASSAY_TRY(zoo_prepare(&t->model.zoo, t->ctx, w, &sample));
    }
    if (t->job->init)
        ASSAY_TRY(
            pretrained_take(t->ctx, t->job->init, t->model.zoo.graph, &t->model.weights));
done:
    return status;
}

static assay_status weights_start(trainer *t) {
    assay_status status = ASSAY_OK;
    nn_graph *g = t->model.zoo.graph;
    ASSAY_TRY(weights_make(t));
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.name = t->recipe->optimizer;
    o.nesterov = t->recipe->nesterov;
    o.decoupled = t->recipe->decoupled;
    o.weight_decay = t->recipe->weight_decay;
    o.newton_steps = t->recipe->newton_steps;
    o.renorm = t->recipe->renorm;
    o.beta1 = t->recipe->beta1;
    o.beta2 = t->recipe->beta2;
    o.epsilon = t->recipe->epsilon;
    o.groups = t->recipe->group;
    o.freeze = t->recipe->freeze;
    o.epoch_steps = t->batches.count;
    ASSAY_TRY(optimizer_create(&t->optimizer, t->ctx, g, &o));
    if (t->recipe->ema > 0 || t->recipe->lookahead > 0)
        ASSAY_TRY(average_create(&t->average, t->ctx, g, &t->model.weights,
                                 t->recipe->ema, t->recipe->lookahead,
                                 t->recipe->epochs * t->batches.count));
    bool held = t->data->text || batches_held(t->recipe, t->job->n_rows) > 0;
    if (t->recipe->patience > 0 && held)
        ASSAY_TRY(nn_weights_create(&t->best, t->ctx, g, t->job->seed));
    if (t->checkpoint_path) {
        checkpoint c = trainer_checkpoint(t);
        bool found;
        ASSAY_TRY(checkpoint_load(&c, t->ctx, t->checkpoint_path, &found));
        t->done = c.done;
        if (!found) { /* a refused file may have been read in part */
            ASSAY_TRY(weights_make(t));
            optimizer_reset(&t->optimizer);
            if (average_on(&t->average))
                average_reset(&t->average, &t->model.weights);
        }
    }
done:
    return status;
}

static assay_status exec_start(trainer *t) {
    assay_status status = ASSAY_OK;
    char *kernels = NULL;
    uint8_t *frozen = NULL;
    const nn_graph *g = t->model.zoo.graph;
    bool half = strcmp(t->recipe->precision, "bf16") == 0;
    if (t->job->dir)
        ASSAY_TRY(dir_path(&kernels, t->ctx, t->job->dir, RUN_KERNELS));
    ASSAY_TRY(mem_new(t->ctx, &frozen, nn_graph_param_count(g) + 1, 1));
    optimizer_frozen(&t->optimizer, g, frozen);
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = t->batches.batch,
                               .keep = &t->model.zoo.logits,
                               .n_keep = 1,
                               .target = t->target,
                               .dtype = half ? ASSAY_BF16 : ASSAY_F32,
                               .shards = t->job->wide ? t->batches.shards : 1,
                               .threads = t->job->wide ? assay_ctx_threads(t->ctx) : 1,
                               .seed = t->job->seed,
                               .frozen = frozen,
                               .kernels = kernels};
    ASSAY_TRY(nn_exec_create(&t->exec, t->ctx, g, &t->model.weights, &o));
    ASSAY_TRY(mem_new(t->ctx, &t->seed, (size_t)t->batches.batch, sizeof *t->seed));
    for (int i = 0; i < t->batches.batch; i++)
        t->seed[i] = 1.0F / (float)t->batches.batch;
done:
    mem_free(t->ctx, frozen);
    mem_free(t->ctx, kernels);
    return status;
}

/* The loss of mixed examples: l2 + share (l1 - l2), of the first and the second label. */
static assay_status target_make(trainer *t) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = &t->model.zoo;
    nn_graph *g = z->graph;
    const nn_shape each = {1, {0}};
    const nn_attr smoothing = {.name = "smoothing", .f = z->config.smoothing};
    nn_value second, apart, weighed;
    t->target = z->loss;
    t->other = t->share = -1;
    if (!(t->recipe->mixup > 0) && !(t->recipe->cutmix > 0))
        return ASSAY_OK;
    ASSAY_TRY(nn_graph_input(g, "other_labels", ASSAY_I32, each, &t->other));
    ASSAY_TRY(nn_graph_input(g, "share", ASSAY_F32, each, &t->share));
    const nn_value heads[2] = {z->logits, t->other};
    ASSAY_TRY(nn_graph_op(g, "cross_entropy", heads, 2, &smoothing, 1, &second));
    const nn_value two[2] = {z->loss, second};
    ASSAY_TRY(nn_graph_op(g, "sub", two, 2, NULL, 0, &apart));
    const nn_value product[2] = {apart, t->share};
    ASSAY_TRY(nn_graph_op(g, "mul", product, 2, NULL, 0, &weighed));
    const nn_value sum[2] = {second, weighed};
    ASSAY_TRY(nn_graph_op(g, "add", sum, 2, NULL, 0, &t->target));
done:
    return status;
}

assay_status trainer_start(trainer *t) {
    assay_status status = ASSAY_OK;
    const zoo_config config =
        model_card_config(t->data->card, t->recipe->label_smoothing);
    t->schedule = schedule_find(t->recipe->schedule);
    t->schedule_options = schedule_options_of(t->schedule, t->recipe);
    ASSAY_TRY(zoo_build(&t->model.zoo, t->ctx, t->recipe->model, &config));
    ASSAY_TRY(
        mem_new(t->ctx, &t->metrics, (size_t)t->recipe->epochs, sizeof *t->metrics));
    ASSAY_TRY(target_make(t));
    ASSAY_TRY(batches_create(&t->batches, t->ctx, t->data, t->recipe, t->job));
    ASSAY_TRY(weights_start(t));
    if (!t->job->wide && tiny_fits(t->recipe, &t->model.zoo))
        ASSAY_TRY(tiny_create(&t->tiny, t->ctx, t->recipe, &t->model.zoo,
                              t->batches.batch, t->model.weights.params,
                              t->optimizer.state[0]));
    else
        ASSAY_TRY(exec_start(t));
done:
    return status;
}
