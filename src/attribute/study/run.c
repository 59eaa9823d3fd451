/* Training as attribution needs it: batches in a known order, steps of SGD with momentum,
 * and nothing drawn besides. */
#include "attribute/study/run.h"

#include "attribute/study/examples.h"
#include "base/rng.h"
#include "nn/chain.h"
#include "simd/simd.h"
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

double att_rate(const att_recipe *r, int64_t t, int64_t steps) {
    double left = 1 - (double)t / (double)steps, falls = 1 - r->hold;
    return left < falls ? r->rate * left / falls : r->rate;
}

int64_t att_steps(const att_recipe *r, size_t n_rows) {
    return (int64_t)r->epochs * (int64_t)(n_rows / (size_t)r->batch);
}

void att_run_batch(const att_run *run, int64_t t, uint32_t *out) {
    int64_t batch = run->recipe->batch, per_pass = (int64_t)run->n_rows / batch;
    rng_perm order =
        rng_perm_make(run->n_rows, run->seed, RNG_ORDER, (uint32_t)(t / per_pass));
    for (int64_t i = 0; i < batch; i++)
        out[i] = (uint32_t)rng_perm_at(&order, (uint64_t)(t % per_pass * batch + i));
}

struct att_trainer {
    assay_ctx *ctx;
    const train_data *data;
    const zoo_model *model;
    const att_recipe *recipe;
    uint32_t *places;   /* [batch], then the rows there */
    layer_chain *chain; /* NULL: the executor's */
    float *images;      /* of the chain: [batch, each] */
    const float **row;
    int32_t *labels;
    nn_exec *exec; /* NULL: the chain's */
    nn_weights weights;
    float *first; /* buffers as they begin */
    float *velocity, *seed;
    optimizer adam; /* where the recipe wants it, instead of the velocity */
};

static assay_status chain_make(att_trainer *t, size_t each) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = t->model;
    size_t batch = (size_t)t->recipe->batch;
    ASSAY_TRY(chain_create(&t->chain, t->ctx, z->graph, z->images, z->logits, z->loss,
                           t->recipe->batch));
    ASSAY_TRY(mem_new(t->ctx, &t->images, batch * each, sizeof *t->images));
    ASSAY_TRY(mem_new(t->ctx, &t->row, batch, sizeof *t->row));
    ASSAY_TRY(mem_new(t->ctx, &t->labels, batch, sizeof *t->labels));
    for (size_t i = 0; i < batch; i++)
        t->row[i] = t->images + i * each;
done:
    return status;
}

static assay_status exec_make(att_trainer *t) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = t->model->graph;
    size_t batch = (size_t)t->recipe->batch;
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = t->recipe->batch,
                               .target = t->model->loss,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    size_t buffers = nn_graph_buffer_floats(g);
    ASSAY_TRY(nn_weights_create(&t->weights, t->ctx, g, 0));
    ASSAY_TRY(mem_new(t->ctx, &t->first, buffers, sizeof *t->first));
    if (buffers)
        memcpy(t->first, t->weights.buffers, buffers * sizeof *t->first);
    ASSAY_TRY(
        mem_new(t->ctx, &t->velocity, nn_graph_param_floats(g), sizeof *t->velocity));
    if (t->recipe->adam) {
        optimizer_options adam = OPTIMIZER_OPTIONS_INIT;
        adam.name = "adamw";
        adam.beta2 = .99;
        adam.weight_decay = t->recipe->weight_decay;
        ASSAY_TRY(optimizer_create(&t->adam, t->ctx, g, &adam));
    }
    ASSAY_TRY(mem_new(t->ctx, &t->seed, batch, sizeof *t->seed));
    for (size_t i = 0; i < batch; i++)
        t->seed[i] = 1.0f / (float)t->recipe->batch;
    ASSAY_TRY(nn_exec_create(&t->exec, t->ctx, g, &t->weights, &o));
done:
    return status;
}

assay_status att_trainer_create(att_trainer **out,
                                assay_ctx *ctx,
                                const train_data *data,
                                const zoo_model *model,
                                const att_recipe *recipe) {
    assay_status status = ASSAY_OK;
    att_trainer *t = NULL;
    const zoo_config *c = &model->config;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    *t = (att_trainer){.ctx = ctx, .data = data, .model = model, .recipe = recipe};
    ASSAY_TRY(mem_new(ctx, &t->places, (size_t)recipe->batch, sizeof *t->places));
    if (!recipe->adam && c->channels == 1 &&
        chain_fits(model->graph, model->images, model->logits, model->loss))
        ASSAY_TRY(chain_make(t, (size_t)c->height * (size_t)c->width));
    else
        ASSAY_TRY(exec_make(t));
    *out = t;
    t = NULL;
done:
    att_trainer_destroy(t);
    return status;
}

void att_trainer_destroy(att_trainer *t) {
    if (!t)
        return;
    chain_destroy(t->chain);
    mem_free(t->ctx, t->images);
    mem_free(t->ctx, t->row);
    mem_free(t->ctx, t->labels);
    nn_exec_destroy(t->exec);
    if (t->exec || t->weights.params)
        nn_weights_destroy(&t->weights, t->ctx);
    optimizer_destroy(&t->adam);
    mem_free(t->ctx, t->first);
    mem_free(t->ctx, t->velocity);
    mem_free(t->ctx, t->seed);
    mem_free(t->ctx, t->places);
    mem_free(t->ctx, t);
}

