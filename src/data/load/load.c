/* The loader, as callers see it: options, epochs, states. */
#include "data/load/load_inside.h"

#include "base/hash.h"
#include "base/le.h"
#include "base/options.h"

#include <assay/data.h>

#include <math.h>
#include <string.h>

enum {
    DEFAULT_BATCH = 256,
    MAX_BATCH = 1 << 20,
    FEW_BYTES = 16 << 20, /* slots of small batches fill so much */
    STATE_VERSION = 1
};

/* ---- options ---- */

static assay_status take_options(assay_loader *l, const assay_load_options *given) {
    assay_status status = ASSAY_OK;
    assay_load_options *o = &l->options;
    *o = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    ASSAY_TRY(options_take(o, sizeof *o, given, "assay_load_options"));
    if (o->batch < 0 || o->batch > MAX_BATCH)
        ASSAY_FAIL(ASSAY_E_INVALID, "a batch of %d samples", o->batch);
    if (o->threads < -1 || o->threads > LOAD_MAX_THREADS)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d threads", o->threads);
    if (o->ahead < 0 || o->ahead > LOAD_MAX_AHEAD)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d batches ahead", o->ahead);
    if (o->world < 0 || o->rank < 0 || o->rank >= (o->world > 0 ? o->world : 1))
        ASSAY_FAIL(ASSAY_E_INVALID, "rank %d of %d", o->rank, o->world);
    if (o->cache != NULL && strcmp(o->cache, "map") != 0 &&
        strcmp(o->cache, "read") != 0) {
        status = err_set(ASSAY_E_INVALID, "no cache is called '%s'", o->cache);
        err_help("there are: map, read");
        goto done;
    }
    l->batch = o->batch > 0 ? o->batch : DEFAULT_BATCH;
    l->threads = o->threads < 0   ? 0
                 : o->threads > 0 ? o->threads
                                  : assay_ctx_threads(l->ctx);
    if (l->threads > LOAD_MAX_THREADS)
        l->threads = LOAD_MAX_THREADS;
    ASSAY_TRY(mem_strdup(l->ctx, &l->order, o->order != NULL ? o->order : "random"));
done:
    return status;
}

/* Batches made ahead: two large ones, more of small ones. */
static int choose_slots(const assay_loader *l) {
    if (l->threads == 0)
        return 1;
    if (l->options.ahead > 0)
        return l->options.ahead + 1;
    int slots = 3;
    while (slots < 9 && (size_t)(slots + 1) * l->batch_bytes <= FEW_BYTES)
        slots++;
    return slots;
}

/* What the caller lent for the call is not kept. */
static void forget_lent(assay_load_options *o) {
    o->rows = NULL;
    o->weights = NULL;
    o->file_weights = NULL;
    o->split = o->order = o->index = NULL;
    o->custom = NULL;
}

/* ---- life ---- */

static void tell_plan(assay_loader *l) {
    buf text = buf_make(l->ctx);
    if (log_verbose_on(l->ctx, "plan")) {
        for (int o = 0; o < l->outputs; o++)
            plan_tell(&l->plan[o], &text);
        for (char *line = text.data; line != NULL && *line != '\0';) {
            char *end = strchr(line, '\n');
            if (end != NULL)
                *end = '\0';
            log_verbose(l->ctx, "plan", "%s", line);
            line = end != NULL ? end + 1 : NULL;
        }
    }
    buf_free(&text);
}

assay_status assay_loader_create(assay_loader **out,
                                 assay_ctx *ctx,
                                 const char *const *paths,
                                 size_t n_paths,
                                 const char *pipelines,
                                 const assay_load_options *options) {
    assay_status status = ASSAY_OK;
    assay_loader *l = NULL;
    *out = NULL;
    ASSAY_TRY(ctx_check(ctx));
    ASSAY_TRY(mem_new(ctx, &l, 1, sizeof *l));
    l->ctx = ctx;
    ASSAY_TRY(take_options(l, options));
    ASSAY_TRY(load_open(l, paths, n_paths, pipelines));
    ASSAY_TRY(load_choose(l));
    ASSAY_TRY(load_compile(l));
    forget_lent(&l->options);
    l->slots = choose_slots(l);
    ASSAY_TRY(load_start(l));
    tell_plan(l);
    *out = l;
    l = NULL;
done:
    assay_loader_destroy(l);
    return status;
}

