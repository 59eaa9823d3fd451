/* Decoding a window: bands of MCU rows are entropy-decoded, each row of them transformed
 * into planes that hold two, and its pixel rows handed over as soon as the chroma beside
 * them is there.
 *
 * What cannot be seen in the window is not judged: data behind it, and with an index data
 * around it, may be damaged without notice. A window that reaches the last MCU sees that
 * the data end there. */
#include "image/inside.h"
#include "image/jpeg/decoder.h"

#include <string.h>

enum {
    BAND_COEFS = 320 << 10, /* about as many as a band may have: they stay in cache */
    SEQUENTIAL_BAND = 4,    /* rows of MCUs, where there are no runs to interleave */
    SUMS_LEAD = 64,         /* of chroma sums, before the first pixel's */
    SUMS_MORE = 192,        /* beyond half a row's pixels, that lead included */
    PLANE_MORE = 4 * JPG_SLACK
};

/* The window, in pixels (from 0, up to but not including 1) and MCUs (both included),
 * with the chroma sample of context that interpolation wants on each side. */
typedef struct window {
    int x0, y0, x1, y1;
    int row0, row1, col0, col1;
    int first;   /* column where decoding begins: an index entry's, or col0 */
    bool h2, v2; /* chroma is interpolated across, down */
    int band;    /* rows of MCUs at once */
    uint8_t *plane[JPG_COMPONENTS];
    size_t stride[JPG_COMPONENTS];
    int lines[JPG_COMPONENTS]; /* in the plane, a power of two: it is a ring */
    uint16_t *sums[2];         /* of two rows of Cb, Cr, from the first pixel's on */
} window;

typedef struct job {
    jpeg_decoder *d;
    const jpg_header *header;
    const jpg_index *index; /* or NULL */
    const row_sink *sink;
    window w;
    jpg_cursor cursor; /* without an index */
    int y;             /* the next row */
    _Alignas(64) int16_t quant[JPG_COMPONENTS][JPG_BLOCK];
} job;

static int min(int a, int b) {
    return a < b ? a : b;
}
static int max(int a, int b) {
    return a > b ? a : b;
}

/* ---- the window's geometry ---- */

static assay_status place_window(window *w, const jpg_header *h, const image_box *box) {
    assay_status status = image_check_box(box, h->width, h->height);
    if (status != ASSAY_OK)
        return status;
    int mcu_w = 8 * h->h_max, mcu_h = 8 * h->v_max;
    *w = (window){.x0 = box->x,
                  .y0 = box->y,
                  .x1 = box->x + box->width,
                  .y1 = box->y + box->height,
                  .h2 = h->components == 3 && h->h_max == 2,
                  .v2 = h->components == 3 && h->v_max == 2};
    int top = w->v2 && w->y0 % 2 == 0 ? w->y0 - 2 : w->y0;
    int bottom = w->v2 && w->y1 % 2 == 0 ? w->y1 + 1 : w->y1;
    int left = w->h2 ? (w->x0 & ~1) - 2 : w->x0;
    int right = w->h2 ? (w->x1 | 1) + 2 : w->x1;
    w->row0 = max(top, 0) / mcu_h;
    w->row1 = (min(bottom, h->height) - 1) / mcu_h;
    w->col0 = w->first = max(left, 0) / mcu_w;
    w->col1 = (min(right, h->width) - 1) / mcu_w;
    return ASSAY_OK;
}

/* Where the window's coefficients go: a band of rows, component after component. */
static assay_status lay_out_coefs(job *j) {
    jpeg_decoder *d = j->d;
    jpg_scan *s = &d->scan;
    window *w = &j->w;
    int columns = w->col1 - w->first + 1, rows = w->row1 - w->row0 + 1;
    size_t row = 0;
    for (int c = 0; c < j->header->components; c++) {
        const jpg_component *part = &j->header->component[c];
        s->block_stride[c] = (size_t)((columns * part->h + 3) / 4) * JPG_QUAD;
        s->row_stride[c] = s->block_stride[c] * (size_t)part->v;
        row += s->row_stride[c];
    }
    w->band = max(2, (int)(BAND_COEFS / row));
    if (!j->index)
        w->band = min(w->band, SEQUENTIAL_BAND);
    w->band = min(w->band, rows);
    if (d->dirty)
        memset(d->coefs.at, 0, d->coefs.bytes);
    d->dirty = false;
    assay_status status =
        jpg_reserve(d, &d->coefs, row * (size_t)w->band * sizeof(int16_t));
    if (status != ASSAY_OK)
        return status;
    int16_t *at = d->coefs.at;
    for (int c = 0; c < j->header->components; c++) {
        s->coefs[c] = at;
        at += s->row_stride[c] * (size_t)w->band;
    }
    s->col0 = w->first;
    s->col1 = w->col1;
    return ASSAY_OK;
}

