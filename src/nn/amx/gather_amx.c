/* Forward and backward-data as one gather: every pixel of the result is a sum over the
 * pixels that its taps read. A tile product adds, for 16 images and 16 channels of the
 * result, the share of 32 channels of the source; four of them make up a block.
 *
 * Per group of images and band of rows: rows of the source that are still missing are
 * packed into a ring of rows, blocks [32 images][32 channels]; then for every 32 channels
 * of the result and every pixel of the band the sums stay in tiles over all that the
 * pixel reads. */
#include "nn/amx/conv_inside.h"

#ifdef __AMX_BF16__

#include "nn/amx/tiles.h"

/* One run. Steps are in elements of packed blocks. */
typedef struct gather {
    const amx_conv *c;
    int64_t n;
    const void *from;
    void *to;
    uint16_t *weight, *ring;
    float *sum;                     /* one block: [2][2][16][16] */
    int64_t block_step, group_step; /* between blocks of channels, of images */
    __m512 bias[2];
    __mmask32 lanes; /* channels of the result that there are */
} gather;

/* Rows [begin, end) of the 32 images from `first` on. */
INLINE void
pack_rows(const gather *t, int64_t first, int64_t begin, int64_t end, bool half) {
    const amx_conv *c = t->c;
    const amx_side *s = &c->from;
    const int64_t each = s->h * s->w * s->c, left = t->n - first;
    uint16_t *ring = t->ring + first / AMX_SIDE % c->blocking.group * t->group_step;
    for (int64_t r = begin; r < end; r++)
        for (int64_t i0 = 0; i0 < AMX_SIDE; i0 += 8)
            for (int64_t w = 0; w < s->w; w++)
                for (int64_t b = 0; b < s->blocks; b++) {
                    const __mmask32 lanes = first_lanes(s->c - b * AMX_SIDE);
                    int64_t at =
                        (first + i0) * each + (r * s->w + w) * s->c + b * AMX_SIDE;
                    int64_t pixel = r % c->from_ring * s->w + w;
                    uint16_t *to =
                        ring + b * t->block_step + pixel * AMX_BLOCK + i0 * AMX_SIDE;
                    for (int64_t i = 0; i < 8; i++, at += each, to += AMX_SIDE) {
                        bool there = i0 + i < left;
                        __m512i v =
                            take(t->from, there ? at : 0, half, there ? lanes : 0);
                        _mm512_store_si512(to, v);
                    }
                }
}

/* `count` images of one pixel and 32 channels, from two tiles of sums. */
INLINE void put(const gather *t, int64_t at, const float *sum, int64_t count) {
    const amx_side *s = &t->c->to;
    const int64_t each = s->h * s->w * s->c;
    for (int64_t i = 0; i < count; i++, at += each, sum += 16) {
        __m512 low = _mm512_add_ps(_mm512_load_ps(sum), t->bias[0]);
        __m512 high = _mm512_add_ps(_mm512_load_ps(sum + 256), t->bias[1]);
        if (s->half) {
            _mm512_mask_storeu_epi16((uint16_t *)t->to + at, t->lanes,
                                     to_half(low, high));
        } else {
            float *to = (float *)t->to + at;
            _mm512_mask_storeu_ps(to, (__mmask16)t->lanes, low);
            _mm512_mask_storeu_ps(to + 16, (__mmask16)(t->lanes >> 16), high);
        }
    }
}

INLINE void clear_sums(void) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

INLINE void store_sums(float *sum) {
    _tile_stored(0, sum, 64);
    _tile_stored(1, sum + 256, 64);
    _tile_stored(2, sum + 512, 64);
    _tile_stored(3, sum + 768, 64);
}

