/* assay_fleet: from a source of images to what many models say of its rows. The stores
 * are the checkpoint: a model whose rows are sealed is done. */
#include "train/fleet_run.h"

#include "train/run_dir.h"

#include "base/hash.h"
#include "base/options.h"
#include "base/os.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 100000, LONG_GFLOP = 2000 };

/* ---- data ---- */

static assay_status options_check(const fleet_run *r) {
    assay_status status = ASSAY_OK;
    const assay_fleet_options *o = &r->o;
    if (r->t.members != 0)
        return err_set(ASSAY_E_INVALID, "a fleet of ensembles");
    if (o->shards < 0 || o->shards > MOST_SHARDS || o->shard < 0 ||
        o->shard > o->shards || (o->shards > 0 && o->shard < 1)) {
        (void)err_set(ASSAY_E_INVALID, "part %d of %d", o->shard, o->shards);
        err_help("parts are numbered from 1: 1/8 to 8/8");
        return ASSAY_E_INVALID;
    }
    if (r->t.limit < 0)
        return err_set(ASSAY_E_INVALID, "limit is %" PRId64, r->t.limit);
    ASSAY_TRY(fleet_outputs_check(o->outputs));
done:
    return status;
}

static assay_status folders_make(fleet_run *r) {
    assay_status status = ASSAY_OK;
    char name[48] = "run";
    if (r->o.shards)
        (void)snprintf(name, sizeof name, "shard-%d-of-%d", r->o.shard, r->o.shards);
    ASSAY_TRY(dir_path(&r->work, r->ctx, r->out, name));
    ASSAY_TRY(mem_strdup(r->ctx, &r->store, r->o.shards ? r->work : r->out));
    ASSAY_TRY(os_mkdirs(r->work));
done:
    return status;
}

static assay_status data_open(fleet_run *r) {
    assay_status status = ASSAY_OK;
    char *packed = NULL;
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    pack.limit = r->t.limit;
    ASSAY_TRY(dir_path(&packed, r->ctx, r->work, "data.beton"));
    ASSAY_TRY(dataset_open_any(&r->data, r->ctx, r->source, packed, &pack));
    size_t rows = (size_t)dataset_rows(r->data);
    size_t train = (size_t)dataset_train_rows(r->data);
    ASSAY_TRY(mem_new(r->ctx, &r->labels, rows + 1, sizeof *r->labels));
    ASSAY_TRY(mem_new(r->ctx, &r->active, train + 1, 1));
    for (size_t i = 0; i < rows; i++)
        r->labels[i] = dataset_label(r->data, i);
    memset(r->active, 1, train);
    if (r->t.exclude)
        ASSAY_TRY(train_exclude_load(r->ctx, r->t.exclude, r->data, r->active));
    r->train_rows = r->t.limit && (size_t)r->t.limit < train ? (size_t)r->t.limit : train;
    for (size_t i = 0; i < r->train_rows; i++)
        r->n_active += r->active[i];
    if (r->n_active < 4) {
        (void)err_set(ASSAY_E_FORMAT, "%zu training rows are too few", r->n_active);
        err_where("%s", r->source);
        status = ASSAY_E_FORMAT;
    }
done:
    mem_free(r->ctx, packed);
    return status;
}

static assay_status card_make(fleet_run *r, int size) {
    assay_status status = ASSAY_OK;
    model_card *c = &r->card;
    c->size = size;
    c->channels = dataset_channels(r->data);
    c->classes = dataset_classes(r->data);
    (void)snprintf(c->dataset_sha256, sizeof c->dataset_sha256, "%s",
                   dataset_sha256(r->data));
    ASSAY_TRY(mem_new(r->ctx, &c->class_name, (size_t)c->classes, sizeof *c->class_name));
    for (int i = 0; i < c->classes; i++)
        ASSAY_TRY(mem_strdup(r->ctx, &c->class_name[i], dataset_class_name(r->data, i)));
done:
    return status;
}

