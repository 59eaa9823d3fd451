/* Our decoder against libjpeg-turbo's on JPEGs written for it: every arrangement of
 * chroma, restart intervals, qualities and small sizes, whole and in windows, with and
 * without an index, by every instruction set, with memory too tight for a slip. */
#include "base/testing.h"
#include "image/inside.h"
#include "image/jpeg/decoder.h"
#include "image/testing.h"

#include <jpeglib.h>

typedef struct kind {
    int components, h, v; /* of luma; chroma is 1 x 1 */
    int quality, restart;
    bool optimized, progressive, cmyk;
} kind;

/* Slopes, edges and noise. */
static void scene(image *im, int w, int h, rng *r) {
    assert_ok(image_resize_storage(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *p = im->rgb + ((size_t)y * (size_t)w + (size_t)x) * 3;
            p[0] = (uint8_t)(x * 255 / w);
            p[1] = (uint8_t)(y * 255 / h + (int)rng_below(r, 20));
            p[2] = (x / 8 + y / 8) % 2 ? (uint8_t)rng_u32(r) : 30;
        }
}

/* Encodes by a kind; the bytes are the caller's to free. */
static uint8_t *encode(const image *im, const kind *k, unsigned long *n) {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    uint8_t *out = NULL;
    *n = 0;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, n);
    c.image_width = (JDIMENSION)im->width;
    c.image_height = (JDIMENSION)im->height;
    c.input_components = k->cmyk ? 4 : 3;
    c.in_color_space = k->cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    if (k->components == 1)
        jpeg_set_colorspace(&c, JCS_GRAYSCALE);
    jpeg_set_quality(&c, k->quality, TRUE);
    c.comp_info[0].h_samp_factor = k->h;
    c.comp_info[0].v_samp_factor = k->v;
    c.restart_interval = (unsigned)k->restart;
    c.optimize_coding = k->optimized;
    if (k->progressive)
        jpeg_simple_progression(&c);
    /* four inks: the same bytes, in other groups */
    size_t stride = (size_t)im->width * 3;
    uint8_t *wide = malloc((size_t)im->height * stride + (size_t)im->width);
    assert_non_null(wide);
    memcpy(wide, im->rgb, (size_t)im->height * stride);
    memset(wide + (size_t)im->height * stride, 99, (size_t)im->width);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = wide + (size_t)c.next_scanline * stride;
        (void)jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(wide);
    return out;
}

typedef struct bench {
    assay_ctx *ctx;
    jpeg_decoder *decoder;
    image source, whole;
    kept_rows kept;
    buf index;
    rng r;
    int seen;
} bench;

static bench begin(uint64_t seed) {
    bench b = {.ctx = test_ctx(1)};
    assert_ok(jpeg_decoder_create(&b.decoder, b.ctx));
    b.source = image_make(b.ctx);
    b.whole = image_make(b.ctx);
    b.index = buf_make(b.ctx);
    b.r = rng_at(seed, RNG_TEST, 0, 0);
    return b;
}

static void end(bench *b) {
    kept_free(&b->kept);
    buf_free(&b->index);
    image_free(&b->source);
    image_free(&b->whole);
    jpeg_decoder_destroy(b->decoder);
    assay_ctx_destroy(b->ctx);
}

static void check_window(
    bench *b, const uint8_t *jpeg, size_t n, const jpeg_index *index, image_box box) {
    row_sink sink = kept_begin(&b->kept, box.width, box.height);
    assert_ok(jpeg_decode_window(b->decoder, jpeg, n, index, &box, &sink));
    if (!kept_equals(&b->kept, &b->whole, &box))
        fail_msg("%d x %d: %d x %d at %d, %d differs", b->whole.width, b->whole.height,
                 box.width, box.height, box.x, box.y);
    b->seen++;
}

