/* Rows into a file, with identity and section. */
#include "data/pack/emit.h"

#include "base/json.h"
#include "base/le.h"

#include <assert.h>
#include <string.h>

/* ---- layout ---- */

assay_status
emit_layout_make(emit_layout *out, assay_ctx *ctx, const beton_field *fields, int n) {
    assay_status status = ASSAY_OK;
    *out = (emit_layout){0};
    ASSAY_TRY(mem_new(ctx, &out->field, (size_t)n, sizeof *out->field));
    memcpy(out->field, fields, (size_t)n * sizeof *out->field);
    out->fields = n;
    out->stride = beton_lay_out(out->field, n);
    for (int i = 0; i < n; i++)
        out->payloads += out->field[i].has_payload;
done:
    return status;
}

void emit_layout_free(emit_layout *l, assay_ctx *ctx) {
    mem_free(ctx, l->field);
    *l = (emit_layout){0};
}

/* ---- a row ---- */

assay_status emit_row_make(emit_row *r, assay_ctx *ctx, const emit_layout *layout) {
    assay_status status = ASSAY_OK;
    *r = (emit_row){
        .ctx = ctx, .layout = layout, .own = buf_make(ctx), .index = buf_make(ctx)};
    ASSAY_TRY(mem_new(ctx, &r->cells, layout->stride, 1));
    ASSAY_TRY(
        mem_new(ctx, &r->payload, (size_t)layout->payloads + 1, sizeof *r->payload));
done:
    return status;
}

void emit_row_free(emit_row *r) {
    if (r->ctx == NULL)
        return;
    mem_free(r->ctx, r->cells);
    mem_free(r->ctx, r->payload);
    buf_free(&r->own);
    buf_free(&r->index);
    *r = (emit_row){0};
}

void emit_row_clear(emit_row *r) {
    memset(r->cells, 0, r->layout->stride);
    buf_clear(&r->own);
    buf_clear(&r->index);
    r->payloads = 0;
}

uint8_t *emit_row_cell(emit_row *r, int field) {
    return r->cells + r->layout->field[field].cell_offset;
}

void emit_row_own(emit_row *r) {
    assert(r->payloads < r->layout->payloads);
    size_t at = 0;
    for (int i = 0; i < r->payloads; i++)
        if (r->payload[i].data == NULL)
            at = r->payload[i].at + (size_t)r->payload[i].bytes;
    r->payload[r->payloads].data = NULL;
    r->payload[r->payloads].at = at;
    r->payload[r->payloads++].bytes = r->own.len - at;
}

void emit_row_borrow(emit_row *r, const void *data, uint64_t bytes) {
    assert(r->payloads < r->layout->payloads && data != NULL);
    r->payload[r->payloads].data = data;
    r->payload[r->payloads++].bytes = bytes;
}

assay_status emit_row_seal(emit_row *r) {
    assay_status status = ASSAY_OK;
    int next = 0;
    assert(r->payloads == r->layout->payloads);
    ASSAY_TRY(buf_check(&r->own));
    for (int i = 0; i < r->layout->fields; i++) {
        beton_type type = r->layout->field[i].type;
        if (!r->layout->field[i].has_payload)
            continue;
        struct emit_payload *p = &r->payload[next++];
        if (p->data == NULL)
            p->data = r->own.data != NULL ? r->own.data + p->at : "";
        if (type == BETON_BYTES || type == BETON_JSON)
            le64_put(emit_row_cell(r, i) + 8, p->bytes);
        identity_payload(p->digest, p->data, (size_t)p->bytes);
    }
done:
    return status;
}

uint64_t emit_row_bytes(const emit_row *r) {
    uint64_t sum = 0;
    for (int i = 0; i < r->payloads; i++)
        sum += r->payload[i].bytes;
    return sum;
}

/* ---- the file ---- */

assay_status emit_begin(emit *e,
                        assay_ctx *ctx,
                        const char *path,
                        const emit_layout *layout,
                        uint64_t samples,
                        uint64_t page_size) {
    assay_status status = ASSAY_OK;
    const beton_field *field[BETON_MAX_FIELDS];
    *e = (emit){.ctx = ctx, .layout = layout};
    ASSAY_TRY(
        mem_new(ctx, &e->payload, (size_t)layout->payloads + 1, sizeof *e->payload));
    ASSAY_TRY(
        beton_writer_create(&e->writer, ctx, path,
                            &(beton_writer_options){.page_size = (uint32_t)page_size,
                                                    .samples = samples,
                                                    .fields = layout->field,
                                                    .n_fields = layout->fields}));
    for (int i = 0; i < layout->fields; i++)
        field[i] = &layout->field[i];
    identity_begin(&e->id, field, layout->fields, samples);
done:
    if (status != ASSAY_OK)
        emit_end(e);
    return status;
}

