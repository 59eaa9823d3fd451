/* Planting: faults put into the data on purpose, seeded, so that what is found can be
 * compared with what is there. On request (--plant), and a little of it in every audit
 * (the self-test). */
#include "audit/run.h"

#include "base/pool.h"
#include "base/rng.h"
#include "file/atomic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SELF_COPIES = 20, /* test rows appended by the self-test */
    SELF_MOST = 600   /* labels spoiled by it, at most */
};
static const double self_share = 0.01;

/* Draws of one seed that must not meet: the epoch word of RNG_PLANT and RNG_SELFTEST. */
enum {
    DRAW_COPY_ROWS = 2, /* behind those of detect_flip_labels */
    DRAW_COPY_NOISE,
    DRAW_SHIFT_ROWS,
    DRAW_SHIFT
};

assay_status plant_parse(audit_run *r) {
    assay_status status = ASSAY_OK;
    r->n_plant = 0;
    for (size_t i = 0; r->opt.plant && r->opt.plant[i]; i++) {
        const char *text = r->opt.plant[i], *colon = strchr(text, ':');
        size_t len = colon ? (size_t)(colon - text) : strlen(text);
        if (r->n_plant == 8)
            ASSAY_FAIL(ASSAY_E_INVALID, "more than 8 things to plant");
        audit_planting *p = &r->plant[r->n_plant];
        memset(p, 0, sizeof *p);
        static const char *const kinds[] = {"labels", "copies", "shifts"};
        for (size_t k = 0; k < 3; k++)
            if (strlen(kinds[k]) == len && memcmp(kinds[k], text, len) == 0)
                memcpy(p->kind, kinds[k], len + 1);
        char *end = NULL;
        p->amount = colon ? strtod(colon + 1, &end) : 0;
        if (end && *end == '%') {
            p->share = true;
            p->amount /= 100;
            end++;
        }
        if (!p->kind[0] || !end || *end || !(p->amount > 0) ||
            (p->share && p->amount > 0.5) || p->amount > 1e9) {
            err_set(ASSAY_E_INVALID, "can't plant '%s'", text);
            err_help("write KIND:AMOUNT, with labels, copies or shifts, and a number of "
                     "rows or "
                     "a share up to 50%%: labels:5%%, copies:200");
            status = ASSAY_E_INVALID;
            goto done;
        }
        for (int k = 0; k < r->n_plant; k++)
            if (strcmp(r->plant[k].kind, p->kind) == 0)
                ASSAY_FAIL(ASSAY_E_INVALID, "'%s' is planted twice", p->kind);
        r->n_plant++;
    }
done:
    return status;
}

/* Flips the labels of `count` training rows that carry no flag yet. */
static assay_status flip_labels(
    audit_run *r, uint64_t count, uint32_t stream, int32_t *labels, uint8_t *flag) {
    assay_status status = ASSAY_OK;
    uint64_t n = r->a->train_rows;
    uint8_t *leave = NULL;
    ASSAY_TRY(mem_new(r->ctx, &leave, n, 1));
    for (uint64_t i = 0; i < n; i++)
        leave[i] = r->planted_label[i] || r->self_label[i] || !r->active[i];
    (void)detect_flip_labels(labels, flag, leave, n, r->a->classes, count, r->a->seed,
                             stream);
done:
    mem_free(r->ctx, leave);
    return status;
}

static uint64_t
append_copies(audit_run *r, uint64_t at, uint64_t count, uint32_t stream, uint32_t draw) {
    rng_perm perm = rng_perm_make(r->a->train_rows, r->a->seed, stream, draw);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t row = (uint32_t)rng_perm_at(&perm, i);
        r->copy_of[at + i - r->base_rows] = row;
        r->labels[at + i] = dataset_label(r->a->data, row);
    }
    return at + count;
}