/* Whole and some windows, with and without an index. */
static void check_jpeg(bench *b, const uint8_t *jpeg, size_t n, int windows) {
    static const int intervals[] = {1, 4, 8, 16, 32};
    assert_ok(image_decode(&b->whole, jpeg, n, NULL));
    int w = b->whole.width, h = b->whole.height;
    buf_clear(&b->index);
    assert_ok(
        jpeg_index_build(&b->index, b->decoder, jpeg, n, intervals[rng_below(&b->r, 5)]));
    jpeg_index index = {(const uint8_t *)b->index.data, b->index.len};
    assert_true(jpeg_index_matches(&index, jpeg, n));
    for (int i = -1; i < windows; i++) {
        image_box box = i < 0 ? (image_box){0, 0, w, h}
                              : draw_window(&b->r, w, h, i % 2 ? 40 : w + h);
        check_window(b, jpeg, n, NULL, box);
        check_window(b, jpeg, n, &index, box);
    }
}

/* Any set and number of streams, now with exact memory, now with what is there. */
static void tune(bench *b) {
    cpu_isa isa = (cpu_isa)rng_below(&b->r, (uint64_t)cpu_detect() + 1);
    jpg_decoder_tune(b->decoder, isa, 1 + (int)rng_below(&b->r, JPG_STREAMS_MAX),
                     rng_below(&b->r, 2) == 0);
}

