/* Running ways of loading against each other: the pipeline as it is, and with a remedy,
 * in turns, so that a busy machine slows both. */
#include "data/load/doctor.h"

#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 3,
    TRIED_QUALITY = 80,
    USUAL_QUALITY = 90,
    RAW_LIMIT = 1 << 28, /* bytes of a sample that is tried as pixels */
    TEXT = 4096
};

/* A way to load that differs from the pipeline as it is in what is set. */
typedef struct way {
    const char *path, *pipeline, *index, *cache;
    int threads;
    bool copied; /* rows are the sample's, from 0 */
} way;

static assay_status open_way(const doctor *d, assay_loader **out, const way *w) {
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    const char *path = w->path != NULL ? w->path : d->path;
    o.batch = d->o.batch;
    o.order = "given";
    o.rows = w->copied ? d->given_copy : d->given;
    o.n_rows = d->n_given;
    o.seed = d->o.seed;
    o.threads = w->threads;
    o.index = w->index != NULL ? w->index : d->o.index;
    o.cache = w->cache != NULL ? w->cache : d->o.cache;
    return assay_loader_create(out, d->ctx, &path, 1,
                               w->pipeline != NULL ? w->pipeline : d->o.pipeline, &o);
}

/* The training step. */
static void consume(const doctor *d) {
    double s = d->o.consumer_ms / 1e3;
    struct timespec t = {.tv_sec = (time_t)s};
    t.tv_nsec = (long)((s - (double)t.tv_sec) * 1e9);
    if (s > 0)
        (void)nanosleep(&t, NULL);
}

/* Every row of the sample once, untimed: memory, caches and an index that is built. */
static assay_status warm(doctor *d, assay_loader *l) {
    assay_status status = ASSAY_OK;
    assay_batch batch;
    size_t seen = 0;
    ASSAY_TRY(assay_loader_epoch(l, d->epoch++));
    do {
        ASSAY_TRY(assay_loader_next(l, &batch));
        seen += (size_t)batch.n;
    } while (batch.n > 0 && seen < d->rows);
done:
    return status;
}

/* From the first batch on, for a while. */
static assay_status run(doctor *d, assay_loader *l, doctor_rate *out) {
    assay_status status = ASSAY_OK;
    assay_batch batch;
    uint64_t enough = (uint64_t)(d->o.seconds * 1e9), waited = 0, images = 0, now;
    ASSAY_TRY(assay_loader_epoch(l, d->epoch++));
    ASSAY_TRY(assay_loader_next(l, &batch));
    consume(d);
    uint64_t begin = os_now_ns(), cpu = os_cpu_ns();
    do {
        uint64_t asked = os_now_ns();
        ASSAY_TRY(assay_loader_next(l, &batch));
        waited += os_now_ns() - asked;
        images += (uint64_t)batch.n;
        if (batch.n > 0)
            consume(d);
        now = os_now_ns();
    } while (batch.n > 0 && now - begin < enough);
    if (images == 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "the sample is smaller than two batches");
    *out = (doctor_rate){.per_second = (double)images / ((double)(now - begin) / 1e9),
                         .cpu_ms = (double)(os_cpu_ns() - cpu) / 1e6 / (double)images,
                         .waits = (double)waited / (double)(now - begin)};
done:
    return status;
}

static double middle(const double x[ROUNDS]) {
    double low = x[0] < x[1] ? x[0] : x[1], high = x[0] < x[1] ? x[1] : x[0];
    return x[2] < low ? low : x[2] > high ? high : x[2];
}

static doctor_rate middle_rate(const doctor_rate r[ROUNDS]) {
    double speed[ROUNDS], cpu[ROUNDS], waits[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        speed[i] = r[i].per_second;
        cpu[i] = r[i].cpu_ms;
        waits[i] = r[i].waits;
    }
    return (doctor_rate){middle(speed), middle(cpu), middle(waits)};
}

/* ---- the pipeline as it is ---- */

static int side_of(const assay_batch *b) {
    int side = 0;
    for (int c = 0; c < b->columns; c++)
        for (int i = 1; b->column[c].ndim == 4 && i < 4; i++)
            if (b->column[c].dim[i] > side)
                side = (int)b->column[c].dim[i];
    return side;
}