void assay_loader_destroy(assay_loader *l) {
    if (l == NULL)
        return;
    load_stop(l);
    load_spares_leave(l->spares);
    load_close(l);
    mem_free(l->ctx, l->order);
    mem_free(l->ctx, l);
}

/* ---- epochs ---- */

/* Plans anew after a change of size; buffers grow where they must. */
static assay_status resize(assay_loader *l) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(load_compile(l));
    for (int i = 0; i < l->slots; i++)
        ASSAY_TRY(load_slot_fit(l, &l->ring[i]));
    for (int i = 0; i < l->workers; i++)
        for (int o = 0; o < l->outputs; o++)
            ASSAY_TRY(plan_scratch_fit(&l->worker[i].scratch, l->ctx, &l->plan[o]));
    l->resize = false;
    tell_plan(l);
done:
    return status;
}

static assay_status begin(assay_loader *l, uint32_t epoch, uint64_t handed) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(ctx_check(l->ctx));
    load_halt(l);
    l->shown = NULL;
    l->batches = 0; /* until all is well, there is none to take */
    l->failed = ASSAY_OK;
    l->taken = 0;
    if (l->resize)
        ASSAY_TRY(resize(l));
    ASSAY_TRY(load_unschedule(l)); /* readers ask for what changes now */
    ASSAY_TRY(sampler_epoch(l->sampler, epoch));
    l->handed = handed;
    ASSAY_TRY(load_schedule(l));
    load_run(l, epoch);
done:
    return status;
}

assay_status assay_loader_epoch(assay_loader *l, uint32_t epoch) {
    return begin(l, epoch, 0);
}

uint32_t assay_loader_epoch_number(const assay_loader *l) {
    return l->epoch;
}

uint64_t assay_loader_batches(const assay_loader *l) {
    return sampler_batches(l->sampler, 0);
}

uint64_t assay_loader_skipped(const assay_loader *l) {
    return l->skipped;
}

static assay_status fail(assay_loader *l, assay_status status) {
    l->failed = status;
    err_save(&l->failure);
    return status;
}

assay_status assay_loader_next(assay_loader *l, assay_batch *out) {
    load_slot *s;
    *out = (assay_batch){0};
    l->shown = NULL;
    if (l->failed != ASSAY_OK) {
        err_restore(&l->failure);
        return l->failed;
    }
    do {
        assay_status status = ctx_check(l->ctx);
        if (status != ASSAY_OK)
            return fail(l, status);
        s = load_take(l);
        if (s == NULL)
            return ASSAY_OK;
        if (s->status != ASSAY_OK) {
            err_restore(&s->error);
            return fail(l, s->status);
        }
        l->taken = l->next_take;
        l->batches_taken++;
        l->skipped += (uint64_t)s->left_out;
    } while (s->n == 0); /* all of it was damaged */
    l->shown = s;
    *out = (assay_batch){.n = s->n,
                         .place = s->place,
                         .rows = s->rows,
                         .column = s->column,
                         .columns = l->outputs};
    return ASSAY_OK;
}

assay_status
assay_loader_set_size(assay_loader *l, const char *output, int height, int width) {
    for (int o = 0; o < l->outputs; o++) {
        if (strcmp(l->pipe.output[o].name, output) != 0)
            continue;
        assay_status status = plan_set_size(&l->pipe.output[o], height, width, false);
        if (status == ASSAY_OK) { /* workers read the plan: it is made anew later */
            l->size[o] = (transform_shape){height, width, 0};
            l->resize = true;
        }
        return status;
    }
    return err_set(ASSAY_E_NOTFOUND, "no output is called '%s'", output);
}

/* ---- states ---- */

/* 8 magic, u32 version, u32 epoch, u64 seed, u64 hash of the order, u64 samples in an
 * epoch, u64 samples handed out, zeros, u32 CRC-32C of what is before. */
static const char state_magic[8] = {'A', 'S', 'Y', 'L', 'O', 'A', 'D', 0};

