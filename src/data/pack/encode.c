/* Turning an imported sample into what a .beton stores. */
#include "data/pack/encode.h"

#include "base/rng.h"
#include "data/field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    RAW_SIDE = 64, /* "auto" stores pixels up to this side */
    DEFAULT_QUALITY = 90,
    DEFAULT_THRESHOLD = 1 << 17
};

/* ---- options ---- */

const char *encode_mode_name(encode_mode m) {
    static const char *const names[ENCODE_MODES] = {"auto", "raw",   "jpg",
                                                    "keep", "smart", "proportion"};
    return names[m];
}

static assay_status bad_option(const char *what, const char *help) {
    err_set(ASSAY_E_INVALID, "%s", what);
    err_help("%s", help);
    return ASSAY_E_INVALID;
}

assay_status encode_options_make(encode_options *o, const char *mode) {
    if (o->quality == 0)
        o->quality = DEFAULT_QUALITY;
    if (o->smart_threshold == 0)
        o->smart_threshold = DEFAULT_THRESHOLD;
    if (o->quality < 1 || o->quality > 100)
        return bad_option("a JPEG quality lies between 1 and 100", "90 is FFCV's");
    if (o->max_resolution < 0)
        return bad_option("a limit can't be negative", "0 means no limit");
    if (!(o->proportion >= 0 && o->proportion <= 1))
        return bad_option("a proportion lies between 0 and 1", "0.5 is FFCV's");
    for (int m = 0; m < ENCODE_MODES; m++)
        if (mode == NULL || strcmp(mode, encode_mode_name((encode_mode)m)) == 0) {
            o->mode = (encode_mode)m;
            return ASSAY_OK;
        }
    err_set(ASSAY_E_INVALID, "no mode is called '%s'", mode);
    err_help("there are: raw, jpg, keep, smart, proportion");
    return ASSAY_E_INVALID;
}

/* ---- images ---- */

encode_scratch encode_scratch_make(assay_ctx *ctx) {
    return (encode_scratch){.in = {.ctx = ctx},
                            .cell = {.ctx = ctx},
                            .im = image_make(ctx),
                            .spare = image_make(ctx)};
}