assay_status doctor_time_base(doctor *d) {
    assay_status status = ASSAY_OK;
    doctor_rate rate[ROUNDS];
    assay_batch batch;
    ASSAY_TRY(open_way(d, &d->base, &(way){0}));
    ASSAY_TRY(assay_loader_epoch(d->base, d->epoch++));
    ASSAY_TRY(assay_loader_next(d->base, &batch));
    d->side = side_of(&batch);
    ASSAY_TRY(warm(d, d->base));
    for (int i = 0; i < ROUNDS; i++)
        ASSAY_TRY(run(d, d->base, &rate[i]));
    d->rate = middle_rate(rate);
    d->stats.struct_size = sizeof d->stats;
    assay_loader_stats(d->base, &d->stats);
done:
    return status;
}

/* ---- remedies ---- */

/* A remedy that does not suit the pipeline (images too small for its window, say) is left
 * out. */
static bool cannot_be_tried(const doctor *d, const char *name, assay_status status) {
    if (status != ASSAY_E_INVALID && status != ASSAY_E_SHAPE &&
        status != ASSAY_E_UNSUPPORTED)
        return false;
    log_line(d->ctx, ASSAY_LOG_INFO, "%s was not tried: %s", name,
             assay_last_error()->message);
    return true;
}

/* Tries one and notes it. */
static assay_status try_way(doctor *d, const char *name, const char *how, const way *w) {
    assay_status status = ASSAY_OK;
    doctor_rate mine[ROUNDS], base;
    double ratio[ROUNDS];
    assay_loader *l = NULL;
    doctor_remedy *r = &d->remedy[d->remedies];
    ASSAY_TRY(open_way(d, &l, w));
    ASSAY_TRY(warm(d, l));
    for (int i = 0; i < ROUNDS; i++) {
        ASSAY_TRY(run(d, d->base, &base));
        ASSAY_TRY(run(d, l, &mine[i]));
        ratio[i] = mine[i].per_second / base.per_second;
    }
    *r = (doctor_remedy){
        .rate = middle_rate(mine), .ratio = middle(ratio), .bytes = d->read.bytes};
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->how, sizeof r->how, "%s", how);
    d->remedies++;
    progress_add(d->ctx, 1);
done:
    assay_loader_destroy(l);
    return cannot_be_tried(d, name, status) ? ASSAY_OK : status;
}

/* Mean bytes of an image in a file that was written here. */
static assay_status bytes_in(const doctor *d, const char *path, double *bytes) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    uint64_t sum = 0, n;
    const uint8_t *data;
    ASSAY_TRY(beton_open(&f, d->ctx, path));
    for (size_t i = 0; i < d->rows; i++) {
        image_cell c = image_cell_get(beton_cell(f, i, d->image));
        ASSAY_TRY(image_cell_payload(f, i, d->image, &c, &data, &n));
        sum += n;
    }
    *bytes = (double)sum / (double)d->rows;
done:
    beton_close(f);
    return status;
}

static assay_status
try_copy(doctor *d, const char *name, const char *how, const encode_options *o) {
    assay_status status = ASSAY_OK;
    char path[512];
    int at = d->remedies;
    snprintf(path, sizeof path, "%s/%s.beton", d->folder, name);
    ASSAY_TRY(doctor_copy(d, path, o));
    ASSAY_TRY(
        try_way(d, name, how, &(way){.path = path, .copied = true, .index = "auto"}));
    if (d->remedies > at)
        ASSAY_TRY(bytes_in(d, path, &d->remedy[at].bytes));
    ASSAY_TRY(os_remove_tree(path));
done:
    return status;
}