void att_trainer_store(const att_trainer *t, float *params, float *velocity) {
    size_t bytes = nn_graph_param_floats(t->model->graph) * sizeof *params;
    if (t->chain) {
        chain_store(t->chain, params, velocity);
        return;
    }
    memcpy(params, t->weights.params, bytes);
    if (velocity)
        memcpy(velocity, t->velocity, bytes);
}

void att_trainer_load(att_trainer *t, const float *params, const float *velocity) {
    size_t bytes = nn_graph_param_floats(t->model->graph) * sizeof *params;
    if (t->chain) {
        chain_load(t->chain, params, velocity);
        return;
    }
    memcpy(t->weights.params, params, bytes);
    if (velocity)
        memcpy(t->velocity, velocity, bytes);
    else
        memset(t->velocity, 0, bytes);
}

void att_trainer_buffers(const att_trainer *t, float *buffers) {
    size_t floats = nn_graph_buffer_floats(t->model->graph);
    if (floats)
        memcpy(buffers, t->weights.buffers, floats * sizeof *buffers);
}

assay_status att_trainer_start(att_trainer *t, const att_run *run) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = t->model->graph;
    float *params = NULL;
    double bound = 1;
    bool scale = false;
    ASSAY_TRY(mem_new(t->ctx, &params, nn_graph_param_floats(g), sizeof *params));
    for (size_t p = 0; p < nn_graph_param_count(g); p++) {
        nn_param_info info = nn_graph_param_at(g, p);
        rng r = rng_at(run->seed, RNG_INIT, 0, p);
        bool shift = scale && info.shape.ndim == 1; /* of the norm before it */
        scale = info.init == NN_INIT_ONE;
        if (scale || shift) {
            for (size_t i = 0; i < info.count; i++)
                params[info.offset + i] = scale ? 1 : 0;
            continue;
        }
        if (info.shape.ndim > 1) { /* a bias has the fan-in of the weight before it */
            size_t fan = info.count / (size_t)info.shape.dim[0];
            bound = 1 / sqrt((double)fan + 1);
        }
        for (size_t i = 0; i < info.count; i++)
            params[info.offset + i] = (float)((2 * rng_uniform(&r) - 1) * bound);
    }
    att_trainer_load(t, params, NULL);
    if (t->recipe->adam)
        optimizer_reset(&t->adam);
    if (nn_graph_buffer_floats(g))
        memcpy(t->weights.buffers, t->first,
               nn_graph_buffer_floats(g) * sizeof *t->first);
done:
    mem_free(t->ctx, params);
    return status;
}

static void feed(att_trainer *t, const att_run *run, int64_t step) {
    void *inputs = t->images;
    int32_t *labels = t->labels;
    if (t->exec) {
        inputs = nn_exec_input(t->exec, t->model->images);
        labels = nn_exec_input(t->exec, t->model->labels);
    }
    att_run_batch(run, step, t->places);
    for (size_t i = 0; i < (size_t)t->recipe->batch; i++)
        t->places[i] = run->rows[t->places[i]];
    att_examples(inputs, labels, t->data, t->places, (size_t)t->recipe->batch);
}

static void update(att_trainer *t, float rate) {
    const att_recipe *r = t->recipe;
    const nn_graph *g = t->model->graph;
    const float *grads = nn_exec_grads(t->exec);
    if (r->adam) {
        optimizer_step(&t->adam, t->weights.params, grads, (train_pace){.rate = rate});
        return;
    }
    for (size_t p = 0; p < nn_graph_param_count(g); p++) {
        nn_param_info info = nn_graph_param_at(g, p);
        simd()->f32_sgd(t->weights.params + info.offset, t->velocity + info.offset,
                        grads + info.offset, info.count, rate, (float)r->momentum,
                        info.decay ? (float)r->weight_decay : 0.0f, r->nesterov);
    }
}

static assay_status exec_step(att_trainer *t, float rate, double *loss) {
    assay_status status = ASSAY_OK;
    *loss = 0;
    ASSAY_TRY(nn_exec_forward(t->exec, t->recipe->batch));
    const float *losses = nn_exec_value(t->exec, t->model->loss);
    for (int i = 0; i < t->recipe->batch; i++)
        *loss += (double)losses[i];
    ASSAY_TRY(nn_exec_backward(t->exec, t->seed));
    update(t, rate);
done:
    return status;
}

static assay_status chain_one(att_trainer *t, float rate, double *loss) {
    const att_recipe *r = t->recipe;
    const chain_sgd sgd = {rate, (float)r->momentum, (float)r->weight_decay, r->nesterov};
    *loss = 0;
    return chain_step(t->chain, t->row, t->labels, r->batch, &sgd, loss);
}

assay_status
att_trainer_steps(att_trainer *t, const att_run *run, int64_t from, int64_t to) {
    assay_status status = ASSAY_OK;
    for (int64_t step = from; step < to; step++) {
        float rate = (float)att_rate(t->recipe, step, run->steps);
        double loss;
        ASSAY_TRY(ctx_check(t->ctx));
        feed(t, run, step);
        ASSAY_TRY(t->chain ? chain_one(t, rate, &loss) : exec_step(t, rate, &loss));
        if (!isfinite(loss)) {
            (void)err_set(ASSAY_E_NUMERIC, "the loss is not finite");
            err_where("step %lld", (long long)step + 1);
            err_help("train with a smaller rate");
            return ASSAY_E_NUMERIC;
        }
    }
done:
    return status;
}
