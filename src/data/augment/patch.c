/* Reading patches; the products with alpha are taken once. */
#include "data/augment/patch.h"

#include "base/os.h"
#include "file/npy.h"
#include "image/image.h"

#include <string.h>

enum { MOST_BYTES = 1 << 28, MOST_SIDE = 16384 };

/* Values as floats: [height, width, channels]. */
typedef struct raster {
    int width, height, channels;
    float *value;
} raster;

static bool ends_in(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

static assay_status make_raster(raster *out, assay_ctx *ctx, int w, int h, int channels) {
    *out = (raster){w, h, channels, NULL};
    return mem_new(ctx, &out->value, (size_t)w * (size_t)h * (size_t)channels,
                   sizeof *out->value);
}

static assay_status read_npy(raster *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    ASSAY_TRY(npy_open(&a, ctx, path, false));
    int64_t channels = a.ndim == 3 ? a.dim[2] : 1;
    if (a.ndim < 2 || a.ndim > 3 || a.dim[0] < 1 || a.dim[1] < 1 ||
        a.dim[0] > MOST_SIDE || a.dim[1] > MOST_SIDE || (channels != 1 && channels != 3))
        ASSAY_FAIL(ASSAY_E_SHAPE, "%s: not of [H, W] or [H, W, 1 or 3]", path);
    if (a.dtype != ASSAY_U8 && a.dtype != ASSAY_F32)
        ASSAY_FAIL(ASSAY_E_DTYPE, "%s: %s, not u8 or f32", path,
                   assay_dtype_name(a.dtype));
    ASSAY_TRY(make_raster(out, ctx, (int)a.dim[1], (int)a.dim[0], (int)channels));
    size_t n = (size_t)(a.dim[0] * a.dim[1] * channels);
    for (size_t i = 0; i < n; i++) {
        if (a.dtype == ASSAY_U8)
            out->value[i] = a.data[i];
        else
            memcpy(&out->value[i], a.data + 4 * i, 4);
        if (!(out->value[i] >= 0 && out->value[i] <= 255))
            ASSAY_FAIL(ASSAY_E_FORMAT, "%s: element %zu is not from 0 to 255", path, i);
    }
done:
    npy_close(&a);
    return status;
}

static assay_status read_picture(raster *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    const image_decode_options options = {.orient = true};
    image im = image_make(ctx);
    uint8_t *bytes = NULL;
    size_t n;
    ASSAY_TRY(os_read_file(ctx, path, MOST_BYTES, &bytes, &n));
    ASSAY_TRY_AT(image_decode(&im, bytes, n, &options), "%s", path);
    ASSAY_TRY(make_raster(out, ctx, im.width, im.height, 3));
    for (size_t i = 0; i < (size_t)im.width * (size_t)im.height * 3; i++)
        out->value[i] = im.rgb[i];
done:
    mem_free(ctx, bytes);
    image_free(&im);
    return status;
}

static assay_status read_raster(raster *out, assay_ctx *ctx, const char *path) {
    *out = (raster){0};
    return ends_in(path, ".npy") ? read_npy(out, ctx, path)
                                 : read_picture(out, ctx, path);
}

/* Channel k of `channels` at pixel i: grey is repeated, colours become their luma. */
static float value_of(const raster *r, size_t i, size_t k, int channels) {
    const float *v = r->value + i * (size_t)r->channels;
    if (r->channels == 1)
        return v[0];
    return channels == 3 ? v[k] : 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
}

static assay_status
allocate(patch *p, assay_ctx *ctx, int width, int height, int channels) {
    assay_status status = ASSAY_OK;
    size_t pixels = (size_t)width * (size_t)height;
    *p = (patch){.ctx = ctx, .width = width, .height = height, .channels = channels};
    ASSAY_TRY(mem_new(ctx, &p->keep, pixels, sizeof *p->keep));
    ASSAY_TRY(mem_new(ctx, &p->add, pixels * (size_t)channels, sizeof *p->add));
done:
    return status;
}

static void set_pixel(patch *p, size_t i, size_t k, double value, double alpha) {
    p->keep[i] = (float)(1 - alpha);
    p->add[i * (size_t)p->channels + k] = (float)(alpha * value);
}

assay_status patch_make(patch *out,
                        assay_ctx *ctx,
                        patch_pattern kind,
                        int size,
                        int channels,
                        double alpha) {
    assay_status status = allocate(out, ctx, size, size, channels);
    if (status != ASSAY_OK) {
        patch_free(out);
        return status;
    }
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            for (int k = 0; k < channels; k++) {
                bool white =
                    kind == PATCH_WHITE || (kind == PATCH_CHECKER && (x + y) % 2 == 0);
                set_pixel(out, (size_t)(y * size + x), (size_t)k, white ? 255 : 0, alpha);
            }
    return ASSAY_OK;
}

assay_status patch_read(patch *out,
                        assay_ctx *ctx,
                        const char *path,
                        const char *alpha_path,
                        int channels,
                        double alpha) {
    assay_status status = ASSAY_OK;
    raster colour = {0}, share = {0};
    *out = (patch){0};
    ASSAY_TRY(read_raster(&colour, ctx, path));
    if (alpha_path != NULL) {
        ASSAY_TRY(read_raster(&share, ctx, alpha_path));
        if (share.width != colour.width || share.height != colour.height)
            ASSAY_FAIL(ASSAY_E_SHAPE, "%s is %d x %d, %s %d x %d", alpha_path,
                       share.width, share.height, path, colour.width, colour.height);
    }
    ASSAY_TRY(allocate(out, ctx, colour.width, colour.height, channels));
    double unit = alpha_path != NULL && ends_in(alpha_path, ".npy") ? 1 : 1.0 / 255;
    for (size_t i = 0; i < (size_t)colour.width * (size_t)colour.height; i++) {
        double part = alpha;
        if (alpha_path != NULL)
            part *= unit * (double)value_of(&share, i, 0, 1);
        if (part > 1)
            ASSAY_FAIL(ASSAY_E_FORMAT, "%s: pixel %zu is not from 0 to 1", alpha_path, i);
        for (size_t k = 0; k < (size_t)channels; k++)
            set_pixel(out, i, k, (double)value_of(&colour, i, k, channels), part);
    }
done:
    mem_free(ctx, colour.value);
    mem_free(ctx, share.value);
    if (status != ASSAY_OK)
        patch_free(out);
    return status;
}

void patch_free(patch *p) {
    if (p->ctx != NULL) {
        mem_free(p->ctx, p->keep);
        mem_free(p->ctx, p->add);
    }
    *p = (patch){0};
}