/* Rings of samples of two rows of MCUs, with slack around each line. */
static assay_status lay_out_planes(job *j) {
    jpeg_decoder *d = j->d;
    window *w = &j->w;
    size_t bytes = PLANE_MORE;
    for (int c = 0; c < j->header->components; c++) {
        w->lines[c] = 2 * 8 * j->header->component[c].v;
        w->stride[c] = d->scan.block_stride[c] / 8 + 2 * JPG_SLACK;
        bytes += w->stride[c] * (size_t)w->lines[c];
    }
    size_t sums = (size_t)(w->x1 - w->x0) / 2 + SUMS_MORE;
    assay_status status = jpg_reserve(d, &d->planes, bytes);
    if (status == ASSAY_OK)
        status = jpg_reserve(d, &d->sums, 2 * sums * sizeof(uint16_t));
    if (status != ASSAY_OK)
        return status;
    uint8_t *at = (uint8_t *)d->planes.at + JPG_SLACK;
    for (int c = 0; c < j->header->components; c++) {
        w->plane[c] = at + JPG_SLACK;
        at += w->stride[c] * (size_t)w->lines[c];
    }
    w->sums[0] = (uint16_t *)d->sums.at + SUMS_LEAD;
    w->sums[1] = w->sums[0] + sums;
    return ASSAY_OK;
}

/* Sample (x, y) of a component. */
static uint8_t *sample(const job *j, int c, int x, int y) {
    const window *w = &j->w;
    int line = y & (w->lines[c] - 1);
    return w->plane[c] + (size_t)line * w->stride[c] +
           (ptrdiff_t)(x - w->first * 8 * j->header->component[c].h);
}

/* ---- entropy decoding of a band ---- */

static assay_status decode_in_sequence(job *j, int row1) {
    const jpg_scan *s = &j->d->scan;
    int mcus_x = j->header->mcus_x;
    int until = row1 * mcus_x + (row1 == j->w.row1 ? j->w.col1 + 1 : mcus_x);
    assay_status status = jpg_status(j->d->kernels->entropy->until(s, &j->cursor, until));
    if (status == ASSAY_OK && until == mcus_x * j->header->mcus_y)
        status = jpg_check_end(s, j->cursor.next);
    return status;
}

static assay_status bad_index(void) {
    assay_status status = err_set(ASSAY_E_FORMAT, "the index of a JPEG is not its own");
    err_help("build the index again");
    return status;
}

/* The window's part of one row, as the index has it. */
static assay_status find_run(const job *j, jpg_run *run, int row) {
    const jpg_index *ix = j->index;
    const window *w = &j->w;
    int16_t unused[JPG_COMPONENTS];
    uint32_t first = (uint32_t)(row * ix->per_row);
    uint32_t behind = first + (uint32_t)(w->col1 / ix->interval) + 1;
    *run = (jpg_run){.row = row, .col = w->first, .n = w->col1 - w->first + 1};
    run->bit = jpg_index_entry(ix, first + (uint32_t)(w->first / ix->interval), run->dc);
    run->end =
        behind < ix->count ? (jpg_index_entry(ix, behind, unused) >> 3) + 1 : ix->end;
    run->last = row == j->header->mcus_y - 1 && w->col1 == j->header->mcus_x - 1;
    if (run->end > ix->end)
        run->end = ix->end;
    return run->bit >> 3 <= run->end ? ASSAY_OK : bad_index();
}

/* Restart markers lie between: one run after the other. */
static assay_status decode_runs_with_restarts(job *j, const jpg_run *run, int n) {
    const jpg_entropy *entropy = j->d->kernels->entropy;
    const jpg_scan *s = &j->d->scan;
    jpg_result r = JPG_OK;
    for (int i = 0; i < n && r == JPG_OK; i++) {
        jpg_cursor c;
        size_t limit = (size_t)run[i].end + 2; /* the marker behind it */
        if (limit > j->index->end)
            limit = j->index->end;
        entropy->start(s, &c, &run[i], limit);
        r = entropy->until(s, &c, run[i].row * j->header->mcus_x + j->w.col1 + 1);
    }
    return jpg_status(r);
}

