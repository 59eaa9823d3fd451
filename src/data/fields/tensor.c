/* A PyTorch tensor: on disk the same as an array. */
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

static const field_case cases[] = {
    {.typestr = "<i2",
     .ndim = 3,
     .dim = {1, 1, 2},
     .value = {.data = (const uint8_t[]){3, 0, 0xff, 0xff}, .bytes = 4},
     .json = "{\"dtype\": \"<i2\", \"shape\": [1, 1, 2], \"data\": [3, -1]}\n"},
};

const data_field assay_field_tensor = {
    .name = "tensor",
    .summary = "a tensor of fixed shape and element type, stored as an array",
    .type = BETON_TENSOR,
    .plan = field_array_plan,
    .read = field_array_read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};