assay_status plant_rows(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    uint64_t n = a->train_rows, planted = 0;
    r->base_rows = dataset_rows(a->data);
    for (int i = 0; i < r->n_plant; i++) {
        audit_planting *p = &r->plant[i];
        p->count =
            p->share ? (uint64_t)llround(p->amount * (double)n) : (uint64_t)p->amount;
        if (p->count < 1 || p->count > n / 2) {
            err_set(ASSAY_E_INVALID, "can't plant %llu %s among %llu training rows",
                    (unsigned long long)p->count, p->kind, (unsigned long long)n);
            err_help("plant at least one row and at most half of them");
            return ASSAY_E_INVALID;
        }
        if (strcmp(p->kind, "labels") != 0) {
            p->first = r->base_rows + planted;
            planted += p->count;
        }
    }
    uint64_t self_copies = r->opt.no_self_test || n < 4 * SELF_COPIES ? 0 : SELF_COPIES;
    r->self_first = r->base_rows + planted;
    r->total_rows = r->self_first + self_copies;
    a->rows = r->self_first;
    a->planted_rows = planted;
    a->self_copies = self_copies;

    ASSAY_TRY(mem_new(r->ctx, &r->labels, r->total_rows, sizeof *r->labels));
    ASSAY_TRY(
        mem_new(r->ctx, &r->trained_labels, r->total_rows, sizeof *r->trained_labels));
    ASSAY_TRY(mem_new(r->ctx, &r->planted_label, n, 1));
    ASSAY_TRY(mem_new(r->ctx, &r->self_label, n, 1));
    ASSAY_TRY(mem_new(r->ctx, &r->copy_of, r->total_rows - r->base_rows + 1,
                      sizeof *r->copy_of));
    for (uint64_t i = 0; i < r->base_rows; i++)
        r->labels[i] = dataset_label(a->data, i);
    for (int i = 0; i < r->n_plant; i++) {
        const audit_planting *p = &r->plant[i];
        if (strcmp(p->kind, "labels") == 0)
            ASSAY_TRY(flip_labels(r, p->count, RNG_PLANT, r->labels, r->planted_label));
        else
            append_copies(r, p->first, p->count, RNG_PLANT,
                          strcmp(p->kind, "copies") == 0 ? DRAW_COPY_ROWS
                                                         : DRAW_SHIFT_ROWS);
    }
    append_copies(r, r->self_first, self_copies, RNG_SELFTEST, DRAW_COPY_ROWS);
    memcpy(r->trained_labels, r->labels, r->total_rows * sizeof *r->labels);
    if (!r->opt.no_self_test && a->label_check) {
        uint64_t flips = (uint64_t)llround(self_share * (double)n);
        flips = flips > SELF_MOST ? SELF_MOST : flips;
        ASSAY_TRY(flip_labels(r, flips, RNG_SELFTEST, r->trained_labels, r->self_label));
        for (uint64_t i = 0; i < n; i++)
            a->self_labels += r->self_label[i];
    }
done:
    return status;
}

/* ---- pixels ---- */

static void mirror_rows(image *im) {
    for (int y = 0; y < im->height; y++) {
        uint8_t *row = im->rgb + (size_t)y * (size_t)im->width * 3;
        for (int x = 0; x < im->width / 2; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t t = row[x * 3 + c];
                row[x * 3 + c] = row[(im->width - 1 - x) * 3 + c];
                row[(im->width - 1 - x) * 3 + c] = t;
            }
    }
}

static uint8_t clip(double v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lrint(v));
}

/* A copy as people make them: JPEG at quality 50, a fifth brighter, mirrored, a little
 * noise. */
static assay_status
degrade(const audit_run *r, uint64_t row, image *im, image *scratch, buf *jpeg) {
    assay_status status = ASSAY_OK;
    bool gray = image_is_gray(im);
    buf_clear(jpeg);
    ASSAY_TRY(image_encode_jpeg(jpeg, im, 50, true));
    ASSAY_TRY(image_decode(scratch, (const uint8_t *)jpeg->data, jpeg->len, NULL));
    mirror_rows(scratch);
    rng g = rng_at(r->a->seed, row >= r->self_first ? RNG_SELFTEST : RNG_PLANT,
                   DRAW_COPY_NOISE, row);
    size_t n = (size_t)scratch->width * (size_t)scratch->height;
    for (size_t i = 0; i < n; i++) {
        double noise = 3 * rng_normal(&g);
        for (int c = 0; c < 3; c++) {
            if (c && !gray)
                noise = 3 * rng_normal(&g);
            scratch->rgb[i * 3 + (size_t)c] =
                clip(1.2 * scratch->rgb[i * 3 + (size_t)c] + noise);
        }
    }
done:
    return status;
}