static assay_status decode_indexed(job *j, int row0, int row1) {
    assay_status status = ASSAY_OK;
    jpeg_decoder *d = j->d;
    int n = row1 - row0 + 1;
    jpg_run *run = d->runs.at;
    size_t longest = 0;
    for (int i = 0; i < n; i++) {
        ASSAY_TRY(find_run(j, &run[i], row0 + i));
        size_t bytes = run[i].end - (run[i].bit >> 3);
        longest = bytes > longest ? bytes : longest;
    }
    ASSAY_TRY(jpg_reserve_bytes(d, longest + 2, d->streams));
    if (j->header->restart)
        ASSAY_TRY(decode_runs_with_restarts(j, run, n));
    else
        ASSAY_TRY(jpg_status(d->kernels->entropy->runs(&d->scan, run, n, d->streams)));
    if (run[n - 1].last)
        ASSAY_TRY(jpg_check_end(&d->scan, run[n - 1].end));
done:
    return status;
}

/* ---- samples ---- */

static void transform_row(job *j, int row) {
    const jpg_scan *s = &j->d->scan;
    const window *w = &j->w;
    for (int c = 0; c < j->header->components; c++) {
        int v = j->header->component[c].v;
        int quads = (int)(s->block_stride[c] / JPG_QUAD);
        int left = (w->col0 - w->first) * j->header->component[c].h / 4; /* unseen */
        for (int i = 0; i < v; i++) {
            int16_t *coefs = s->coefs[c] + (size_t)(row - s->row0) * s->row_stride[c] +
                             (size_t)i * s->block_stride[c];
            int line = ((row * v + i) * 8) & (w->lines[c] - 1);
            uint8_t *out = w->plane[c] + (size_t)line * w->stride[c] + left * 32;
            memset(coefs, 0, (size_t)left * JPG_QUAD * sizeof *coefs);
            j->d->kernels->idct(coefs + left * JPG_QUAD, j->quant[c], out, w->stride[c],
                                quads - left);
        }
    }
}

/* The rows of chroma above and below pixel row y that its own is blended from: three
 * parts of the near one. */
static void chroma_rows(const job *j, int y, int *near, int *far) {
    *near = j->w.v2 ? y >> 1 : y;
    *far = *near;
    if (j->w.v2)
        *far = y & 1 ? min(*near + 1, j->header->component[1].height - 1)
                     : max(*near - 1, 0);
}

/* Chroma of half the width: sums of rows, from one sample before the window's to one
 * behind, repeated at the picture's edges; then across. */
static void color_row_h2(job *j, uint8_t *const rgb[3], int y) {
    const jpg_kernels *kernels = j->d->kernels;
    const window *w = &j->w;
    int even = w->x0 & ~1, last = j->header->component[1].width - 1;
    int from = max(even / 2 - 1, 0), to = min((w->x1 - 1) / 2 + 1, last);
    int near, far, n = to - from + 1;
    chroma_rows(j, y, &near, &far);
    for (int i = 0; i < 2; i++) {
        uint16_t *out = w->sums[i] + (from - even / 2);
        const uint8_t *a = sample(j, 1 + i, from, near);
        if (w->v2)
            kernels->blend_rows(out, a, sample(j, 1 + i, from, far), n);
        else
            for (int k = 0; k < n; k++)
                out[k] = a[k];
        if (even == 0)
            w->sums[i][-1] = w->sums[i][0];
        if (to == last)
            out[n] = out[n - 1];
    }
    kernels->color_h2(rgb, sample(j, 0, even, y), w->sums[0], w->sums[1], w->x1 - even,
                      w->v2 ? 4 : 2);
}

/* Chroma of full width; of half the height, it is blended down. */
static void color_row_h1(job *j, uint8_t *const rgb[3], int y) {
    const jpg_kernels *kernels = j->d->kernels;
    const window *w = &j->w;
    int near, far, n = w->x1 - w->x0;
    const uint8_t *chroma[2];
    chroma_rows(j, y, &near, &far);
    for (int i = 0; i < 2; i++) {
        chroma[i] = sample(j, 1 + i, w->x0, near);
        if (w->v2) { /* the sums' place has two bytes a pixel for each of the two */
            uint8_t *out = (uint8_t *)w->sums[i];
            kernels->blend_rows_u8(out, chroma[i], sample(j, 1 + i, w->x0, far), n,
                                   y & 1 ? 2 : 1);
            chroma[i] = out;
        }
    }
    kernels->color_h1(rgb, sample(j, 0, w->x0, y), chroma[0], chroma[1], n);
}

