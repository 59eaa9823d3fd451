/* A small .beton with fields of every kind, for the loader's tests. For *_test.c. */
#ifndef DATA_TESTING_BETON_H
#define DATA_TESTING_BETON_H

#include "base/testing.h"

#include "base/buf.h"
#include "base/le.h"
#include "data/field.h"
#include "data/image_cell.h"

enum { SMALL_H = 12, SMALL_W = 10 };

typedef struct test_beton {
    uint64_t samples;
    uint64_t seed;
    bool jpeg;   /* images as JPEG of different sizes, else raw and all of one size */
    bool others; /* the fields "float", "array", "text" too */
} test_beton;

static inline uint8_t beton_pixel(uint64_t seed, uint64_t sample, size_t i) {
    return (uint8_t)((sample * 37 + i * 5 + seed * 11 + (sample * i) % 17) & 255);
}

static inline size_t beton_text_bytes(uint64_t sample) {
    return (size_t)(sample * 7 % 23);
}

/* A smooth picture: what JPEG is made for. */
static inline void smooth_picture(image *im, uint64_t k) {
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++)
            for (int c = 0; c < 3; c++)
                im->rgb[(y * im->width + x) * 3 + c] =
                    (uint8_t)(40 + (x * (3 + c) + y * 2 + (int)(k * 29)) % 170);
}

/* Writes it; JPEG of sample k is (40 + 3k mod 50) x (30 + 5k mod 40). */
static inline void make_beton(assay_ctx *ctx, const char *path, const test_beton *t) {
    beton_field fields[5] = {{.type = BETON_IMAGE, .name = "image"},
                             {.type = BETON_INT, .name = "label"},
                             {.type = BETON_FLOAT, .name = "float"},
                             {.type = BETON_NDARRAY, .name = "array"},
                             {.type = BETON_BYTES, .name = "text"}};
    field_array_args(fields[3].args, ">i2", 2, (const int64_t[]){2, 3});
    beton_writer *w = NULL;
    assert_ok(
        beton_writer_create(&w, ctx, path,
                            &(beton_writer_options){.page_size = 1 << 16,
                                                    .samples = t->samples,
                                                    .fields = fields,
                                                    .n_fields = t->others ? 5 : 2}));
    uint8_t raw[SMALL_H * SMALL_W * 3], array[12], text[32], row[256];
    image im = image_make(ctx);
    buf jpeg = buf_make(ctx);
    for (uint64_t k = 0; k < t->samples; k++) {
        field_value v = {.data = raw,
                         .bytes = sizeof raw,
                         .mode = CELL_RAW,
                         .width = SMALL_W,
                         .height = SMALL_H};
        if (t->jpeg) {
            assert_ok(image_resize_storage(&im, 40 + (int)(3 * k % 50),
                                           30 + (int)(5 * k % 40)));
            smooth_picture(&im, k + t->seed);
            buf_clear(&jpeg);
            assert_ok(image_encode_jpeg(&jpeg, &im, 90, true));
            v = (field_value){.data = (const uint8_t *)jpeg.data,
                              .bytes = jpeg.len,
                              .mode = CELL_JPEG,
                              .width = im.width,
                              .height = im.height};
        } else {
            for (size_t i = 0; i < sizeof raw; i++)
                raw[i] = beton_pixel(t->seed, k, i);
        }
        memset(row, 0, sizeof row);
        field_for(BETON_IMAGE)->encode(row + beton_writer_field(w, 0)->cell_offset, &v);
        le64_put(row + beton_writer_field(w, 1)->cell_offset, k % 7);
        beton_payload_in in[3] = {
            {0, v.data, v.bytes, beton_writer_field(w, 0)->cell_offset + 5}};
        if (t->others) {
            le_f64_put(row + beton_writer_field(w, 2)->cell_offset, (double)k * 0.5);
            for (size_t i = 0; i < 6; i++) { /* big-endian */
                array[2 * i] = (uint8_t)(k >> 8);
                array[2 * i + 1] = (uint8_t)(k + i);
            }
            memset(text, (int)('a' + k % 26), sizeof text);
            field_value words = {.data = text, .bytes = beton_text_bytes(k)};
            field_for(BETON_BYTES)
                ->encode(row + beton_writer_field(w, 4)->cell_offset, &words);
            in[1] = (beton_payload_in){3, array, sizeof array,
                                       beton_writer_field(w, 3)->cell_offset};
            in[2] = (beton_payload_in){4, text, words.bytes,
                                       beton_writer_field(w, 4)->cell_offset};
        }
        assert_ok(beton_writer_add(w, row, in, t->others ? 3 : 1));
    }
    static const char splits[] = "[{\"name\": \"train\", \"begin\": 0, \"end\": %d}, "
                                 "{\"name\": \"test\", \"begin\": %d, \"end\": %d}]";
    char said[200];
    int n = snprintf(said, sizeof said, splits, (int)(t->samples * 3 / 4),
                     (int)(t->samples * 3 / 4), (int)t->samples);
    assert_ok(beton_writer_tag(w, BETON_TAG_SPLITS, said, (size_t)n));
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
    buf_free(&jpeg);
    image_free(&im);
}

#endif
