/* Reading the image cell. */
#include "data/image_cell.h"

#include <string.h>

static assay_status bad_cell(
    const beton_file *f, uint64_t sample, int field, const char *what, int a, int b) {
    err_set(ASSAY_E_FORMAT, what, a, b);
    err_where("%s: sample %llu, field '%s'", beton_path(f), (unsigned long long)sample,
              beton_field_at(f, field)->name);
    return ASSAY_E_FORMAT;
}

assay_status image_cell_payload(const beton_file *f,
                                uint64_t sample,
                                int field,
                                const image_cell *c,
                                const uint8_t **data,
                                uint64_t *bytes) {
    *data = NULL;
    *bytes = 0;
    if (c->mode != CELL_JPEG && c->mode != CELL_RAW)
        return bad_cell(f, sample, field,
                        "image of mode %d, where 0 (JPEG) and %d (raw) are known",
                        c->mode, CELL_RAW);
    if (c->width == 0 || c->height == 0)
        return bad_cell(f, sample, field, "image of %d x %d pixels", c->width, c->height);
    uint64_t want =
        c->mode == CELL_RAW ? 3 * (uint64_t)c->width * (uint64_t)c->height : 0;
    return beton_payload(f, sample, field, c->ptr, want, data, bytes);
}

assay_status
image_cell_pixels(image *out, const image_cell *c, const uint8_t *data, uint64_t bytes) {
    assay_status status = ASSAY_OK;
    image_info info;
    if (c->mode == CELL_RAW) {
        ASSAY_TRY(image_resize_storage(out, c->width, c->height));
        memcpy(out->rgb, data, (size_t)bytes);
        return ASSAY_OK;
    }
    ASSAY_TRY(image_peek(out->ctx, data, (size_t)bytes, &info));
    if (info.width != c->width || info.height != c->height)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the image's cell says %d x %d, its data %d x %d",
                   c->width, c->height, info.width, info.height);
    ASSAY_TRY(
        image_decode(out, data, (size_t)bytes, &(image_decode_options){.orient = true}));
done:
    return status;
}

assay_status
image_cell_decode(image *out, const beton_file *f, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    const uint8_t *data;
    uint64_t bytes;
    image_cell c = image_cell_get(beton_cell(f, sample, field));
    ASSAY_TRY(image_cell_payload(f, sample, field, &c, &data, &bytes));
    ASSAY_TRY_AT(image_cell_pixels(out, &c, data, bytes), "%s: sample %llu, field '%s'",
                 beton_path(f), (unsigned long long)sample,
                 beton_field_at(f, field)->name);
done:
    return status;
}
