/* Our JPEG decoder against libjpeg-turbo: CPU time per image over the photos of a .tar,
 * and with --verify their bytes.
 *
 *     bench/jpeg ../shared/data/photos/photos500.tar
 *     bench/jpeg --verify ../shared/data/photos/photos500.tar
 */
#include "base/os.h"
#include "image/inside.h"
#include "image/jpeg/decoder.h"
#include "image/testing.h"

#include <stdio.h>
#include <time.h>

enum { SEED = 1, ROUNDS = 5, ROW_BYTES = 1 << 17, USUAL_INTERVAL = 8 };

typedef struct photo {
    const uint8_t *data;
    size_t bytes;
    int width, height;
    buf index;
} photo;

typedef struct photos {
    assay_ctx *ctx;
    uint8_t *tar;
    photo *photo;
    size_t n, cap;
    jpeg_decoder *decoder;
    image image;
} photos;

static double now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static assay_status load(photos *p, const char *path) {
    assay_status status = ASSAY_OK;
    size_t n, at = 0, bytes;
    image_info info;
    ASSAY_TRY(os_read_file(p->ctx, path, SIZE_MAX / 2, &p->tar, &n));
    for (const uint8_t *data; (data = tar_next(p->tar, n, &at, &bytes));) {
        if (image_sniff(data, bytes) != IMAGE_JPEG)
            continue;
        ASSAY_TRY(image_peek(p->ctx, data, bytes, &info));
        ASSAY_TRY(mem_grow(p->ctx, &p->photo, p->n, &p->cap, p->n + 1, sizeof(photo)));
        p->photo[p->n++] =
            (photo){data, bytes, info.width, info.height, buf_make(p->ctx)};
    }
    ASSAY_TRY(jpeg_decoder_create(&p->decoder, p->ctx));
done:
    return status;
}

static void unload(photos *p) {
    for (size_t i = 0; i < p->n; i++)
        buf_free(&p->photo[i].index);
    jpeg_decoder_destroy(p->decoder);
    image_free(&p->image);
    mem_free(p->ctx, p->photo);
    mem_free(p->ctx, p->tar);
}

/* ---- time ---- */

static uint8_t row_bytes[3 * ROW_BYTES];

static uint8_t *row_get(void *to, int y, size_t *stride) {
    (void)to;
    (void)y;
    *stride = 8192 + 128;
    return row_bytes + ROWS_SLACK;
}
static void row_put(void *to, int y, int offset) {
    (void)to;
    (void)y;
    (void)offset;
}
static void row_restart(void *to) {
    (void)to;
}

typedef enum what { TURBO, TURBO_WINDOW, OWN, WINDOW, WINDOW_INDEXED, INDEX, WHATS } what;

static assay_status run(photos *p, what w, photo *f, rng *r) {
    static const row_sink sink = {NULL, row_get, row_put, row_restart};
    image_box box = {0, 0, f->width, f->height};
    jpeg_index index = {(const uint8_t *)f->index.data, f->index.len};
    if (w == TURBO)
        return image_decode(&p->image, f->data, f->bytes, NULL);
    if (w == INDEX) {
        buf_clear(&f->index);
        return jpeg_index_build(&f->index, p->decoder, f->data, f->bytes, USUAL_INTERVAL);
    }
    if (w != OWN)
        box = draw_crop(r, f->width, f->height);
    if (w == TURBO_WINDOW)
        return jpeg_decode_rows(f->data, f->bytes, &box, &sink);
    return jpeg_decode_window(p->decoder, f->data, f->bytes,
                              w == WINDOW_INDEXED ? &index : NULL, &box, &sink);
}

static size_t memory_of(const jpeg_decoder *d) {
    size_t bytes = sizeof *d + d->coefs.bytes + d->planes.bytes + d->sums.bytes +
                   d->bytes.bytes + d->runs.bytes;
    for (int i = 0; i < JPG_TABLES; i++)
        bytes += d->tables.table[i] ? sizeof *d->tables.table[i] : 0;
    return bytes;
}