/* Whether a line of settings, or a sweep of them, speaks of one. */
static bool speaks_of(const char *line, const char *name) {
    size_t n = strlen(name);
    for (const char *p = line; p && (p = strstr(p, name)) != NULL; p += n)
        if (p[n] == '=' && (p == line || p[-1] == ' ' || p[-1] == ';'))
            return true;
    return false;
}

static assay_status pixels_make(fleet_run *r) {
    assay_status status = ASSAY_OK;
    char *path = NULL;
    bool flip = false;
    int size = r->t.size ? r->t.size : train_size_for(r->data);
    ASSAY_TRY(card_make(r, size));
    ASSAY_TRY(dir_path(&path, r->ctx, r->work, "pixels.npy"));
    ASSAY_TRY(dataset_pixels(r->data, r->ctx, size, r->card.channels, path, &r->pixels));
    dataset_statistics(&r->pixels, r->train_rows, r->card.mean, r->card.std);
    if (r->t.flip < 0 && !speaks_of(r->t.settings, "flip"))
        ASSAY_TRY(data_bears_flip(r->ctx, &r->pixels, r->labels, r->train_rows,
                                  r->card.classes, r->t.seed, &flip));
    ASSAY_TRY(fleet_plan_recipes(&r->plan, &r->o, size, flip));
done:
    mem_free(r->ctx, path);
    return status;
}

/* What a step costs in each setting. */
static assay_status flop_make(fleet_run *r) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(r->ctx, &r->flop, r->plan.settings, sizeof *r->flop));
    for (size_t i = 0; i < r->plan.settings; i++) {
        zoo_model z;
        const zoo_config config =
            model_card_config(&r->card, r->plan.recipe[i].label_smoothing);
        ASSAY_TRY(zoo_build(&z, r->ctx, r->plan.recipe[i].model, &config));
        r->flop[i] = zoo_step_flop(&z);
        zoo_destroy(&z);
    }
done:
    return status;
}

static assay_status prepare(fleet_run *r) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(options_check(r));
    ASSAY_TRY(folders_make(r));
    progress_phase(r->ctx, 1, 3);
    ASSAY_TRY(data_open(r));
    const fleet_rows rows = {.labels = r->labels,
                             .active = r->active,
                             .rows = r->train_rows,
                             .classes = dataset_classes(r->data)};
    ASSAY_TRY(fleet_plan_make(&r->plan, r->ctx, &r->o, &rows));
    ASSAY_TRY(fleet_rows_choose(r));
    progress_phase(r->ctx, 2, 3);
    ASSAY_TRY(pixels_make(r));
    ASSAY_TRY(flop_make(r));
done:
    return status;
}

/* ---- outputs ---- */

/* What decides every number. */
static void key_make(fleet_run *r) {
    char recipe[RECIPE_LINE];
    uint8_t digest[32];
    const fleet_plan *p = &r->plan;
    hash_sha256 h;
    hash_sha256_init(&h);
    hash_sha256_str(&h, assay_version());
    hash_sha256_str(&h, r->card.dataset_sha256);
    hash_sha256_u64(&h, (uint64_t)r->card.size);
    hash_sha256_add(&h, (const uint8_t *)r->card.mean, sizeof r->card.mean);
    hash_sha256_add(&h, (const uint8_t *)r->card.std, sizeof r->card.std);
    hash_sha256_u64(&h, p->settings);
    for (size_t i = 0; i < p->settings; i++) {
        train_recipe_text(&p->recipe[i], recipe);
        hash_sha256_str(&h, recipe);
    }
    hash_sha256_u64(&h, p->subsets);
    hash_sha256_u64(&h, p->rows);
    hash_sha256_add(&h, p->mask, p->subsets * p->rows);
    hash_sha256_u64(&h, p->models);
    for (size_t m = 0; m < p->models; m++)
        hash_sha256_u64(&h, p->seed[m]);
    hash_sha256_u64(&h, r->n_rows);
    for (size_t i = 0; i < r->n_rows; i++)
        hash_sha256_u64(&h, r->row[i]);
    hash_sha256_end(&h, digest);
    hash_hex(r->key, digest);
    fleet_part_key(r->part_key, r->key, r->o.shard, r->o.shards);
}

