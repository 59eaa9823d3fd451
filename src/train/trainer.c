/* One model, from its initial weights or its last checkpoint to its model file. */
#include "train/trainer.h"

#include "train/average.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/clip.h"
#include "train/run_dir.h"
#include "train/schedule.h"
#include "train/state.h"
#include "train/tiny.h"

#include "base/hash.h"
#include "nn/exec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Counts up when the same inputs would give other weights than before. */
#define TRAIN_VERSION "assay train 2"

/* A run in progress. */
typedef struct trainer {
    assay_ctx *ctx;
    const train_data *data;
    const train_recipe *recipe;
    const train_job *job;
    const train_schedule *schedule;
    trained_model model;
    optimizer optimizer;
    average average; /* of the weights, where the recipe asks for one */
    nn_exec *exec;
    tiny *tiny; /* takes the steps of a small chain of layers; then there is no exec */
    batches batches;
    float *seed; /* [batch] of the backward pass: 1/n each */
    epoch_metrics *metrics;
    char *model_path, *checkpoint_path, *metrics_path; /* NULL without a folder */
    int done;                                          /* finished epochs */
    int64_t images; /* that this process went through */
} trainer;

int64_t train_images(const train_recipe *recipe, size_t n_rows) {
    int64_t batch = batches_size(recipe, n_rows);
    return batch ? (int64_t)n_rows / batch * batch * recipe->epochs : 0;
}

/* Everything that decides the weights. */
static void key_make(trainer *t) {
    hash_sha256 h;
    uint8_t digest[32];
    hash_sha256_init(&h);
    hash_sha256_str(&h, TRAIN_VERSION);
    hash_sha256_str(&h, t->job->identity ? t->job->identity : "");
    if (t->job->wide)
        hash_sha256_str(&h, "wide");
    hash_sha256_str(&h, t->data->card->dataset_sha256);
    hash_sha256_str(&h, t->model.card.recipe);
    batches_kind_of(t->data)->key(&h, t->data, t->job);
    hash_sha256_end(&h, digest);
    hash_hex(t->model.card.key, digest);
}

static assay_status card_make(trainer *t) {
    assay_status status = ASSAY_OK;
    model_card *c = &t->model.card;
    ASSAY_TRY(model_card_copy(c, t->ctx, t->data->card));
    (void)snprintf(c->name, sizeof c->name, "%s", t->recipe->model);
    train_recipe_text(t->recipe, c->recipe);
    c->seed = t->job->seed;
    key_make(t);
done:
    return status;
}

static assay_status
job_check(const train_data *d, const train_recipe *r, const train_job *job) {
    if (job->n_rows < 2)
        return err_set(ASSAY_E_SHAPE, "%zu training rows are too few", job->n_rows);
    assay_status status = batches_kind_of(d)->check(d, job);
    if (status != ASSAY_OK)
        return status;
    return schedule_find(r->schedule)
               ? ASSAY_OK
               : err_set(ASSAY_E_INVALID, "there is no schedule \"%s\"", r->schedule);
}

/* A kill in the middle of writing leaves a temporary file beside its target. */
static assay_status leftovers_remove(trainer *t) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    ASSAY_TRY(os_list_dir(t->ctx, t->job->dir, &names));
    for (size_t i = 0; i < names.count; i++) {
        static const char *const ours[] = {RUN_MODEL ".tmp-", RUN_CHECKPOINT ".tmp-",
                                           RUN_METRICS ".tmp-"};
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) {
            if (strncmp(names.name[i], ours[k], strlen(ours[k])) != 0)
                continue;
            char *path;
            ASSAY_TRY(dir_path(&path, t->ctx, t->job->dir, names.name[i]));
            (void)unlink(path);
            mem_free(t->ctx, path);
        }
    }
done:
    os_names_free(&names);
    return status;
}

