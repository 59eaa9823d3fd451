/* The public writer: values are copied into a block of rows; a full block is encoded on
 * all threads and written in order. */
#include <assay/write.h>

#include "base/json.h"
#include "base/le.h"
#include "base/options.h"
#include "base/pool.h"
#include "data/field.h"
#include "data/pack/encode.h"
#include "data/pack/pack.h"

#include <stdio.h>
#include <string.h>

enum {
    ROWS_PER_THREAD = 64,
    BLOCK_BYTES = 1 << 26,
    WHITE = 255,
    MOST_CELL = 1 << 16,
    MOST_ALIGN = 1 << 12
};
static const uint64_t usual_page = 1 << 23, least_page = 1 << 21;

/* One value as it came: its bytes are in the block. */
typedef struct kept_value {
    assay_value v;
    size_t at, cell_at;
} kept_value;

struct assay_writer {
    assay_ctx *ctx;
    char *path;
    assay_writer_options o;
    encode_options encode;
    emit_layout layout;
    uint64_t *array_bytes; /* of each field; 0: not an array */
    emit emit;
    uint64_t samples, added, written;
    bool failed, gray, images;
    char **class_name;
    buf orientation;
    /* the block */
    kept_value *value; /* [rows][fields] */
    buf kept;
    size_t rows, used;
    emit_row *row;
    size_t made;
    encoded_image *image; /* [rows]: gray and orientation of the first image field */
    encode_scratch *scratch;
    int workers;
};

/* ---- create ---- */

static assay_status bad(const char *help, const char *what) {
    err_set(ASSAY_E_INVALID, "%s", what);
    if (help != NULL)
        err_help("%s", help);
    return ASSAY_E_INVALID;
}

static assay_status take_field(beton_field *out, const assay_field *f, int i) {
    size_t n = f->name != NULL ? strlen(f->name) : 0;
    *out = (beton_field){.type = (beton_type)f->type,
                         .cell_bytes = f->cell_bytes,
                         .cell_align = f->cell_align,
                         .has_payload = f->has_payload != 0,
                         .ptr_offset = f->ptr_offset};
    if (n < 1 || n > 16) {
        err_set(ASSAY_E_INVALID, "the name of field %d, '%.40s', has %zu characters", i,
                n > 0 ? f->name : "", n);
        err_help("the format has room for 1 to 16");
        return ASSAY_E_INVALID;
    }
    memcpy(out->name, f->name, n);
    uint32_t bytes = f->cell_bytes, align = f->cell_align;
    bool sound = f->type == ASSAY_FIELD_CUSTOM
                     ? bytes >= 1 && bytes <= MOST_CELL && align >= 1 &&
                           align <= MOST_ALIGN && (align & (align - 1)) == 0
                     : beton_cell_layout(out->type, &bytes, &align);
    if (!sound) {
        err_set(ASSAY_E_INVALID, "field '%s' has no type, or no cell, that is written",
                out->name);
        err_help("a custom cell has 1 to 65536 bytes, aligned to 1, 2, 4 to 4096");
        return ASSAY_E_INVALID;
    }
    if (f->type != ASSAY_FIELD_NDARRAY && f->type != ASSAY_FIELD_TENSOR)
        return ASSAY_OK;
    if (f->typestr == NULL || strlen(f->typestr) > 23 || f->ndim < 1 ||
        f->ndim > FIELD_MAX_DIMS || f->dim == NULL) {
        err_set(ASSAY_E_INVALID, "field '%s' has no shape and element type", out->name);
        err_help("an array has 1 to 32 dimensions and a type like \"<f4\"");
        return ASSAY_E_INVALID;
    }
    for (int k = 0; k < f->ndim; k++)
        if (f->dim[k] < 1) {
            err_set(ASSAY_E_INVALID, "field '%s' has a dimension of %lld", out->name,
                    (long long)f->dim[k]);
            return ASSAY_E_INVALID;
        }
    field_array_args(out->args, f->typestr, f->ndim, f->dim);
    return ASSAY_OK;
}