static assay_status outputs_open(fleet_run *r) {
    assay_status status = ASSAY_OK;
    key_make(r);
    ASSAY_TRY(mem_new(r->ctx, &r->mine, r->plan.models, sizeof *r->mine));
    r->n_mine = fleet_part(r->mine, &r->plan, r->o.shard, r->o.shards);
    const fleet_shape shape = {.names = r->o.outputs,
                               .key = r->part_key,
                               .models = r->n_mine,
                               .rows = r->n_rows,
                               .classes = r->card.classes};
    if (r->t.no_resume)
        fleet_outputs_remove(r->ctx, r->store);
    ASSAY_TRY(fleet_outputs_open(&r->outputs, r->ctx, r->store, &shape));
    if (!fleet_begun(r)) {
        ASSAY_TRY(fleet_arrays_write(r));
        ASSAY_TRY(fleet_file_write(r));
    }
done:
    return status;
}

static assay_status member_path(char **out, const fleet_run *r, size_t model) {
    char name[64];
    (void)snprintf(name, sizeof name, "models/member-%zu.safetensors", model);
    return dir_path(out, r->ctx, r->out, name);
}

static assay_status keep(const fleet_run *r, size_t model, const trained_model *m) {
    char *path;
    assay_status status = member_path(&path, r, model);
    if (status != ASSAY_OK)
        return status;
    status = model_save(m, path);
    mem_free(r->ctx, path);
    return status;
}

/* What a model says, on the worker that trained it. */
static assay_status take(void *arg, int worker, size_t i, const trained_model *m) {
    assay_status status = ASSAY_OK;
    fleet_run *r = arg;
    size_t place = r->todo[i], model = r->mine[place];
    float **logits = &r->logits[worker];
    if (!m) {
        log_line(r->ctx, ASSAY_LOG_WARN, "model %zu: %s", model,
                 assay_last_error()->message);
        fleet_outputs_put(&r->outputs, place, NULL, r->row_label);
        return ASSAY_OK;
    }
    if (!*logits)
        ASSAY_TRY(mem_new(r->ctx, logits, r->n_rows * (size_t)r->card.classes,
                          sizeof **logits));
    ASSAY_TRY(
        train_predict(r->ctx, m, &r->pixels, r->row, r->n_rows, false, *logits, NULL));
    if (r->o.keep_models)
        ASSAY_TRY(keep(r, model, m));
    fleet_outputs_put(&r->outputs, place, *logits, r->row_label);
    if (r->member[i].dir)
        ASSAY_TRY(os_remove_tree(r->member[i].dir));
done:
    return status;
}

/* ---- members ---- */

static bool is_done(const fleet_run *r, size_t place) {
    if (!fleet_outputs_done(&r->outputs, place))
        return false;
    if (!r->o.keep_models || fleet_outputs_failed(&r->outputs, place))
        return true;
    char *path;
    bool there = member_path(&path, r, r->mine[place]) == ASSAY_OK && os_exists(path);
    mem_free(r->ctx, path);
    return there;
}