/* One pixel of 32 images: sums [2 halves of images][2 halves of channels]. */
static void one_pixel(
    const gather *t, const uint16_t *ring, const uint16_t *weight, int64_t r, int64_t w) {
    const amx_conv *c = t->c;
    const struct amx_read *rows = c->rows.read + r * c->rows.most;
    const struct amx_read *cols = c->cols.read + w * c->cols.most;
    const int32_t n_rows = c->rows.count[r], n_cols = c->cols.count[w];
    clear_sums();
    for (int64_t b = 0; b < c->from.blocks; b++) {
        for (int32_t i = 0; i < n_rows; i++) {
            const uint16_t *row =
                ring + rows[i].at % c->from_ring * c->from.w * AMX_BLOCK;
            const uint16_t *tap = weight + rows[i].tap * c->g.kw * AMX_BLOCK;
            for (int32_t j = 0; j < n_cols; j++) {
                const uint16_t *p = row + (int64_t)cols[j].at * AMX_BLOCK;
                const uint16_t *q = tap + (int64_t)cols[j].tap * AMX_BLOCK;
                _tile_loadd(6, q, 64);
                _tile_loadd(4, p, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(7, q + 512, 64);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, p + 512, 64);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
        ring += t->block_step;
        weight += c->taps * AMX_BLOCK;
    }
    store_sums(t->sum);
}

INLINE bool inside(int64_t at, int64_t size) {
    return at >= 0 && at < size;
}

/* Two neighbouring pixels of 16 images: sums [2 pixels][2 halves of channels]. The tap
 * beside the left one's is the right one's, so that four reads of the source serve six
 * products. */
static void two_pixels(
    const gather *t, const uint16_t *ring, const uint16_t *weight, int64_t r, int64_t w) {
    const amx_conv *c = t->c;
    const amx_side *s = &c->from;
    const bool back = c->what == DN_BACKWARD_DATA;
    const int64_t before[2] = {back ? 2 - c->g.pad[0] : c->g.pad[0],
                               back ? 2 - c->g.pad[1] : c->g.pad[1]};
    const int64_t left = w - before[1];
    const int64_t tap0 = back ? 2 * AMX_BLOCK : 0, tap2 = back ? 0 : 2 * AMX_BLOCK;
    const bool in[4] = {inside(left, s->w), inside(left + 1, s->w),
                        inside(left + 2, s->w), inside(left + 3, s->w)};
    clear_sums();
    for (int64_t b = 0; b < s->blocks; b++) {
        for (int64_t k = 0; k < 3; k++) {
            int64_t row = r - before[0] + k;
            if (!inside(row, s->h))
                continue;
            const uint16_t *p = ring + (row % c->from_ring * s->w + left) * AMX_BLOCK;
            const uint16_t *q = weight + (back ? 2 - k : k) * 3 * AMX_BLOCK;
            if (in[0] || in[1]) {
                _tile_loadd(6, q + tap0, 64);
                _tile_loadd(7, q + tap0 + 512, 64);
            }
            if (in[0]) {
                _tile_loadd(4, p, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
            }
            if (in[1]) {
                _tile_loadd(5, p + AMX_BLOCK, 64);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            if (in[1] || in[2]) {
                _tile_loadd(6, q + AMX_BLOCK, 64);
                _tile_loadd(7, q + AMX_BLOCK + 512, 64);
            }
            if (in[1]) {
                _tile_dpbf16ps(0, 5, 6);
                _tile_dpbf16ps(1, 5, 7);
            }
            if (in[2]) {
                _tile_loadd(4, p + 2 * AMX_BLOCK, 64);
                _tile_dpbf16ps(2, 4, 6);
                _tile_dpbf16ps(3, 4, 7);
            }
            if (in[2] || in[3]) {
                _tile_loadd(6, q + tap2, 64);
                _tile_loadd(7, q + tap2 + 512, 64);
            }
            if (in[2]) {
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
            }
            if (in[3]) {
                _tile_loadd(5, p + 3 * AMX_BLOCK, 64);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
        ring += t->block_step;
        weight += 9 * AMX_BLOCK;
    }
    store_sums(t->sum);
}

/* One row of the result for 32 images and 32 channels. `at`: the row's first element. */
static void do_row(const gather *t,
                   const uint16_t *ring,
                   const uint16_t *weight,
                   int64_t r,
                   int64_t at,
                   int64_t images) {
    const amx_side *s = &t->c->to;
    const int64_t each = s->h * s->w * s->c;
    if (!t->c->pairs) {
        for (int64_t w = 0; w < s->w; w++, at += s->c) {
            one_pixel(t, ring, weight, r, w);
            put(t, at, t->sum, amx_least(images, 16));
            put(t, at + 16 * each, t->sum + 512, images - 16);
        }
        return;
    }
    for (int64_t w = 0; w < s->w; w += 2, at += 2 * s->c)
        for (int64_t i = 0; i < images; i += 16) {
            const int64_t count = amx_least(images - i, 16);
            two_pixels(t, ring + i * AMX_SIDE, weight, r, w);
            put(t, at + i * each, t->sum, count);
            put(t, at + i * each + s->c, t->sum + 512, count);
        }
}

static void
do_band(gather *t, int64_t first, int64_t begin, int64_t end, const float *bias) {
    const amx_conv *c = t->c;
    const amx_side *s = &c->to;
    for (int64_t b = 0; b < s->blocks; b++) {
        const int64_t channel = b * AMX_SIDE;
        const uint16_t *weight = t->weight + b * c->from.blocks * c->taps * AMX_BLOCK;
        t->lanes = first_lanes(s->c - channel);
        t->bias[0] = t->bias[1] = _mm512_setzero_ps();
        if (bias) {
            t->bias[0] = _mm512_maskz_loadu_ps((__mmask16)t->lanes, bias + channel);
            t->bias[1] =
                _mm512_maskz_loadu_ps((__mmask16)(t->lanes >> 16), bias + channel + 16);
        }
        for (int64_t q = 0; q < c->blocking.group; q++) {
            const int64_t image = first + q * AMX_SIDE;
            for (int64_t r = begin; r < end && image < t->n; r++)
                do_row(t, t->ring + q * t->group_step, weight, r,
                       ((image * s->h + r) * s->w) * s->c + channel,
                       amx_least(t->n - image, AMX_SIDE));
        }
    }
}

void amx_gather(const amx_conv *c,
                int64_t n,
                const void *from,
                const float *weight,
                const float *bias,
                void *to,
                void *scratch) {
    gather t = {.c = c, .n = n, .from = from, .to = to};
    uint8_t *at = scratch;
    t.weight = (uint16_t *)at;
    t.ring = (uint16_t *)(at + c->weight_bytes + c->list_bytes);
    t.sum = (float *)(at + c->weight_bytes + c->list_bytes + c->from_bytes);
    t.block_step = c->from_ring * c->from.w * AMX_BLOCK;
    t.group_step = t.block_step * c->from.blocks;
    amx_pack_weights(c, t.weight, weight);
    tiles_begin();
    for (int64_t first = 0; first < n; first += AMX_SIDE * c->blocking.group) {
        int64_t packed = 0;
        for (int64_t r = 0; r < c->to.h; r += c->blocking.band) {
            const int64_t end = amx_least(r + c->blocking.band, c->to.h);
            amx_span rows = amx_conv_sources(c, r, end);
            rows.begin = amx_most(rows.begin, packed);
            packed = amx_most(packed, rows.end);
            for (int64_t q = 0; q < c->blocking.group; q++) {
                const int64_t image = first + q * AMX_SIDE;
                if (image < n && c->from.half)
                    pack_rows(&t, image, rows.begin, rows.end, true);
                else if (image < n)
                    pack_rows(&t, image, rows.begin, rows.end, false);
            }
            do_band(&t, first, r, end, bias);
        }
    }
    _tile_release();
}

#else

#include <assert.h>

void amx_gather(const amx_conv *c,
                int64_t n,
                const void *from,
                const float *weight,
                const float *bias,
                void *to,
                void *scratch) {
    (void)c, (void)n, (void)from, (void)weight, (void)bias, (void)to, (void)scratch;
    assert(!"tiles on a processor without them");
}

#endif