static assay_status take_fields(assay_writer *w, const assay_field *fields, int n) {
    assay_status status = ASSAY_OK;
    beton_field *field = NULL;
    if (fields == NULL || n < 1 || n > BETON_MAX_FIELDS)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d fields; from 1 to %d are possible", n,
                   BETON_MAX_FIELDS);
    ASSAY_TRY(mem_new(w->ctx, &field, (size_t)n, sizeof *field));
    ASSAY_TRY(mem_new(w->ctx, &w->array_bytes, (size_t)n, sizeof *w->array_bytes));
    for (int i = 0; i < n; i++) {
        field_type t;
        ASSAY_TRY(take_field(&field[i], &fields[i], i));
        w->images = w->images || field[i].type == BETON_IMAGE;
        if (field[i].type != BETON_NDARRAY && field[i].type != BETON_TENSOR)
            continue;
        status = field_for(field[i].type)->plan(&t, w->ctx, &field[i]);
        if (status == ASSAY_E_FORMAT || status == ASSAY_E_UNSUPPORTED) {
            err_set(ASSAY_E_INVALID,
                    "field '%s' has a type or shape that can't be stored", field[i].name);
            status = ASSAY_E_INVALID;
        }
        ASSAY_TRY(status);
        w->array_bytes[i] = t.bytes;
    }
    ASSAY_TRY(emit_layout_make(&w->layout, w->ctx, field, n));
done:
    mem_free(w->ctx, field);
    return status;
}

static assay_status take_options(assay_writer *w, const assay_writer_options *given) {
    assay_status status = ASSAY_OK;
    assay_writer_options *o = &w->o;
    *o = (assay_writer_options)ASSAY_WRITER_OPTIONS_INIT;
    ASSAY_TRY(options_take(o, sizeof *o, given, "assay_writer_options"));
    if (o->page_size == 0)
        o->page_size = usual_page;
    if ((o->page_size & (o->page_size - 1)) != 0 || o->page_size < least_page ||
        o->page_size > UINT32_MAX)
        return bad("8 MiB is usual", "a page is a power of two from 2 MiB to 2 GiB");
    if (o->train_rows > w->samples)
        return bad(NULL, "more training rows than samples");
    w->encode = (encode_options){.quality = o->quality,
                                 .max_resolution = o->max_resolution,
                                 .smart_threshold = o->smart_threshold,
                                 .proportion = o->proportion,
                                 .seed = o->seed};
    ASSAY_TRY(encode_options_make(&w->encode, o->mode));
    size_t n = o->n_classes;
    o->n_classes = 0;
    if (n > IMPORT_MAX_CLASSES)
        return bad(NULL, "more than 2^20 classes");
    ASSAY_TRY(mem_new(w->ctx, &w->class_name, n + 1, sizeof *w->class_name));
    for (; o->n_classes < n; o->n_classes++)
        ASSAY_TRY(
            mem_strdup(w->ctx, &w->class_name[o->n_classes], o->classes[o->n_classes]));
done:
    return status;
}

static assay_status make_block(assay_writer *w) {
    assay_status status = ASSAY_OK;
    int workers = assay_ctx_threads(w->ctx);
    size_t rows = (size_t)workers * ROWS_PER_THREAD, fields = (size_t)w->layout.fields;
    ASSAY_TRY(mem_new(w->ctx, &w->value, rows * fields, sizeof *w->value));
    ASSAY_TRY(mem_new(w->ctx, &w->image, rows, sizeof *w->image));
    ASSAY_TRY(mem_new(w->ctx, &w->row, rows, sizeof *w->row));
    for (; w->made < rows; w->made++)
        ASSAY_TRY(emit_row_make(&w->row[w->made], w->ctx, &w->layout));
    ASSAY_TRY(mem_new(w->ctx, &w->scratch, (size_t)workers, sizeof *w->scratch));
    for (; w->workers < workers; w->workers++)
        w->scratch[w->workers] = encode_scratch_make(w->ctx);
    w->rows = rows;
done:
    return status;
}

