/* Thumbnails in sheets, sized to fit. */
#include "report/atlas.h"

#include "base/pool.h"
#include "report/text.h"

#include <string.h>

enum { NO_TILE = -1, WANTED = -2, LARGEST = 96, HALF_CHROMA = 48 };

assay_status atlas_create(atlas *a, const report_view *v) {
    assay_status status = ASSAY_OK;
    *a = (atlas){.v = v};
    for (int i = 0; i < ATLAS_MOST; i++)
        a->sheet[i] = buf_make(v->ctx);
    ASSAY_TRY(mem_new(v->ctx, &a->tile, v->a->rows + 1, sizeof *a->tile));
    ASSAY_TRY(mem_new(v->ctx, &a->rank, v->a->rows + 1, 1));
    for (uint64_t i = 0; i < v->a->rows; i++)
        a->tile[i] = NO_TILE;
done:
    if (status != ASSAY_OK)
        atlas_free(a);
    return status;
}

void atlas_free(atlas *a) {
    if (!a->v)
        return;
    mem_free(a->v->ctx, a->tile);
    mem_free(a->v->ctx, a->rank);
    mem_free(a->v->ctx, a->row);
    for (int i = 0; i < ATLAS_MOST; i++)
        buf_free(&a->sheet[i]);
    *a = (atlas){0};
}

assay_status atlas_want(atlas *a, uint32_t row, uint8_t rank) {
    assay_status status = ASSAY_OK;
    if (row >= a->v->a->rows)
        return ASSAY_OK;
    if (a->tile[row] != NO_TILE) {
        a->rank[row] = rank < a->rank[row] ? rank : a->rank[row];
        return ASSAY_OK;
    }
    if (a->n == (size_t)ATLAS_MOST * ATLAS_TILES)
        return ASSAY_OK; /* beyond any budget */
    ASSAY_TRY(mem_grow(a->v->ctx, &a->row, a->n, &a->cap, a->n + 1, sizeof *a->row));
    a->row[a->n++] = row;
    a->rank[row] = rank;
    a->tile[row] = WANTED;
done:
    return status;
}

static void number(atlas *a, size_t shown) {
    a->shown = shown;
    for (size_t i = 0; i < a->n; i++)
        a->tile[a->row[i]] = i < shown ? (int32_t)i : NO_TILE;
}

assay_status atlas_assign(atlas *a) {
    assay_status status = ASSAY_OK;
    uint32_t *sorted = NULL;
    size_t at[ATLAS_RANKS + 1] = {0};
    ASSAY_TRY(mem_new(a->v->ctx, &sorted, a->n + 1, sizeof *sorted));
    for (size_t i = 0; i < a->n; i++)
        at[a->rank[a->row[i]] + 1]++;
    for (int r = 0; r < ATLAS_RANKS; r++)
        at[r + 1] += at[r];
    for (size_t i = 0; i < a->n; i++) /* within a rank, the order of asking */
        sorted[at[a->rank[a->row[i]]]++] = a->row[i];
    if (a->n)
        memcpy(a->row, sorted, a->n * sizeof *sorted);
    number(a, a->n);
done:
    mem_free(a->v->ctx, sorted);
    return status;
}

int32_t atlas_tile(const atlas *a, uint32_t row) {
    return row < a->v->a->rows && a->tile[row] >= 0 ? a->tile[row] : NO_TILE;
}

/* ---- drawing ---- */

typedef struct sheet_job {
    const atlas *a;
    size_t first;   /* tile at the sheet's upper left */
    uint8_t *pixel; /* [height, columns * cell, channels] */
    int channels;
} sheet_job;

