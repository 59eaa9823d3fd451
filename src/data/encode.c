/* Turning an imported sample into what a .beton stores. */
#include "data/encode.h"

#include "data/identity.h"

#include <stdio.h>
#include <string.h>

enum { RAW_SIDE = 64 }; /* "auto" stores pixels up to this side */

encode_scratch encode_scratch_make(assay_ctx *ctx) {
    return (encode_scratch){
        .in = {.ctx = ctx}, .im = image_make(ctx), .spare = image_make(ctx)};
}

void encode_scratch_free(encode_scratch *s) {
    import_image_free(&s->in);
    image_free(&s->im);
    image_free(&s->spare);
}

void encode_shrunk(int width, int height, int max_resolution, int *w, int *h) {
    int longest = width > height ? width : height;
    *w = width;
    *h = height;
    if (max_resolution <= 0 || longest <= max_resolution)
        return;
    double ratio = (double)max_resolution / (double)longest;
    *w = (int)((double)width * ratio);
    *h = (int)((double)height * ratio);
    *w = *w < 1 ? 1 : *w;
    *h = *h < 1 ? 1 : *h;
}

static assay_status from_pixels(image *im, const import_image *in) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(image_resize_storage(im, in->width, in->height));
    size_t pixels = (size_t)in->width * (size_t)in->height;
    if (in->channels == 3)
        memcpy(im->rgb, in->data, 3 * pixels);
    else
        for (size_t i = 0; i < pixels; i++)
            im->rgb[3 * i] = im->rgb[3 * i + 1] = im->rgb[3 * i + 2] = in->data[i];
done:
    return status;
}

static assay_status shrink(encode_scratch *s, int w, int h) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(image_resize_storage(&s->spare, w, h));
    ASSAY_TRY(image_resize(s->im.ctx, s->im.rgb, s->im.width, s->im.height, 3,
                           s->spare.rgb, w, h));
    image t = s->im;
    s->im = s->spare;
    s->spare = t;
done:
    return status;
}

/* Whether FFCV's decoder reads the file as it is: any JPEG but CMYK. */
static bool can_keep(const image_info *info) {
    return info->kind == IMAGE_JPEG && (info->components == 1 || info->components == 3);
}

static assay_status encode(encoded_row *out, const encode_options *o, encode_scratch *s) {
    assay_status status = ASSAY_OK;
    const import_image *in = &s->in;
    image_info info = {.kind = IMAGE_UNKNOWN, .orientation = 1};
    int w, h;
    if (in->raw) {
        ASSAY_TRY(from_pixels(&s->im, in));
    } else {
        ASSAY_TRY(image_peek(in->ctx, in->data, in->bytes, &info));
        ASSAY_TRY(image_decode(&s->im, in->data, in->bytes,
                               &(image_decode_options){.orient = true}));
    }
    out->gray = (in->raw && in->channels == 1) || image_is_gray(&s->im);
    encode_shrunk(s->im.width, s->im.height, o->max_resolution, &w, &h);
    bool shrinks = w != s->im.width || h != s->im.height;
    encode_mode mode = o->mode;
    if (mode == ENCODE_AUTO)
        mode = w <= RAW_SIDE && h <= RAW_SIDE ? ENCODE_RAW : ENCODE_KEEP;
    if (mode == ENCODE_KEEP && !can_keep(&info))
        mode = ENCODE_RAW;
    if (mode == ENCODE_KEEP && shrinks)
        mode = ENCODE_JPG; /* the bytes that came can't be kept */
    if (mode == ENCODE_KEEP) {
        out->width = info.width;
        out->height = info.height;
        out->orientation = info.orientation;
        buf_add(&out->payload, in->data, in->bytes);
    } else {
        if (shrinks)
            ASSAY_TRY(shrink(s, w, h));
        out->width = w;
        out->height = h;
        if (mode == ENCODE_JPG)
            ASSAY_TRY(image_encode_jpeg(&out->payload, &s->im, o->quality, true));
        else
            buf_add(&out->payload, s->im.rgb, (size_t)w * (size_t)h * 3);
    }
    out->stored = mode == ENCODE_RAW ? CELL_RAW : CELL_JPEG;
    ASSAY_TRY(buf_check(&out->payload));
    identity_payload(out->digest, out->payload.data, out->payload.len);
done:
    return status;
}

assay_status encode_row(encoded_row *out,
                        const data_importer *importer,
                        const void *state,
                        const import_list *list,
                        size_t row,
                        const encode_options *options,
                        encode_scratch *scratch) {
    assay_status status = ASSAY_OK;
    buf_clear(&out->payload);
    out->failed = false;
    out->orientation = 1;
    ASSAY_TRY(importer->fetch(state, list, row, &scratch->in));
    status = encode(out, options, scratch);
    if (status == ASSAY_E_FORMAT || status == ASSAY_E_UNSUPPORTED ||
        status == ASSAY_E_SHAPE) {
        snprintf(out->reason, sizeof out->reason, "%.255s", assay_last_error()->message);
        out->failed = true;
        status = ASSAY_OK;
    }
done:
    return status;
}
