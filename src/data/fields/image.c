/* An RGB image: raw pixels or a JPEG, of any size. */
#include "data/field.h"

#include "data/image_cell.h"

#include <string.h>

static assay_status plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    (void)ctx;
    (void)f;
    *out = field_plain_type("|u1", 1);
    out->ndim = 3;
    out->dim[0] = out->dim[1] = -1;
    out->dim[2] = 3;
    out->bytes = 0;
    return ASSAY_OK;
}

static assay_status read(field_value *out,
                         const beton_file *f,
                         const field_type *t,
                         uint64_t sample,
                         int field) {
    image_cell c = image_cell_get(beton_cell(f, sample, field));
    (void)t;
    *out = (field_value){.mode = c.mode, .width = c.width, .height = c.height};
    return image_cell_payload(f, sample, field, &c, &out->data, &out->bytes);
}

static assay_status decode(image *out, const field_value *v) {
    return image_cell_pixels(
        out, &(image_cell){.mode = v->mode, .width = v->width, .height = v->height},
        v->data, v->bytes);
}

static assay_status check(assay_ctx *ctx, const field_type *t, const field_value *v) {
    image im = image_make(ctx);
    (void)t;
    assay_status status = v->mode == CELL_RAW ? ASSAY_OK : decode(&im, v);
    image_free(&im);
    return status;
}

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    assay_status status = ASSAY_OK;
    image im = image_make(ctx);
    field_type whole = *t;
    if (strcmp(ext, ".jpg") == 0 || strcmp(ext, ".jpeg") == 0) {
        if (v->mode != CELL_JPEG) {
            status = field_no_form(
                ext, ".png, .npy, .json or .bin: it is stored as raw pixels");
            goto done;
        }
        buf_add(out, v->data, (size_t)v->bytes);
    } else if (strcmp(ext, ".bin") == 0) {
        buf_add(out, v->data, (size_t)v->bytes);
    } else if (strcmp(ext, ".png") == 0) {
        ASSAY_TRY(decode(&im, v));
        ASSAY_TRY(image_encode_png(out, &im));
    } else if (strcmp(ext, ".npy") == 0 || strcmp(ext, ".json") == 0) {
        ASSAY_TRY(decode(&im, v));
        whole.dim[0] = im.height;
        whole.dim[1] = im.width;
        size_t bytes = 3 * (size_t)im.height * (size_t)im.width;
        if (strcmp(ext, ".npy") == 0)
            field_npy(out, &whole, im.rgb, bytes);
        else
            field_array_json(out, &whole, im.rgb, bytes);
    } else {
        status = field_no_form(ext, ".png, .npy, .json, .jpg or .bin");
    }
done:
    image_free(&im);
    return status;
}

static void encode(uint8_t *cell, const field_value *v) {
    cell[0] = (uint8_t)v->mode;
    le16_put(cell + 1, (uint16_t)v->width);
    le16_put(cell + 3, (uint16_t)v->height);
}

static const field_case cases[] = {
    {.value = {.data = (const uint8_t[]){1, 2, 3, 4, 5, 6},
               .bytes = 6,
               .mode = CELL_RAW,
               .width = 2,
               .height = 1},
     .json =
         "{\"dtype\": \"|u1\", \"shape\": [1, 2, 3], \"data\": [1, 2, 3, 4, 5, 6]}\n"},
    {.value = {.data = (const uint8_t[]){9, 8, 7},
               .bytes = 3,
               .mode = CELL_RAW,
               .width = 1,
               .height = 1},
     .json = "{\"dtype\": \"|u1\", \"shape\": [1, 1, 3], \"data\": [9, 8, 7]}\n"},
};

const data_field assay_field_image = {
    .name = "image",
    .summary = "an RGB image, raw or JPEG",
    .type = BETON_IMAGE,
    .plan = plan,
    .read = read,
    .check = check,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};