static const kind kinds[] = {
    {.components = 3, .h = 2, .v = 2, .quality = 90},
    {.components = 3, .h = 2, .v = 2, .quality = 30, .optimized = true},
    {.components = 3, .h = 2, .v = 2, .quality = 100, .restart = 3},
    {.components = 3, .h = 2, .v = 1, .quality = 95},
    {.components = 3, .h = 2, .v = 1, .quality = 75, .restart = 1},
    {.components = 3, .h = 1, .v = 2, .quality = 85},
    {.components = 3, .h = 1, .v = 2, .quality = 50, .restart = 7},
    {.components = 3, .h = 1, .v = 1, .quality = 100},
    {.components = 3, .h = 1, .v = 1, .quality = 60, .restart = 2, .optimized = true},
    {.components = 1, .h = 1, .v = 1, .quality = 80},
    {.components = 1, .h = 2, .v = 2, .quality = 90, .restart = 5},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void every_kind(void **state) {
    (void)state;
    bench b = begin(1);
    for (int i = 0; i < 8 * KINDS; i++) {
        int w = 5 + (int)rng_below(&b.r, i < KINDS ? 300 : 90);
        int h = 5 + (int)rng_below(&b.r, i < KINDS ? 300 : 90);
        unsigned long n;
        scene(&b.source, w, h, &b.r);
        uint8_t *jpeg = encode(&b.source, &kinds[i % KINDS], &n);
        tune(&b);
        check_jpeg(&b, jpeg, n, 6);
        free(jpeg);
    }
    assert_int_equal(b.seen, 8 * KINDS * 14);
    end(&b);
}

/* Sizes from 1 x 1 on. Where chroma is too narrow to be interpolated, nothing is decoded,
 * and the sink hears nothing. */
static void small_sizes(void **state) {
    (void)state;
    bench b = begin(2);
    int refused = 0;
    for (int h = 1; h <= 40; h += h < 18 ? 1 : 5)
        for (int w = 1; w <= 40; w += w < 18 ? 1 : 5) {
            const kind *k = &kinds[rng_below(&b.r, KINDS)];
            unsigned long n;
            scene(&b.source, w, h, &b.r);
            uint8_t *jpeg = encode(&b.source, k, &n);
            image_box box = {0, 0, w, h};
            tune(&b);
            if (k->components == 3 && k->h == 2 && w <= 4) {
                row_sink sink = kept_begin(&b.kept, w, h);
                assert_fails(ASSAY_E_UNSUPPORTED,
                             jpeg_decode_window(b.decoder, jpeg, n, NULL, &box, &sink));
                assert_int_equal(b.kept.next, 0);
                refused++;
            } else {
                check_jpeg(&b, jpeg, n, 3);
            }
            free(jpeg);
        }
    assert_true(refused > 20);
    assert_true(b.seen > 2000);
    end(&b);
}

/* What is not ours is refused before any row. */
static void other_kinds(void **state) {
    (void)state;
    static const kind others[] = {
        {.components = 3, .h = 2, .v = 2, .quality = 90, .progressive = true},
        {.components = 3, .h = 4, .v = 1, .quality = 90},
    };
    bench b = begin(3);
    image_box box = {0, 0, 20, 20};
    for (int i = 0; i < 2; i++) {
        unsigned long n;
        scene(&b.source, 40, 30, &b.r);
        uint8_t *jpeg = encode(&b.source, &others[i], &n);
        row_sink sink = kept_begin(&b.kept, 20, 20);
        assert_fails(ASSAY_E_UNSUPPORTED,
                     jpeg_decode_window(b.decoder, jpeg, n, NULL, &box, &sink));
        assert_int_equal(b.kept.next, 0);
        assert_fails(ASSAY_E_UNSUPPORTED,
                     jpeg_index_build(&b.index, b.decoder, jpeg, n, 8));
        assert_int_equal(b.index.len, 0);
        free(jpeg);
    }
    end(&b);
}

/* The body of the first segment with this marker. */
static uint8_t *segment(uint8_t *jpeg, size_t n, uint8_t marker) {
    for (size_t at = 2; at + 4 < n; at += 2 + (size_t)(jpeg[at + 2] << 8 | jpeg[at + 3]))
        if (jpeg[at] == 0xFF && jpeg[at + 1] == marker)
            return jpeg + at + 4;
    fail_msg("no segment %02X", marker);
    return NULL;
}

/* Headers with one byte changed: what libjpeg would warn of, or take for other colours,
 * is refused before any row. */
static void odd_headers(void **state) {
    (void)state;
    static const struct {
        uint8_t marker;
        int at, value;
        assay_status want;
    } changes[] = {
        {0xE0, 5, 2, ASSAY_E_UNSUPPORTED},     /* JFIF 2 */
        {0xE0, 0, 'X', ASSAY_OK},              /* no JFIF: components 1, 2, 3 */
        {0xC0, -3, 0xC2, ASSAY_E_UNSUPPORTED}, /* progressive */
        {0xC0, -3, 0xC9, ASSAY_E_UNSUPPORTED}, /* arithmetic */
        {0xC0, 0, 12, ASSAY_E_UNSUPPORTED},    /* bits of a sample */
        {0xC0, 6, 9, ASSAY_E_UNSUPPORTED},     /* a component's name */
        {0xC0, 7, 0x50, ASSAY_E_FORMAT},       /* its sampling */
        {0xC0, 7, 0x41, ASSAY_E_UNSUPPORTED},
        {0xC0, 8, 3, ASSAY_E_UNSUPPORTED},    /* its quantisation table: not there */
        {0xC0, -1, 16, ASSAY_E_FORMAT},       /* the segment's length */
        {0xDB, 0, 0x24, ASSAY_E_FORMAT},      /* a table's number */
        {0xC4, 1, 0xFF, ASSAY_E_FORMAT},      /* codes of one bit */
        {0xC4, 1, 2, ASSAY_E_FORMAT},         /* one more than there can be */
        {0xDA, 0, 1, ASSAY_E_UNSUPPORTED},    /* several scans */
        {0xDA, 8, 5, ASSAY_E_UNSUPPORTED},    /* some coefficients */
        {0xDA, 2, 0x44, ASSAY_E_FORMAT},      /* tables that can't be */
        {0xDA, 2, 0x33, ASSAY_E_UNSUPPORTED}, /* tables not there */
    };
    bench b = begin(6);
    unsigned long n;
    scene(&b.source, 40, 40, &b.r);
    uint8_t *jpeg = encode(&b.source, &kinds[0], &n);
    image_box box = {0, 0, 40, 40};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *at = segment(jpeg, n, changes[i].marker) + changes[i].at, kept = *at;
        *at = (uint8_t)changes[i].value;
        row_sink sink = kept_begin(&b.kept, 40, 40);
        assay_status status = jpeg_decode_window(b.decoder, jpeg, n, NULL, &box, &sink);
        if (status != changes[i].want)
            fail_msg("change %zu: %s", i, assay_status_name(status));
        assert_int_equal(b.kept.next, status == ASSAY_OK ? 40 : 0);
        *at = kept;
    }
    free(jpeg);
    end(&b);
}

