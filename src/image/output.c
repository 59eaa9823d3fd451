/* Where each row of a result comes from; the kernels do the rest. A row is put together
 * as bytes (spans copied, reversed or filled) and converted while it is in the cache. */
#include "image/output_kernels.h"

extern const output_kernels output_kernels_c;
#ifdef __x86_64__
extern const output_kernels output_kernels_avx2, output_kernels_avx512v;
#endif

enum {
    CHUNK = 1024,   /* pixels put together at a time; keeps rows' alignment */
    SHORT_ROW = 128 /* pixels of rows that are converted several at a time */
};

size_t output_type_bytes(output_type t) {
    static const size_t bytes[] = {1, 4, 2, 2};
    return bytes[t];
}

const output_kernels *output_kernels_for(cpu_isa isa) {
    switch (isa) {
#ifdef __x86_64__
    case CPU_AVX512V:
        return &output_kernels_avx512v;
    case CPU_AVX512:
    case CPU_AVX2:
        return &output_kernels_avx2;
#endif
    default:
        return &output_kernels_c;
    }
}

void output_luma(uint8_t *out, const uint8_t *rgb, size_t pixels) {
    for (size_t i = 0; i < pixels; i++) {
        uint32_t r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        out[i] = (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
    }
}

void output_split(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t pixels) {
    static const image_output bytes = {.type = OUTPUT_U8, .planar = true, .channels = 3};
    output_kernels_for(cpu_isa_used())->planar(&bytes, rgb, pixels, planes, stride);
}

static bool in_planes(const image_output *o) {
    return o->planar && o->channels == 3;
}

static void finish(const output_kernels *k, const image_output *o) {
    if (o->stream && k->finish)
        k->finish();
}

void output_write_by(const output_kernels *k,
                     const image_output *o,
                     const uint8_t *hwc,
                     int height,
                     int width,
                     void *out) {
    size_t pixels = (size_t)height * (size_t)width;
    if (in_planes(o))
        k->planar(o, hwc, pixels, out, pixels);
    else
        k->interleaved(o, hwc, pixels * (size_t)o->channels, out);
    finish(k, o);
}

void output_write(
    const image_output *o, const uint8_t *hwc, int height, int width, void *out) {
    output_write_by(output_kernels_for(cpu_isa_used()), o, hwc, height, width, out);
}

static void fill(uint8_t *out, const uint8_t *colour, int64_t pixels, int channels) {
    if (channels == 1) {
        memset(out, colour[0], (size_t)pixels);
        return;
    }
    for (int64_t i = 0; i < pixels; i++)
        memcpy(out + 3 * i, colour, 3);
}

/* Part of a row of the result: pixels x to x + n of row y. */
typedef struct span {
    int64_t y, x, n;
    int64_t from, to;   /* of these pixels, those that come from the source */
    const uint8_t *row; /* the source's row, if any */
} span;

static int64_t between(int64_t v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : v;
}

static span span_at(const image_placement *p, const uint8_t *row, int y, int x) {
    span s = {.y = y, .x = x, .n = p->out_width - x, .row = row};
    if (s.n > CHUNK)
        s.n = CHUNK;
    if (row) {
        s.from = between((int64_t)p->dx - x, 0, s.n);
        s.to = between((int64_t)p->dx + p->width - x, s.from, s.n);
    }
    return s;
}

/* The part of the span that the hole covers: how many pixels, the first in *at. */
static int64_t hole_in(const image_placement *p, const span *s, int64_t *at) {
    if (s->y < p->hole_y || s->y >= (int64_t)p->hole_y + p->hole_height)
        return 0;
    int64_t end = between((int64_t)p->hole_x + p->hole_width - s->x, 0, s->n);
    *at = between(p->hole_x - s->x, 0, s->n);
    return end > *at ? end - *at : 0;
}

/* First of the source's bytes for a span, in the source's order. */
static const uint8_t *
source_of(const image_placement *p, const span *s, int64_t channels) {
    int64_t first =
        p->mirror_x ? p->width - (s->x + s->to - p->dx) : s->x + s->from - p->dx;
    return s->row + first * channels;
}

static void put_together(const output_kernels *k,
                         const image_placement *p,
                         const span *s,
                         int channels,
                         uint8_t *out) {
    int64_t hole_at, hole = hole_in(p, s, &hole_at), count = s->to - s->from;
    fill(out, p->fill, s->from, channels);
    if (count > 0) {
        const uint8_t *source = source_of(p, s, channels);
        uint8_t *to = out + s->from * channels;
        if (p->mirror_x)
            k->reverse(to, source, (size_t)count, channels);
        else
            memcpy(to, source, (size_t)(count * channels));
    }
    fill(out + s->to * channels, p->fill, s->n - s->to, channels);
    if (hole > 0)
        fill(out + hole_at * channels, p->hole_fill, hole, channels);
}

/* Pixels from the result's pixel `at` on. */
static void convert(const output_kernels *k,
                    const image_output *o,
                    const image_placement *p,
                    const uint8_t *bytes,
                    size_t at,
                    size_t pixels,
                    void *out) {
    const size_t each = (size_t)o->channels, size = output_type_bytes(o->type);
    if (in_planes(o))
        k->planar(o, bytes, pixels, (char *)out + at * size,
                  (size_t)p->out_width * (size_t)p->out_height);
    else
        k->interleaved(o, bytes, pixels * each, (char *)out + at * each * size);
}

/* The source's row for row y of the result, if any. */
static const uint8_t *
row_for(const image_placement *p, int channels, const uint8_t *hwc, int y) {
    int64_t from = (int64_t)y - p->dy;
    if (from < 0 || from >= p->height)
        return NULL;
    if (p->mirror_y)
        from = p->height - 1 - from;
    return hwc + (size_t)from * (size_t)p->width * (size_t)channels;
}

static void place_span(const output_kernels *k,
                       const image_output *o,
                       const image_placement *p,
                       const span *s,
                       void *out) {
    uint8_t line[CHUNK * 3];
    const uint8_t *bytes = line;
    int64_t ignored;
    const size_t at = (size_t)(s->y * p->out_width + s->x);
    if (o->type == OUTPUT_U8 && !in_planes(o)) {
        put_together(k, p, s, o->channels, (uint8_t *)out + at * (size_t)o->channels);
        return;
    }
    if (s->from == 0 && s->to == s->n && !p->mirror_x && hole_in(p, s, &ignored) == 0)
        bytes = source_of(p, s, o->channels);
    else
        put_together(k, p, s, o->channels, line);
    convert(k, o, p, bytes, at, (size_t)s->n, out);
}

/* Short rows: as many as there is room for, converted at once. */
static void place_short_rows(const output_kernels *k,
                             const image_output *o,
                             const image_placement *p,
                             const uint8_t *hwc,
                             void *out) {
    uint8_t lines[CHUNK * 3];
    const size_t width = (size_t)p->out_width;
    const int most = CHUNK / p->out_width;
    for (int y = 0; y < p->out_height; y += most) {
        int n = p->out_height - y < most ? p->out_height - y : most;
        for (int i = 0; i < n; i++) {
            span s = span_at(p, row_for(p, o->channels, hwc, y + i), y + i, 0);
            put_together(k, p, &s, o->channels,
                         lines + (size_t)i * width * (size_t)o->channels);
        }
        convert(k, o, p, lines, (size_t)y * width, (size_t)n * width, out);
    }
}

static bool is_small(const image_output *o, const image_placement *p) {
    return !in_planes(o) && p->width <= OUTPUT_SMALL_ROW / o->channels &&
           p->out_width <= OUTPUT_SMALL_ROW / o->channels;
}

void output_place_by(const output_kernels *k,
                     const image_output *o,
                     const image_placement *p,
                     const uint8_t *hwc,
                     void *out) {
    if (k->place_small && is_small(o, p)) {
        k->place_small(o, p, hwc, out);
    } else if (p->out_width <= SHORT_ROW && (o->type != OUTPUT_U8 || in_planes(o))) {
        place_short_rows(k, o, p, hwc, out);
    } else {
        for (int y = 0; y < p->out_height; y++) {
            const uint8_t *row = row_for(p, o->channels, hwc, y);
            for (int x = 0; x < p->out_width; x += CHUNK) {
                span s = span_at(p, row, y, x);
                place_span(k, o, p, &s, out);
            }
        }
    }
    finish(k, o);
}

void output_place(const image_output *o,
                  const image_placement *p,
                  const uint8_t *hwc,
                  void *out) {
    output_place_by(output_kernels_for(cpu_isa_used()), o, p, hwc, out);
}
