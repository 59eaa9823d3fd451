/* assay_train: from a source of images to a folder with a trained model, or an ensemble.
 *
 * The folder is the checkpoint: each step below keeps what it finds done, so a run that
 * was stopped anywhere continues when the same call is made again. */
#include "train/train_run.h"

#include "train/pretrained.h"
#include "train/run_dir.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MEMBERS = 999, MOST_SIZE = 512, LEAST_SIZE = 4 };

/* ---- data ---- */

static assay_status options_check(const assay_train_options *o) {
    if (o->members < 0 || o->members > MOST_MEMBERS || o->members % 3 != 0) {
        (void)err_set(ASSAY_E_INVALID, "an ensemble of %d members", o->members);
        err_help("members train on balanced two-thirds of the rows, in blocks of three: "
                 "3, 6, 9...");
        return ASSAY_E_INVALID;
    }
    if (o->size != 0 && (o->size < LEAST_SIZE || o->size > MOST_SIZE)) {
        (void)err_set(ASSAY_E_INVALID, "size is %d", o->size);
        err_help("give %d to %d pixels, or 0 to choose from the data", LEAST_SIZE,
                 MOST_SIZE);
        return ASSAY_E_INVALID;
    }
    if (o->limit < 0)
        return err_set(ASSAY_E_INVALID, "limit is %" PRId64, o->limit);
    return ASSAY_OK;
}

static assay_status data_open(run *r) {
    assay_status status = ASSAY_OK;
    char *packed = NULL, *work = NULL;
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    pack.limit = r->o.limit;
    ASSAY_TRY(dir_path(&work, r->ctx, r->out, "run"));
    ASSAY_TRY(os_mkdirs(work));
    ASSAY_TRY(dir_path(&packed, r->ctx, r->out, "data.beton"));
    ASSAY_TRY(dataset_open_any(&r->data, r->ctx, r->source, packed, &pack));
done:
    mem_free(r->ctx, packed);
    mem_free(r->ctx, work);
    return status;
}

/* Labels, and which rows are trained and tested on. */
static assay_status rows_choose(run *r) {
    assay_status status = ASSAY_OK;
    uint64_t rows = dataset_rows(r->data), train = dataset_train_rows(r->data);
    uint64_t limit = r->o.limit ? (uint64_t)r->o.limit : rows;
    ASSAY_TRY(mem_new(r->ctx, &r->labels, (size_t)rows + 1, sizeof *r->labels));
    ASSAY_TRY(mem_new(r->ctx, &r->active, (size_t)train + 1, 1));
    ASSAY_TRY(mem_new(r->ctx, &r->train, (size_t)train + 1, sizeof *r->train));
    ASSAY_TRY(mem_new(r->ctx, &r->test, (size_t)(rows - train) + 1, sizeof *r->test));
    for (uint64_t i = 0; i < rows; i++)
        r->labels[i] = dataset_label(r->data, i);
    memset(r->active, 1, (size_t)train);
    if (r->o.exclude)
        ASSAY_TRY(train_exclude_load(r->ctx, r->o.exclude, r->data, r->active));
    for (uint64_t i = 0; i < train; i++) {
        r->excluded += !r->active[i];
        r->active[i] = r->active[i] && i < limit;
        if (r->active[i])
            r->train[r->n_train++] = (uint32_t)i;
    }
    for (uint64_t i = train; i < rows && i - train < limit; i++)
        r->test[r->n_test++] = (uint32_t)i;
    if (r->n_train < 2) {
        (void)err_set(ASSAY_E_FORMAT, "%zu training rows are too few", r->n_train);
        err_where("%s", r->source);
        status = ASSAY_E_FORMAT;
    }
done:
    return status;
}

static assay_status card_make(run *r, int size) {
    assay_status status = ASSAY_OK;
    model_card *c = &r->card;
    c->size = size;
    c->channels = dataset_channels(r->data);
    c->classes = dataset_classes(r->data);
    c->seed = r->o.seed;
    (void)snprintf(c->dataset_sha256, sizeof c->dataset_sha256, "%s",
                   dataset_sha256(r->data));
    ASSAY_TRY(mem_new(r->ctx, &c->class_name, (size_t)c->classes, sizeof *c->class_name));
    for (int i = 0; i < c->classes; i++)
        ASSAY_TRY(mem_strdup(r->ctx, &c->class_name[i], dataset_class_name(r->data, i)));
done:
    return status;
}

