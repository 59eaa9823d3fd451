/* Writing a .beton: samples come in order and fill one page after the other, so that the
 * bytes depend on the samples alone. Checksums are taken as the bytes pass. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/le.h"
#include "file/atomic.h"
#include "file/beton_inside.h"

#include <inttypes.h>

enum {
    ROWS_AT_ONCE_BYTES = 1 << 18,
    ENTRIES_AT_ONCE = 1 << 14,
    MOST_CELL_BYTES = 1 << 17
};

typedef struct writer_tag {
    uint32_t tag;
    uint8_t *value;
    size_t bytes;
} writer_tag;

struct beton_writer {
    assay_ctx *ctx;
    atomic_file file;
    bool open;
    beton_field *field;
    int n_fields, allocating;
    uint32_t page_size, stride;
    uint64_t samples, added, metadata, metadata_end, pages_begin;

    uint8_t *rows; /* waiting to be written */
    size_t rows_used, rows_cap;
    uint64_t rows_written;
    uint32_t metadata_sum;

    uint8_t *page; /* the one being filled; NULL before the first payload */
    size_t page_used;
    uint64_t pages; /* written */
    buf page_sums,
        sizes; /* u32 of each payload: the allocation table follows from them */

    writer_tag *tag;
    size_t n_tags, tags_cap;
};

/* ---- create ---- */

static assay_status check_options(const beton_writer_options *o) {
    uint32_t bytes, align;
    if (o->page_size < BETON_MIN_PAGE || (o->page_size & (o->page_size - 1)) != 0)
        return err_set(ASSAY_E_INVALID,
                       "the page size %" PRIu32 " is not a power of two of at least %d",
                       o->page_size, (int)BETON_MIN_PAGE);
    if (o->n_fields < 1 || o->n_fields > BETON_MAX_FIELDS)
        return err_set(ASSAY_E_INVALID, "%d fields; from 1 to %d are possible",
                       o->n_fields, (int)BETON_MAX_FIELDS);
    if (o->samples > (uint64_t)INT64_MAX / (MOST_CELL_BYTES * BETON_MAX_FIELDS))
        return err_set(ASSAY_E_INVALID, "%" PRIu64 " samples are too many", o->samples);
    for (int i = 0; i < o->n_fields; i++) {
        const beton_field *f = &o->fields[i];
        if (f->type == BETON_CUSTOM
                ? !beton_custom_is_sound(f->cell_bytes, f->cell_align, f->has_payload,
                                         f->ptr_offset)
                : !beton_cell_layout(f->type, &bytes, &align))
            return err_set(ASSAY_E_INVALID, "field %d has no type that is written", i);
        if (f->name[BETON_NAME_BYTES] != '\0' || f->name[0] == '\0')
            return err_set(ASSAY_E_INVALID, "field %d has no name of 1 to 16 characters",
                           i);
        for (const char *c = f->name; *c; c++)
            if (*c < 0x20 || *c > 0x7E)
                return err_set(ASSAY_E_INVALID,
                               "the name of field %d is not printable ASCII", i);
        for (int k = 0; k < i; k++)
            if (strcmp(o->fields[k].name, f->name) == 0)
                return err_set(ASSAY_E_INVALID, "two fields are called '%s'", f->name);
    }
    return ASSAY_OK;
}

assay_status beton_writer_create(beton_writer **out,
                                 assay_ctx *ctx,
                                 const char *path,
                                 const beton_writer_options *options) {
    assay_status status = ASSAY_OK;
    beton_writer *w = NULL;
    *out = NULL;
    ASSAY_TRY_AT(check_options(options), "%s", path);
    ASSAY_TRY(mem_new(ctx, &w, 1, sizeof *w));
    w->ctx = ctx;
    w->page_sums = buf_make(ctx);
    w->sizes = buf_make(ctx);
    w->page_size = options->page_size;
    w->samples = options->samples;
    w->n_fields = options->n_fields;
    ASSAY_TRY(mem_new(ctx, &w->field, (size_t)w->n_fields, sizeof *w->field));
    memcpy(w->field, options->fields, (size_t)w->n_fields * sizeof *w->field);
    w->stride = beton_lay_out(w->field, w->n_fields);
    for (int i = 0; i < w->n_fields; i++)
        w->allocating += w->field[i].has_payload;
    w->metadata =
        BETON_HEADER_BYTES + (uint64_t)BETON_DESCRIPTOR_BYTES * (uint64_t)w->n_fields;
    w->metadata_end = w->metadata + w->samples * w->stride;
    w->pages_begin =
        (w->metadata_end + w->page_size - 1) / w->page_size * (uint64_t)w->page_size;
    w->rows_cap = w->stride > ROWS_AT_ONCE_BYTES
                      ? w->stride
                      : ROWS_AT_ONCE_BYTES / w->stride * w->stride;
    ASSAY_TRY(mem_new(ctx, &w->rows, w->rows_cap, 1));
    ASSAY_TRY(atomic_open(&w->file, ctx, path));
    w->open = true;
    *out = w;
    w = NULL;
done:
    beton_writer_destroy(w);
    return status;
}