/* An index not made leaves the buffer as it was; one that was made fits nothing else. */
static void index_refused(void **state) {
    (void)state;
    bench b = begin(7);
    unsigned long n;
    scene(&b.source, 100, 60, &b.r);
    uint8_t *jpeg = encode(&b.source, &kinds[0], &n);
    buf_str(&b.index, "before");
    assert_fails(ASSAY_E_INVALID, jpeg_index_build(&b.index, b.decoder, jpeg, n, 0));
    assert_fails(ASSAY_E_INVALID, jpeg_index_build(&b.index, b.decoder, jpeg, n, 65));
    assert_fails(ASSAY_E_FORMAT, jpeg_index_build(&b.index, b.decoder, jpeg, n - 2, 8));
    assert_fails(ASSAY_E_FORMAT,
                 jpeg_index_build(&b.index, b.decoder, jpeg, n * 3 / 4, 8));
    assert_fails(ASSAY_E_UNSUPPORTED,
                 jpeg_index_build(&b.index, b.decoder, (const uint8_t *)"text", 4, 8));
    assert_int_equal(b.index.len, 6);
    assert_ok(jpeg_index_build(&b.index, b.decoder, jpeg, n, 64));
    jpeg_index index = {(const uint8_t *)b.index.data + 6, b.index.len - 6};
    assert_true(jpeg_index_matches(&index, jpeg, n));
    for (size_t i = 0; i < index.bytes; i++) {
        b.index.data[6 + i] ^= 1;
        assert_false(jpeg_index_matches(&index, jpeg, n));
        b.index.data[6 + i] ^= 1;
    }
    jpeg[n / 2] ^= 1;
    assert_false(jpeg_index_matches(&index, jpeg, n));
    free(jpeg);
    end(&b);
}

/* Once the largest window was met, nothing is allocated. */
static void steady_memory(void **state) {
    (void)state;
    bench b = begin(8);
    unsigned long n;
    scene(&b.source, 300, 200, &b.r);
    uint8_t *jpeg = encode(&b.source, &kinds[0], &n);
    check_jpeg(&b, jpeg, n, 0);
    uint64_t before = mem_alloc_count(b.ctx);
    jpeg_index index = {(const uint8_t *)b.index.data, b.index.len};
    for (int i = 0; i < 50; i++)
        check_window(&b, jpeg, n, i % 2 ? &index : NULL, draw_crop(&b.r, 300, 200));
    assert_int_equal(mem_alloc_count(b.ctx), before);
    free(jpeg);
    end(&b);
}

/* The library's windows equal its own whole decode: of what it is for, and of ours. */
static void library_windows(void **state) {
    (void)state;
    static const kind others[] = {
        {.components = 3, .h = 2, .v = 2, .quality = 90, .progressive = true},
        {.components = 3, .h = 1, .v = 1, .quality = 90, .progressive = true},
        {.components = 3, .h = 4, .v = 1, .quality = 90},
        {.components = 3, .h = 2, .v = 1, .quality = 80, .progressive = true},
        {.components = 4, .h = 1, .v = 1, .quality = 90, .cmyk = true},
        {.components = 4,
         .h = 1,
         .v = 1,
         .quality = 90,
         .cmyk = true,
         .progressive = true},
    };
    enum { OTHERS = sizeof others / sizeof *others };
    bench b = begin(4);
    for (int i = 0; i < 3 * (OTHERS + KINDS); i++) {
        int k = i % (OTHERS + KINDS);
        unsigned long n;
        scene(&b.source, 5 + (int)rng_below(&b.r, 200), 5 + (int)rng_below(&b.r, 200),
              &b.r);
        uint8_t *jpeg =
            encode(&b.source, k < OTHERS ? &others[k] : &kinds[k - OTHERS], &n);
        assert_ok(image_decode(&b.whole, jpeg, n, NULL));
        for (int w = 0; w < 12; w++) {
            image_box box = {0, 0, b.whole.width, b.whole.height};
            if (w > 0)
                box = draw_window(&b.r, box.width, box.height, w % 2 ? 40 : 500);
            row_sink sink = kept_begin(&b.kept, box.width, box.height);
            assert_ok(jpeg_decode_rows(jpeg, n, &box, &sink));
            if (!kept_equals(&b.kept, &b.whole, &box))
                fail_msg("kind %d, %d x %d: %d x %d at %d, %d differs", k, b.whole.width,
                         b.whole.height, box.width, box.height, box.x, box.y);
        }
        image_box beyond = {1, 0, b.whole.width, 1};
        row_sink sink = kept_begin(&b.kept, beyond.width, 1);
        assert_fails(ASSAY_E_SHAPE, jpeg_decode_rows(jpeg, n, &beyond, &sink));
        assert_int_equal(b.kept.next, 0);
        free(jpeg);
    }
    end(&b);
}