static assay_status pixels_make(run *r) {
    assay_status status = ASSAY_OK;
    char *path = NULL;
    uint64_t train = dataset_train_rows(r->data);
    int size = r->o.size ? r->o.size : train_size_for(r->data);
    ASSAY_TRY(card_make(r, size));
    ASSAY_TRY(dir_path(&path, r->ctx, r->out, "run/pixels.npy"));
    ASSAY_TRY(dataset_pixels(r->data, r->ctx, size, r->card.channels, path, &r->pixels));
    dataset_statistics(&r->pixels, train, r->card.mean, r->card.std);
    bool flip = false;
    if (r->o.flip < 0)
        ASSAY_TRY(data_bears_flip(r->ctx, &r->pixels, r->labels, train, r->card.classes,
                                  r->o.seed, &flip));
    size_t each = r->o.members ? r->n_train / 3 * 2 : r->n_train;
    ASSAY_TRY(train_recipe_make(&r->recipe, &r->o, each, size, flip));
done:
    mem_free(r->ctx, path);
    return status;
}

/* ---- the run ---- */

/* What decides every byte of the result. */
static void key_make(run *r) {
    char recipe[RECIPE_LINE];
    uint8_t digest[32];
    hash_sha256 h;
    train_recipe_text(&r->recipe, recipe);
    hash_sha256_init(&h);
    hash_sha256_str(&h, assay_version());
    hash_sha256_str(&h, r->card.dataset_sha256);
    hash_sha256_str(&h, recipe);
    hash_sha256_u64(&h, (uint64_t)r->card.size);
    hash_sha256_u64(&h, r->o.seed);
    hash_sha256_u64(&h, (uint64_t)r->models);
    hash_sha256_u64(&h, r->n_train);
    if (r->data)
        hash_sha256_add(&h, r->active, (size_t)dataset_train_rows(r->data));
    hash_sha256_u64(&h, r->n_test);
    if (r->o.init)
        hash_sha256_str(&h, r->init_sha256);
    hash_sha256_end(&h, digest);
    hash_hex(r->key, digest);
}

/* run.json: what this folder is, and once it is finished, how good. */
static assay_status run_write(const run *r, bool finished) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(r->ctx);
    char *path = NULL, recipe[RECIPE_LINE], seed[24];
    json_out j = json_out_make(&text, 2);
    train_recipe_text(&r->recipe, recipe);
    (void)snprintf(seed, sizeof seed, "%" PRIu64,
                   r->o.seed); /* 64 bits; JSON's numbers are not */
    json_obj(&j);
    json_kstr(&j, "schema", RUN_SCHEMA);
    json_kstr(&j, "key", r->key);
    json_kstr(&j, "version", assay_version());
    json_kstr(&j, "isa", assay_isa_name());
    json_kbool(&j, "finished", finished);
    json_kint(&j, "members", r->o.members);
    json_kstr(&j, "recipe", recipe);
    json_kstr(&j, "seed", seed);
    if (r->o.init)
        json_kstr(&j, "init_sha256", r->init_sha256);
    json_key(&j, "dataset");
    json_obj(&j);
    json_kstr(&j, "sha256", r->card.dataset_sha256);
    json_kint(&j, "train_rows", (int64_t)r->n_train);
    json_kint(&j, "test_rows", (int64_t)r->n_test);
    json_kint(&j, "excluded", (int64_t)r->excluded);
    json_kint(&j, "classes", r->card.classes);
    if (r->text.train.count) {
        json_kint(&j, "train_tokens", (int64_t)r->text.train.count);
        json_kint(&j, "test_tokens", (int64_t)r->text.held.count);
    } else if (!r->card.tokens) {
        json_kint(&j, "size", r->card.size);
        json_kint(&j, "channels", r->card.channels);
    }
    json_obj_end(&j);
    if (finished) {
        json_kint(&j, "parameters", r->result.parameters);
        json_key(&j, "accuracy");
        json_obj(&j);
        json_knum(&j, "single", r->result.accuracy_single);
        json_knum(&j, "ensemble", r->result.accuracy);
        json_obj_end(&j);
        json_knum(&j, "loss", r->result.loss);
        if (r->text.train.count)
            json_knum(&j, "bits_per_byte", r->result.bits_per_byte);
    }
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(dir_path(&path, r->ctx, r->out, RUN_FILE));
    ASSAY_TRY(atomic_put(r->ctx, path, text.data, text.len));
done:
    mem_free(r->ctx, path);
    buf_free(&text);
    return status;
}

static assay_status start_over(const char *dir, assay_ctx *ctx) {
    static const char *const files[] = {RUN_MODEL, RUN_CHECKPOINT, RUN_METRICS};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path;
        assay_status status = dir_path(&path, ctx, dir, files[i]);
        if (status != ASSAY_OK)
            return status;
        (void)unlink(path);
        mem_free(ctx, path);
    }
    return ASSAY_OK;
}