void encode_scratch_free(encode_scratch *s) {
    import_image_free(&s->in);
    import_cell_free(&s->cell);
    image_free(&s->im);
    image_free(&s->spare);
    jpeg_decoder_destroy(s->decoder);
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

/* Whether FFCV's decoder (TurboJPEG to RGB) reads the file as it is: any that we decode,
 * of one component or three. CMYK it does not. */
static bool can_keep(const image_info *info) {
    return info->kind == IMAGE_JPEG && (info->components == 1 || info->components == 3);
}

/* What becomes of an image of w x h: RAW, JPG or KEEP. */
static encode_mode choose(const encode_options *o,
                          const image_info *info,
                          int w,
                          int h,
                          bool shrinks,
                          uint64_t sample) {
    encode_mode mode = o->mode;
    if (mode == ENCODE_AUTO)
        mode = w <= RAW_SIDE && h <= RAW_SIDE ? ENCODE_RAW : ENCODE_KEEP;
    if (mode == ENCODE_SMART)
        return 3 * (uint64_t)w * (uint64_t)h > o->smart_threshold ? ENCODE_JPG
                                                                  : ENCODE_RAW;
    if (mode == ENCODE_PROPORTION) {
        rng r = rng_at(o->seed, RNG_PACK, 0, sample);
        return rng_uniform(&r) < o->proportion ? ENCODE_JPG : ENCODE_RAW;
    }
    if (mode == ENCODE_KEEP && !can_keep(info))
        return ENCODE_RAW;
    if (mode == ENCODE_KEEP && shrinks)
        return ENCODE_JPG; /* the bytes that came can't be kept */
    return mode;
}

assay_status encode_image(encoded_image *out,
                          buf *payload,
                          const import_image *in,
                          const encode_options *o,
                          uint64_t sample,
                          encode_scratch *s) {
    assay_status status = ASSAY_OK;
    image_info info = {.kind = IMAGE_UNKNOWN, .orientation = 1};
    int w, h;
    *out = (encoded_image){.orientation = 1};
    if (in->raw) {
        ASSAY_TRY(from_pixels(&s->im, in));
    } else {
        ASSAY_TRY(image_peek(s->im.ctx, in->data, in->bytes, &info));
        ASSAY_TRY(image_decode(&s->im, in->data, in->bytes,
                               &(image_decode_options){.orient = true}));
    }
    out->gray = (in->raw && in->channels == 1) || image_is_gray(&s->im);
    encode_shrunk(s->im.width, s->im.height, o->max_resolution, &w, &h);
    bool shrinks = w != s->im.width || h != s->im.height;
    encode_mode mode = choose(o, &info, w, h, shrinks, sample);
    out->stored = mode == ENCODE_RAW ? CELL_RAW : CELL_JPEG;
    out->width = w;
    out->height = h;
    if (mode == ENCODE_KEEP) {
        out->width = info.width;
        out->height = info.height;
        out->orientation = info.orientation;
        buf_add(payload, in->data, in->bytes);
        goto done;
    }
    if (shrinks)
        ASSAY_TRY(shrink(s, w, h));
    if (mode == ENCODE_JPG)
        ASSAY_TRY(image_encode_jpeg(payload, &s->im, o->quality, true));
    else
        buf_add(payload, s->im.rgb, (size_t)w * (size_t)h * 3);
done:
    return status;
}

void encode_image_cell(uint8_t *cell, const encoded_image *e) {
    cell[0] = e->stored;
    le16_put(cell + 1, (uint16_t)e->width);
    le16_put(cell + 3, (uint16_t)e->height);
}

/* ---- rows ---- */

assay_status encode_layout(emit_layout *out, assay_ctx *ctx, const import_list *list) {
    assay_status status = ASSAY_OK;
    beton_field *field = NULL;
    int n = 0;
    *out = (emit_layout){0};
    if (list->columns > BETON_MAX_FIELDS - 2)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%zu columns, at most %d are stored",
                   list->columns, BETON_MAX_FIELDS - 2);
    ASSAY_TRY(mem_new(ctx, &field, list->columns + 2, sizeof *field));
    if (!list->no_image)
        field[n++] = (beton_field){.type = BETON_IMAGE, .name = "image"};
    if (!list->no_label)
        field[n++] = (beton_field){.type = BETON_INT, .name = "label"};
    for (size_t i = 0; i < list->columns; i++) {
        const import_column *c = &list->column[i];
        beton_field *f = &field[n++];
        f->type = c->type;
        memcpy(f->name, c->name, sizeof f->name);
        if (c->type == BETON_NDARRAY || c->type == BETON_TENSOR)
            field_array_args(f->args, c->typestr, c->ndim, c->dim);
    }
    if (n == 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the source has no columns");
    ASSAY_TRY(emit_layout_make(out, ctx, field, n));
done:
    mem_free(ctx, field);
    return status;
}

static assay_status encode_cell(emit_row *r, int field, const import_cell *c) {
    beton_type type = r->layout->field[field].type;
    uint8_t *cell = emit_row_cell(r, field);
    if (type == BETON_INT) {
        le64_put(cell, (uint64_t)c->integer);
        return ASSAY_OK;
    }
    if (type == BETON_FLOAT) {
        uint64_t bits;
        memcpy(&bits, &c->number, sizeof bits);
        le64_put(cell, bits);
        return ASSAY_OK;
    }
    buf_add(&r->own, c->bytes > 0 ? (const void *)c->data : "", c->bytes);
    if (type == BETON_JSON)
        buf_add(&r->own, "", 1);
    emit_row_own(r);
    return ASSAY_OK;
}

static assay_status encode_values(encoded_row *out,
                                  const encode_source *source,
                                  size_t row,
                                  uint64_t sample,
                                  const encode_options *options,
                                  encode_scratch *s) {
    assay_status status = ASSAY_OK;
    const import_list *list = source->list;
    emit_row *r = &out->row;
    encoded_image coded;
    int field = 0;
    if (!list->no_image) {
        ASSAY_TRY(encode_image(&coded, &r->own, &s->in, options, sample, s));
        encode_image_cell(emit_row_cell(r, field++), &coded);
        emit_row_own(r);
        out->orientation = coded.orientation;
        out->gray = coded.gray;
    }
    if (!list->no_label)
        le64_put(emit_row_cell(r, field++), (uint64_t)(int64_t)list->row[row].label);
    for (size_t c = 0; c < list->columns; c++) {
        ASSAY_TRY_AT(source->importer->fetch_cell(source->state, list, row, c, &s->cell),
                     "column '%s'", list->column[c].name);
        ASSAY_TRY(encode_cell(r, field++, &s->cell));
    }
done:
    return status;
}

assay_status encode_row(encoded_row *out,
                        const encode_source *source,
                        size_t row,
                        uint64_t sample,
                        const encode_options *options,
                        encode_scratch *s) {
    assay_status status = ASSAY_OK;
    emit_row_clear(&out->row);
    out->failed = false;
    out->orientation = 1;
    if (!source->list->no_image)
        ASSAY_TRY(source->importer->fetch(source->state, source->list, row, &s->in));
    status = encode_values(out, source, row, sample, options, s);
    if (status == ASSAY_E_FORMAT || status == ASSAY_E_UNSUPPORTED ||
        status == ASSAY_E_SHAPE) {
        snprintf(out->reason, sizeof out->reason, "%.255s", assay_last_error()->message);
        out->failed = true;
        return ASSAY_OK;
    }
    ASSAY_TRY(status);
    ASSAY_TRY(emit_row_seal(&out->row));
done:
    return status;
}