assay_status assay_writer_create(assay_writer **out,
                                 assay_ctx *ctx,
                                 const char *path,
                                 const assay_field *fields,
                                 int n_fields,
                                 uint64_t samples,
                                 const assay_writer_options *options) {
    assay_status status = ASSAY_OK;
    assay_writer *w = NULL;
    *out = NULL;
    if (ctx == NULL || path == NULL)
        return bad(NULL, "a writer needs a context and a path");
    ASSAY_TRY(mem_new(ctx, &w, 1, sizeof *w));
    w->ctx = ctx;
    w->samples = samples;
    w->gray = true;
    w->kept = buf_make(ctx);
    w->orientation = buf_make(ctx);
    ASSAY_TRY(mem_strdup(ctx, &w->path, path));
    ASSAY_TRY(take_options(w, options));
    ASSAY_TRY(take_fields(w, fields, n_fields));
    ASSAY_TRY(pack_check_output(path, w->o.force != 0));
    ASSAY_TRY(make_block(w));
    ASSAY_TRY(emit_begin(&w->emit, ctx, path, &w->layout, samples, w->o.page_size));
    *out = w;
    w = NULL;
done:
    assay_writer_destroy(w);
    return status;
}

void assay_writer_destroy(assay_writer *w) {
    if (w == NULL)
        return;
    emit_end(&w->emit);
    for (size_t i = 0; i < w->made; i++)
        emit_row_free(&w->row[i]);
    for (int i = 0; i < w->workers; i++)
        encode_scratch_free(&w->scratch[i]);
    for (size_t i = 0; w->class_name != NULL && i < w->o.n_classes; i++)
        mem_free(w->ctx, w->class_name[i]);
    mem_free(w->ctx, w->class_name);
    mem_free(w->ctx, w->row);
    mem_free(w->ctx, w->scratch);
    mem_free(w->ctx, w->image);
    mem_free(w->ctx, w->value);
    mem_free(w->ctx, w->array_bytes);
    mem_free(w->ctx, w->path);
    buf_free(&w->kept);
    buf_free(&w->orientation);
    emit_layout_free(&w->layout, w->ctx);
    mem_free(w->ctx, w);
}

/* ---- encoding ---- */

/* Alpha over white, rounded: grey and alpha become grey, RGB and alpha RGB. */
static size_t lay_over_white(uint8_t *p, size_t pixels, int channels) {
    int colours = channels - 1;
    uint8_t *to = p;
    for (size_t i = 0; i < pixels; i++, p += channels) {
        uint32_t a = p[colours];
        for (int c = 0; c < colours; c++)
            *to++ = (uint8_t)((p[c] * a + WHITE * (255 - a) + 127) / 255);
    }
    return pixels * (size_t)colours;
}

static assay_status encode_picture(
    assay_writer *w, size_t at, int field, const kept_value *k, encode_scratch *s) {
    assay_status status = ASSAY_OK;
    emit_row *r = &w->row[at];
    encoded_image coded;
    uint8_t *data = (uint8_t *)w->kept.data + k->at;
    import_image in = {.ctx = w->ctx,
                       .raw = k->v.width != 0,
                       .width = k->v.width,
                       .height = k->v.height,
                       .channels = k->v.channels,
                       .data = data,
                       .bytes = k->v.bytes};
    if (in.raw && in.channels % 2 == 0) {
        in.bytes =
            lay_over_white(data, (size_t)in.width * (size_t)in.height, in.channels);
        in.channels--;
    }
    ASSAY_TRY(encode_image(&coded, &r->own, &in, &w->encode, w->written + at, s));
    encode_image_cell(emit_row_cell(r, field), &coded);
    emit_row_own(r);
    w->image[at].gray = w->image[at].gray && coded.gray;
    if (w->image[at].orientation == 1)
        w->image[at].orientation = coded.orientation;
done:
    return status;
}

