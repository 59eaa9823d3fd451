/* Reading a .beton over a map of the file. After opening, lookups check what they follow,
 * take no lock and allocate nothing. */
#include "base/hash.h"
#include "base/le.h"
#include "base/pool.h"
#include "file/beton_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

typedef struct payload_at {
    uint64_t ptr, bytes;
} payload_at;

struct beton_file {
    assay_ctx *ctx;
    char *path;
    os_map map;
    const uint8_t *data;
    uint64_t bytes;

    uint32_t page_size, stride;
    uint64_t samples, metadata, metadata_end, table, entries;
    beton_field *field;
    int n_fields;
    uint64_t per_sample; /* allocating fields */
    payload_at *by_ptr;  /* sorted; NULL when the table is in sample order */
    section section;
};

/* ---- errors: file, offset, field ---- */

#define BAD(offset, what, ...)                                                           \
    do {                                                                                 \
        status = err_set(__VA_ARGS__);                                                   \
        err_where("byte %" PRIu64 " (%s)", (uint64_t)(offset), what);                    \
        goto done;                                                                       \
    } while (0)

/* ---- opening ---- */

static assay_status read_header(beton_file *f) {
    assay_status status = ASSAY_OK;
    const uint8_t *p = f->data;
    if (f->bytes >= 2 && le16_get(p) != BETON_VERSION) {
        status = err_set(ASSAY_E_VERSION,
                         "not a .beton file of version %d (it begins with %u)",
                         (int)BETON_VERSION, le16_get(p));
        err_where("byte 0 (version)");
        goto done;
    }
    if (f->bytes < BETON_HEADER_BYTES)
        BAD(f->bytes, "header", ASSAY_E_FORMAT, "the file is cut off in its header");
    f->n_fields = le16_get(p + 2);
    f->page_size = le32_get(p + 4);
    f->samples = le64_get(p + 8);
    f->table = le64_get(p + 16);
    if (f->n_fields == 0)
        BAD(2, "num_fields", ASSAY_E_FORMAT, "the file has no fields");
    if (f->n_fields > BETON_MAX_FIELDS)
        BAD(2, "num_fields", ASSAY_E_UNSUPPORTED, "%d fields, at most %d are read",
            f->n_fields, (int)BETON_MAX_FIELDS);
    if (f->page_size == 0 || (f->page_size & (f->page_size - 1)) != 0)
        BAD(4, "page_size", ASSAY_E_FORMAT,
            "the page size %" PRIu32 " is no power of two", f->page_size);
    if (f->table == 0) {
        err_set(ASSAY_E_FORMAT,
                "the file is unfinished: its writer did not reach the end");
        err_help("write it again");
        status = ASSAY_E_FORMAT;
        err_where("byte 16 (alloc_table_ptr)");
        goto done;
    }
    f->metadata =
        BETON_HEADER_BYTES + (uint64_t)BETON_DESCRIPTOR_BYTES * (uint64_t)f->n_fields;
    if (f->metadata > f->bytes)
        BAD(f->bytes, "field descriptors", ASSAY_E_FORMAT,
            "the file is cut off in its field descriptors");
done:
    return status;
}

static assay_status read_field(beton_field *field, const uint8_t *p) {
    uint32_t bytes, align;
    memcpy(field->name, p + 1, BETON_NAME_BYTES);
    field->name[BETON_NAME_BYTES] = '\0';
    size_t length = strlen(field->name);
    for (size_t i = 0; i < BETON_NAME_BYTES; i++)
        if (i < length ? field->name[i] < 0x20 || field->name[i] > 0x7E : p[1 + i] != 0)
            return err_set(ASSAY_E_FORMAT, "the field's name is not printable ASCII");
    field->type = (beton_type)p[0];
    if (p[0] == BETON_CUSTOM) {
        assay_status status = err_set(
            ASSAY_E_UNSUPPORTED,
            "'%s' is a custom field; the file does not tell its size", field->name);
        err_help("write the dataset again without that field");
        return status;
    }
    if (p[0] > BETON_TENSOR || !beton_cell_layout(field->type, &bytes, &align))
        return err_set(ASSAY_E_FORMAT, "'%s' has the unknown type %u", field->name, p[0]);
    memcpy(field->args, p + 1 + BETON_NAME_BYTES, BETON_ARGS_BYTES);
    if ((field->type == BETON_NDARRAY || field->type == BETON_TENSOR) &&
        le64_get(field->args + BETON_ARGS_DTYPE) >
            BETON_ARGS_BYTES - BETON_ARGS_DTYPE - 8)
        return err_set(ASSAY_E_FORMAT, "the element type of '%s' is too long",
                       field->name);
    return ASSAY_OK;
}