void beton_writer_destroy(beton_writer *w) {
    if (!w)
        return;
    if (w->open)
        atomic_abandon(&w->file);
    for (size_t i = 0; i < w->n_tags; i++)
        mem_free(w->ctx, w->tag[i].value);
    mem_free(w->ctx, w->tag);
    mem_free(w->ctx, w->page);
    mem_free(w->ctx, w->rows);
    mem_free(w->ctx, w->field);
    buf_free(&w->page_sums);
    buf_free(&w->sizes);
    mem_free(w->ctx, w);
}

uint32_t beton_writer_stride(const beton_writer *w) {
    return w->stride;
}

uint64_t beton_writer_samples(const beton_writer *w) {
    return w->samples;
}

const beton_field *beton_writer_field(const beton_writer *w, int i) {
    return &w->field[i];
}

/* ---- samples ---- */

static assay_status flush_rows(beton_writer *w) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(
        atomic_write_at(&w->file, w->metadata + w->rows_written, w->rows, w->rows_used));
    w->metadata_sum = hash_crc32c(w->metadata_sum, w->rows, w->rows_used);
    w->rows_written += w->rows_used;
    w->rows_used = 0;
done:
    return status;
}

static assay_status flush_page(beton_writer *w) {
    assay_status status = ASSAY_OK;
    uint8_t sum[4];
    memset(w->page + w->page_used, 0, w->page_size - w->page_used);
    ASSAY_TRY(atomic_write_at(&w->file, w->pages_begin + w->pages * w->page_size, w->page,
                              w->page_size));
    le32_put(sum, hash_crc32c(0, w->page, w->page_size));
    buf_add(&w->page_sums, sum, sizeof sum);
    w->pages++;
    w->page_used = 0;
    status = buf_check(&w->page_sums);
done:
    return status;
}

/* All payloads of a sample lie in one page: makes room for `bytes`. */
static assay_status make_room(beton_writer *w, uint64_t bytes) {
    assay_status status = ASSAY_OK;
    if (bytes > w->page_size) {
        uint64_t enough = w->page_size;
        while (enough < bytes)
            enough *= 2;
        err_set(ASSAY_E_SHAPE, "the sample has %" PRIu64 " bytes; a page holds %" PRIu32,
                bytes, w->page_size);
        if (enough <= UINT32_MAX)
            err_help("use --page-size %" PRIu64 ", or --max-resolution", enough);
        else
            err_help("use --max-resolution");
        return ASSAY_E_SHAPE;
    }
    if (!w->page)
        ASSAY_TRY(mem_new(w->ctx, &w->page, w->page_size, 1));
    else if (bytes > w->page_size - w->page_used)
        ASSAY_TRY(flush_page(w));
done:
    return status;
}

/* The payloads must be those of the allocating fields, in field order. */
static assay_status
check_payloads(const beton_writer *w, const beton_payload_in *payloads, int n) {
    int next = 0;
    if (n != w->allocating)
        return err_set(ASSAY_E_INTERNAL, "%d payloads, wanted %d", n, w->allocating);
    for (int i = 0; i < w->n_fields; i++) {
        const beton_field *f = &w->field[i];
        if (!f->has_payload)
            continue;
        const beton_payload_in *p = &payloads[next++];
        if (p->field != i || p->ptr_offset != f->cell_offset + f->ptr_offset)
            return err_set(ASSAY_E_INTERNAL, "payload %d is not field %d's", next - 1, i);
    }
    return ASSAY_OK;
}

assay_status beton_writer_add(beton_writer *w,
                              const uint8_t *row,
                              const beton_payload_in *payloads,
                              int n) {
    assay_status status = ASSAY_OK;
    uint64_t bytes = 0;
    if (w->added == w->samples)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "more than the %" PRIu64 " samples told",
                   w->samples);
    ASSAY_TRY(check_payloads(w, payloads, n));
    for (int i = 0; i < n && bytes <= UINT32_MAX; i++)
        bytes =
            payloads[i].bytes > UINT32_MAX ? UINT64_MAX / 4 : bytes + payloads[i].bytes;
    if (n > 0)
        ASSAY_TRY(make_room(w, bytes));
    if (w->rows_used == w->rows_cap)
        ASSAY_TRY(flush_rows(w));
    uint8_t *own = w->rows + w->rows_used;
    memcpy(own, row, w->stride);
    for (int i = 0; i < n; i++) {
        const beton_payload_in *p = &payloads[i];
        uint64_t ptr = w->pages_begin + w->pages * w->page_size + w->page_used;
        uint8_t size[4];
        if (p->bytes > 0)
            memcpy(w->page + w->page_used, p->data, (size_t)p->bytes);
        w->page_used += (size_t)p->bytes;
        le64_put(own + p->ptr_offset, ptr);
        le32_put(size, (uint32_t)p->bytes);
        buf_add(&w->sizes, size, sizeof size);
    }
    ASSAY_TRY(buf_check(&w->sizes));
    w->rows_used += w->stride;
    w->added++;
