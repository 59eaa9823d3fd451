/* Training as attribution needs it, by the executor: batches in a known order, steps of
 * SGD with momentum, and nothing drawn besides. */
#include "attribute/run.h"

#include "base/rng.h"
#include "simd/simd.h"

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
    nn_weights weights;
    float *velocity, *seed;
    uint32_t *places; /* [batch] */
    float mean[3], inv_std[3];
    nn_exec *exec;
};

assay_status att_trainer_create(att_trainer **out,
                                assay_ctx *ctx,
                                const train_data *data,
                                const zoo_model *model,
                                const att_recipe *recipe) {
    assay_status status = ASSAY_OK;
    att_trainer *t = NULL;
    size_t batch = (size_t)recipe->batch;
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = recipe->batch,
                               .target = model->loss,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    *t = (att_trainer){.ctx = ctx, .data = data, .model = model, .recipe = recipe};
    ASSAY_TRY(nn_weights_create(&t->weights, ctx, model->graph, 0));
    ASSAY_TRY(mem_new(ctx, &t->velocity, nn_graph_param_floats(model->graph),
                      sizeof *t->velocity));
    ASSAY_TRY(mem_new(ctx, &t->seed, batch, sizeof *t->seed));
    ASSAY_TRY(mem_new(ctx, &t->places, batch, sizeof *t->places));
    for (size_t i = 0; i < batch; i++)
        t->seed[i] = 1.0f / (float)recipe->batch;
    for (int c = 0; c < 3; c++) {
        t->mean[c] = 255.0f * data->card->mean[c];
        t->inv_std[c] =
            data->card->std[c] > 0 ? 1 / (255.0f * data->card->std[c]) : 1 / 255.0f;
    }
    ASSAY_TRY(nn_exec_create(&t->exec, ctx, model->graph, &t->weights, &o));
    *out = t;
    t = NULL;
done:
    att_trainer_destroy(t);
    return status;
}

void att_trainer_destroy(att_trainer *t) {
    if (!t)
        return;
    nn_exec_destroy(t->exec);
    nn_weights_destroy(&t->weights, t->ctx);
    mem_free(t->ctx, t->velocity);
    mem_free(t->ctx, t->seed);
    mem_free(t->ctx, t->places);
    mem_free(t->ctx, t);
}

float *att_trainer_params(att_trainer *t) {
    return t->weights.params;
}

float *att_trainer_velocity(att_trainer *t) {
    return t->velocity;
}

void att_trainer_start(att_trainer *t, const att_run *run) {
    const nn_graph *g = t->model->graph;
    double bound = 1;
    for (size_t p = 0; p < nn_graph_param_count(g); p++) {
        nn_param_info info = nn_graph_param_at(g, p);
        rng r = rng_at(run->seed, RNG_INIT, 0, p);
        if (info.shape.ndim > 1) { /* a bias has the fan-in of the weight before it */
            size_t fan = info.count / (size_t)info.shape.dim[0];
            bound = 1 / sqrt((double)fan + 1);
        }
        for (size_t i = 0; i < info.count; i++)
            t->weights.params[info.offset + i] =
                (float)((2 * rng_uniform(&r) - 1) * bound);
    }
    memset(t->velocity, 0, nn_graph_param_floats(g) * sizeof *t->velocity);
}

static void feed(att_trainer *t, const att_run *run, int64_t step) {
    const npy_array *pixels = t->data->pixels;
    size_t channels = (size_t)pixels->dim[3];
    size_t each = (size_t)(pixels->dim[1] * pixels->dim[2]) * channels;
    float *images = nn_exec_input(t->exec, t->model->images);
    int32_t *labels = nn_exec_input(t->exec, t->model->labels);
    att_run_batch(run, step, t->places);
    for (size_t i = 0; i < (size_t)t->recipe->batch; i++) {
        uint32_t row = run->rows[t->places[i]];
        simd()->u8_normalize(images + i * each, pixels->data + row * each,
                             each / channels, channels, t->mean, t->inv_std);
        labels[i] = t->data->labels[row];
    }
}

static void update(att_trainer *t, float rate) {
    const att_recipe *r = t->recipe;
    const nn_graph *g = t->model->graph;
    const float *grads = nn_exec_grads(t->exec);
    for (size_t p = 0; p < nn_graph_param_count(g); p++) {
        nn_param_info info = nn_graph_param_at(g, p);
        simd()->f32_sgd(t->weights.params + info.offset, t->velocity + info.offset,
                        grads + info.offset, info.count, rate, (float)r->momentum,
                        info.decay ? (float)r->weight_decay : 0.0f, r->nesterov);
    }
}

assay_status
att_trainer_steps(att_trainer *t, const att_run *run, int64_t from, int64_t to) {
    assay_status status = ASSAY_OK;
    const att_recipe *r = t->recipe;
    for (int64_t step = from; step < to; step++) {
        double loss = 0;
        ASSAY_TRY(ctx_check(t->ctx));
        feed(t, run, step);
        ASSAY_TRY(nn_exec_forward(t->exec, r->batch));
        const float *losses = nn_exec_value(t->exec, t->model->loss);
        for (int i = 0; i < r->batch; i++)
            loss += (double)losses[i];
        if (!isfinite(loss)) {
            (void)err_set(ASSAY_E_NUMERIC, "the loss is not finite");
            err_where("step %lld", (long long)step + 1);
            err_help("train with a smaller rate");
            return ASSAY_E_NUMERIC;
        }
        ASSAY_TRY(nn_exec_backward(t->exec, t->seed));
        update(t, (float)att_rate(r, step, run->steps));
    }
done:
    return status;
}