static void hand_over_row(job *j, int y) {
    const window *w = &j->w;
    size_t stride;
    uint8_t *row = j->sink->get(j->sink->to, y - w->y0, &stride);
    uint8_t *rgb[3] = {row, row + stride, row + 2 * stride};
    if (j->header->components == 1)
        for (int i = 0; i < 3; i++)
            memcpy(rgb[i], sample(j, 0, w->x0, y), (size_t)(w->x1 - w->x0));
    else if (w->h2)
        color_row_h2(j, rgb, y);
    else
        color_row_h1(j, rgb, y);
    j->sink->put(j->sink->to, y - w->y0, w->h2 ? w->x0 & 1 : 0);
    j->d->rows++;
}

/* The pixel rows that a row of MCUs completes: where chroma is interpolated down, the
 * lowest waits for the chroma below it. */
static void hand_over_rows(job *j, int row) {
    const window *w = &j->w;
    int end = (row + 1) * 8 * j->header->v_max - (w->v2 ? 1 : 0);
    if (row == w->row1 || end > w->y1)
        end = w->y1;
    for (; j->y < end; j->y++)
        hand_over_row(j, j->y);
}

/* ---- all of it ---- */

static assay_status decode_bands(job *j) {
    jpg_scan *s = &j->d->scan;
    const window *w = &j->w;
    for (int row0 = w->row0; row0 <= w->row1; row0 += w->band) {
        int row1 = min(row0 + w->band - 1, w->row1);
        s->row0 = row0;
        s->row1 = row1;
        assay_status status =
            j->index ? decode_indexed(j, row0, row1) : decode_in_sequence(j, row1);
        if (status != ASSAY_OK)
            return status;
        for (int row = row0; row <= row1; row++) {
            transform_row(j, row);
            hand_over_rows(j, row);
        }
    }
    return ASSAY_OK;
}

/* Whether an index can be of this JPEG, and where its first run begins. */
static assay_status use_index(job *j, const jpg_index *ix, size_t n) {
    const jpg_header *h = j->header;
    int per_row = (h->mcus_x + ix->interval - 1) / ix->interval;
    if (ix->jpeg_bytes != n || ix->components != h->components ||
        ix->per_row != per_row || ix->count != (uint32_t)(per_row * h->mcus_y) ||
        ix->end > j->d->scan.bytes)
        return bad_index();
    j->index = ix;
    j->w.first -= j->w.first % ix->interval;
    return ASSAY_OK;
}

static assay_status start_decoding(job *j) {
    jpeg_decoder *d = j->d;
    jpg_scan *s = &d->scan;
    if (j->index)
        return jpg_reserve(d, &d->runs, (size_t)j->w.band * sizeof(jpg_run));
    assay_status status = jpg_reserve_bytes(d, s->bytes, 1);
    if (status == ASSAY_OK)
        d->kernels->entropy->start(s, &j->cursor, NULL, s->bytes);
    return status;
}

assay_status jpeg_decode_window(jpeg_decoder *d,
                                const uint8_t *jpeg,
                                size_t n,
                                const jpeg_index *index,
                                const image_box *box,
                                const row_sink *sink) {
    assay_status status = ASSAY_OK;
    job j = {.d = d, .header = &d->header, .sink = sink, .y = box->y};
    jpg_index opened;
    d->rows = 0;
    ASSAY_TRY(jpg_open(d, jpeg, n));
    ASSAY_TRY(place_window(&j.w, j.header, box));
    if (index && !jpg_index_open(&opened, index))
        ASSAY_TRY(bad_index());
    if (index)
        ASSAY_TRY(use_index(&j, &opened, n));
    ASSAY_TRY(lay_out_coefs(&j));
    ASSAY_TRY(lay_out_planes(&j));
    ASSAY_TRY(start_decoding(&j));
    for (int c = 0; c < j.header->components; c++)
        for (int k = 0; k < JPG_BLOCK; k++)
            j.quant[c][k] = (int16_t)d->header.quant[d->header.component[c].quant][k];
    d->dirty = true;
    ASSAY_TRY(decode_bands(&j));
    d->dirty = false;
done:
    return status;
}