static assay_status time_all(photos *p) {
    static const char *const words[WHATS] = {
        "libjpeg-turbo, all", "libjpeg-turbo, windows", "own, all",
        "own, windows",       "own, windows, index",    "index built"};
    assay_status status = ASSAY_OK;
    double best[WHATS];
    size_t bytes = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int w = WHATS - 1; w >= 0; w--) {
            rng r = rng_at(SEED, RNG_TEST, 0, 0); /* the same windows each time */
            double begin = now_ms();
            for (size_t i = 0; i < p->n; i++)
                ASSAY_TRY_AT(run(p, (what)w, &p->photo[i], &r), "photo %zu", i);
            double t = (now_ms() - begin) / (double)p->n;
            best[w] = round == 0 || t < best[w] ? t : best[w];
        }
    for (size_t i = 0; i < p->n; i++)
        bytes += p->photo[i].index.len;
    printf("%zu photos, %s, ms of CPU per image, least of %d rounds\n", p->n,
           assay_isa_name(), (int)ROUNDS);
    for (int w = 0; w < WHATS; w++)
        printf("  %-22s %.4f  %.3f\n", words[w], best[w], best[w] / best[TURBO]);
    printf("  index bytes            %.0f\n", (double)bytes / (double)p->n);
    printf("  working memory, KiB    %zu\n", memory_of(p->decoder) >> 10);
done:
    return status;
}

/* ---- bytes ---- */

typedef struct tally {
    size_t equal, different, failed, left;
} tally;

static void compare(photos *p,
                    const photo *f,
                    const jpeg_index *index,
                    image_box box,
                    kept_rows *kept,
                    tally *t) {
    row_sink sink = kept_begin(kept, box.width, box.height);
    assay_status status =
        jpeg_decode_window(p->decoder, f->data, f->bytes, index, &box, &sink);
    if (status == ASSAY_E_UNSUPPORTED)
        t->left++;
    else if (status != ASSAY_OK)
        t->failed++;
    else if (kept_equals(kept, &p->image, &box))
        t->equal++;
    else
        t->different++;
}

/* Every photo whole and in windows, with every interval and without, with every set. */
static assay_status verify(photos *p, int windows, tally *t) {
    static const int intervals[] = {1, 4, 8, 16, 32};
    assay_status status = ASSAY_OK;
    kept_rows kept = {0};
    buf index = buf_make(p->ctx);
    for (size_t i = 0; i < p->n; i++) {
        photo *f = &p->photo[i];
        rng r = rng_at(SEED, RNG_TEST, 1, i);
        image_box whole = {0, 0, f->width, f->height};
        ASSAY_TRY_AT(image_decode(&p->image, f->data, f->bytes, NULL), "photo %zu", i);
        for (int isa = 0; isa <= (int)cpu_detect(); isa++)
            for (int k = -1; k < 5; k++) {
                jpeg_index ix = {0};
                jpg_decoder_tune(p->decoder, (cpu_isa)isa, 1 + (int)(i % 4), false);
                if (k >= 0) {
                    buf_clear(&index);
                    status = jpeg_index_build(&index, p->decoder, f->data, f->bytes,
                                              intervals[k]);
                    if (status == ASSAY_E_UNSUPPORTED)
                        continue;
                    ASSAY_TRY_AT(status, "photo %zu", i);
                    ix = (jpeg_index){(const uint8_t *)index.data, index.len};
                }
                const jpeg_index *use = k >= 0 ? &ix : NULL;
                compare(p, f, use, whole, &kept, t);
                for (int n = 0; n < windows; n++) {
                    image_box box = n % 4 == 3 ? draw_window(&r, f->width, f->height, 40)
                                               : draw_crop(&r, f->width, f->height);
                    compare(p, f, use, box, &kept, t);
                }
            }
    }
    status = ASSAY_OK;
done:
    buf_free(&index);
    kept_free(&kept);
    return status;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    photos p = {0};
    tally t = {0};
    bool verifying = argc == 3 && strcmp(argv[1], "--verify") == 0;
    if (argc != 2 && !verifying) {
        (void)fprintf(stderr, "usage: jpeg [--verify] PHOTOS.tar\n");
        return 2;
    }
    ASSAY_TRY(assay_ctx_create(&p.ctx, NULL));
    p.image = image_make(p.ctx);
    ASSAY_TRY(load(&p, argv[argc - 1]));
    ASSAY_TRY(verifying ? verify(&p, 1, &t) : time_all(&p));
    if (verifying)
        printf("%zu photos: %zu windows equal, %zu different, %zu failed, %zu not ours\n",
               p.n, t.equal, t.different, t.failed, t.left);
done:
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "error: %s (%s)\n", assay_last_error()->message,
                      assay_last_error()->where);
    unload(&p);
    assay_ctx_destroy(p.ctx);
    return status != ASSAY_OK || t.different > 0 || t.failed > 0;
}
