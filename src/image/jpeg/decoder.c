/* The decoder's memory, and opening a JPEG with it. */
#include "image/jpeg/decoder.h"

assay_status jpeg_decoder_create(jpeg_decoder **out, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, out, 1, sizeof **out));
    (*out)->ctx = (*out)->tables.ctx = ctx;
    jpg_decoder_tune(*out, cpu_isa_used(), JPG_STREAMS, false);
done:
    return status;
}

void jpeg_decoder_destroy(jpeg_decoder *d) {
    if (!d)
        return;
    jpg_tables_free(&d->tables);
    mem_free(d->ctx, d->coefs.at);
    mem_free(d->ctx, d->planes.at);
    mem_free(d->ctx, d->sums.at);
    mem_free(d->ctx, d->bytes.at);
    mem_free(d->ctx, d->runs.at);
    mem_free(d->ctx, d);
}

void jpg_decoder_tune(jpeg_decoder *d, cpu_isa isa, int streams, bool exact) {
    d->kernels = jpg_kernels_for(isa);
    d->streams = streams;
    d->exact = exact;
}

int jpg_rows_given(const jpeg_decoder *d) {
    return d->rows;
}

assay_status jpg_reserve(jpeg_decoder *d, jpg_room *room, size_t bytes) {
    if (d->exact ? bytes == room->bytes : bytes <= room->bytes)
        return ASSAY_OK;
    if (!d->exact) /* pictures vary */
        bytes += bytes / 4;
    mem_free(d->ctx, room->at);
    *room = (jpg_room){0};
    assay_status status = mem_new(d->ctx, &room->at, bytes, 1);
    if (status == ASSAY_OK)
        room->bytes = bytes;
    return status;
}

assay_status jpg_reserve_bytes(jpeg_decoder *d, size_t bytes, int streams) {
    jpg_scan *s = &d->scan;
    s->room = (bytes + JPG_UNSTUFF_SLACK + JPG_PADDING + 63) & ~(size_t)63;
    assay_status status = jpg_reserve(d, &d->bytes, s->room * (size_t)streams);
    s->unstuffed = d->bytes.at;
    return status;
}

/* The order of an MCU's blocks. */
static void list_blocks(jpg_scan *s) {
    s->blocks = 0;
    for (int c = 0; c < s->header->components; c++)
        for (int y = 0; y < s->header->component[c].v; y++)
            for (int x = 0; x < s->header->component[c].h; x++) {
                s->component[s->blocks] = (uint8_t)c;
                s->x[s->blocks] = (uint8_t)x;
                s->y[s->blocks++] = (uint8_t)y;
            }
}

assay_status jpg_open(jpeg_decoder *d, const uint8_t *jpeg, size_t n) {
    assay_status status = ASSAY_OK;
    jpg_scan *s = &d->scan;
    const jpg_header *h = &d->header;
    ASSAY_TRY(jpg_header_read(&d->header, jpeg, n));
    for (int i = 0; i < h->components; i++) {
        const jpg_component *c = &h->component[i];
        ASSAY_TRY(jpg_tables_get(&s->dc[i], &d->tables, &h->huffman[0][c->dc], false));
        ASSAY_TRY(jpg_tables_get(&s->ac[i], &d->tables, &h->huffman[1][c->ac], true));
    }
    s->header = h;
    s->data = jpeg + h->scan;
    s->bytes = n - h->scan;
    s->unstuff = d->kernels->unstuff;
    list_blocks(s);
done:
    return status;
}

assay_status jpg_status(jpg_result result) {
    static const char *const words[] = {[JPG_BAD_CODE] = "bits that are no code",
                                        [JPG_CUT_SHORT] = "its data end too early",
                                        [JPG_BAD_RESTART] = "a restart marker is missing",
                                        [JPG_TOO_LONG] = "data left over"};
    if (result == JPG_OK)
        return ASSAY_OK;
    return err_set(ASSAY_E_FORMAT, "damaged JPEG: %s", words[result]);
}

assay_status jpg_check_end(const jpg_scan *s, size_t at) {
    while (s->bytes - at >= 2 && s->data[at] == 0xFF && s->data[at + 1] == 0xFF)
        at++;
    if (s->bytes - at >= 2 && s->data[at] == 0xFF && s->data[at + 1] == 0xD9)
        return ASSAY_OK;
    return err_set(ASSAY_E_FORMAT, "damaged JPEG: no end marker behind its data");
}
