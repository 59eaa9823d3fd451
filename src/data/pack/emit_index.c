/* The JPEG index of a file that is being written: each row's is made in the parallel
 * stage, and stored with the section. It is that of the first image field. */
#include "data/pack/emit.h"

#include "data/image_cell.h"

/* -1: there is none. */
static int first_image(const emit_layout *l) {
    for (int i = 0; i < l->fields; i++)
        if (l->field[i].type == BETON_IMAGE)
            return i;
    return -1;
}

assay_status emit_row_index(emit_row *r, jpeg_decoder **d, int interval) {
    assay_status status = ASSAY_OK;
    int field = first_image(r->layout), payload = 0;
    buf_clear(&r->index);
    if (field < 0 || image_cell_get(emit_row_cell(r, field)).mode != CELL_JPEG)
        return ASSAY_OK;
    for (int i = 0; i < field; i++)
        payload += beton_allocates(r->layout->field[i].type);
    if (*d == NULL)
        ASSAY_TRY(jpeg_decoder_create(d, r->ctx));
    status = jpeg_index_build(&r->index, *d, r->payload[payload].data,
                              (size_t)r->payload[payload].bytes, interval);
    if (status == ASSAY_E_UNSUPPORTED || status == ASSAY_E_FORMAT) {
        buf_clear(&r->index);
        status = ASSAY_OK;
    }
done:
    return status;
}

assay_status emit_keep_index(emit *e, int interval) {
    int field = first_image(e->layout);
    if (field < 0)
        return ASSAY_OK;
    return jpeg_index_make(&e->index, e->ctx, beton_writer_samples(e->writer),
                           e->layout->field[field].name, interval);
}