void assay_loader_state(const assay_loader *l, uint8_t state[ASSAY_LOADER_STATE_BYTES]) {
    memset(state, 0, ASSAY_LOADER_STATE_BYTES);
    memcpy(state, state_magic, 8);
    le32_put(state + 8, STATE_VERSION);
    le32_put(state + 12, l->epoch);
    le64_put(state + 16, l->options.seed);
    le64_put(state + 24, l->order_hash);
    le64_put(state + 32, sampler_count(l->sampler));
    le64_put(state + 40, sampler_handed(l->sampler, l->handed, l->taken));
    le32_put(state + 60, hash_crc32c(0, state, 60));
}

assay_status assay_loader_resume(assay_loader *l,
                                 const uint8_t state[ASSAY_LOADER_STATE_BYTES]) {
    if (memcmp(state, state_magic, 8) != 0 ||
        le32_get(state + 60) != hash_crc32c(0, state, 60))
        return err_set(ASSAY_E_INVALID, "these bytes are no loader's state, or damaged");
    if (le32_get(state + 8) != STATE_VERSION)
        return err_set(ASSAY_E_INVALID, "a loader's state of version %u, known is %d",
                       (unsigned)le32_get(state + 8), (int)STATE_VERSION);
    if (le64_get(state + 16) != l->options.seed)
        return err_set(ASSAY_E_INVALID,
                       "the state is of a loader with seed %llu, not %llu",
                       (unsigned long long)le64_get(state + 16),
                       (unsigned long long)l->options.seed);
    if (le64_get(state + 32) != sampler_count(l->sampler))
        return err_set(ASSAY_E_INVALID,
                       "the state is of a loader with %llu samples in an epoch, not %llu",
                       (unsigned long long)le64_get(state + 32),
                       (unsigned long long)sampler_count(l->sampler));
    if (le64_get(state + 24) != l->order_hash)
        return err_set(ASSAY_E_INVALID,
                       "the state is of a loader with another order or other rows");
    if (le64_get(state + 40) > sampler_count(l->sampler))
        return err_set(ASSAY_E_INVALID, "the state stands behind the epoch's end");
    return begin(l, le32_get(state + 12), le64_get(state + 40));
}

/* ---- what it is, what it did ---- */

assay_status assay_loader_plan(const assay_loader *l, char **text) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(l->ctx);
    *text = NULL;
    for (int o = 0; o < l->outputs; o++)
        plan_tell(&l->plan[o], &b);
    buf_fmt(&b, "batches of %d in %d slots of %zu bytes, chunks of %d, %d threads\n",
            l->batch, l->slots, l->batch_bytes, l->chunk, l->threads);
    ASSAY_TRY(buf_check(&b));
    ASSAY_TRY(mem_strdup(l->ctx, text, b.data));
done:
    buf_free(&b);
    return status;
}

void assay_loader_stats(const assay_loader *l, assay_load_stats *out) {
    assay_load_stats s = {.struct_size = out->struct_size};
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&l->lock;
    double total = 0;
    if (l->sync_made)
        pthread_mutex_lock(lock);
    for (int i = 0; i < l->workers; i++) {
        const load_times *t = &l->worker[i].shown;
        s.samples += t->samples;
        s.bytes_read += t->bytes;
        s.read += t->read;
        s.decode += t->decode;
        s.transform += t->transform;
        s.output += t->output;
        s.mix += t->mix;
        total += t->total;
        s.decoded_own += t->decoded.own;
        s.decoded_indexed += t->decoded.own_indexed;
        s.decoded_library += t->decoded.library;
        s.decoded_whole += t->decoded.whole;
    }
    s.wait_consumer = 1e-9 * (double)l->wait_consumer_ns;
    s.wait_workers = 1e-9 * (double)l->wait_workers_ns;
    s.batches = l->batches_taken;
    if (l->sync_made)
        pthread_mutex_unlock(lock);
    /* Some samples were timed; their shares are those of all. */
    double timed = s.read + s.decode + s.transform + s.output;
    double scale = timed > 0 ? (total - s.mix) / timed : 0;
    s.read *= scale;
    s.decode *= scale;
    s.transform *= scale;
    s.output *= scale;
    size_t n = out->struct_size < sizeof s ? out->struct_size : sizeof s;
    memcpy(out, &s, n);
}
