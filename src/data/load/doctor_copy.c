/* A sample of a file's rows, stored in another way: what a remedy would have to pack. */
#include "data/load/doctor.h"

#include "base/pool.h"

typedef struct copier {
    doctor *d;
    const encode_options *o;
    emit_layout layout;
    emit_row *row; /* [rows of the sample] */
    encode_scratch *scratch;
    int workers;
} copier;

static assay_status copy_cell(copier *c, emit_row *r, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    const beton_field *f = &c->layout.field[field];
    const uint8_t *cell = beton_cell(c->d->file, sample, field), *data;
    uint64_t bytes;
    memcpy(emit_row_cell(r, field), cell, f->cell_bytes);
    if (!beton_allocates(f->type))
        return ASSAY_OK;
    if (f->type == BETON_IMAGE) {
        image_cell stored = image_cell_get(cell);
        ASSAY_TRY(image_cell_payload(c->d->file, sample, field, &stored, &data, &bytes));
    } else {
        ASSAY_TRY(beton_payload(c->d->file, sample, field,
                                le64_get(cell + beton_ptr_offset(f->type)), 0, &data,
                                &bytes));
    }
    emit_row_borrow(r, data, bytes);
done:
    return status;
}

static assay_status
copy_image(copier *c, emit_row *r, uint64_t sample, encode_scratch *s) {
    assay_status status = ASSAY_OK;
    int field = c->d->image;
    const uint8_t *data;
    uint64_t bytes;
    encoded_image coded;
    image_cell cell = image_cell_get(beton_cell(c->d->file, sample, field));
    ASSAY_TRY(image_cell_payload(c->d->file, sample, field, &cell, &data, &bytes));
    import_image in = {.ctx = c->d->ctx,
                       .raw = cell.mode == CELL_RAW,
                       .width = cell.width,
                       .height = cell.height,
                       .channels = 3,
                       .data = data,
                       .bytes = (size_t)bytes};
    ASSAY_TRY(encode_image(&coded, &r->own, &in, c->o, sample, s));
    encode_image_cell(emit_row_cell(r, field), &coded);
    emit_row_own(r);
done:
    return status;
}

static assay_status copy_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    copier *c = arg;
    for (size_t i = begin; i < end; i++) {
        emit_row *r = &c->row[i];
        uint64_t sample = c->d->row[i];
        for (int field = 0; field < c->layout.fields; field++)
            ASSAY_TRY_AT(field == c->d->image
                             ? copy_image(c, r, sample, &c->scratch[worker])
                             : copy_cell(c, r, sample, field),
                         "%s: sample %llu", c->d->path, (unsigned long long)sample);
        ASSAY_TRY(emit_row_seal(r));
        ASSAY_TRY(emit_row_index(r, &c->scratch[worker].decoder, 8));
    }
done:
    return status;
}

static assay_status start(copier *c) {
    assay_status status = ASSAY_OK;
    doctor *d = c->d;
    beton_field *field = NULL;
    int n = beton_fields(d->file), workers = assay_ctx_threads(d->ctx);
    ASSAY_TRY(mem_new(d->ctx, &field, (size_t)n, sizeof *field));
    for (int i = 0; i < n; i++)
        field[i] = *beton_field_at(d->file, i);
    ASSAY_TRY(emit_layout_make(&c->layout, d->ctx, field, n));
    ASSAY_TRY(mem_new(d->ctx, &c->row, d->rows, sizeof *c->row));
    for (size_t i = 0; i < d->rows; i++)
        ASSAY_TRY(emit_row_make(&c->row[i], d->ctx, &c->layout));
    ASSAY_TRY(mem_new(d->ctx, &c->scratch, (size_t)workers, sizeof *c->scratch));
    for (; c->workers < workers; c->workers++)
        c->scratch[c->workers] = encode_scratch_make(d->ctx);
done:
    mem_free(d->ctx, field);
    return status;
}

/* A page that holds the largest row. */
static uint64_t page_for(const copier *c) {
    uint64_t page = 1 << 23;
    for (size_t i = 0; i < c->d->rows; i++)
        while (page < emit_row_bytes(&c->row[i]) && page < UINT64_C(1) << 31)
            page *= 2;
    return page;
}

assay_status doctor_copy(doctor *d, const char *path, const encode_options *o) {
    assay_status status = ASSAY_OK;
    copier c = {.d = d, .o = o};
    emit e = {0};
    uint8_t sha[32];
    ASSAY_TRY(start(&c));
    ASSAY_TRY(assay_parallel_for(d->ctx, d->rows, 1, copy_rows, &c));
    ASSAY_TRY(emit_begin(&e, d->ctx, path, &c.layout, d->rows, page_for(&c)));
    ASSAY_TRY(emit_keep_index(&e, 8));
    for (size_t i = 0; i < d->rows; i++)
        ASSAY_TRY(emit_add(&e, &c.row[i]));
    ASSAY_TRY(emit_commit(&e, &(emit_names){0}, sha));
done:
    emit_end(&e);
    for (int i = 0; i < c.workers; i++)
        encode_scratch_free(&c.scratch[i]);
    for (size_t i = 0; c.row != NULL && i < d->rows; i++)
        emit_row_free(&c.row[i]);
    mem_free(d->ctx, c.scratch);
    mem_free(d->ctx, c.row);
    emit_layout_free(&c.layout, d->ctx);
    return status;
}