assay_status emit_add(emit *e, const emit_row *r) {
    assay_status status = ASSAY_OK;
    int next = 0;
    for (int i = 0; i < e->layout->fields; i++) {
        const beton_field *f = &e->layout->field[i];
        const struct emit_payload *p = NULL;
        if (f->has_payload) {
            p = &r->payload[next];
            e->payload[next++] =
                (beton_payload_in){.field = i,
                                   .data = p->data,
                                   .bytes = p->bytes,
                                   .ptr_offset = f->cell_offset + f->ptr_offset};
        }
        identity_cell(&e->id, f, r->cells + f->cell_offset, p != NULL ? p->digest : NULL);
    }
    ASSAY_TRY(beton_writer_add(e->writer, r->cells, e->payload, next));
    if (e->index != NULL && r->index.len > 0)
        ASSAY_TRY(
            jpeg_index_put(e->index, e->rows,
                           &(jpeg_index){(const uint8_t *)r->index.data, r->index.len}));
    e->rows++;
done:
    return status;
}

void emit_end(emit *e) {
    if (e->ctx == NULL)
        return;
    beton_writer_destroy(e->writer);
    jpeg_index_close(e->index);
    mem_free(e->ctx, e->payload);
    *e = (emit){0};
}

/* ---- our section ---- */

static assay_status put_tag(emit *e, uint32_t tag, buf *b) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(buf_check(b));
    ASSAY_TRY(beton_writer_tag(e->writer, tag, b->data, b->len));
done:
    return status;
}

static assay_status put_classes(emit *e, const emit_names *n) {
    buf b = buf_make(e->ctx);
    json_out j = json_out_make(&b, 0);
    json_arr(&j);
    for (size_t i = 0; i < n->classes; i++)
        json_str(&j, n->class_name[i]);
    json_arr_end(&j);
    assay_status status = put_tag(e, BETON_TAG_CLASSES, &b);
    buf_free(&b);
    return status;
}

static assay_status put_splits(emit *e, const emit_names *n) {
    buf b = buf_make(e->ctx);
    json_out j = json_out_make(&b, 0);
    json_arr(&j);
    for (size_t i = 0; i < n->splits; i++) {
        json_obj(&j);
        json_kstr(&j, "name", n->split[i].name);
        json_kint(&j, "begin", (int64_t)n->split[i].begin);
        json_kint(&j, "end", (int64_t)n->split[i].end);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    assay_status status = put_tag(e, BETON_TAG_SPLITS, &b);
    buf_free(&b);
    return status;
}

/* u64 count, u64 offsets[count + 1], and the ids, each with its NUL. */
static assay_status put_ids(emit *e, const emit_names *n, uint64_t rows) {
    buf b = buf_make(e->ctx);
    uint8_t number[8];
    uint64_t at = 0;
    le64_put(number, rows);
    buf_add(&b, number, 8);
    for (uint64_t i = 0; i <= rows; i++) {
        le64_put(number, at);
        buf_add(&b, number, 8);
        if (i < rows)
            at += strlen(n->id(n->id_arg, i)) + 1;
    }
    for (uint64_t i = 0; i < rows; i++) {
        const char *id = n->id(n->id_arg, i);
        buf_add(&b, id, strlen(id) + 1);
    }
    assay_status status = put_tag(e, BETON_TAG_IDS, &b);
    buf_free(&b);
    return status;
}

static assay_status put_index(emit *e) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(e->ctx);
    if (e->index == NULL || jpeg_index_describe(e->index).indexed == 0)
        return ASSAY_OK;
    ASSAY_TRY(jpeg_index_store(e->index, &b));
    ASSAY_TRY(put_tag(e, BETON_TAG_JPEG_INDEX, &b));
done:
    buf_free(&b);
    return status;
}

assay_status emit_commit(emit *e, const emit_names *n, uint8_t sha256[32]) {
    assay_status status = ASSAY_OK;
    identity_end(&e->id, n->class_name, n->classes, n->split, n->splits, sha256);
    if (n->classes > 0)
        ASSAY_TRY(put_classes(e, n));
    if (n->splits > 0)
        ASSAY_TRY(put_splits(e, n));
    if (n->id != NULL)
        ASSAY_TRY(put_ids(e, n, beton_writer_samples(e->writer)));
    ASSAY_TRY(beton_writer_tag(e->writer, BETON_TAG_IDENTITY, sha256, 32));
    if (n->info != NULL)
        ASSAY_TRY(put_tag(e, BETON_TAG_INFO, n->info));
    ASSAY_TRY(put_index(e));
    ASSAY_TRY(beton_writer_commit(e->writer));
done:
    return status;
}
