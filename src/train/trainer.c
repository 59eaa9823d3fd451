/* One model, from its initial weights or its last checkpoint to its model file. */
#include "train/trainer_inside.h"

#include "train/run_dir.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Counts up when the same inputs would give other weights than before. */
#define TRAIN_VERSION "assay train 2"

int64_t train_images(const train_recipe *recipe, size_t n_rows) {
    int64_t batch = batches_size(recipe, n_rows);
    int64_t held = (int64_t)batches_held(recipe, n_rows), n = (int64_t)n_rows - held;
    return batch ? (n / batch * batch + held) * recipe->epochs : 0;
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
    if (t->job->init)
        hash_sha256_str(&h, t->job->init_sha256);
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

assay_status
trainer_check(const train_data *d, const train_recipe *r, const train_job *job) {
    assay_status status = batches_kind_of(d)->check(d, job);
    if (status != ASSAY_OK)
        return status;
    if (job->n_rows < 2)
        return err_set(ASSAY_E_SHAPE, "%zu training rows are too few", job->n_rows);
    return schedule_find(r->schedule)
               ? ASSAY_OK
               : err_set(ASSAY_E_INVALID, "there is no schedule \"%s\"", r->schedule);
}

static assay_status paths_make(trainer *t) {
    assay_status status = ASSAY_OK;
    if (!t->job->dir)
        return ASSAY_OK;
    ASSAY_TRY(os_mkdirs(t->job->dir));
    ASSAY_TRY(atomic_sweep(t->ctx, t->job->dir));
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

/* Files after an epoch. The last one's checkpoint is the model itself. */
static assay_status keep(trainer *t) {
    assay_status status = ASSAY_OK;
    if (!t->job->dir)
        return ASSAY_OK;
    if (!t->over) {
        checkpoint c = trainer_checkpoint(t);
        ASSAY_TRY(checkpoint_save(&c, t->ctx, t->checkpoint_path));
    }
    ASSAY_TRY(metrics_write(t->ctx, t->metrics_path, t->metrics, t->done));
    if (t->over) {
        ASSAY_TRY(model_save(&t->model, t->model_path));
        (void)unlink(t->checkpoint_path);
    }
done:
    return status;
}

void trainer_end(trainer *t) {
    batches_destroy(&t->batches);
    nn_exec_destroy(t->exec);
    tiny_destroy(t->tiny);
    optimizer_destroy(&t->optimizer);
    average_destroy(&t->average);
    nn_weights_destroy(&t->best, t->ctx);
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
    ASSAY_TRY(trainer_check(data, recipe, job));
    ASSAY_TRY(card_make(&t));
    ASSAY_TRY(paths_make(&t));
    ASSAY_TRY(finished(&t, &have));
    if (have) {
        progress_add(ctx, train_images(recipe, job->n_rows));
    } else {
        ASSAY_TRY(trainer_start(&t));
        progress_add(ctx, train_images(recipe, job->n_rows) / recipe->epochs * t.done);
        while (!t.over) {
            ASSAY_TRY(trainer_epoch(&t));
            ASSAY_TRY(keep(&t));
        }
        progress_add(ctx, train_images(recipe, job->n_rows) / recipe->epochs *
                              (recipe->epochs - t.done));
    }
    job->gflop = 1e-9 * zoo_step_flop(&t.model.zoo) * (double)t.images;
    if (job->result) {
        *job->result = t.model;
        t.model = (trained_model){0};
    }
done:
    if (status == ASSAY_E_NUMERIC && t.checkpoint_path && t.done > 0)
        err_help("try a smaller --lr; the state after epoch %d is kept in %s", t.done,
                 RUN_CHECKPOINT);
    else if (status == ASSAY_E_NUMERIC)
        err_help("try a smaller --lr; no epoch was finished");
    if (status != ASSAY_OK && job->dir)
        err_where("%s", job->dir);
    trainer_end(&t);
    job->seconds = 1e-9 * (double)(os_now_ns() - began);
    job->cpu_seconds = 1e-9 * (double)(cpu_ns() - began_cpu);
    return status;
}