/* A picture fitted into side x side, whole, on grey. */
static assay_status fit(assay_ctx *ctx,
                        const uint8_t *src,
                        int w,
                        int h,
                        int channels,
                        int side,
                        uint8_t *out) {
    assay_status status = ASSAY_OK;
    int longest = w > h ? w : h;
    int dw = (w * side + longest / 2) / longest, dh = (h * side + longest / 2) / longest;
    uint8_t *small = NULL;
    dw = dw < 1 ? 1 : dw;
    dh = dh < 1 ? 1 : dh;
    ASSAY_TRY(mem_new(ctx, &small, (size_t)dw * (size_t)dh * (size_t)channels, 1));
    if (dw == w && dh == h)
        memcpy(small, src, (size_t)w * (size_t)h * (size_t)channels);
    else
        ASSAY_TRY(image_resize(ctx, src, w, h, channels, small, dw, dh));
    memset(out, 128, (size_t)side * (size_t)side * (size_t)channels);
    int left = (side - dw) / 2, top = (side - dh) / 2;
    for (int y = 0; y < dh; y++)
        memcpy(out + ((top + y) * side + left) * channels, small + y * dw * channels,
               (size_t)(dw * channels));
done:
    mem_free(ctx, small);
    return status;
}

/* The row's picture at side x side x channels: from the dataset, or the audit's own
 * pixels for planted rows and tiles no larger than those. */
static assay_status picture(const atlas *a, uint32_t row, int channels, uint8_t *out) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *audit = a->v->a;
    assay_ctx *ctx = a->v->ctx;
    const report_source *source = &a->v->source;
    image im = image_make(ctx);
    uint8_t *plane = NULL;
    if (!source->picture || report_planted(a->v, row) || a->side <= audit->size) {
        size_t cell = (size_t)audit->size * (size_t)audit->size * (size_t)audit->channels;
        ASSAY_TRY(fit(ctx, audit->pixels.data + row * cell, audit->size, audit->size,
                      channels, a->side, out));
        goto done;
    }
    ASSAY_TRY(source->picture(source->cookie, row, &im));
    if (channels == 3) {
        ASSAY_TRY(fit(ctx, im.rgb, im.width, im.height, 3, a->side, out));
        goto done;
    }
    size_t n = (size_t)im.width * (size_t)im.height;
    ASSAY_TRY(mem_new(ctx, &plane, n, 1));
    for (size_t i = 0; i < n; i++)
        plane[i] = im.rgb[3 * i];
    ASSAY_TRY(fit(ctx, plane, im.width, im.height, 1, a->side, out));
done:
    mem_free(ctx, plane);
    image_free(&im);
    return status;
}

static assay_status draw_tiles(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    const sheet_job *job = arg;
    const atlas *a = job->a;
    int channels = job->channels, side = a->side, cell = a->cell;
    size_t stride = (size_t)(a->columns * cell * channels);
    uint8_t *one = NULL;
    (void)worker;
    ASSAY_TRY(
        mem_new(a->v->ctx, &one, (size_t)side * (size_t)side * (size_t)channels, 1));
    for (size_t i = begin; i < end; i++) {
        ASSAY_TRY(picture(a, a->row[job->first + i], channels, one));
        int x0 = (int)(i % (size_t)a->columns) * cell,
            y0 = (int)(i / (size_t)a->columns) * cell;
        for (int y = 0; y < cell; y++) {
            const uint8_t *from = one + (y < side ? y : side - 1) * side * channels;
            uint8_t *to = job->pixel + (size_t)(y0 + y) * stride + x0 * channels;
            for (int x = 0; x < cell;
                 x++) /* the edge goes on, so that blocks stay smooth */
                memcpy(to + x * channels, from + (x < side ? x : side - 1) * channels,
                       (size_t)channels);
        }
    }
done:
    mem_free(a->v->ctx, one);
    return status;
}

