/* Measuring the loader against what its work could cost at least: rounds of an epoch, of
 * the library's full decode of the same images, and of a copy of the outputs' bytes, one
 * after the other, so that all three meet the same machine. */
#include <assay/bench.h>

#include "base/json.h"
#include "base/options.h"
#include "data/image_cell.h"
#include "data/load/load_inside.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_BATCH = 32,
    DEFAULT_ROUNDS = 5,
    MAX_ROUNDS = 1000,
    FIRST_BATCH = 32,
    FIRST_RUNS = 5,
    DECODED = 500, /* images decoded by the library in a round, at most */
    COPY_BYTES = 64 << 20
};

typedef struct rounds {
    double cpu[MAX_ROUNDS], wall[MAX_ROUNDS]; /* ms per sample */
    double turbo[MAX_ROUNDS], copy[MAX_ROUNDS];
    int n;
} rounds;

typedef struct bench {
    assay_ctx *ctx;
    const char *path, *pipeline;
    assay_bench_load_options options;
    assay_load_options load;
    uint64_t *rows; /* of `limit` */
    assay_loader *l;
    image decoded;
    uint8_t *copy;
    uint64_t samples, peak;
    double first_ms, first_cpu_ms;
    bool index;
    rounds r;
} bench;

/* ---- medians ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, int n) {
    double sorted[MAX_ROUNDS];
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double median_ratio(const double *v, const double *to, int n) {
    double ratio[MAX_ROUNDS];
    for (int i = 0; i < n; i++)
        ratio[i] = to[i] > 0 ? v[i] / to[i] : 0;
    return median(ratio, n);
}

/* ---- preparing ---- */

static assay_status take_limit(bench *b) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    if (b->options.limit == 0)
        return ASSAY_OK;
    ASSAY_TRY(beton_open(&f, b->ctx, b->path));
    uint64_t n = beton_samples(f);
    n = n < b->options.limit ? n : b->options.limit;
    ASSAY_TRY(mem_new(b->ctx, &b->rows, (size_t)n + 1, sizeof *b->rows));
    for (uint64_t i = 0; i < n; i++)
        b->rows[i] = i;
    b->load.rows = b->rows;
    b->load.n_rows = (size_t)n;
done:
    beton_close(f);
    return status;
}

static assay_status make_loader(bench *b, int batch) {
    b->load.batch = batch;
    return assay_loader_create(&b->l, b->ctx, &b->path, 1, b->pipeline, &b->load);
}

static assay_status
run_epoch(bench *b, uint32_t epoch, bool watch_memory, uint64_t *samples) {
    assay_status status = ASSAY_OK;
    assay_batch batch;
    *samples = 0;
    ASSAY_TRY(assay_loader_epoch(b->l, epoch));
    do {
        ASSAY_TRY(assay_loader_next(b->l, &batch));
        *samples += (uint64_t)batch.n;
        if (watch_memory)
            os_sample_memory();
    } while (batch.n > 0);
done:
    return status;
}

/* From opening to the first batch of 32, the file being in memory by now. */
static assay_status measure_first(bench *b) {
    assay_status status = ASSAY_OK;
    double ms[FIRST_RUNS], cpu_ms[FIRST_RUNS];
    assay_batch batch;
    for (int i = 0; i < FIRST_RUNS; i++) {
        uint64_t began = os_now_ns(), cpu = os_cpu_ns();
        ASSAY_TRY(make_loader(b, FIRST_BATCH));
        ASSAY_TRY(assay_loader_epoch(b->l, 0));
        ASSAY_TRY(assay_loader_next(b->l, &batch));
        ms[i] = 1e-6 * (double)(os_now_ns() - began);
        cpu_ms[i] = 1e-6 * (double)(os_cpu_ns() - cpu);
        assay_loader_destroy(b->l);
        b->l = NULL;
    }
    b->first_ms = median(ms, FIRST_RUNS);
    b->first_cpu_ms = median(cpu_ms, FIRST_RUNS);
done:
    return status;
}

/* ---- a round ---- */

static assay_status measure_epoch(bench *b, uint32_t epoch) {
    uint64_t cpu = os_cpu_ns(), wall = os_now_ns();
    assay_status status = run_epoch(b, epoch, false, &b->samples);
    if (status != ASSAY_OK || b->samples == 0)
        return status;
    b->r.cpu[b->r.n] = 1e-6 * (double)(os_cpu_ns() - cpu) / (double)b->samples;
    b->r.wall[b->r.n] = 1e-6 * (double)(os_now_ns() - wall) / (double)b->samples;
    return ASSAY_OK;
}

