/* Backward-weights: dW[tap][i][o] = sum over images and pixels of x times dy.
 *
 * Per group of images and band of rows of y: rows of dy and the rows of x that they touch
 * are packed into rings, dy with images along its rows, x with pairs of images side by
 * side, since images are what is summed over. Then for every 32 x 32 channels and every
 * tap four tiles of sums take all pairs of pixels of the band before they go back to
 * memory; the next panel is fetched meanwhile. */
#include "nn/amx/conv_inside.h"

#ifdef __AMX_BF16__

#include "nn/amx/tiles.h"

/* A pixel of dy and the pixel of x that a tap joins to it, as blocks in the rings. */
typedef struct pixels {
    uint32_t dy, x;
} pixels;

typedef struct run {
    const amx_conv *c;
    int64_t n;
    const void *x, *dy;
    float *panel;
    uint16_t *x_ring, *dy_ring;
    pixels *list;
    int64_t x_step, dy_step;   /* between blocks of channels */
    int64_t x_group, dy_group; /* between blocks of images */
} run;

/* Row r, columns [w0, w1) of 32 images: [2 halves of channels][16 pairs][16][2]. */
INLINE void pack_pairs(const run *t,
                       const amx_side *s,
                       uint16_t *ring,
                       int64_t ring_rows,
                       const void *from,
                       int64_t first,
                       int64_t r,
                       int64_t w0,
                       int64_t w1,
                       bool half) {
    const int64_t each = s->h * s->w * s->c, step = ring_rows * s->w * AMX_BLOCK;
    const int64_t left = t->n - first;
    for (int64_t i = 0; i < AMX_SIDE; i += 2)
        for (int64_t w = w0; w < w1; w++)
            for (int64_t b = 0; b < s->blocks; b++) {
                const __mmask32 lanes = first_lanes(s->c - b * AMX_SIDE);
                int64_t at = (first + i) * each + (r * s->w + w) * s->c + b * AMX_SIDE;
                uint16_t *to = ring + b * step + (r % ring_rows * s->w + w) * AMX_BLOCK +
                               i / 2 * AMX_SIDE;
                __m512i u = take(from, i < left ? at : 0, half, i < left ? lanes : 0);
                __m512i v = take(from, i + 1 < left ? at + each : 0, half,
                                 i + 1 < left ? lanes : 0);
                _mm512_store_si512(to, zip_low(u, v));
                _mm512_store_si512(to + 512, zip_high(u, v));
            }
}

/* A block of pairs to [2 halves of channels][16 channels][32 images]. */
static void turn_block(uint16_t *block) {
    for (int half = 0; half < 2; half++, block += 512) {
        __m512i r[16];
        for (int i = 0; i < 16; i++)
            r[i] = _mm512_load_si512(block + i * AMX_SIDE);
        transpose(r);
        for (int i = 0; i < 16; i++)
            _mm512_store_si512(block + i * AMX_SIDE, r[i]);
    }
}

/* Columns packed at a time: eight blocks, still near when they are turned. */
INLINE int64_t few_columns(const amx_side *s) {
    return s->blocks >= 8 ? 1 : 8 / s->blocks;
}

static void pack_x(const run *t, int64_t first, int64_t begin, int64_t end) {
    const amx_side *s = &t->c->from;
    const int64_t ring = t->c->from_ring, few = few_columns(s);
    uint16_t *to = t->x_ring + first / AMX_SIDE % t->c->blocking.group * t->x_group;
    for (int64_t r = begin; r < end; r++)
        for (int64_t w = 0; w < s->w; w += few) {
            const int64_t last = amx_least(w + few, s->w);
            if (s->half)
                pack_pairs(t, s, to, ring, t->x, first, r, w, last, true);
            else
                pack_pairs(t, s, to, ring, t->x, first, r, w, last, false);
        }
}

static void pack_dy(const run *t, int64_t first, int64_t begin, int64_t end) {
    const amx_side *s = &t->c->to;
    const int64_t ring = t->c->to_ring, few = few_columns(s);
    uint16_t *to = t->dy_ring + first / AMX_SIDE % t->c->blocking.group * t->dy_group;
    for (int64_t r = begin; r < end; r++)
        for (int64_t w = 0; w < s->w; w += few) {
            const int64_t last = amx_least(w + few, s->w);
            if (s->half)
                pack_pairs(t, s, to, ring, t->dy, first, r, w, last, true);
            else
                pack_pairs(t, s, to, ring, t->dy, first, r, w, last, false);
            for (int64_t b = 0; b < s->blocks; b++)
                for (int64_t u = w; u < last; u++)
                    turn_block(to + b * t->dy_step + (r % ring * s->w + u) * AMX_BLOCK);
        }
}

/* The pairs of pixels that tap (i, j) joins in rows [begin, end) of y. */
static int64_t
list_pixels(const run *t, int64_t begin, int64_t end, int64_t i, int64_t j) {
    const amx_conv *c = t->c;
    const dn_conv_geometry *g = &c->g;
    int64_t n = 0;
    for (int64_t r = begin; r < end; r++) {
        const int64_t h = r * g->stride[0] - g->pad[0] + i * g->dilation[0];
        if (h < 0 || h >= g->h)
            continue;
        for (int64_t q = 0; q < g->ow; q++) {
            const int64_t w = q * g->stride[1] - g->pad[1] + j * g->dilation[1];
            if (w >= 0 && w < g->w)
                t->list[n++] = (pixels){(uint32_t)(r % c->to_ring * g->ow + q),
                                        (uint32_t)(h % c->from_ring * g->w + w)};
        }
    }
    return n;
}