static assay_status read_fields(beton_file *f) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(f->ctx, &f->field, (size_t)f->n_fields, sizeof *f->field));
    for (int i = 0; i < f->n_fields; i++) {
        uint64_t at = BETON_HEADER_BYTES + (uint64_t)BETON_DESCRIPTOR_BYTES * (uint64_t)i;
        ASSAY_TRY_AT(read_field(&f->field[i], f->data + at),
                     "byte %" PRIu64 " (field %d)", at, i);
        for (int k = 0; k < i; k++)
            if (strcmp(f->field[k].name, f->field[i].name) == 0) {
                status = err_set(ASSAY_E_FORMAT, "two fields are called '%s'",
                                 f->field[i].name);
                err_where("byte %" PRIu64 " (field %d)", at, i);
                err_help("names are cut to 16 characters; make them differ in those");
                goto done;
            }
        f->per_sample += beton_allocates(f->field[i].type);
    }
    f->stride = beton_lay_out(f->field, f->n_fields);
    if (f->samples > (f->bytes - f->metadata) / f->stride)
        BAD(8, "num_samples", ASSAY_E_FORMAT,
            "the metadata of %" PRIu64 " samples does not fit into the file's %" PRIu64
            " bytes",
            f->samples, f->bytes);
    f->metadata_end = f->metadata + f->samples * f->stride;
    if (f->table < f->metadata_end || f->table > f->bytes)
        BAD(16, "alloc_table_ptr", ASSAY_E_FORMAT,
            "the allocation table at %" PRIu64 " lies outside of %" PRIu64 "..%" PRIu64,
            f->table, f->metadata_end, f->bytes);
    if ((f->bytes - f->table) % BETON_ENTRY_BYTES != 0)
        BAD(f->bytes, "allocation table", ASSAY_E_FORMAT,
            "the file is cut off in its allocation table");
    f->entries = (f->bytes - f->table) / BETON_ENTRY_BYTES;
done:
    return status;
}

static int by_ptr(const void *a, const void *b) {
    const payload_at *x = a, *y = b;
    if (x->ptr != y->ptr)
        return x->ptr < y->ptr ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static const uint8_t *entry_at(const beton_file *f, uint64_t i) {
    return f->data + f->table + i * BETON_ENTRY_BYTES;
}

/* Checks every entry; a table in sample order (one writer's, ours always) is its own
 * index, any other is copied and sorted. */
static assay_status read_table(beton_file *f) {
    assay_status status = ASSAY_OK;
    uint64_t end = f->section.present ? f->section.begin : f->table;
    if (f->per_sample > 0 && f->entries / f->per_sample < f->samples)
        BAD(f->table, "allocation table", ASSAY_E_FORMAT,
            "%" PRIu64 " entries are too few for %" PRIu64 " samples", f->entries,
            f->samples);
    bool in_order = f->entries == f->samples * f->per_sample;
    for (uint64_t i = 0; i < f->entries; i++) {
        const uint8_t *e = entry_at(f, i);
        uint64_t sample = le64_get(e), ptr = le64_get(e + 8), bytes = le64_get(e + 16);
        if (sample >= f->samples || ptr < f->metadata_end || ptr > end ||
            bytes > end - ptr)
            BAD(f->table + i * BETON_ENTRY_BYTES, "allocation table", ASSAY_E_FORMAT,
                "entry %" PRIu64 " (sample %" PRIu64 ", %" PRIu64 " bytes at %" PRIu64
                ") lies outside of the data",
                i, sample, bytes, ptr);
        in_order = in_order && sample == i / f->per_sample;
    }
    if (in_order)
        goto done;
    ASSAY_TRY(mem_new(f->ctx, &f->by_ptr, (size_t)f->entries + 1, sizeof *f->by_ptr));
    for (uint64_t i = 0; i < f->entries; i++) {
        const uint8_t *e = entry_at(f, i);
        f->by_ptr[i] = (payload_at){le64_get(e + 8), le64_get(e + 16)};
    }
    qsort(f->by_ptr, (size_t)f->entries, sizeof *f->by_ptr, by_ptr);
done:
    return status;
}

static assay_status read_all(beton_file *f) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(read_header(f));
    ASSAY_TRY(read_fields(f));
    ASSAY_TRY(
        section_read(&f->section, f->ctx, f->data, f->bytes, f->metadata_end, f->table));
    ASSAY_TRY(read_table(f));
done:
    if (status != ASSAY_OK)
        err_where("%s", f->path);
    return status;
}