/* Rows of member m: those it sees of the rows that may be trained on. */
static assay_status
member_rows(const run *r, const uint8_t *seen, uint32_t **out, size_t *n) {
    assay_status status = mem_new(r->ctx, out, r->n_train, sizeof **out);
    *n = 0;
    for (size_t i = 0; status == ASSAY_OK && i < r->n_train; i++)
        if (seen[i])
            (*out)[(*n)++] = r->train[i];
    return status;
}

static assay_status jobs_members(run *r) {
    assay_status status = ASSAY_OK;
    int32_t *labels = NULL; /* of the rows that may be trained on */
    uint8_t *seen = NULL;
    ASSAY_TRY(mem_new(r->ctx, &labels, r->n_train, sizeof *labels));
    ASSAY_TRY(mem_new(r->ctx, &seen, r->n_train * (size_t)r->models, 1));
    for (size_t i = 0; i < r->n_train; i++)
        labels[i] = r->labels[r->train[i]];
    ASSAY_TRY(train_subsets(r->ctx, labels, r->n_train, r->card.classes, r->models,
                            r->o.seed, seen));
    for (int m = 0; m < r->models; m++) {
        char *dir;
        uint32_t *rows;
        uint32_t word[4];
        train_job *j = &r->jobs[m];
        ASSAY_TRY(dir_member(&dir, r->ctx, r->out, m));
        j->dir = dir;
        ASSAY_TRY(member_rows(r, seen + (size_t)m * r->n_train, &rows, &j->n_rows));
        j->rows = rows;
        rng_philox(word, r->o.seed, RNG_SUBSET, 1, (uint64_t)m, 0);
        j->seed = (uint64_t)word[1] << 32 | word[0];
    }
done:
    mem_free(r->ctx, seen);
    mem_free(r->ctx, labels);
    return status;
}

static assay_status jobs_make(run *r) {
    assay_status status = ASSAY_OK;
    size_t n = (size_t)r->models;
    ASSAY_TRY(mem_new(r->ctx, &r->model, n, sizeof *r->model));
    ASSAY_TRY(mem_new(r->ctx, &r->jobs, n, sizeof *r->jobs));
    if (r->o.members)
        ASSAY_TRY(jobs_members(r));
    else
        r->jobs[0] = (train_job){.dir = r->out,
                                 .rows = r->train,
                                 .n_rows = r->n_train,
                                 .seed = r->o.seed,
                                 .wide = true};
    for (size_t i = 0; i < n; i++) {
        r->jobs[i].identity = r->key;
        r->jobs[i].init = r->o.init;
        r->jobs[i].init_sha256 = r->init_sha256;
        r->jobs[i].result = &r->model[i];
        if (r->o.no_resume)
            ASSAY_TRY(start_over(r->jobs[i].dir, r->ctx));
    }
done:
    return status;
}

static assay_status test_rows(run *r) {
    assay_status status = ASSAY_OK;
    verdicts v = {0};
    assay_train_result *out = &r->result;
    const train_data data = run_train_data(r);
    ASSAY_TRY(verdicts_init(&v, r->ctx, r->n_test, (size_t)r->card.classes));
    progress_begin(r->ctx, "testing", (int64_t)r->n_test * r->models,
                   data.sentences ? "sentences" : "images");
    for (int m = 0; m < r->models; m++)
        ASSAY_TRY(verdicts_add(&v, &r->model[m], &data, r->test,
                               predict_views_of(&r->model[m].card)));
    progress_end(r->ctx);
    verdicts_measure(&v, r->test, r->labels, &out->accuracy, &out->accuracy_single,
                     &out->loss);
done:
    verdicts_free(&v);
    return status;
}

static assay_status test(run *r) {
    assay_status status = ASSAY_OK;
    assay_train_result *out = &r->result;
    ASSAY_TRY(r->text.train.count ? run_text_test(r) : test_rows(r));
    out->members = r->o.members;
    out->train_rows = r->n_train;
    out->test_rows = r->n_test;
    out->excluded = r->excluded;
    out->parameters = (int64_t)nn_graph_param_floats(r->model[0].zoo.graph);
    for (int m = 0; m < r->models; m++)
        out->gflop += r->jobs[m].gflop;
done:
    return status;
}

/* run/timing.json: what may differ from one run to the next. */
static assay_status timing_write(const run *r) {
    static const char *const names[TIMED_PHASES] = {"data", "pixels", "training", "test"};
    assay_status status = ASSAY_OK;
    buf text = buf_make(r->ctx);
    char *path = NULL;
    json_out j = json_out_make(&text, 2);
    json_obj(&j);
    json_key(&j, "seconds");
    json_obj(&j);
    json_knum(&j, "total", r->result.seconds);
    for (int i = 0; i < TIMED_PHASES; i++)
        json_knum(&j, names[i], r->seconds[i]);
    json_obj_end(&j);
    json_knum(&j, "cpu_seconds", r->result.cpu_seconds);
    json_knum(&j, "gflop", r->result.gflop);
    json_kint(&j, "threads", assay_ctx_threads(r->ctx));
    json_key(&j, "peak_bytes");
    json_u64(&j, assay_peak_bytes());
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(dir_path(&path, r->ctx, r->out, "run/timing.json"));
    ASSAY_TRY(atomic_put(r->ctx, path, text.data, text.len));
done:
    mem_free(r->ctx, path);
    buf_free(&text);
    return status;
}