static assay_status paths_make(trainer *t) {
    assay_status status = ASSAY_OK;
    if (!t->job->dir)
        return ASSAY_OK;
    ASSAY_TRY(os_mkdirs(t->job->dir));
    ASSAY_TRY(leftovers_remove(t));
    ASSAY_TRY(dir_path(&t->model_path, t->ctx, t->job->dir, RUN_MODEL));
    ASSAY_TRY(dir_path(&t->checkpoint_path, t->ctx, t->job->dir, RUN_CHECKPOINT));
    ASSAY_TRY(dir_path(&t->metrics_path, t->ctx, t->job->dir, RUN_METRICS));
done:
    return status;
}

/* Whether the model file of this very run is there; then it is loaded. One of another run
 * stays until it is replaced. */
static assay_status finished(trainer *t, bool *out) {
    trained_model m = {0};
    *out = false;
    if (!t->model_path || !os_exists(t->model_path))
        return ASSAY_OK;
    assay_status status = model_load(&m, t->ctx, t->model_path);
    if (status == ASSAY_E_NOMEM)
        return status;
    if (status == ASSAY_OK && strcmp(m.card.key, t->model.card.key) == 0) {
        model_free(&t->model);
        t->model = m;
        *out = true;
        (void)unlink(t->checkpoint_path); /* a kill between model and clean-up left it */
        return ASSAY_OK;
    }
    model_free(&m);
    return ASSAY_OK;
}

static checkpoint checkpoint_of(trainer *t) {
    const checkpoint_weights kept = {"average",
                                     average_on(&t->average) ? &t->average.kept : NULL};
    return (checkpoint){.more = {kept},
                        .graph = t->model.zoo.graph,
                        .weights = &t->model.weights,
                        .optimizer = &t->optimizer,
                        .key = t->model.card.key,
                        .metrics = t->metrics,
                        .epochs = t->recipe->epochs,
                        .done = t->done};
}