static void mutate(bench *b, uint8_t *jpeg, size_t *n, size_t scan) {
    size_t limit = rng_below(&b->r, 3) == 0 ? scan : *n;
    switch (rng_below(&b->r, 4)) {
    case 0: /* cut short */
        *n -= 1 + rng_below(&b->r, rng_below(&b->r, 2) ? 8 : *n - 1);
        break;
    case 1: /* a marker, perhaps */
        jpeg[rng_below(&b->r, limit)] = 0xFF;
        break;
    case 2: /* some bits */
        for (int i = 0; i < 3; i++)
            jpeg[rng_below(&b->r, limit)] ^= (uint8_t)(1u << rng_below(&b->r, 8));
        break;
    default: /* other bytes */
        for (int i = 0; i < 6; i++)
            jpeg[rng_below(&b->r, limit)] = (uint8_t)rng_u32(&b->r);
        break;
    }
}

/* A damaged JPEG: what we decode whole, libjpeg decodes without a warning, to the same
 * bytes. Its former index, or a damaged one, leads to rows or FORMAT, nothing else. */
static void check_damaged(bench *b, const uint8_t *jpeg, size_t n, int *decoded) {
    image_info info;
    if (image_peek(b->ctx, jpeg, n, &info) != ASSAY_OK || info.width > 1000 ||
        info.height > 1000)
        return;
    image_box box = {0, 0, info.width, info.height};
    row_sink sink = kept_begin(&b->kept, info.width, info.height);
    if (jpeg_decode_window(b->decoder, jpeg, n, NULL, &box, &sink) == ASSAY_OK) {
        assert_ok(image_decode(&b->whole, jpeg, n, NULL));
        assert_true(kept_equals(&b->kept, &b->whole, &box));
        ++*decoded;
    }
    jpeg_index index = {(const uint8_t *)b->index.data, b->index.len};
    assert_false(jpeg_index_matches(&index, jpeg, n));
    for (int i = 0; i < 3; i++) {
        box = draw_window(&b->r, info.width, info.height, 500);
        sink = kept_begin(&b->kept, box.width, box.height);
        assay_status status =
            jpeg_decode_window(b->decoder, jpeg, n, &index, &box, &sink);
        assert_false(b->kept.wrong);
        assert_true(status == ASSAY_OK || status == ASSAY_E_FORMAT ||
                    status == ASSAY_E_UNSUPPORTED);
        b->index.data[rng_below(&b->r, b->index.len)] ^= (char)(1 << rng_below(&b->r, 8));
    }
}

static void damaged_files(void **state) {
    (void)state;
    bench b = begin(5);
    int decoded = 0;
    for (int i = 0; i < 4000; i++) {
        unsigned long bytes;
        if (i % 16 == 0)
            scene(&b.source, 5 + (int)rng_below(&b.r, 60), 5 + (int)rng_below(&b.r, 60),
                  &b.r);
        uint8_t *file = encode(&b.source, &kinds[i % KINDS], &bytes);
        size_t n = bytes;
        tune(&b);
        buf_clear(&b.index);
        if (jpeg_index_build(&b.index, b.decoder, file, n, 4) == ASSAY_OK) {
            uint8_t *other = malloc(n);
            assert_non_null(other);
            memcpy(other, file, n);
            mutate(&b, other, &n, b.decoder->header.scan);
            uint8_t *tight = malloc(n);
            assert_non_null(tight);
            memcpy(tight, other, n);
            if (n != bytes || memcmp(tight, file, n) != 0)
                check_damaged(&b, tight, n, &decoded);
            free(other);
            free(tight);
        }
        free(file);
    }
    assert_true(decoded > 200);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),    cmocka_unit_test(small_sizes),
        cmocka_unit_test(other_kinds),   cmocka_unit_test(library_windows),
        cmocka_unit_test(damaged_files), cmocka_unit_test(odd_headers),
        cmocka_unit_test(index_refused), cmocka_unit_test(steady_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