/* The first image output's field; -1: there is none. */
static int image_output_of(const assay_loader *l) {
    for (int o = 0; o < l->outputs; o++)
        if (l->plan[o].kind == PLAN_IMAGE)
            return o;
    return -1;
}

/* ms per image; 0 where no image is a JPEG. */
static assay_status measure_decode(bench *b) {
    assay_status status = ASSAY_OK;
    const assay_loader *l = b->l;
    int o = image_output_of(l), field = o < 0 ? -1 : l->file[0].field[o];
    const beton_file *f = l->file[0].f;
    uint64_t n = b->rows != NULL ? b->load.n_rows : beton_samples(f);
    uint64_t looks = n < DECODED ? n : DECODED, decoded = 0, ns = 0;
    b->r.turbo[b->r.n] = 0;
    for (uint64_t i = 0; i < looks && field >= 0; i++) {
        const uint8_t *data;
        uint64_t bytes, sample = (uint64_t)((double)i / (double)looks * (double)n);
        image_cell c = image_cell_get(beton_cell(f, sample, field));
        if (c.mode != CELL_JPEG ||
            image_cell_payload(f, sample, field, &c, &data, &bytes) != ASSAY_OK ||
            image_sniff(data, (size_t)bytes) != IMAGE_JPEG)
            continue;
        ASSAY_TRY(ctx_check(b->ctx));
        uint64_t began = os_thread_cpu_ns();
        status =
            image_decode(&b->decoded, data, (size_t)bytes, &(image_decode_options){0});
        ns += os_thread_cpu_ns() - began;
        if (status != ASSAY_OK && !(b->load.skip_damaged && status == ASSAY_E_FORMAT))
            goto done;
        status = ASSAY_OK;
        decoded++;
    }
    if (decoded > 0)
        b->r.turbo[b->r.n] = 1e-6 * (double)ns / (double)decoded;
done:
    return status;
}

/* ms per sample, of copying what a sample's outputs hold into a large buffer. */
static void measure_copy(bench *b) {
    const assay_loader *l = b->l;
    uint64_t bytes = 0, ns = 0;
    size_t at = 0;
    for (int turn = 0; turn < 1 << 20 && bytes < COPY_BYTES && l->batch_bytes > 0; turn++)
        for (int o = 0; o < l->outputs; o++) {
            size_t n = (size_t)l->batch * l->plan[o].sample_bytes;
            n = n < COPY_BYTES ? n : COPY_BYTES;
            at = at + n > COPY_BYTES ? 0 : at;
            uint64_t began = os_thread_cpu_ns();
            memcpy(b->copy + at, l->ring[turn % l->slots].data[o], n);
            ns += os_thread_cpu_ns() - began;
            at += n;
            bytes += n;
        }
    double each = (double)l->batch_bytes / (double)l->batch;
    b->r.copy[b->r.n] = bytes > 0 ? 1e-6 * (double)ns / (double)bytes * each : 0;
}

static assay_status measure(bench *b) {
    assay_status status = ASSAY_OK;
    uint64_t samples;
    int least = b->options.epochs > 0 ? b->options.epochs : DEFAULT_ROUNDS;
    int batch = b->options.batch > 0 ? b->options.batch : DEFAULT_BATCH;
    ASSAY_TRY(make_loader(b, batch));
    ASSAY_TRY(run_epoch(b, 0, true, &samples));
    b->peak = assay_peak_bytes(); /* before anything is here that is not the loader's */
    assay_loader_destroy(b->l);
    b->l = NULL;
    ASSAY_TRY(measure_first(b));
    ASSAY_TRY(make_loader(b, batch));
    ASSAY_TRY(run_epoch(b, 0, false, &samples)); /* an index is built, pages are there */
    ASSAY_TRY(mem_new(b->ctx, &b->copy, COPY_BYTES, 1));
    memset(b->copy, 1, COPY_BYTES);
    uint64_t began = os_now_ns();
    for (uint32_t epoch = 1; b->r.n < MAX_ROUNDS; epoch++) {
        double passed = 1e-9 * (double)(os_now_ns() - began);
        if (b->r.n >= least && passed >= b->options.seconds)
            break;
        ASSAY_TRY(measure_epoch(b, epoch));
        ASSAY_TRY(measure_decode(b));
        measure_copy(b);
        b->r.n++;
    }
    for (int o = 0; o < b->l->outputs; o++)
        b->index = b->index || b->l->file[0].index[o] != NULL;
done:
    return status;
}

