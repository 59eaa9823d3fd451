/* All images of a dataset at one size, as an array in a file that is mapped. */
#include "data/dataset.h"

#include "base/pool.h"
#include "data/pixels.h"
#include "file/atomic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GRAIN = 32, PATH_BYTES = 4096, KEY_BYTES = 160 };

typedef struct resizer {
    const dataset *d;
    int size, channels;
    uint8_t *out;
    image *scratch; /* per worker */
    assay_ctx *ctx;
} resizer;

/* Luma of BT.601, rounded; the weights add up to 65536. Grey stays what it is. */
static void to_luma(uint8_t *rgb, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        uint32_t r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        rgb[i] = (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
    }
}

assay_status pixels_fit(image *im, int size, int channels, uint8_t *dst) {
    if (channels == 1)
        to_luma(im->rgb, (size_t)im->width * (size_t)im->height);
    if (im->width == size && im->height == size) {
        memcpy(dst, im->rgb, (size_t)size * (size_t)size * (size_t)channels);
        return ASSAY_OK;
    }
    return image_resize(im->ctx, im->rgb, im->width, im->height, channels, dst, size,
                        size);
}

static assay_status resize_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    const resizer *r = arg;
    size_t each = (size_t)r->size * (size_t)r->size * (size_t)r->channels;
    image *im = &r->scratch[worker];
    for (size_t row = begin; row < end; row++) {
        ASSAY_TRY(dataset_image(r->d, row, im));
        ASSAY_TRY(pixels_fit(im, r->size, r->channels, r->out + row * each));
    }
    progress_add(r->ctx, (int64_t)(end - begin));
done:
    return status;
}

static assay_status
fill(const dataset *d, assay_ctx *ctx, int size, int channels, npy_array *a) {
    assay_status status = ASSAY_OK;
    int workers = assay_ctx_threads(ctx), made = 0;
    resizer r = {.d = d, .size = size, .channels = channels, .out = a->data, .ctx = ctx};
    ASSAY_TRY(mem_new(ctx, &r.scratch, (size_t)workers, sizeof *r.scratch));
    for (; made < workers; made++)
        r.scratch[made] = image_make(ctx);
    progress_begin(ctx, "resizing", (int64_t)dataset_rows(d), "images");
    ASSAY_TRY(assay_parallel_for(ctx, (size_t)dataset_rows(d), GRAIN, resize_rows, &r));
    progress_end(ctx);
done:
    for (int i = 0; i < made; i++)
        image_free(&r.scratch[i]);
    mem_free(ctx, r.scratch);
    return status;
}

/* Whether `path` holds what `key` says, whole. */
static bool is_done(npy_array *out,
                    assay_ctx *ctx,
                    const char *path,
                    const char *done_path,
                    const char *key,
                    const int64_t dim[4]) {
    uint8_t *text = NULL;
    size_t bytes = 0;
    bool same = os_exists(done_path) &&
                os_read_file(ctx, done_path, KEY_BYTES, &text, &bytes) == ASSAY_OK &&
                strcmp((const char *)text, key) == 0;
    mem_free(ctx, text);
    if (!same || npy_open(out, ctx, path, false) != ASSAY_OK)
        return false;
    same = out->dtype == ASSAY_U8 && out->ndim == 4 &&
           memcmp(out->dim, dim, 4 * sizeof *dim) == 0;
    if (!same)
        npy_close(out);
    return same;
}

assay_status dataset_pixels(const dataset *d,
                            assay_ctx *ctx,
                            int size,
                            int channels,
                            const char *path,
                            npy_array *out) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    char done_path[PATH_BYTES], key[KEY_BYTES];
    const int64_t dim[4] = {(int64_t)dataset_rows(d), size, size, channels};
    *out = (npy_array){0};
    if (size < 1 || size > 4096 || (channels != 1 && channels != 3))
        ASSAY_FAIL(ASSAY_E_INVALID, "images of %d x %d x %d can't be made", size, size,
                   channels);
    int n = snprintf(done_path, sizeof done_path, "%s.done", path);
    if (n < 0 || n >= (int)sizeof done_path)
        ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 6);
    snprintf(key, sizeof key, "pixels 1 %s %d %d\n", dataset_sha256(d), size, channels);
    if (is_done(out, ctx, path, done_path, key, dim))
        return ASSAY_OK;
    ASSAY_TRY(os_remove_tree(done_path));
    ASSAY_TRY(npy_create(&a, ctx, path, ASSAY_U8, 4, dim));
    ASSAY_TRY(fill(d, ctx, size, channels, &a));
    ASSAY_TRY(npy_sync(&a, path));
    ASSAY_TRY(atomic_put(ctx, done_path, key, strlen(key)));
    *out = a;
    a = (npy_array){0};
done:
    npy_close(&a);
    return status;
}

void dataset_statistics(const npy_array *pixels,
                        uint64_t train_rows,
                        float mean[3],
                        float std[3]) {
    size_t channels = (size_t)pixels->dim[3];
    size_t count = (size_t)train_rows * (size_t)pixels->dim[1] * (size_t)pixels->dim[2];
    for (size_t c = 0; c < 3; c++) {
        uint64_t sum = 0, squares = 0;
        mean[c] = 0;
        std[c] = 1;
        if (c >= channels || count == 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            uint64_t v = pixels->data[i * channels + c];
            sum += v;
            squares += v * v;
        }
        double m = (double)sum / (double)count;
        double variance = (double)squares / (double)count - m * m;
        mean[c] = (float)(m / 255);
        std[c] = (float)(sqrt(variance > 0 ? variance : 0) / 255);
    }
}