void run_free(run *r) {
    for (int m = 0; r->model && m < r->models; m++)
        model_free(&r->model[m]);
    for (int m = 0; r->jobs && r->o.members && m < r->models; m++) {
        mem_free(r->ctx, (char *)r->jobs[m].dir); /* jobs borrow; this run owns */
        mem_free(r->ctx, (uint32_t *)r->jobs[m].rows);
    }
    mem_free(r->ctx, r->model);
    mem_free(r->ctx, r->jobs);
    mem_free(r->ctx, r->labels);
    mem_free(r->ctx, r->active);
    mem_free(r->ctx, r->train);
    mem_free(r->ctx, r->test);
    text_data_free(&r->text);
    sentences_free(&r->sentences);
    model_card_free(&r->card, r->ctx);
    npy_close(&r->pixels);
    dataset_close(r->data);
}

/* One phase, timed. */
static assay_status timed(run *r, enum timed phase, assay_status (*fn)(run *)) {
    uint64_t began = os_now_ns();
    progress_phase(r->ctx, (int)phase + 1, TIMED_PHASES);
    assay_status status = fn(r);
    r->seconds[phase] = 1e-9 * (double)(os_now_ns() - began);
    return status;
}

static assay_status data_phase(run *r) {
    assay_status status = data_open(r);
    return status == ASSAY_OK ? rows_choose(r) : status;
}

/* A text is read, or a dataset opened and its pixels laid out. */
assay_status run_data(run *r) {
    assay_status status = ASSAY_OK;
    bool text;
    ASSAY_TRY(options_check(&r->o));
    ASSAY_TRY(train_recipe_is_text(&text, &r->o));
    if (text)
        return timed(r, TIMED_DATA, run_text_open);
    if (!os_is_dir(r->source) && corpus_is(r->ctx, r->source)) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "this is a text, the model reads images");
        err_help("choose a model of text: --model=gpt-tiny");
        ASSAY_TRY_AT(ASSAY_E_UNSUPPORTED, "%s", r->source);
    }
    ASSAY_TRY(timed(r, TIMED_DATA, data_phase));
    ASSAY_TRY(timed(r, TIMED_PIXELS, pixels_make));
done:
    return status;
}

train_data run_train_data(const run *r) {
    return (train_data){.pixels = &r->pixels,
                        .labels = r->labels,
                        .card = &r->card,
                        .text = r->text.train.count ? &r->text : NULL,
                        .sentences = r->sentences.rows ? &r->sentences : NULL};
}

static assay_status training_phase(run *r) {
    assay_status status = ASSAY_OK;
    if (r->o.init)
        ASSAY_TRY(pretrained_hash(r->init_sha256, r->o.init));
    key_make(r);
    ASSAY_TRY(jobs_make(r));
    ASSAY_TRY(run_write(r, false));
    const train_data data = run_train_data(r);
    ASSAY_TRY(train_fleet(r->ctx, &data, &r->recipe, r->jobs, (size_t)r->models));
done:
    return status;
}

assay_status assay_train(assay_ctx *ctx,
                         const char *source,
                         const char *out,
                         const assay_train_options *options,
                         assay_train_result *result) {
    assay_status status = ASSAY_OK;
    run r = {.ctx = ctx, .source = source, .out = out, .o = ASSAY_TRAIN_OPTIONS_INIT};
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    if (result)
        *result = (assay_train_result){0};
    ASSAY_TRY(options_take(&r.o, sizeof r.o, options, "assay_train_options"));
    r.models = r.o.members ? r.o.members : 1;
    ASSAY_TRY(run_data(&r));
    ASSAY_TRY(timed(&r, TIMED_TRAINING, training_phase));
    ASSAY_TRY(timed(&r, TIMED_TEST, test));
    ASSAY_TRY(run_write(&r, true));
    r.result.seconds = 1e-9 * (double)(os_now_ns() - began);
    r.result.cpu_seconds = 1e-9 * (double)(os_cpu_ns() - began_cpu);
    ASSAY_TRY(timing_write(&r));
    if (result)
        *result = r.result;
done:
    progress_phase(ctx, 0, 0);
    run_free(&r);
    return status;
}