/* ---- telling ---- */

static void tell(const bench *b, json_out *j) {
    const rounds *r = &b->r;
    assay_load_stats s = {.struct_size = sizeof s};
    assay_loader_stats(b->l, &s);
    double cpu = median(r->cpu, r->n), wall = median(r->wall, r->n);
    double turbo = median(r->turbo, r->n), copy = median(r->copy, r->n);
    json_obj(j);
    json_kstr(j, "schema", "assay.bench.load/1");
    json_kstr(j, "file", b->path);
    json_kstr(j, "pipeline", b->pipeline != NULL ? b->pipeline : "");
    json_kstr(j, "isa", assay_isa_name());
    json_kint(j, "threads", b->l->threads);
    json_kint(j, "batch", b->l->batch);
    json_kint(j, "rounds", r->n);
    json_kint(j, "samples", (int64_t)b->samples);
    json_kbool(j, "index", b->index);
    json_knum(j, "cpu_ms_per_image", cpu);
    json_knum(j, "wall_ms_per_image", wall);
    json_knum(j, "images_per_second", wall > 0 ? 1e3 / wall : 0);
    json_knum(j, "images_per_cpu_second", cpu > 0 ? 1e3 / cpu : 0);
    if (turbo > 0) {
        json_knum(j, "turbo_full_decode_ms_per_image", turbo);
        json_knum(j, "ratio_to_turbo", median_ratio(r->cpu, r->turbo, r->n));
    }
    json_knum(j, "memcpy_ms_per_image", copy);
    json_knum(j, "ratio_to_memcpy", median_ratio(r->cpu, r->copy, r->n));
    json_knum(j, "first_batch_ms", b->first_ms);
    json_knum(j, "first_batch_cpu_ms", b->first_cpu_ms);
    json_kint(j, "peak_rss_bytes", (int64_t)b->peak);
    json_kint(j, "slots", b->l->slots);
    json_kint(j, "batch_bytes", (int64_t)b->l->batch_bytes);
    json_kint(j, "skipped", (int64_t)assay_loader_skipped(b->l));
    json_key(j, "cpu_seconds");
    json_obj(j);
    json_knum(j, "read", s.read);
    json_knum(j, "decode", s.decode);
    json_knum(j, "transform", s.transform);
    json_knum(j, "output", s.output);
    json_knum(j, "mix", s.mix);
    json_obj_end(j);
    json_key(j, "decoded");
    json_obj(j);
    json_kint(j, "own", (int64_t)s.decoded_own);
    json_kint(j, "indexed", (int64_t)s.decoded_indexed);
    json_kint(j, "library", (int64_t)s.decoded_library);
    json_kint(j, "whole", (int64_t)s.decoded_whole);
    json_obj_end(j);
    json_obj_end(j);
}

assay_status assay_bench_load(assay_ctx *ctx,
                              const char *path,
                              const char *steps,
                              const assay_bench_load_options *options,
                              char **json) {
    assay_status status = ASSAY_OK;
    bench *b = NULL;
    buf text = buf_make(ctx);
    *json = NULL;
    ASSAY_TRY(mem_new(ctx, &b, 1, sizeof *b));
    *b = (bench){.ctx = ctx, .path = path, .pipeline = steps};
    b->options = (assay_bench_load_options)ASSAY_BENCH_LOAD_OPTIONS_INIT;
    b->load = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    b->decoded = image_make(ctx);
    ASSAY_TRY(options_take(&b->options, sizeof b->options, options,
                           "assay_bench_load_options"));
    if (b->options.epochs < 0 || b->options.epochs > MAX_ROUNDS ||
        !(b->options.seconds >= 0))
        ASSAY_FAIL(ASSAY_E_INVALID, "%d epochs, %g seconds", b->options.epochs,
                   b->options.seconds);
    b->load.threads = b->options.threads;
    b->load.order = b->options.order;
    b->load.index = b->options.index;
    b->load.cache = b->options.cache;
    b->load.seed = b->options.seed;
    ASSAY_TRY(take_limit(b));
    ASSAY_TRY(measure(b));
    json_out j = json_out_make(&text, 2);
    tell(b, &j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(mem_strdup(ctx, json, text.data));
done:
    buf_free(&text);
    if (b != NULL) {
        assay_loader_destroy(b->l);
        image_free(&b->decoded);
        mem_free(ctx, b->copy);
        mem_free(ctx, b->rows);
        mem_free(ctx, b);
    }
    return status;
}
