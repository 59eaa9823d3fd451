/* Plans of tile convolutions: which pixel reads which, how much is packed at a time. */
#include "nn/amx/conv_inside.h"

#include "base/cpu.h"

#include <string.h>

enum { LINE = 64 };

static size_t lines(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

bool amx_conv_can(const dn_conv_geometry *g, unsigned what) {
    const int64_t most = 1 << 24;
    (void)what;
    return cpu_amx() && g->bf16 && g->groups <= 1 && g->h * g->w * g->c < most &&
           g->oh * g->ow * g->o < most && g->kh * g->kw <= 256;
}

/* The place of the source that tap k of place `at` reads; -1: it lies in the padding or
 * between two strides. `d`: 0 rows, 1 columns. */
static int64_t
source(const dn_conv_geometry *g, unsigned what, int d, int64_t at, int64_t k) {
    int64_t s = g->stride[d], pad = g->pad[d], reach = k * g->dilation[d];
    if (what != DN_BACKWARD_DATA) {
        int64_t from = at * s - pad + reach;
        return from >= 0 && from < (d ? g->w : g->h) ? from : -1;
    }
    int64_t from = at + pad - reach;
    return from >= 0 && from % s == 0 && from / s < (d ? g->ow : g->oh) ? from / s : -1;
}

/* The rows that a band reads. */
static amx_span
band_sources(const dn_conv_geometry *g, unsigned what, int64_t begin, int64_t end) {
    amx_span span = {INT64_MAX, 0};
    for (int64_t at = begin; at < end; at++)
        for (int64_t k = 0; k < g->kh; k++) {
            int64_t from = source(g, what, 0, at, k);
            if (from < 0)
                continue;
            span.begin = amx_least(span.begin, from);
            span.end = amx_most(span.end, from + 1);
        }
    if (span.begin > span.end)
        span.begin = span.end = 0;
    return span;
}

amx_span amx_conv_sources(const amx_conv *c, int64_t begin, int64_t end) {
    return band_sources(&c->g, c->what, begin, end);
}

static int64_t rows_of_result(const dn_conv_geometry *g, unsigned what) {
    return what == DN_BACKWARD_DATA ? g->h : g->oh;
}

/* The most rows of the source that bands of this many rows need at once. */
static int64_t ring_of(const dn_conv_geometry *g, unsigned what, int64_t band) {
    int64_t ring = 1, rows = rows_of_result(g, what);
    for (int64_t r = 0; r < rows; r += band) {
        amx_span s = band_sources(g, what, r, amx_least(r + band, rows));
        ring = amx_most(ring, s.end - s.begin);
    }
    return ring;
}

static int64_t blocks_of(int64_t channels) {
    return (channels + AMX_SIDE - 1) / AMX_SIDE;
}

/* Bytes of packed rows in use at once, of one block of images. */
static int64_t packed_bytes(const dn_conv_geometry *g, unsigned what, int64_t band) {
    int64_t ring = ring_of(g, what, band), block = AMX_BLOCK * 2;
    if (what == DN_BACKWARD_DATA)
        return ring * g->ow * blocks_of(g->o) * block;
    int64_t x = ring * g->w * blocks_of(g->c) * block;
    return what == DN_FORWARD ? x : x + band * g->ow * blocks_of(g->o) * block;
}

amx_blocking amx_conv_blocking(const dn_conv_geometry *g, unsigned what) {
    enum { CACHE = 1 << 20 };
    const int64_t rows = rows_of_result(g, what);
    const int64_t images = (g->n + AMX_SIDE - 1) / AMX_SIDE;
    amx_blocking b = {1, 1, 4, 4};
    if (what != DN_BACKWARD_WEIGHTS && rows > 8)
        return b; /* measured: one row at a time keeps what it reads nearest */
    while (b.band < rows && packed_bytes(g, what, 2 * b.band) <= CACHE)
        b.band *= 2;
    if (b.band > rows)
        b.band = (int)rows;
    int64_t bytes = packed_bytes(g, what, b.band);
    while (2 * b.group <= images && b.group < 4 && 2 * b.group * bytes <= CACHE)
        b.group *= 2;
    return b;
}

bool amx_conv_fits(const dn_conv_geometry *g, unsigned what, const amx_blocking *b) {
    const int64_t rows = rows_of_result(g, what);
    const int64_t images = (g->n + AMX_SIDE - 1) / AMX_SIDE;
    const int64_t cache = what == DN_BACKWARD_WEIGHTS ? 9 << 19 : 5 << 18;
    return b->band >= 1 && b->band <= rows && b->group >= 1 && b->group <= images &&
           b->out_panels >= 1 && b->in_panels >= 1 &&
           b->group * packed_bytes(g, what, b->band) <= cache;
}

static assay_status make_reads(amx_conv *c, amx_reads *reads, int d) {
    assay_status status = ASSAY_OK;
    const int64_t places = d ? c->to.w : c->to.h, taps = d ? c->g.kw : c->g.kh;
    reads->most = taps;
    ASSAY_TRY(mem_new(c->ctx, &reads->count, (size_t)places, sizeof *reads->count));
    ASSAY_TRY(
        mem_new(c->ctx, &reads->read, (size_t)(places * taps), sizeof *reads->read));
    for (int64_t at = 0; at < places; at++)
        for (int64_t i = 0; i < taps; i++) {
            int64_t tap = c->what == DN_BACKWARD_DATA ? taps - 1 - i : i;
            int64_t from = source(&c->g, c->what, d, at, tap);
            if (from < 0)
                continue;
            struct amx_read *r = &reads->read[at * taps + reads->count[at]++];
            r->at = (int32_t)from;
            r->tap = (int32_t)tap;
        }
done:
    return status;
}

static void set_sides(amx_conv *c) {
    const dn_conv_geometry *g = &c->g;
    amx_side x = {g->h, g->w, g->c, blocks_of(g->c), g->x_half};
    amx_side y = {g->oh, g->ow, g->o, blocks_of(g->o), g->y_half};
    bool back = c->what == DN_BACKWARD_DATA;
    c->from = back ? y : x;
    c->to = back ? x : y;
    c->taps = g->kh * g->kw;
}

assay_status amx_conv_create(amx_conv **out,
                             assay_ctx *ctx,
                             const dn_conv_geometry *g,
                             unsigned what,
                             const amx_blocking *b) {
    assay_status status = ASSAY_OK;
    amx_conv *c = NULL;
    *out = NULL;
    if (!amx_conv_can(g, what))
        return err_set(ASSAY_E_UNSUPPORTED, "no tile kernel for this convolution");
    ASSAY_TRY(mem_new(ctx, &c, 1, sizeof *c));
    c->ctx = ctx;
    c->g = *g;
    c->what = what;
    c->blocking = *b;
    set_sides(c);
    c->from_ring = ring_of(g, what, b->band);
    const size_t block = AMX_BLOCK * 2, blocks = (size_t)(c->from.blocks * c->to.blocks);
    const size_t group = (size_t)b->group;
    c->from_bytes = (size_t)(c->from_ring * c->from.w * c->from.blocks) * block * group;
    if (what == DN_BACKWARD_WEIGHTS) {
        c->to_ring = b->band;
        c->to_bytes = (size_t)(c->to_ring * c->to.w * c->to.blocks) * block * group;
        c->weight_bytes = blocks * (size_t)c->taps * AMX_BLOCK * sizeof(float);
        c->list_bytes = lines((size_t)(b->band * c->to.w) * 2 * sizeof(uint32_t));
    } else {
        c->weight_bytes = blocks * (size_t)c->taps * block;
        c->to_bytes = AMX_BLOCK * sizeof(float); /* one block of sums */
        c->list_bytes = (size_t)c->taps * block; /* one block of weights, all taps */
        c->pairs = g->kh == 3 && g->kw == 3 && g->stride[0] == 1 && g->stride[1] == 1 &&
                   g->dilation[0] == 1 && g->dilation[1] == 1 && c->to.w % 2 == 0;
        ASSAY_TRY(make_reads(c, &c->rows, 0));
        ASSAY_TRY(make_reads(c, &c->cols, 1));
    }
    *out = c;
    c = NULL;
done:
    amx_conv_destroy(c);
    return status;
}

void amx_conv_destroy(amx_conv *c) {
    if (!c)
        return;
    mem_free(c->ctx, c->rows.count);
    mem_free(c->ctx, c->rows.read);
    mem_free(c->ctx, c->cols.count);
    mem_free(c->ctx, c->cols.read);
    mem_free(c->ctx, c);
}

size_t amx_conv_scratch(const amx_conv *c) {
    return c->weight_bytes + c->from_bytes + c->to_bytes + c->list_bytes;
}

void amx_conv_forward(const amx_conv *c,
                      int64_t n,
                      const void *x,
                      const float *weight,
                      const float *bias,
                      void *y,
                      void *scratch) {
    amx_gather(c, n, x, weight, bias, y, scratch);
}

void amx_conv_backward_data(const amx_conv *c,
                            int64_t n,
                            const void *d_y,
                            const float *weight,
                            void *d_x,
                            void *scratch) {
    amx_gather(c, n, d_y, weight, NULL, d_x, scratch);
}

void amx_conv_backward_weights(const amx_conv *c,
                               int64_t n,
                               const void *x,
                               const void *d_y,
                               float *d_weight,
                               void *scratch) {
    amx_weights(c, n, x, d_y, d_weight, scratch);
}