static assay_status member_make(fleet_run *r, size_t i) {
    assay_status status = ASSAY_OK;
    train_member *m = &r->member[i];
    size_t model = r->mine[r->todo[i]], setting = model % r->plan.settings;
    const uint8_t *mask = fleet_mask(&r->plan, model);
    uint32_t *row = NULL;
    *m = (train_member){.recipe = &r->plan.recipe[setting],
                        .seed = r->plan.seed[model],
                        .identity = r->key};
    for (size_t k = 0; k < r->plan.rows; k++)
        m->n_rows += mask[k];
    ASSAY_TRY(mem_new(r->ctx, &row, m->n_rows, sizeof *row));
    m->rows = row;
    for (size_t k = 0, at = 0; k < r->plan.rows; k++)
        if (mask[k])
            row[at++] = (uint32_t)k;
    m->cost = r->flop[setting] * (double)train_images(m->recipe, m->n_rows);
    if (m->cost >
        1e9 * (r->o.checkpoint_gflop > 0 ? r->o.checkpoint_gflop : LONG_GFLOP)) {
        char *dir, name[48];
        (void)snprintf(name, sizeof name, "member-%zu", model);
        ASSAY_TRY(dir_path(&dir, r->ctx, r->work, name));
        m->dir = dir;
    }
done:
    return status;
}

static assay_status members_make(fleet_run *r) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(r->ctx, &r->todo, r->n_mine + 1, sizeof *r->todo));
    for (size_t i = 0; i < r->n_mine; i++)
        if (!is_done(r, i))
            r->todo[r->n_todo++] = i;
    ASSAY_TRY(mem_new(r->ctx, &r->member, r->n_todo + 1, sizeof *r->member));
    for (size_t i = 0; i < r->n_todo; i++)
        ASSAY_TRY(member_make(r, i));
    ASSAY_TRY(mem_new(r->ctx, &r->logits, (size_t)assay_ctx_threads(r->ctx),
                      sizeof *r->logits));
    if (r->o.keep_models) {
        char *path;
        ASSAY_TRY(dir_path(&path, r->ctx, r->out, "models"));
        status = os_mkdirs(path);
        mem_free(r->ctx, path);
    }
done:
    return status;
}

static assay_status train(fleet_run *r) {
    assay_status status = ASSAY_OK;
    const train_data data = {.pixels = &r->pixels, .labels = r->labels, .card = &r->card};
    ASSAY_TRY(members_make(r));
    progress_phase(r->ctx, 3, 3);
    ASSAY_TRY(train_members(r->ctx, &data, r->member, r->n_todo, take, r));
    for (size_t i = 0; i < r->n_todo; i++)
        r->result.gflop += r->member[i].gflop;
done:
    return status;
}

/* ---- the end ---- */

/* A kill between a model's outputs and the end of its checkpoints leaves them there. */
static assay_status checkpoints_remove(const fleet_run *r) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    ASSAY_TRY(os_list_dir(r->ctx, r->work, &names));
    for (size_t i = 0; i < names.count; i++) {
        char *dir;
        if (strncmp(names.name[i], "member-", 7) != 0)
            continue;
        ASSAY_TRY(dir_path(&dir, r->ctx, r->work, names.name[i]));
        status = os_remove_tree(dir);
        mem_free(r->ctx, dir);
        ASSAY_TRY(status);
    }
done:
    os_names_free(&names);
    return status;
}

/* Parts whose results are in the whole are not needed any more. */
static assay_status parts_remove(const fleet_run *r, const os_names *parts) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < parts->count; i++) {
        char *dir;
        ASSAY_TRY(dir_path(&dir, r->ctx, r->out, parts->name[i]));
        status = os_remove_tree(dir);
        mem_free(r->ctx, dir);
        ASSAY_TRY(status);
    }
done:
    return status;
}

static void count(fleet_run *r) {
    assay_fleet_result *out = &r->result;
    out->models = r->n_mine;
    out->trained = r->n_todo;
    out->subsets = r->plan.subsets;
    out->seeds = r->plan.seeds;
    out->settings = r->plan.settings;
    out->train_rows = r->n_active;
    out->rows = r->n_rows;
    for (size_t i = 0; i < r->n_mine; i++)
        out->failed += fleet_outputs_failed(&r->outputs, i);
}