done:
    if (status != ASSAY_OK)
        err_where("sample %" PRIu64, w->added);
    return status;
}

assay_status
beton_writer_tag(beton_writer *w, uint32_t tag, const void *data, size_t bytes) {
    assay_status status = ASSAY_OK;
    uint8_t *copy = NULL;
    for (size_t i = 0; i < w->n_tags; i++)
        if (w->tag[i].tag == tag)
            ASSAY_FAIL(ASSAY_E_INTERNAL, "the tag %08" PRIx32 " is given twice", tag);
    if (tag == BETON_TAG_CHECKSUMS)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "checksums are the writer's own");
    ASSAY_TRY(mem_grow(w->ctx, &w->tag, w->n_tags, &w->tags_cap, w->n_tags + 1,
                       sizeof *w->tag));
    ASSAY_TRY(mem_new(w->ctx, &copy, bytes + 1, 1));
    if (bytes > 0)
        memcpy(copy, data, bytes);
    w->tag[w->n_tags++] = (writer_tag){tag, copy, bytes};
done:
    return status;
}

/* ---- the end ---- */

static void put_descriptor(uint8_t *out, const beton_field *f) {
    out[0] = (uint8_t)f->type;
    memcpy(out + 1, f->name, strlen(f->name));
    memcpy(out + 1 + BETON_NAME_BYTES, f->args, BETON_ARGS_BYTES);
}

/* Header and descriptors. */
static assay_status make_head(beton_writer *w, uint64_t table, uint8_t **out) {
    assay_status status = mem_new(w->ctx, out, (size_t)w->metadata, 1);
    if (status != ASSAY_OK)
        return status;
    uint8_t *p = *out;
    le16_put(p, BETON_VERSION);
    le16_put(p + 2, (uint16_t)w->n_fields);
    le32_put(p + 4, w->page_size);
    le64_put(p + 8, w->samples);
    le64_put(p + 16, table);
    for (int i = 0; i < w->n_fields; i++)
        put_descriptor(p + BETON_HEADER_BYTES + (size_t)i * BETON_DESCRIPTOR_BYTES,
                       &w->field[i]);
    return ASSAY_OK;
}

/* The zeros between the last row and `end` belong to the metadata's checksum. */
static uint32_t sum_zeros(uint32_t sum, uint64_t bytes) {
    static const uint8_t zeros[4096];
    while (bytes > 0) {
        size_t n = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        sum = hash_crc32c(sum, zeros, n);
        bytes -= n;
    }
    return sum;
}

static assay_status write_record(
    beton_writer *w, uint64_t *at, uint32_t tag, const void *value, size_t bytes) {
    assay_status status = ASSAY_OK;
    uint8_t head[SECTION_RECORD_BYTES];
    section_put_record(head, tag, value, bytes);
    ASSAY_TRY(atomic_write_at(&w->file, *at, head, sizeof head));
    ASSAY_TRY(atomic_write_at(&w->file, *at + sizeof head, value, bytes));
    *at += sizeof head + section_padded(bytes);
done:
    return status;
}

/* The allocation table at `at`: where each payload lies follows from their sizes, as
 * pages were filled. */
static assay_status write_table(beton_writer *w, uint64_t at, uint32_t *sum) {
    assay_status status = ASSAY_OK;
    uint8_t *block = NULL;
    const uint8_t *size = (const uint8_t *)w->sizes.data;
    uint64_t page = w->pages_begin, used = 0, bytes;
    size_t n = 0;
    *sum = 0;
    ASSAY_TRY(mem_new(w->ctx, &block, ENTRIES_AT_ONCE, BETON_ENTRY_BYTES));
    for (uint64_t s = 0; w->allocating > 0 && s < w->samples; s++) {
        uint64_t all = 0;
        for (int i = 0; i < w->allocating; i++)
            all += le32_get(size + 4 * i);
        if (all > w->page_size - used) {
            page += w->page_size;
            used = 0;
        }
        for (int i = 0; i < w->allocating; i++, size += 4, used += bytes) {
            bytes = le32_get(size);
            le64_put(block + n, s);
            le64_put(block + n + 8, page + used);
            le64_put(block + n + 16, bytes);
            n += BETON_ENTRY_BYTES;
            if (n < (size_t)ENTRIES_AT_ONCE * BETON_ENTRY_BYTES)
                continue;
            ASSAY_TRY(atomic_write_at(&w->file, at, block, n));
            *sum = hash_crc32c(*sum, block, n);
            at += n;
            n = 0;
        }
    }
    ASSAY_TRY(atomic_write_at(&w->file, at, block, n));
    *sum = hash_crc32c(*sum, block, n);
done:
    mem_free(w->ctx, block);
    return status;
}