static assay_status weights_start(trainer *t) {
    assay_status status = ASSAY_OK;
    nn_graph *g = t->model.zoo.graph;
    ASSAY_TRY(nn_weights_create(&t->model.weights, t->ctx, g, t->job->seed));
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
    if (t->checkpoint_path) {
        checkpoint c = checkpoint_of(t);
        bool found;
        ASSAY_TRY(checkpoint_load(&c, t->ctx, t->checkpoint_path, &found));
        t->done = c.done;
        if (!found) { /* a refused file may have been read in part */
            nn_weights_destroy(&t->model.weights, t->ctx);
            ASSAY_TRY(nn_weights_create(&t->model.weights, t->ctx, g, t->job->seed));
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
    bool half = strcmp(t->recipe->precision, "bf16") == 0;
    if (t->job->dir)
        ASSAY_TRY(dir_path(&kernels, t->ctx, t->job->dir, RUN_KERNELS));
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = t->batches.batch,
                               .keep = &t->model.zoo.logits,
                               .n_keep = 1,
                               .target = t->model.zoo.loss,
                               .dtype = half ? ASSAY_BF16 : ASSAY_F32,
                               .shards = t->job->wide ? t->batches.shards : 1,
                               .threads = t->job->wide ? assay_ctx_threads(t->ctx) : 1,
                               .seed = t->job->seed,
                               .kernels = kernels};
    ASSAY_TRY(
        nn_exec_create(&t->exec, t->ctx, t->model.zoo.graph, &t->model.weights, &o));
    ASSAY_TRY(mem_new(t->ctx, &t->seed, (size_t)t->batches.batch, sizeof *t->seed));
    for (int i = 0; i < t->batches.batch; i++)
        t->seed[i] = 1.0F / (float)t->batches.batch;
done:
    mem_free(t->ctx, kernels);
    return status;
}

/* Everything a run needs; after it, steps allocate nothing. */
static assay_status start(trainer *t) {
    assay_status status = ASSAY_OK;
    const zoo_config config =
        model_card_config(t->data->card, t->recipe->label_smoothing);
    t->schedule = schedule_find(t->recipe->schedule);
    ASSAY_TRY(zoo_build(&t->model.zoo, t->ctx, t->recipe->model, &config));
    ASSAY_TRY(
        mem_new(t->ctx, &t->metrics, (size_t)t->recipe->epochs, sizeof *t->metrics));
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

/* What an epoch adds up. */
typedef struct sums {
    double loss; /* of examples */
    int64_t examples, right, labels;
} sums;

/* How many of the labels are where the logits are largest. */
static void
count_hits(sums *s, const float *logits, const int32_t *labels, size_t n, int classes) {
    for (size_t i = 0; i < n; i++, logits += classes) {
        int best = 0;
        if (labels[i] < 0)
            continue;
        for (int c = 1; c < classes; c++)
            best = logits[c] > logits[best] ? c : best;
        s->right += best == labels[i];
        s->labels++;
    }
}

static void feed(trainer *t, const train_batch *b) {
    const zoo_model *z = &t->model.zoo;
    memcpy(nn_exec_input(t->exec, z->images), b->inputs,
           (size_t)b->n * t->batches.input_bytes);
    memcpy(nn_exec_input(t->exec, z->labels), b->labels,
           (size_t)b->n * t->batches.labels * sizeof *b->labels);
}

static assay_status loss_add(sums *s, double loss, int n) {
    if (!isfinite(loss))
        return err_set(ASSAY_E_NUMERIC, "the loss is not finite");
    s->loss += loss;
    s->examples += n;
    return ASSAY_OK;
}

static assay_status
step_tiny(trainer *t, const train_batch *b, train_pace pace, sums *s) {
    assay_status status = ASSAY_OK;
    size_t right;
    double loss;
    ASSAY_TRY(tiny_step(t->tiny, b->inputs, b->labels, b->n, pace, &loss, &right));
    ASSAY_TRY(loss_add(s, loss, b->n));
    s->right += (int64_t)right;
    s->labels += b->n;
    t->optimizer.steps++;
done:
    return status;
}

/* Forward, backward, update. Adds to the sums of the epoch. */
static assay_status step(trainer *t, const train_batch *b, train_pace pace, sums *s) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = &t->model.zoo;
    if (t->tiny)
        return step_tiny(t, b, pace, s);
    feed(t, b);
    ASSAY_TRY(nn_exec_forward(t->exec, b->n));
    const float *losses = nn_exec_value(t->exec, z->loss);
    double sum = 0;
    for (int i = 0; i < b->n; i++)
        sum += (double)losses[i];
    ASSAY_TRY(loss_add(s, sum, b->n));
    count_hits(s, nn_exec_value(t->exec, z->logits), b->labels,
               (size_t)b->n * t->batches.labels, z->config.classes);
    ASSAY_TRY(nn_exec_backward(t->exec, t->seed));
    if (t->recipe->clip > 0)
        (void)gradient_clip(nn_exec_grads(t->exec), t->optimizer.floats, t->recipe->clip);
    optimizer_step(&t->optimizer, t->model.weights.params, nn_exec_grads(t->exec), pace);
    if (average_on(&t->average))
        average_step(&t->average, &t->model.weights, t->optimizer.steps);
done:
    return status;
}

/* On what is held out, with the weights that would be saved now. */
static assay_status measure(trainer *t, train_measure *out) {
    const nn_weights now = t->model.weights;
    if (average_on(&t->average))
        t->model.weights = t->average.kept;
    assay_status status = batches_measure(&t->batches, &t->model, out);
    t->model.weights = now;
    return status;
}

static assay_status epoch(trainer *t) {
    assay_status status = ASSAY_OK;
    sums s = {0};
    train_measure held;
    train_pace pace = {0};
    int64_t per_epoch = t->batches.count;
    ASSAY_TRY(batches_epoch(&t->batches, (uint32_t)t->done));
    for (int64_t i = 0; i < per_epoch; i++) {
        train_batch b;
        ASSAY_TRY(ctx_check(t->ctx));
        ASSAY_TRY(batches_next(&t->batches, &b));
        if (t->exec)
            nn_exec_set_step(t->exec, (uint64_t)(t->done * per_epoch + i));
        pace.rate = schedule_rate(t->schedule, t->recipe->lr, t->done * per_epoch + i,
                                  t->recipe->epochs * per_epoch);
        pace.momentum = t->recipe->momentum;
        ASSAY_TRY_AT(step(t, &b, pace, &s), "epoch %d, step %lld", t->done + 1,
                     (long long)i + 1);
        progress_add(t->ctx, b.n);
    }
    t->images += s.examples;
    if (t->tiny &&
        (t->job->dir || t->batches.kind->measure || t->done + 1 == t->recipe->epochs))
        tiny_store(t->tiny, t->model.weights.params, t->optimizer.state[0]);
    ASSAY_TRY(measure(t, &held));
    t->metrics[t->done] =
        (epoch_metrics){s.loss / (double)s.examples, (double)s.right / (double)s.labels,
                        pace.rate, held.loss, held.accuracy};
    const nn_graph *g = t->model.zoo.graph;
    if (!state_finite(t->model.weights.params, nn_graph_param_floats(g)) ||
        !state_finite(t->model.weights.buffers, nn_graph_buffer_floats(g))) {
        (void)err_set(ASSAY_E_NUMERIC, "the weights are not finite");
        err_where("epoch %d", t->done + 1);
        return ASSAY_E_NUMERIC;
    }
    t->done++;
    if (t->done == t->recipe->epochs && average_on(&t->average))
        average_take(&t->average, &t->model.weights);
done:
    return status;
}

/* Files after an epoch. The last one's checkpoint is the model itself. */
static assay_status keep(trainer *t) {
    assay_status status = ASSAY_OK;
    if (!t->job->dir)
        return ASSAY_OK;
    bool last = t->done == t->recipe->epochs;
    if (!last) {
        checkpoint c = checkpoint_of(t);
        ASSAY_TRY(checkpoint_save(&c, t->ctx, t->checkpoint_path));
    }
    ASSAY_TRY(metrics_write(t->ctx, t->metrics_path, t->metrics, t->done));
    if (last) {
        ASSAY_TRY(model_save(&t->model, t->model_path));
        (void)unlink(t->checkpoint_path);
    }
done:
    return status;
}

static void trainer_end(trainer *t) {
    batches_destroy(&t->batches);
    nn_exec_destroy(t->exec);
    tiny_destroy(t->tiny);
    optimizer_destroy(&t->optimizer);
    average_destroy(&t->average);
    mem_free(t->ctx, t->seed);
    mem_free(t->ctx, t->metrics);
    mem_free(t->ctx, t->model_path);
    mem_free(t->ctx, t->checkpoint_path);
    mem_free(t->ctx, t->metrics_path);
    model_free(&t->model);
}

assay_status train_one(assay_ctx *ctx,
                       const train_data *data,
                       const train_recipe *recipe,
                       train_job *job) {
    assay_status status = ASSAY_OK;
    trainer t = {
        .ctx = ctx, .data = data, .recipe = recipe, .job = job, .model = {.ctx = ctx}};
    uint64_t (*cpu_ns)(void) = job->wide ? os_cpu_ns : os_thread_cpu_ns;
    uint64_t began = os_now_ns(), began_cpu = cpu_ns();
    bool have;
    ASSAY_TRY(job_check(data, recipe, job));
    ASSAY_TRY(card_make(&t));
    ASSAY_TRY(paths_make(&t));
    ASSAY_TRY(finished(&t, &have));
    if (have) {
        progress_add(ctx, train_images(recipe, job->n_rows));
    } else {
        ASSAY_TRY(start(&t));
        progress_add(ctx, train_images(recipe, job->n_rows) / recipe->epochs * t.done);
        while (t.done < recipe->epochs) {
            ASSAY_TRY(epoch(&t));
            ASSAY_TRY(keep(&t));
        }
    }
    job->gflop = 1e-9 * zoo_step_flop(&t.model.zoo) * (double)t.images;
    if (job->result) {
        *job->result = t.model;
        t.model = (trained_model){0};
    }
done:
    if (status == ASSAY_E_NUMERIC)
        err_help("try a smaller --lr; what was reached before is kept");
    if (status != ASSAY_OK && job->dir)
        err_where("%s", job->dir);
    trainer_end(&t);
    job->seconds = 1e-9 * (double)(os_now_ns() - began);
    job->cpu_seconds = 1e-9 * (double)(cpu_ns() - began_cpu);
    return status;
}
