/* Reading a .beton over a map of the file. After opening, lookups check what they follow,
 * take no lock and allocate nothing. */
#include "base/hash.h"
#include "base/le.h"
#include "base/pool.h"
#include "file/beton_inside.h"

#include <assert.h>
#include <inttypes.h>

struct beton_file {
    assay_ctx *ctx;
    char *path;
    os_map map;
    const uint8_t *data;
    uint64_t bytes;

    uint32_t page_size, stride;
    uint64_t samples, metadata, metadata_end, table;
    beton_field *field;
    int n_fields;
    section section;
    alloc_table allocs;
    const beton_custom *custom; /* the caller's, while the file is opened */
    int customs;
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
    if (p[0] != BETON_CUSTOM && !beton_cell_layout(field->type, &bytes, &align))
        return err_set(ASSAY_E_FORMAT, "'%s' has the unknown type %u", field->name, p[0]);
    memcpy(field->args, p + 1 + BETON_NAME_BYTES, BETON_ARGS_BYTES);
    if ((field->type == BETON_NDARRAY || field->type == BETON_TENSOR) &&
        le64_get(field->args + BETON_ARGS_DTYPE) >
            BETON_ARGS_BYTES - BETON_ARGS_DTYPE - 8)
        return err_set(ASSAY_E_FORMAT, "the element type of '%s' is too long",
                       field->name);
    return ASSAY_OK;
}

static bool take_custom(beton_field *field, const beton_custom *c) {
    field->cell_bytes = c->cell_bytes;
    field->cell_align = c->cell_align;
    field->has_payload = c->has_payload;
    field->ptr_offset = c->has_payload ? c->ptr_offset : 0;
    return beton_custom_is_sound(c->cell_bytes, c->cell_align, c->has_payload,
                                 c->ptr_offset);
}

/* What our section says of custom field i: u32 field, cell bytes, alignment, offset of
 * the pointer + 1. */
static bool section_custom(const beton_file *f, int i, beton_custom *out) {
    const section_record *r = section_find(&f->section, BETON_TAG_CUSTOM);
    for (size_t at = 0; r && at + BETON_CUSTOM_BYTES <= r->bytes;
         at += BETON_CUSTOM_BYTES) {
        const uint8_t *p = r->value + at;
        if (le32_get(p) != (uint32_t)i)
            continue;
        uint32_t ptr = le32_get(p + 12);
        *out = (beton_custom){.cell_bytes = le32_get(p + 4),
                              .cell_align = le32_get(p + 8),
                              .has_payload = ptr > 0,
                              .ptr_offset = ptr > 0 ? ptr - 1 : 0};
        return true;
    }
    return false;
}

/* Size and alignment of custom field i: the caller's words go before the section's. */
static assay_status find_custom(beton_file *f, int i) {
    beton_field *field = &f->field[i];
    beton_custom said;
    for (int k = 0; k < f->customs; k++)
        if (strcmp(f->custom[k].name, field->name) == 0) {
            if (take_custom(field, &f->custom[k]))
                return ASSAY_OK;
            err_set(ASSAY_E_INVALID, "no cell of %" PRIu32 " bytes aligned to %" PRIu32,
                    f->custom[k].cell_bytes, f->custom[k].cell_align);
            err_help("sizes are 1 to 65536, alignments 1, 2, 4 to 4096, and a pointer "
                     "takes 8 bytes of the cell");
            return ASSAY_E_INVALID;
        }
    if (section_custom(f, i, &said) && take_custom(field, &said))
        return ASSAY_OK;
    err_set(ASSAY_E_UNSUPPORTED,
            "'%s' is a custom field; the file does not tell its cell's size",
            field->name);
    err_help("write the dataset again without that field, or with assay, which notes the "
             "cell in the file");
    return ASSAY_E_UNSUPPORTED;
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
    }
done:
    return status;
}