static assay_status draw_sheet(atlas *a, int index, size_t shown) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = a->v->ctx;
    size_t first = (size_t)index * ATLAS_TILES;
    size_t n = shown - first < ATLAS_TILES ? shown - first : ATLAS_TILES;
    int lines = (int)((n + (size_t)a->columns - 1) / (size_t)a->columns);
    int channels = a->v->a->channels == 1 ? 1 : 3;
    int width = a->columns * a->cell, height = lines * a->cell;
    image im = image_make(ctx);
    buf jpeg = buf_make(ctx);
    uint8_t *gray = NULL;
    sheet_job job = {.a = a, .first = first, .channels = channels};
    if (channels == 3) {
        ASSAY_TRY(image_resize_storage(&im, width, height));
        job.pixel = im.rgb;
    } else {
        ASSAY_TRY(mem_new(ctx, &gray, (size_t)width * (size_t)height, 1));
        job.pixel = gray;
    }
    memset(job.pixel, 128, (size_t)width * (size_t)height * (size_t)channels);
    ASSAY_TRY(assay_parallel_for(ctx, n, 16, draw_tiles, &job));
    if (channels == 3)
        ASSAY_TRY(image_encode_jpeg(&jpeg, &im, a->quality, a->side >= HALF_CHROMA));
    else
        ASSAY_TRY(image_encode_jpeg_gray(&jpeg, gray, width, height, a->quality));
    ASSAY_TRY(buf_check(&jpeg));
    buf_clear(&a->sheet[index]);
    text_base64(&a->sheet[index], jpeg.data, jpeg.len);
    ASSAY_TRY(buf_check(&a->sheet[index]));
done:
    mem_free(ctx, gray);
    buf_free(&jpeg);
    image_free(&im);
    return status;
}

/* All sheets at the present size; stops early once they take more than `room`. */
static assay_status draw_all(atlas *a, size_t shown, uint64_t room, uint64_t *bytes) {
    assay_status status = ASSAY_OK;
    a->columns = shown < ATLAS_COLUMNS ? (int)shown : ATLAS_COLUMNS;
    a->n_sheets = 0;
    *bytes = 0;
    for (size_t first = 0; first < shown && *bytes <= room; first += ATLAS_TILES) {
        ASSAY_TRY(draw_sheet(a, a->n_sheets, shown));
        *bytes += a->sheet[a->n_sheets++].len;
    }
done:
    return status;
}

/* What is tried in turn until the sheets fit. A side of 0 is the pictures' own. */
static const struct {
    int side, quality;
} attempt[] = {{0, 92}, {0, 80}, {0, 70}, {64, 70}, {48, 70}, {32, 80}};
enum { ATTEMPTS = sizeof attempt / sizeof *attempt };

assay_status atlas_draw(atlas *a, uint64_t room) {
    assay_status status = ASSAY_OK;
    uint64_t bytes = 0;
    size_t shown = a->n;
    int own = a->v->source.side > 0 ? a->v->source.side : a->v->a->size;
    own = own < LARGEST ? own : LARGEST;
    for (size_t i = 0; i < ATTEMPTS && shown > 0; i++) {
        if (attempt[i].side >= own)
            continue; /* never larger than needed */
        a->side = attempt[i].side > 0 ? attempt[i].side : own;
        a->quality = attempt[i].quality;
        /* a JPEG's unit of work: 8 pixels, 16 with halved chroma; no tile shares one */
        int unit = a->side >= HALF_CHROMA && a->v->a->channels != 1 ? 16 : 8;
        a->cell = (a->side + unit - 1) / unit * unit;
        ASSAY_TRY(draw_all(a, shown, room, &bytes));
        if (bytes <= room)
            break;
    }
    while (shown > 0 && bytes > room) {
        /* The sheets drawn say what a tile takes. */
        size_t drawn = (size_t)a->n_sheets * ATLAS_TILES;
        drawn = drawn < shown ? drawn : shown;
        size_t fits = (size_t)((double)room / (double)bytes * (double)drawn * 0.97);
        shown = fits < shown ? fits : shown - 1;
        if (shown > 0)
            ASSAY_TRY(draw_all(a, shown, room, &bytes));
    }
    if (shown == 0)
        a->n_sheets = 0;
    number(a, shown);
done:
    return status;
}