/* The pipeline without its last change from bytes to floats; false: it makes none. */
static bool without_floats(const doctor *d, char out[TEXT]) {
    const char *text = d->o.pipeline;
    size_t n = text != NULL ? strlen(text) : 0;
    if (n >= TEXT)
        return false;
    if (n > 4 && strcmp(text + n - 4, "-f32") == 0) { /* a preset */
        snprintf(out, TEXT, "%.*s-u8", (int)(n - 4), text);
        return assay_pipeline_preset(out) != NULL;
    }
    bool found = false;
    size_t at = 0;
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t gap = strspn(p + 1, " \t");
        if (*p == '|' && strncmp(p + 1 + gap, "normalize", 9) == 0) {
            p += 1 + gap + 9;
            p += strspn(p, " \t");
            if (*p == '(')
                p += strcspn(p, ")") + (strchr(p, ')') != NULL);
            found = true;
        } else {
            out[at++] = *p++;
        }
    }
    out[at] = '\0';
    return found;
}

static assay_status try_ways(doctor *d) {
    assay_status status = ASSAY_OK;
    char text[TEXT], how[96];
    int processors = os_processors();
    if (d->jpeg && d->stats.decoded_indexed == 0)
        ASSAY_TRY(try_way(d, "index", "assay index FILE: decode a crop without the rest",
                          &(way){.index = "build"}));
    if (processors > assay_ctx_threads(d->ctx)) {
        snprintf(how, sizeof how, "load with %d threads", processors);
        ASSAY_TRY(try_way(d, "threads", how, &(way){.threads = processors}));
    }
    if (without_floats(d, text))
        ASSAY_TRY(try_way(d, "bytes", "hand out bytes and normalise in the model",
                          &(way){.pipeline = text}));
    bool reads = d->o.cache != NULL && strcmp(d->o.cache, "read") == 0;
    ASSAY_TRY(try_way(d, reads ? "cache=map" : "cache=read",
                      reads ? "for a file that fits into memory"
                            : "for a file larger than memory",
                      &(way){.cache = reads ? "map" : "read"}));
done:
    return status;
}

/* The images of the sample as pixels of at most this side, in bytes. */
static double as_pixels(const doctor *d, int side) {
    double sum = 0;
    for (size_t i = 0; i < d->rows; i++) {
        int w, h;
        image_cell c = image_cell_get(beton_cell(d->file, d->row[i], d->image));
        encode_shrunk(c.width, c.height, side, &w, &h);
        sum += 3. * w * h;
    }
    return sum;
}

static assay_status try_copies(doctor *d) {
    assay_status status = ASSAY_OK;
    char name[48];
    encode_options o = {.mode = ENCODE_JPG, .quality = USUAL_QUALITY};
    int side = (d->side * 7 / 4 + 31) / 32 * 32; /* room for crops */
    bool shrinks = d->side > 0 && side < d->longest;
    if (d->jpeg) {
        o.quality = TRIED_QUALITY;
        ASSAY_TRY(try_copy(d, "quality=80", "pack again: --mode=jpg --quality=80", &o));
        o.quality = USUAL_QUALITY;
    } else {
        ASSAY_TRY(try_copy(d, "jpg", "pack as JPEG: fewer bytes to read", &o));
    }
    if (shrinks) {
        o.max_resolution = side;
        snprintf(name, sizeof name, "max-resolution=%d", side);
        ASSAY_TRY(try_copy(d, name, "pack again with it: --mode=jpg", &o));
        o.mode = ENCODE_RAW;
        snprintf(name, sizeof name, "raw, max-resolution=%d", side);
        if (as_pixels(d, side) < RAW_LIMIT)
            ASSAY_TRY(try_copy(d, name, "pack again with it: --mode=raw", &o));
        o.max_resolution = 0;
    }
    o.mode = ENCODE_RAW;
    if (d->jpeg && as_pixels(d, 0) < RAW_LIMIT)
        ASSAY_TRY(try_copy(d, "raw", "pack again: --mode=raw", &o));
done:
    return status;
}

assay_status doctor_try_all(doctor *d) {
    assay_status status = ASSAY_OK;
    const char *base = getenv("TMPDIR");
    ASSAY_TRY(try_ways(d));
    if (d->image < 0)
        goto done;
    snprintf(d->folder, sizeof d->folder, "%.200s/assay-doctor-XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(d->folder) == NULL) {
        d->folder[0] = '\0';
        ASSAY_FAIL(ASSAY_E_IO, "no temporary folder can be made");
    }
    ASSAY_TRY(try_copies(d));
done:
    return status;
}