static assay_status read_bounds(beton_file *f) {
    assay_status status = ASSAY_OK;
    uint64_t per_sample = 0;
    for (int i = 0; i < f->n_fields; i++)
        if (f->field[i].type == BETON_CUSTOM)
            ASSAY_TRY_AT(find_custom(f, i), "byte %d (field %d)",
                         BETON_HEADER_BYTES + BETON_DESCRIPTOR_BYTES * i, i);
    f->stride = beton_lay_out(f->field, f->n_fields);
    for (int i = 0; i < f->n_fields; i++)
        per_sample += f->field[i].has_payload;
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
    uint64_t entries = (f->bytes - f->table) / BETON_ENTRY_BYTES;
    if (per_sample > 0 && entries / per_sample < f->samples)
        BAD(f->table, "allocation table", ASSAY_E_FORMAT,
            "%" PRIu64 " entries are too few for %" PRIu64 " samples", entries,
            f->samples);
    if (f->section.present && f->section.begin < f->metadata_end)
        BAD(f->section.begin, "section", ASSAY_E_FORMAT,
            "the section does not lie behind the metadata");
    f->allocs = (alloc_table){.ctx = f->ctx,
                              .entry = f->data + f->table,
                              .at = f->table,
                              .entries = entries,
                              .samples = f->samples,
                              .per_sample = per_sample,
                              .floor = f->metadata_end,
                              .end = f->section.present ? f->section.begin : f->table};
    ASSAY_TRY(alloc_table_make(&f->allocs));
done:
    return status;
}

static assay_status read_all(beton_file *f) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(read_header(f));
    ASSAY_TRY(read_fields(f));
    if (f->table <= f->bytes)
        ASSAY_TRY(
            section_read(&f->section, f->ctx, f->data, f->bytes, f->metadata, f->table));
    ASSAY_TRY(read_bounds(f));
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
    return beton_open_with(out, ctx, path, NULL, 0);
}

assay_status beton_open_with(beton_file **out,
                             assay_ctx *ctx,
                             const char *path,
                             const beton_custom *custom,
                             int n) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(new_file(&f, ctx, path));
    ASSAY_TRY(os_map_file(&f->map, path, false));
    f->data = f->map.data;
    f->bytes = f->map.bytes;
    f->custom = custom;
    f->customs = n;
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
    alloc_table_free(&f->allocs);
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

/* Of a field among those with payloads. */
static uint64_t rank_of(const beton_file *f, int field) {
    uint64_t rank = 0;
    for (int i = 0; i < field; i++)
        rank += f->field[i].has_payload;
    return rank;
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
    bool found, sized = want_bytes > 0 && type != BETON_IMAGE;
    *data = f->data;
    *bytes = 0;
    if (type == BETON_BYTES || type == BETON_JSON) {
        want_bytes = le64_get(beton_cell(f, sample, field) + 8);
        if (want_bytes == 0)
            return ASSAY_OK; /* its pointer is the next payload's */
        sized = true;
    }
    if (sized) {
        const alloc_table *t = &f->allocs;
        if (ptr < t->floor || ptr > t->end || want_bytes > t->end - ptr)
            ASSAY_FAIL(ASSAY_E_FORMAT,
                       "%" PRIu64 " bytes at %" PRIu64 " lie outside of the data",
                       want_bytes, ptr);
        if (alloc_table_denies(t, sample, ptr, want_bytes))
            ASSAY_FAIL(ASSAY_E_FORMAT,
                       "the payload at %" PRIu64 " has other than %" PRIu64 " bytes", ptr,
                       want_bytes);
        *data = f->data + ptr;
        *bytes = want_bytes;
        return ASSAY_OK;
    }
    ASSAY_TRY(alloc_table_find(&f->allocs, sample, rank_of(f, field), ptr, want_bytes,
                               bytes, &found));
    if (!found)
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

assay_status beton_listed(
    const beton_file *f, uint64_t sample, int field, uint64_t ptr, uint64_t bytes) {
    assay_status status = ASSAY_OK;
    uint64_t size;
    bool found;
    ASSAY_TRY(alloc_table_find(&f->allocs, sample, rank_of(f, field), ptr, bytes, &size,
                               &found));
    if (!found || size != bytes)
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "the allocation table lists no %" PRIu64 " bytes at %" PRIu64, bytes,
                   ptr);
done:
    if (status != ASSAY_OK)
        err_where("%s: sample %" PRIu64 ", field '%s'", f->path, sample,
                  f->field[field].name);
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

uint32_t beton_tag_at(const beton_file *f, size_t i) {
    return i < f->section.count ? f->section.record[i].tag : 0;
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
    ASSAY_TRY(alloc_table_check(&f->allocs));
    if (!f->section.present)
        return ASSAY_OK;
    ASSAY_TRY(section_check_values(&f->section, f->data));
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