static assay_status new_file(beton_file **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &f, 1, sizeof *f));
    f->ctx = ctx;
    f->map.fd = -1;
    ASSAY_TRY(mem_strdup(ctx, &f->path, path));
    *out = f;
    f = NULL;
done:
    beton_close(f);
    return status;
}

assay_status beton_open(beton_file **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(new_file(&f, ctx, path));
    ASSAY_TRY(os_map_file(&f->map, path, false));
    f->data = f->map.data;
    f->bytes = f->map.bytes;
    ASSAY_TRY(read_all(f));
    *out = f;
    f = NULL;
done:
    beton_close(f);
    return status;
}

assay_status beton_open_memory(
    beton_file **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(new_file(&f, ctx, name));
    f->data = bytes;
    f->bytes = n;
    ASSAY_TRY(read_all(f));
    *out = f;
    f = NULL;
done:
    beton_close(f);
    return status;
}

void beton_close(beton_file *f) {
    if (!f)
        return;
    section_free(&f->section, f->ctx);
    os_unmap(&f->map);
    mem_free(f->ctx, f->by_ptr);
    mem_free(f->ctx, f->field);
    mem_free(f->ctx, f->path);
    mem_free(f->ctx, f);
}

/* ---- looking inside ---- */

const char *beton_path(const beton_file *f) {
    return f->path;
}
uint64_t beton_samples(const beton_file *f) {
    return f->samples;
}
uint32_t beton_page_size(const beton_file *f) {
    return f->page_size;
}
int beton_fields(const beton_file *f) {
    return f->n_fields;
}
const beton_field *beton_field_at(const beton_file *f, int i) {
    return &f->field[i];
}

int beton_field_find(const beton_file *f, const char *name) {
    for (int i = 0; i < f->n_fields; i++)
        if (strcmp(f->field[i].name, name) == 0)
            return i;
    return -1;
}

const uint8_t *beton_cell(const beton_file *f, uint64_t sample, int field) {
    assert(sample < f->samples && field >= 0 && field < f->n_fields);
    return f->data + f->metadata + sample * f->stride + f->field[field].cell_offset;
}

/* The size of the payload at `ptr`: `want` if an entry has it, else the largest. False:
 * none. */
static bool find_payload(
    const beton_file *f, uint64_t sample, uint64_t ptr, uint64_t want, uint64_t *bytes) {
    bool found = false;
    *bytes = 0;
    if (!f->by_ptr) {
        for (uint64_t i = 0; i < f->per_sample; i++) {
            const uint8_t *e = entry_at(f, sample * f->per_sample + i);
            uint64_t size = le64_get(e + 16);
            if (le64_get(e + 8) != ptr)
                continue;
            found = true;
            if (size > *bytes)
                *bytes = size;
            if (want && size == want)
                break;
        }
        return found;
    }
    uint64_t low = 0, high = f->entries;
    while (low < high) { /* the first entry at ptr or behind */
        uint64_t middle = low + (high - low) / 2;
        if (f->by_ptr[middle].ptr < ptr)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < f->entries && f->by_ptr[low].ptr == ptr; low++) {
        found = true;
        *bytes = f->by_ptr[low].bytes; /* they rise */
        if (want && *bytes == want)
            break;
    }
    return found;
}

