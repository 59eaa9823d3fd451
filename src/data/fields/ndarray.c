/* An array of one shape and element type for all samples, in C order, in its own byte
 * order. */
#include "data/field.h"

#include <string.h>

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    (void)ctx;
    if (strcmp(ext, ".npy") == 0)
        field_npy(out, t, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".json") == 0)
        field_array_json(out, t, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".bin") == 0)
        buf_add(out, v->data, (size_t)v->bytes);
    else
        return field_no_form(ext, ".npy, .json or .bin");
    return ASSAY_OK;
}

static void encode(uint8_t *cell, const field_value *v) {
    (void)cell; /* nothing but the pointer */
    (void)v;
}

#define BYTES(n, ...)                                                                    \
    { .data = (const uint8_t[]){__VA_ARGS__}, .bytes = n }
static const field_case cases[] = {
    {.typestr = "<f4",
     .ndim = 2,
     .dim = {1, 2},
     .value = BYTES(8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0),
     .json = "{\"dtype\": \"<f4\", \"shape\": [1, 2], \"data\": [1, -2]}\n"},
    {.typestr = ">i2",
     .ndim = 1,
     .dim = {3},
     .value = BYTES(6, 0xff, 0xfe, 0, 1, 1, 0),
     .json = "{\"dtype\": \">i2\", \"shape\": [3], \"data\": [-2, 1, 256]}\n"},
    {.typestr = "|b1",
     .ndim = 1,
     .dim = {2},
     .value = BYTES(2, 1, 0),
     .json = "{\"dtype\": \"|b1\", \"shape\": [2], \"data\": [true, false]}\n"},
    {.typestr = "<u8",
     .ndim = 1,
     .dim = {1},
     .value = BYTES(8, 255, 255, 255, 255, 255, 255, 255, 127),
     .json = "{\"dtype\": \"<u8\", \"shape\": [1], \"data\": [9223372036854775807]}\n"},
    {.typestr = "<f2",
     .ndim = 1,
     .dim = {4},
     .value = BYTES(8, 0, 0x3c, 1, 0, 0, 0xfc, 0, 0xc0),
     .json = "{\"dtype\": \"<f2\", \"shape\": [4], \"data\": "
             "[1, 5.9604644775390625e-08, null, -2]}\n"},
    {.typestr = "|S3",
     .ndim = 1,
     .dim = {2},
     .value = BYTES(6, 'a', 'b', 0, 'x', 0, 0),
     .json = "{\"dtype\": \"|S3\", \"shape\": [2], \"hex\": \"616200780000\"}\n"},
    {.typestr = "<U1",
     .ndim = 1,
     .dim = {1},
     .value = BYTES(4, 0xe9, 0, 0, 0),
     .json = "{\"dtype\": \"<U1\", \"shape\": [1], \"hex\": \"e9000000\"}\n"},
};

const data_field assay_field_ndarray = {
    .name = "ndarray",
    .summary = "an array of fixed shape and element type",
    .type = BETON_NDARRAY,
    .plan = field_array_plan,
    .read = field_array_read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};
