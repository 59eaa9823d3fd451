/* The doctor: a sample of rows, the pipeline's stages, what the consumer waits for, and
 * remedies as they were tried, best first. */
#include "data/load/doctor.h"

#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ROWS = 300, DEFAULT_BATCH = 32, ORDER_ROWS = 1 << 20 };
static const double keeps_up = 0.03; /* share of waiting that is none */

static assay_status take_options(doctor *d, const assay_doctor_options *given) {
    assay_status status = ASSAY_OK;
    d->o = (assay_doctor_options)ASSAY_DOCTOR_OPTIONS_INIT;
    ASSAY_TRY(options_take(&d->o, sizeof d->o, given, "assay_doctor_options"));
    if (d->o.batch == 0)
        d->o.batch = DEFAULT_BATCH;
    if (d->o.limit == 0)
        d->o.limit = DEFAULT_ROWS;
    if (d->o.seconds == 0)
        d->o.seconds = 0.3;
    if (d->o.batch < 1 || d->o.limit < 1 || d->o.limit > ORDER_ROWS ||
        !(d->o.seconds > 0 && d->o.seconds <= 3600) ||
        !(d->o.consumer_ms >= 0 && d->o.consumer_ms <= 3.6e6))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "1 to %d rows, runs and training steps of up to an hour", ORDER_ROWS);
done:
    return status;
}

static int by_size(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The first image field, how its images are stored, and their usual size. */
static assay_status look_at_images(doctor *d) {
    assay_status status = ASSAY_OK;
    int *longest = NULL;
    d->image = -1;
    for (int i = 0; i < beton_fields(d->file) && d->image < 0; i++)
        if (beton_field_at(d->file, i)->type == BETON_IMAGE)
            d->image = i;
    if (d->image < 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &longest, d->rows, sizeof *longest));
    size_t jpegs = 0;
    for (size_t i = 0; i < d->rows; i++) {
        image_cell c = image_cell_get(beton_cell(d->file, d->row[i], d->image));
        longest[i] = c.width > c.height ? c.width : c.height;
        jpegs += c.mode == CELL_JPEG;
    }
    qsort(longest, d->rows, sizeof *longest, by_size);
    d->longest = longest[d->rows / 2];
    d->jpeg = jpegs * 2 > d->rows;
done:
    mem_free(d->ctx, longest);
    return status;
}

/* The sample, and the order in which it comes again and again. */
static assay_status choose_rows(doctor *d) {
    assay_status status = ASSAY_OK;
    uint64_t all = beton_samples(d->file);
    rng r = rng_at(d->o.seed, RNG_TEST, 0, 0);
    d->rows = all < (uint64_t)d->o.limit ? (size_t)all : (size_t)d->o.limit;
    if (d->rows == 0) {
        err_set(ASSAY_E_INVALID, "there are no samples to load");
        err_where("%s", d->path);
        return ASSAY_E_INVALID;
    }
    d->n_given = ORDER_ROWS / d->rows * d->rows;
    ASSAY_TRY(mem_new(d->ctx, &d->row, d->rows, sizeof *d->row));
    ASSAY_TRY(mem_new(d->ctx, &d->given, d->n_given, sizeof *d->given));
    ASSAY_TRY(mem_new(d->ctx, &d->given_copy, d->n_given, sizeof *d->given_copy));
    for (size_t i = 0; i < d->rows; i++) {
        d->row[i] = i * (all / d->rows) + i * (all % d->rows) / d->rows;
        d->given_copy[i] = i;
    }
    for (size_t i = d->rows; i > 1; i--) {
        size_t k = (size_t)rng_below(&r, i);
        uint64_t t = d->given_copy[i - 1];
        d->given_copy[i - 1] = d->given_copy[k];
        d->given_copy[k] = t;
    }
    for (size_t i = 0; i < d->n_given; i++) {
        d->given_copy[i] = d->given_copy[i % d->rows];
        d->given[i] = d->row[d->given_copy[i]];
    }
done:
    return status;
}

/* ---- the report ---- */

static const char *const stage_names[] = {"read", "decode", "transform", "output", "mix"};
enum { STAGES = sizeof stage_names / sizeof stage_names[0] };

static double stage_ms(const doctor *d, int stage) {
    const assay_load_stats *s = &d->stats;
    double seconds[STAGES] = {s->read, s->decode, s->transform, s->output, s->mix};
    return seconds[stage] * 1e3 / (s->samples > 0 ? (double)s->samples : 1);
}

static const char *bottleneck(const doctor *d) {
    int most = 0;
    if (d->o.consumer_ms > 0 && d->rate.waits < keeps_up)
        return "consumer";
    for (int i = 1; i < STAGES; i++)
        if (stage_ms(d, i) > stage_ms(d, most))
            most = i;
    return stage_names[most];
}