assay_status beton_payload(const beton_file *f,
                           uint64_t sample,
                           int field,
                           uint64_t ptr,
                           uint64_t want_bytes,
                           const uint8_t **data,
                           uint64_t *bytes) {
    assay_status status = ASSAY_OK;
    beton_type type = f->field[field].type;
    *data = f->data;
    *bytes = 0;
    if (type == BETON_BYTES || type == BETON_JSON) {
        want_bytes = le64_get(beton_cell(f, sample, field) + 8);
        if (want_bytes == 0)
            return ASSAY_OK; /* its pointer is the next payload's */
    }
    if (!find_payload(f, sample, ptr, want_bytes, bytes))
        ASSAY_FAIL(ASSAY_E_FORMAT, "no entry of the allocation table starts at %" PRIu64,
                   ptr);
    if (want_bytes != 0 && *bytes != want_bytes)
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "the payload at %" PRIu64 " has %" PRIu64
                   " bytes, needed are %" PRIu64,
                   ptr, *bytes, want_bytes);
    *data = f->data + ptr;
done:
    if (status != ASSAY_OK) {
        *data = NULL;
        *bytes = 0;
        err_where("%s: sample %" PRIu64 ", field '%s'", f->path, sample,
                  f->field[field].name);
    }
    return status;
}

bool beton_has_section(const beton_file *f) {
    return f->section.present;
}

const uint8_t *beton_tag(const beton_file *f, uint32_t tag, size_t *bytes) {
    const section_record *r = section_find(&f->section, tag);
    *bytes = r ? r->bytes : 0;
    return r ? r->value : NULL;
}

/* ---- verifying ---- */

static assay_status check_range(
    const beton_file *f, uint64_t begin, uint64_t end, uint32_t sum, const char *what) {
    if (hash_crc32c(0, f->data + begin, (size_t)(end - begin)) == sum)
        return ASSAY_OK;
    assay_status status =
        err_set(ASSAY_E_FORMAT, "the %s does not match its checksum", what);
    err_where("bytes %" PRIu64 " to %" PRIu64, begin, end);
    return status;
}

typedef struct verify_job {
    const beton_file *f;
    section_sums sums;
    const uint8_t *page_sum;
} verify_job;

static assay_status verify_pages(void *arg, int worker, size_t begin, size_t end) {
    const verify_job *job = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        uint64_t at = job->sums.pages_begin + i * (uint64_t)job->sums.page_size;
        assay_status status = check_range(job->f, at, at + job->sums.page_size,
                                          le32_get(job->page_sum + 4 * i), "page");
        if (status != ASSAY_OK) {
            err_where("page %zu", i);
            return status;
        }
    }
    return ASSAY_OK;
}

assay_status beton_verify(beton_file *f) {
    assay_status status = ASSAY_OK;
    const section_record *r = section_find(&f->section, BETON_TAG_CHECKSUMS);
    if (!f->section.present)
        return ASSAY_OK;
    ASSAY_TRY(section_check_gaps(&f->section, f->data));
    if (!r)
        goto done;
    if (r->bytes < SECTION_SUMS_BYTES)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the record of checksums is too short");
    verify_job job = {f, section_get_sums(r->value), r->value + SECTION_SUMS_BYTES};
    const section_sums *s = &job.sums;
    if (s->pages_begin < f->metadata_end || s->pages_begin > f->section.begin ||
        s->page_size != f->page_size ||
        s->pages != (f->section.begin - s->pages_begin) / s->page_size ||
        (f->section.begin - s->pages_begin) % s->page_size != 0 ||
        s->pages != (r->bytes - SECTION_SUMS_BYTES) / 4 || r->bytes % 4 != 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the record of checksums does not fit the file");
    ASSAY_TRY(check_range(f, 0, f->metadata, s->head, "header"));
    ASSAY_TRY(check_range(f, f->metadata, s->pages_begin, s->metadata, "metadata table"));
    ASSAY_TRY(check_range(f, f->table, f->bytes, s->table, "allocation table"));
    ASSAY_TRY(assay_parallel_for(f->ctx, (size_t)s->pages, 1, verify_pages, &job));
done:
    if (status != ASSAY_OK)
        err_where("%s", f->path);
    return status;
}