static assay_status check_json(assay_ctx *ctx, const char *text, size_t bytes) {
    json_doc *doc = NULL;
    assay_status status = json_parse(&doc, ctx, text, bytes);
    json_doc_destroy(doc);
    return status;
}

static assay_status
encode_value(assay_writer *w, size_t at, int field, encode_scratch *s) {
    assay_status status = ASSAY_OK;
    const kept_value *k = &w->value[at * (size_t)w->layout.fields + (size_t)field];
    const beton_field *f = &w->layout.field[field];
    emit_row *r = &w->row[at];
    const char *data = w->kept.data + k->at;
    uint8_t *cell = emit_row_cell(r, field);
    switch (f->type) {
    case BETON_INT:
        le64_put(cell, (uint64_t)k->v.integer);
        return ASSAY_OK;
    case BETON_FLOAT:
        le_f64_put(cell, k->v.number);
        return ASSAY_OK;
    case BETON_IMAGE:
        return encode_picture(w, at, field, k, s);
    case BETON_CUSTOM:
        memcpy(cell, w->kept.data + k->cell_at, f->cell_bytes);
        if (!f->has_payload)
            return ASSAY_OK;
        break;
    case BETON_JSON:
        ASSAY_TRY(check_json(w->ctx, data, k->v.bytes));
        break;
    case BETON_BYTES:
    case BETON_NDARRAY:
    case BETON_TENSOR:
        break;
    }
    buf_add(&r->own, data, k->v.bytes);
    if (f->type == BETON_JSON)
        buf_add(&r->own, "", 1);
    emit_row_own(r);
done:
    return status;
}

static assay_status encode_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    assay_writer *w = arg;
    for (size_t i = begin; i < end; i++) {
        emit_row_clear(&w->row[i]);
        w->image[i] = (encoded_image){.gray = true, .orientation = 1};
        for (int k = 0; k < w->layout.fields; k++)
            ASSAY_TRY_AT(encode_value(w, i, k, &w->scratch[worker]),
                         "%s: sample %llu, field '%s'", w->path,
                         (unsigned long long)(w->written + i), w->layout.field[k].name);
        ASSAY_TRY(emit_row_seal(&w->row[i]));
    }
done:
    return status;
}

static assay_status flush_block(assay_writer *w) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(buf_check(&w->kept));
    ASSAY_TRY(assay_parallel_for(w->ctx, w->used, 1, encode_rows, w));
    for (size_t i = 0; i < w->used; i++) {
        ASSAY_TRY_AT(emit_add(&w->emit, &w->row[i]), "%s", w->path);
        w->gray = w->gray && w->image[i].gray;
        if (w->image[i].orientation != 1)
            buf_fmt(&w->orientation, "%s[%llu,%d]", w->orientation.len > 0 ? "," : "",
                    (unsigned long long)(w->written + i), w->image[i].orientation);
    }
    w->written += w->used;
    w->used = 0;
    buf_clear(&w->kept);
done:
    return status;
}

/* ---- add ---- */

static assay_status wrong_value(const assay_writer *w, int field, const char *what) {
    err_set(ASSAY_E_SHAPE, "%s", what);
    err_where("%s: sample %llu, field '%s'", w->path, (unsigned long long)w->added,
              w->layout.field[field].name);
    return ASSAY_E_SHAPE;
}

static assay_status check_value(const assay_writer *w, int field, const assay_value *v) {
    const beton_field *f = &w->layout.field[field];
    if (f->type == BETON_CUSTOM && v->cell == NULL)
        return wrong_value(w, field, "a custom field's value has no cell");
    if (f->has_payload && v->bytes > 0 && v->data == NULL)
        return wrong_value(w, field, "the value has a size and no data");
    if (w->array_bytes[field] != 0 && v->bytes != w->array_bytes[field])
        return wrong_value(w, field, "the array's bytes are not those of its shape");
    if (f->type != BETON_IMAGE || v->width == 0)
        return ASSAY_OK;
    if (v->width < 1 || v->height < 1 || v->width > 65535 || v->height > 65535 ||
        v->channels < 1 || v->channels > 4)
        return wrong_value(w, field,
                           "an image has sides of 1 to 65535 and 1 to 4 channels");
    if (v->bytes != (uint64_t)v->width * (uint64_t)v->height * (uint64_t)v->channels)
        return wrong_value(w, field, "the image's bytes are not those of its size");
    return ASSAY_OK;
}