static void tell_reads(const doctor *d, json_out *j) {
    json_key(j, "reading");
    if (!d->read_known) {
        json_none(j);
        return;
    }
    json_obj(j);
    json_knum(j, "bytes_per_image", d->read.bytes);
    json_knum(j, "cold_random_ms_per_image", d->read.cold_random);
    json_knum(j, "cold_in_order_ms_per_image", d->read.cold_in_order);
    json_knum(j, "cached_ms_per_image", d->read.warm);
    json_obj_end(j);
}

static void tell_base(const doctor *d, json_out *j) {
    json_knum(j, "images_per_second", d->rate.per_second);
    json_knum(j, "cpu_ms_per_image", d->rate.cpu_ms);
    json_key(j, "consumer");
    json_obj(j);
    json_knum(j, "ms_per_batch", d->o.consumer_ms);
    json_knum(j, "waits", d->rate.waits);
    json_obj_end(j);
    json_key(j, "stages_ms_per_image");
    json_obj(j);
    for (int i = 0; i < STAGES; i++)
        json_knum(j, stage_names[i], stage_ms(d, i));
    json_obj_end(j);
    json_kbool(j, "index", d->stats.decoded_indexed > 0);
    json_kstr(j, "bottleneck", bottleneck(d));
}

static int by_gain(const void *a, const void *b) {
    double x = ((const doctor_remedy *)a)->ratio, y = ((const doctor_remedy *)b)->ratio;
    return (x < y) - (x > y);
}

static void tell_remedies(doctor *d, json_out *j) {
    qsort(d->remedy, (size_t)d->remedies, sizeof *d->remedy, by_gain);
    json_key(j, "remedies");
    json_arr(j);
    for (int i = 0; i < d->remedies; i++) {
        const doctor_remedy *r = &d->remedy[i];
        json_obj(j);
        json_kstr(j, "name", r->name);
        json_kstr(j, "how", r->how);
        json_knum(j, "speed_ratio", r->ratio);
        json_knum(j, "images_per_second", r->rate.per_second);
        json_knum(j, "cpu_ms_per_image", r->rate.cpu_ms);
        json_knum(j, "waits", r->rate.waits);
        if (d->read_known)
            json_knum(j, "bytes_per_image", r->bytes);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static assay_status tell(doctor *d, char **json) {
    assay_status status = ASSAY_OK;
    buf out = buf_make(d->ctx);
    json_out j = json_out_make(&out, 2);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.doctor/1");
    json_kstr(&j, "file", d->path);
    json_kstr(&j, "pipeline", d->o.pipeline != NULL ? d->o.pipeline : "");
    json_kint(&j, "rows", (int64_t)d->rows);
    json_kint(&j, "batch", d->o.batch);
    json_kint(&j, "threads", assay_ctx_threads(d->ctx));
    tell_base(d, &j);
    tell_reads(d, &j);
    tell_remedies(d, &j);
    json_obj_end(&j);
    buf_str(&out, "\n");
    ASSAY_TRY(buf_check(&out));
    *json = out.data;
    out = buf_make(d->ctx);
done:
    buf_free(&out);
    return status;
}

static void free_all(doctor *d) {
    assay_loader_destroy(d->base);
    beton_close(d->file);
    mem_free(d->ctx, d->row);
    mem_free(d->ctx, d->given);
    mem_free(d->ctx, d->given_copy);
}

assay_status assay_doctor(assay_ctx *ctx,
                          const char *path,
                          const assay_doctor_options *options,
                          char **json) {
    assay_status status = ASSAY_OK;
    doctor d = {.ctx = ctx, .path = path};
    if (json != NULL)
        *json = NULL;
    if (ctx == NULL || path == NULL || json == NULL)
        return err_set(ASSAY_E_INVALID,
                       "assay_doctor needs a context, a file and a place for its report");
    ASSAY_TRY(take_options(&d, options));
    ASSAY_TRY(beton_open(&d.file, ctx, path));
    ASSAY_TRY(choose_rows(&d));
    ASSAY_TRY(look_at_images(&d));
    progress_begin(ctx, "trying", 0, "remedies");
    ASSAY_TRY(doctor_time_reads(&d));
    ASSAY_TRY(doctor_time_base(&d));
    ASSAY_TRY(doctor_try_all(&d));
    progress_end(ctx);
    ASSAY_TRY(tell(&d, json));
done:
    free_all(&d);
    if (d.folder[0] != '\0') {
        err_record kept;
        err_save(&kept);
        if (os_remove_tree(d.folder) == ASSAY_OK && status != ASSAY_OK)
            err_restore(&kept);
    }
    return status;
}
