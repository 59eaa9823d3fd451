/* What tests and the bench of pictures share: the files of a .tar, windows drawn as
 * training draws them, a sink that keeps rows. */
#ifndef IMAGE_TESTING_H
#define IMAGE_TESTING_H

#include "base/ctx.h"
#include "base/rng.h"
#include "image/image.h"
#include "image/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAR_BLOCK = 512, TAR_SIZE_AT = 124, TAR_SIZE_DIGITS = 11, TAR_TYPE_AT = 156 };

/* The next plain file of a ustar archive in memory, borrowed, from *at on; NULL at its
 * end. */
static inline const uint8_t *
tar_next(const uint8_t *tar, size_t n, size_t *at, size_t *bytes) {
    while (*at + TAR_BLOCK <= n && tar[*at] != 0) {
        const uint8_t *head = tar + *at;
        size_t size = 0;
        for (int i = 0; i < TAR_SIZE_DIGITS; i++)
            size = size * 8 + (size_t)(head[TAR_SIZE_AT + i] - '0');
        size_t begin = *at + TAR_BLOCK;
        if (size > n - begin)
            return NULL;
        *at = begin + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        *bytes = size;
        if (head[TAR_TYPE_AT] == '0' || head[TAR_TYPE_AT] == 0)
            return tar + begin;
    }
    return NULL;
}

/* A random-resized crop's window: area .08 to 1 of the picture, ratio 3/4 to 4/3. */
static inline image_box draw_crop(rng *r, int width, int height) {
    for (int i = 0; i < 10; i++) {
        double area = (double)width * height * (.08 + .92 * rng_uniform(r));
        double ratio = exp(log(.75) + (log(4. / 3) - log(.75)) * rng_uniform(r));
        int w = (int)lround(sqrt(area * ratio)), h = (int)lround(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        int x = (int)rng_below(r, (uint64_t)(width - w + 1));
        return (image_box){x, (int)rng_below(r, (uint64_t)(height - h + 1)), w, h};
    }
    return (image_box){0, 0, width, height};
}

/* Any window of at most `most` pixels a side. */
static inline image_box draw_window(rng *r, int width, int height, int most) {
    image_box b = {0};
    b.width = 1 + (int)rng_below(r, (uint64_t)(width < most ? width : most));
    b.height = 1 + (int)rng_below(r, (uint64_t)(height < most ? height : most));
    b.x = (int)rng_below(r, (uint64_t)(width - b.width + 1));
    b.y = (int)rng_below(r, (uint64_t)(height - b.height + 1));
    return b;
}

/* Keeps a window's rows as R, G, B. Allocates exactly what the contract asks of a sink.
 */
typedef struct kept_rows {
    uint8_t *row, *rgb;
    int width, height, next, restarts;
    bool wrong; /* rows out of order */
} kept_rows;

static inline uint8_t *kept_get(void *to, int y, size_t *stride) {
    kept_rows *k = to;
    *stride = (size_t)k->width + 1 + 2 * ROWS_SLACK;
    k->wrong |= y != k->next || y >= k->height;
    return k->row + ROWS_SLACK;
}

static inline void kept_put(void *to, int y, int offset) {
    kept_rows *k = to;
    size_t stride = (size_t)k->width + 1 + 2 * ROWS_SLACK;
    k->wrong |= y != k->next || y >= k->height || offset < 0 || offset > 1;
    if (k->wrong)
        return;
    const uint8_t *from = k->row + ROWS_SLACK + offset;
    uint8_t *rgb = k->rgb + (size_t)y * (size_t)k->width * 3;
    for (int x = 0; x < k->width; x++)
        for (int c = 0; c < 3; c++)
            *rgb++ = from[(size_t)c * stride + (size_t)x];
    k->next = y + 1;
}

static inline void kept_restart(void *to) {
    kept_rows *k = to;
    k->next = 0;
    k->restarts++;
}

/* Starts anew for a window of this size; aborts without memory. */
static inline row_sink kept_begin(kept_rows *k, int width, int height) {
    free(k->row);
    free(k->rgb);
    *k = (kept_rows){.width = width, .height = height};
    k->row = malloc(3 * ((size_t)width + 1 + 2 * ROWS_SLACK));
    k->rgb = malloc((size_t)width * (size_t)height * 3);
    if (!k->row || !k->rgb)
        abort();
    return (row_sink){k, kept_get, kept_put, kept_restart};
}

static inline void kept_free(kept_rows *k) {
    free(k->row);
    free(k->rgb);
    *k = (kept_rows){0};
}

/* Whether the rows came, all and in order, and are the picture's. */
static inline bool
kept_equals(const kept_rows *k, const image *im, const image_box *box) {
    if (k->wrong || k->next != box->height || k->width != box->width)
        return false;
    for (int y = 0; y < box->height; y++) {
        size_t at = ((size_t)(box->y + y) * (size_t)im->width + (size_t)box->x) * 3;
        size_t bytes = (size_t)box->width * 3;
        if (memcmp(k->rgb + (size_t)y * bytes, im->rgb + at, bytes) != 0)
            return false;
    }
    return true;
}

#endif