/* One tap of 32 x 32 channels over the listed pixels of `groups` blocks of images. */
static void do_panel(const run *t,
                     float *panel,
                     const float *next,
                     const uint16_t *dy,
                     const uint16_t *x,
                     int64_t groups,
                     int64_t n,
                     bool fresh) {
    enum { PANEL = AMX_BLOCK * sizeof(float), LINES = 128 };
    const char *ahead = (const char *)next, *end = ahead + PANEL;
    if (fresh) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, panel, 64);
        _tile_loadd(1, panel + 256, 64);
        _tile_loadd(2, panel + 512, 64);
        _tile_loadd(3, panel + 768, 64);
    }
    for (int64_t q = 0; q < groups; q++, dy += t->dy_group, x += t->x_group)
        for (int64_t i = 0; i < n; i++) {
            const uint16_t *a = dy + (int64_t)t->list[i].dy * AMX_BLOCK;
            const uint16_t *b = x + (int64_t)t->list[i].x * AMX_BLOCK;
            if (ahead < end) {
                _mm_prefetch(ahead, _MM_HINT_T1);
                _mm_prefetch(ahead + LINES / 2, _MM_HINT_T1);
                ahead += LINES;
            }
            _tile_loadd(6, b, 64);
            _tile_loadd(4, a, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, b + 512, 64);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, a + 512, 64);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    _tile_stored(0, panel, 64);
    _tile_stored(1, panel + 256, 64);
    _tile_stored(2, panel + 512, 64);
    _tile_stored(3, panel + 768, 64);
}

/* All taps of panels of channels [o0, o1) x [i0, i1), in blocks. */
static void do_panels(
    const run *t, int64_t groups, amx_span rows, amx_span out, amx_span in, bool fresh) {
    const amx_conv *c = t->c;
    for (int64_t tap = 0; tap < c->taps; tap++) {
        int64_t n = list_pixels(t, rows.begin, rows.end, tap / c->g.kw, tap % c->g.kw);
        float *at = t->panel + tap * AMX_BLOCK;
        for (int64_t o = out.begin; o < out.end; o++)
            for (int64_t i = in.begin; i < in.end; i++) {
                const int64_t step = c->taps * AMX_BLOCK;
                bool row_ends = i + 1 == in.end;
                int64_t next_o = row_ends && o + 1 < out.end ? o + 1 : o;
                int64_t next_i = row_ends ? in.begin : i + 1;
                do_panel(t, at + (i * c->to.blocks + o) * step,
                         at + (next_i * c->to.blocks + next_o) * step,
                         t->dy_ring + o * t->dy_step, t->x_ring + i * t->x_step, groups,
                         n, fresh);
            }
    }
}

static void
do_band(const run *t, int64_t groups, int64_t begin, int64_t end, bool fresh) {
    const amx_conv *c = t->c;
    const amx_blocking *b = &c->blocking;
    const amx_span rows = {begin, end};
    for (int64_t o = 0; o < c->to.blocks; o += b->out_panels)
        for (int64_t i = 0; i < c->from.blocks; i += b->in_panels)
            do_panels(t, groups, rows,
                      (amx_span){o, amx_least(o + b->out_panels, c->to.blocks)},
                      (amx_span){i, amx_least(i + b->in_panels, c->from.blocks)}, fresh);
}

void amx_weights(const amx_conv *c,
                 int64_t n,
                 const void *x,
                 const void *d_y,
                 float *d_weight,
                 void *scratch) {
    uint8_t *at = scratch;
    run t = {.c = c, .n = n, .x = x, .dy = d_y, .panel = scratch};
    at += c->weight_bytes;
    t.x_ring = (uint16_t *)at;
    at += c->from_bytes;
    t.dy_ring = (uint16_t *)at;
    at += c->to_bytes;
    t.list = (pixels *)at;
    t.x_step = c->from_ring * c->from.w * AMX_BLOCK;
    t.dy_step = c->to_ring * c->to.w * AMX_BLOCK;
    t.x_group = t.x_step * c->from.blocks;
    t.dy_group = t.dy_step * c->to.blocks;
    const int64_t group = c->blocking.group, band = c->blocking.band;
    tiles_begin();
    for (int64_t first = 0; first < n; first += AMX_SIDE * group) {
        const int64_t groups = amx_least(group, (n - first + AMX_SIDE - 1) / AMX_SIDE);
        int64_t packed = 0;
        for (int64_t r = 0; r < c->to.h; r += band) {
            const int64_t end = amx_least(r + band, c->to.h);
            amx_span rows = amx_conv_sources(c, r, end);
            rows.begin = amx_most(rows.begin, packed);
            packed = amx_most(packed, rows.end);
            for (int64_t q = 0; q < groups; q++) {
                pack_x(&t, first + q * AMX_SIDE, rows.begin, rows.end);
                pack_dy(&t, first + q * AMX_SIDE, r, end);
            }
            do_band(&t, groups, r, end, first == 0 && r == 0);
        }
    }
    _tile_release();
    amx_unpack_weights(c, d_weight, t.panel);
}

#else

#include <assert.h>

void amx_weights(const amx_conv *c,
                 int64_t n,
                 const void *x,
                 const void *d_y,
                 float *d_weight,
                 void *scratch) {
    (void)c, (void)n, (void)x, (void)d_y, (void)d_weight, (void)scratch;
    assert(!"tiles on a processor without them");
}

#endif