/* The image moved by one pixel in a random direction, edges repeated. */
static assay_status shift(const audit_run *r, uint64_t row, const image *im, image *out) {
    assay_status status = ASSAY_OK;
    rng g = rng_at(r->a->seed, RNG_PLANT, DRAW_SHIFT, row);
    int way = (int)rng_below(&g, 8);
    way += way >= 4; /* 0..8 without the middle */
    int dx = way % 3 - 1, dy = way / 3 - 1;
    ASSAY_TRY(image_resize_storage(out, im->width, im->height));
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            int sx = x - dx, sy = y - dy;
            sx = sx < 0 ? 0 : sx >= im->width ? im->width - 1 : sx;
            sy = sy < 0 ? 0 : sy >= im->height ? im->height - 1 : sy;
            memcpy(out->rgb + ((size_t)y * (size_t)im->width + (size_t)x) * 3,
                   im->rgb + ((size_t)sy * (size_t)im->width + (size_t)sx) * 3, 3);
        }
done:
    return status;
}

static const char *kind_of(const audit_run *r, uint64_t row) {
    for (int i = 0; i < r->n_plant; i++)
        if (strcmp(r->plant[i].kind, "labels") != 0 && row >= r->plant[i].first &&
            row < r->plant[i].first + r->plant[i].count)
            return r->plant[i].kind;
    return "copies";
}

static assay_status plant_one(void *arg, int worker, size_t begin, size_t end) {
    (void)worker;
    audit_run *r = arg;
    assay_status status = ASSAY_OK;
    image im = image_make(r->ctx), work = image_make(r->ctx);
    buf jpeg = buf_make(r->ctx);
    int size = r->a->size, ch = r->a->channels;
    uint8_t *rgb = NULL;
    ASSAY_TRY(mem_new(r->ctx, &rgb, (size_t)size * (size_t)size * 3, 1));
    for (size_t i = begin; i < end; i++) {
        uint64_t row = r->base_rows + i;
        ASSAY_TRY(dataset_image(r->a->data, r->copy_of[i], &im));
        if (strcmp(kind_of(r, row), "copies") == 0)
            ASSAY_TRY(degrade(r, row, &im, &work, &jpeg));
        else
            ASSAY_TRY(shift(r, row, &im, &work));
        ASSAY_TRY(
            image_resize(r->ctx, work.rgb, work.width, work.height, 3, rgb, size, size));
        uint8_t *out =
            r->pixels.data + row * (uint64_t)size * (uint64_t)size * (uint64_t)ch;
        size_t n = (size_t)size * (size_t)size;
        for (size_t p = 0; p < n; p++)
            for (int c = 0; c < ch; c++)
                out[p * (size_t)ch + (size_t)c] = rgb[p * 3 + (size_t)c];
    }
done:
    mem_free(r->ctx, rgb);
    buf_free(&jpeg);
    image_free(&im);
    image_free(&work);
    return status;
}

assay_status plant_pixels(audit_run *r) {
    return assay_parallel_for(r->ctx, r->total_rows - r->base_rows, 16, plant_one, r);
}

assay_status plant_write(const audit_run *r) {
    assay_status status = ASSAY_OK;
    char path[AUDIT_PATH];
    buf b = buf_make(r->ctx);
    buf_str(&b, "row,kind,source,given,before\n");
    for (uint64_t i = 0; i < r->a->train_rows; i++)
        if (r->planted_label[i] || r->self_label[i])
            buf_fmt(&b, "%llu,%s,,%d,%d\n", (unsigned long long)i,
                    r->self_label[i] ? "self-label" : "labels", r->trained_labels[i],
                    dataset_label(r->a->data, i));
    for (uint64_t i = r->base_rows; i < r->total_rows; i++)
        buf_fmt(&b, "%llu,%s,%u,%d,%d\n", (unsigned long long)i,
                i >= r->self_first ? "self-copy" : kind_of(r, i),
                r->copy_of[i - r->base_rows], r->labels[i], r->labels[i]);
    ASSAY_TRY(buf_check(&b));
    audit_file(r, path, "run/planted.csv");
    ASSAY_TRY(atomic_put(r->ctx, path, b.data, b.len));
done:
    buf_free(&b);
    return status;
}
