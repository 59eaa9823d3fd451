/* Who decodes a window: our decoder, with the index and without; libjpeg-turbo; or the
 * whole picture, of which the window is handed on. */
#include "image/window.h"

#include "image/inside.h"
#include "image/jpeg/decoder.h"
#include "image/output.h"

struct window_reader {
    assay_ctx *ctx;
    jpeg_decoder *jpeg;
    image whole, scratch; /* kept for the next picture */
    window_counts counts;
};

assay_status window_reader_create(window_reader **out, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    window_reader *w = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &w, 1, sizeof *w));
    w->ctx = ctx;
    w->whole = image_make(ctx);
    w->scratch = image_make(ctx);
    ASSAY_TRY(jpeg_decoder_create(&w->jpeg, ctx));
    *out = w;
    w = NULL;
done:
    window_reader_destroy(w);
    return status;
}

void window_reader_destroy(window_reader *w) {
    if (!w)
        return;
    jpeg_decoder_destroy(w->jpeg);
    image_free(&w->whole);
    image_free(&w->scratch);
    mem_free(w->ctx, w);
}

window_counts window_reader_counts(const window_reader *w) {
    return w->counts;
}

void window_raw(const uint8_t *rgb,
                size_t stride,
                const image_box *box,
                const row_sink *sink) {
    rgb += (size_t)box->y * stride + (size_t)box->x * 3;
    for (int y = 0; y < box->height; y++, rgb += stride) {
        size_t plane;
        uint8_t *to = sink->get(sink->to, y, &plane);
        output_split(to, plane, rgb, (size_t)box->width);
        sink->put(sink->to, y, 0);
    }
}

/* Whether another way may succeed: the picture is not ours, or seems damaged to us, which
 * is a matter for libjpeg to judge. */
static bool may_go_on(assay_status status) {
    return status == ASSAY_E_UNSUPPORTED || status == ASSAY_E_FORMAT;
}

static assay_status decode_ourselves(window_reader *w,
                                     const uint8_t *data,
                                     size_t n,
                                     const jpeg_index *index,
                                     const image_box *box,
                                     const row_sink *sink) {
    assay_status status = jpeg_decode_window(w->jpeg, data, n, index, box, sink);
    if (status == ASSAY_OK) {
        w->counts.own++;
        w->counts.own_indexed += index != NULL;
    } else if (jpg_rows_given(w->jpeg) > 0) {
        sink->restart(sink->to);
    }
    return status;
}

static assay_status read_jpeg(window_reader *w,
                              const uint8_t *data,
                              size_t n,
                              const jpeg_index *index,
                              const image_box *box,
                              const row_sink *sink) {
    assay_status status = decode_ourselves(w, data, n, index, box, sink);
    if (status == ASSAY_E_FORMAT && index) /* which may be what is wrong */
        status = decode_ourselves(w, data, n, NULL, box, sink);
    if (!may_go_on(status))
        return status;
    status = jpeg_decode_rows(data, n, box, sink);
    if (status == ASSAY_OK)
        w->counts.library++;
    return status;
}

static assay_status read_whole(window_reader *w,
                               const uint8_t *data,
                               size_t n,
                               int orientation,
                               const image_box *box,
                               const row_sink *sink) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(image_decode(&w->whole, data, n, NULL));
    ASSAY_TRY(image_orient(&w->whole, orientation, &w->scratch));
    ASSAY_TRY(image_check_box(box, w->whole.width, w->whole.height));
    window_raw(w->whole.rgb, 3 * (size_t)w->whole.width, box, sink);
    w->counts.whole++;
done:
    return status;
}

assay_status window_encoded(window_reader *w,
                            const uint8_t *data,
                            size_t n,
                            const jpeg_index *index,
                            int orientation,
                            const image_box *box,
                            const row_sink *sink) {
    bool turned = orientation >= 2 && orientation <= 8;
    if (!turned && image_sniff(data, n) == IMAGE_JPEG)
        return read_jpeg(w, data, n, index, box, sink);
    return read_whole(w, data, n, orientation, box, sink);
}