/* What a reader must know of custom fields: u32 field, cell bytes, alignment, offset of
 * the pointer + 1. */
static assay_status add_custom_tag(beton_writer *w) {
    buf b = buf_make(w->ctx);
    for (int i = 0; i < w->n_fields; i++) {
        const beton_field *f = &w->field[i];
        uint8_t p[BETON_CUSTOM_BYTES];
        if (f->type != BETON_CUSTOM)
            continue;
        le32_put(p, (uint32_t)i);
        le32_put(p + 4, f->cell_bytes);
        le32_put(p + 8, f->cell_align);
        le32_put(p + 12, f->has_payload ? f->ptr_offset + 1 : 0);
        buf_add(&b, p, sizeof p);
    }
    assay_status status = buf_check(&b);
    if (status == ASSAY_OK && b.len > 0)
        status = beton_writer_tag(w, BETON_TAG_CUSTOM, b.data, b.len);
    buf_free(&b);
    return status;
}

static assay_status write_end(beton_writer *w) {
    assay_status status = ASSAY_OK;
    uint8_t *head = NULL, *sums = NULL, trailer[SECTION_TRAILER_BYTES];
    size_t sums_bytes = SECTION_SUMS_BYTES + w->page_sums.len;

    /* The section takes whole pages behind the data's; without any it needs no page
     * either. */
    uint64_t begin = w->pages > 0 ? w->pages_begin + w->pages * w->page_size
                                  : section_padded(w->metadata_end);
    uint64_t record_bytes = SECTION_RECORD_BYTES + section_padded(sums_bytes);
    for (size_t i = 0; i < w->n_tags; i++)
        record_bytes += SECTION_RECORD_BYTES + section_padded(w->tag[i].bytes);
    uint64_t section_bytes = record_bytes + SECTION_TRAILER_BYTES;
    if (w->pages > 0)
        section_bytes = (section_bytes + w->page_size - 1) / w->page_size * w->page_size;
    uint64_t table = begin + section_bytes;
    uint64_t table_bytes = w->sizes.len / 4 * BETON_ENTRY_BYTES;
    uint32_t table_sum;
    ASSAY_TRY(write_table(w, table, &table_sum));

    uint64_t pages_begin = w->pages > 0 ? w->pages_begin : begin;
    ASSAY_TRY(make_head(w, table, &head));
    section_sums s = {
        .page_size = w->page_size,
        .pages = w->pages,
        .pages_begin = pages_begin,
        .head = hash_crc32c(0, head, (size_t)w->metadata),
        .metadata = sum_zeros(w->metadata_sum, pages_begin - w->metadata_end),
        .table = table_sum,
    };
    ASSAY_TRY(mem_new(w->ctx, &sums, sums_bytes, 1));
    section_put_sums(sums, &s);
    if (w->page_sums.len > 0)
        memcpy(sums + SECTION_SUMS_BYTES, w->page_sums.data, w->page_sums.len);

    uint64_t at = begin;
    ASSAY_TRY(write_record(w, &at, BETON_TAG_CHECKSUMS, sums, sums_bytes));
    for (size_t i = 0; i < w->n_tags; i++)
        ASSAY_TRY(write_record(w, &at, w->tag[i].tag, w->tag[i].value, w->tag[i].bytes));
    section_put_trailer(trailer, (uint32_t)w->n_tags + 1, begin, record_bytes,
                        table + table_bytes);
    ASSAY_TRY(atomic_write_at(&w->file, table - sizeof trailer, trailer, sizeof trailer));
    ASSAY_TRY(atomic_write_at(&w->file, 0, head, (size_t)w->metadata));
done:
    mem_free(w->ctx, head);
    mem_free(w->ctx, sums);
    return status;
}

assay_status beton_writer_commit(beton_writer *w) {
    assay_status status = ASSAY_OK;
    if (!w->open || w->added != w->samples)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "%" PRIu64 " samples were added, %" PRIu64 " told",
                   w->added, w->samples);
    ASSAY_TRY(flush_rows(w));
    if (w->page)
        ASSAY_TRY(flush_page(w));
    ASSAY_TRY(add_custom_tag(w));
    ASSAY_TRY(write_end(w));
    w->open = false;
    ASSAY_TRY(atomic_commit(&w->file));
done:
    return status;
}