/* NUMERIC names the first model that failed. */
static assay_status failed_tell(const fleet_run *r) {
    const fleet_plan *p = &r->plan;
    size_t i = 0;
    while (!fleet_outputs_failed(&r->outputs, i))
        i++;
    size_t m = r->mine[i], setting = m % p->settings;
    (void)err_set(ASSAY_E_NUMERIC,
                  "the loss of %" PRIu64 " of %zu models is not finite; the first is "
                  "model %zu (subset %zu, seed %zu%s%s)",
                  r->result.failed, r->n_mine, m, m / (p->seeds * p->settings),
                  m / p->settings % p->seeds, *p->varied[setting] ? ", " : "",
                  p->varied[setting]);
    err_where("%s", r->out);
    err_help("all others are done and kept; try a smaller --lr");
    return ASSAY_E_NUMERIC;
}

static void fleet_run_free(fleet_run *r) {
    for (int i = 0; r->logits && i < assay_ctx_threads(r->ctx); i++)
        mem_free(r->ctx, r->logits[i]);
    for (size_t i = 0; r->member && i < r->n_todo; i++) {
        mem_free(r->ctx, (uint32_t *)r->member[i].rows); /* members borrow; this owns */
        mem_free(r->ctx, (char *)r->member[i].dir);
    }
    fleet_outputs_free(&r->outputs);
    mem_free(r->ctx, r->logits);
    mem_free(r->ctx, r->member);
    mem_free(r->ctx, r->todo);
    mem_free(r->ctx, r->mine);
    mem_free(r->ctx, r->flop);
    fleet_plan_free(&r->plan);
    mem_free(r->ctx, r->row);
    mem_free(r->ctx, r->row_label);
    mem_free(r->ctx, r->labels);
    mem_free(r->ctx, r->active);
    model_card_free(&r->card, r->ctx);
    npy_close(&r->pixels);
    dataset_close(r->data);
    mem_free(r->ctx, r->work);
    mem_free(r->ctx, r->store);
}

assay_status assay_fleet(assay_ctx *ctx,
                         const char *source,
                         const char *out,
                         const assay_fleet_options *options,
                         assay_fleet_result *result) {
    assay_status status = ASSAY_OK;
    fleet_run r = {.ctx = ctx,
                   .source = source,
                   .out = out,
                   .o = ASSAY_FLEET_OPTIONS_INIT,
                   .t = ASSAY_TRAIN_OPTIONS_INIT};
    assay_status failed = ASSAY_OK;
    err_record record;
    os_names parts = {0};
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    if (result)
        *result = (assay_fleet_result){0};
    ASSAY_TRY(options_take(&r.o, sizeof r.o, options, "assay_fleet_options"));
    ASSAY_TRY(options_take(&r.t, sizeof r.t, r.o.train, "assay_train_options"));
    r.o.train = &r.t;
    r.o.outputs = r.o.outputs ? r.o.outputs : "margins";
    ASSAY_TRY(prepare(&r));
    ASSAY_TRY(outputs_open(&r));
    if (r.o.shards == 0) {
        ASSAY_TRY(fleet_leftovers_remove(&r));
        ASSAY_TRY(fleet_gather(&r, &parts));
    }
    ASSAY_TRY(train(&r));
    count(&r);
    if (r.o.shards == 0) {
        r.finished = true;
        ASSAY_TRY(fleet_file_write(&r));
    }
    if (r.result.failed)
        failed = failed_tell(&r);
    err_save(&record);
    ASSAY_TRY(fleet_outputs_close(&r.outputs));
    ASSAY_TRY(parts_remove(&r, &parts));
    ASSAY_TRY(checkpoints_remove(&r));
    r.result.seconds = 1e-9 * (double)(os_now_ns() - began);
    r.result.cpu_seconds = 1e-9 * (double)(os_cpu_ns() - began_cpu);
    ASSAY_TRY(fleet_timing_write(&r));
    if (result)
        *result = r.result;
    if (failed != ASSAY_OK) {
        err_restore(&record);
        status = failed;
    }
done:
    progress_phase(ctx, 0, 0);
    os_names_free(&parts);
    fleet_run_free(&r);
    return status;
}