static assay_status add(assay_writer *w, const assay_value *values) {
    assay_status status = ASSAY_OK;
    size_t fields = (size_t)w->layout.fields;
    if (w->failed)
        return bad("destroy it", "the writer failed before");
    if (w->added == w->samples)
        return bad(NULL, "more samples than the file was begun for");
    for (size_t k = 0; k < fields; k++) {
        const beton_field *f = &w->layout.field[k];
        const assay_value *v = &values[k];
        ASSAY_TRY(check_value(w, (int)k, v));
        kept_value *kept = &w->value[w->used * fields + k];
        *kept = (kept_value){.v = *v, .at = w->kept.len};
        if (f->has_payload && v->bytes > 0)
            buf_add(&w->kept, v->data, v->bytes);
        kept->cell_at = w->kept.len;
        if (f->type == BETON_CUSTOM)
            buf_add(&w->kept, v->cell, f->cell_bytes);
    }
    buf_add(&w->kept, "", 0);
    ASSAY_TRY(buf_check(&w->kept));
    w->added++;
    if (++w->used == w->rows || w->kept.len >= BLOCK_BYTES)
        ASSAY_TRY(flush_block(w));
done:
    return status;
}

assay_status assay_writer_add(assay_writer *w, const assay_value *values) {
    assay_status status = add(w, values);
    w->failed = w->failed || status != ASSAY_OK;
    return status;
}

/* ---- commit ---- */

static assay_status write_info(const assay_writer *w, buf *out) {
    assay_status status = ASSAY_OK;
    json_out j = json_out_make(out, 0);
    json_obj(&j);
    json_kstr(&j, "assay", assay_version());
    json_kstr(&j, "importer", "writer");
    json_kstr(&j, "mode", encode_mode_name(w->encode.mode));
    json_kint(&j, "quality", w->encode.quality);
    json_kint(&j, "max_resolution", w->encode.max_resolution);
    if (w->images)
        json_kint(&j, "channels", w->gray ? 1 : 3);
    json_obj_end(&j);
    ASSAY_TRY(buf_check(out));
    ASSAY_TRY(buf_check(&w->orientation));
    out->len--;
    buf_fmt(out, ",\"orientation\":[%s]}",
            w->orientation.len > 0 ? w->orientation.data : "");
done:
    return status;
}

static assay_status commit(assay_writer *w, char sha256[65]) {
    assay_status status = ASSAY_OK;
    uint8_t sha[32];
    buf info = buf_make(w->ctx);
    data_split split[2] = {{.name = "train", .end = w->o.train_rows},
                           {.name = "test", .begin = w->o.train_rows, .end = w->samples}};
    if (w->failed)
        return bad("destroy it", "the writer failed before");
    if (w->added != w->samples) {
        err_set(ASSAY_E_INVALID, "%llu samples were added, the file was begun for %llu",
                (unsigned long long)w->added, (unsigned long long)w->samples);
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(flush_block(w));
    ASSAY_TRY(write_info(w, &info));
    ASSAY_TRY(emit_commit(&w->emit,
                          &(emit_names){.class_name = (const char *const *)w->class_name,
                                        .classes = w->o.n_classes,
                                        .split = split,
                                        .splits = w->o.train_rows > 0 ? 2 : 0,
                                        .info = &info},
                          sha));
    if (sha256 != NULL)
        hash_hex(sha256, sha);
done:
    buf_free(&info);
    return status;
}

assay_status assay_writer_commit(assay_writer *w, char sha256[65]) {
    assay_status status = commit(w, sha256);
    w->failed = true; /* once */
    return status;
}
