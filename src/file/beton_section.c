/* Our section of a .beton: whole pages between the last data page and the allocation
 * table, to which no entry refers, so that readers that do not know it pass it by. It is
 * found from its end: the trailer lies right before the table. */
#include "base/hash.h"
#include "base/le.h"
#include "file/beton_inside.h"

#include <inttypes.h>

/* Trailer: magic 8, u32 version, u32 records, u64 begin, u64 record bytes, u64 file
 * bytes, zeros, u32 CRC-32C of all before it. */
enum { TRAILER_CRC = 60 };
/* Record: u32 tag, u32 CRC-32C of the value, u64 length, u32 zero, u32 CRC-32C of the 20
 * before. */
enum { RECORD_CRC = 20 };
/* Values up to this size are compared with their checksums when the file is opened. */
enum { CHECKED_AT_ONCE = 1 << 20 };

uint64_t section_padded(uint64_t bytes) {
    return (bytes + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
}

/* ---- writing ---- */

void section_put_record(uint8_t out[SECTION_RECORD_BYTES],
                        uint32_t tag,
                        const void *value,
                        size_t bytes) {
    le32_put(out, tag);
    le32_put(out + 4, hash_crc32c(0, value, bytes));
    le64_put(out + 8, bytes);
    le32_put(out + 16, 0);
    le32_put(out + RECORD_CRC, hash_crc32c(0, out, RECORD_CRC));
}

void section_put_trailer(uint8_t out[SECTION_TRAILER_BYTES],
                         uint32_t records,
                         uint64_t begin,
                         uint64_t record_bytes,
                         uint64_t file_bytes) {
    memset(out, 0, SECTION_TRAILER_BYTES);
    memcpy(out, SECTION_MAGIC, 8);
    le32_put(out + 8, SECTION_VERSION);
    le32_put(out + 12, records);
    le64_put(out + 16, begin);
    le64_put(out + 24, record_bytes);
    le64_put(out + 32, file_bytes);
    le32_put(out + TRAILER_CRC, hash_crc32c(0, out, TRAILER_CRC));
}

void section_put_sums(uint8_t out[SECTION_SUMS_BYTES], const section_sums *s) {
    memset(out, 0, SECTION_SUMS_BYTES);
    le32_put(out, s->page_size);
    le64_put(out + 8, s->pages);
    le64_put(out + 16, s->pages_begin);
    le32_put(out + 24, s->head);
    le32_put(out + 28, s->metadata);
    le32_put(out + 32, s->table);
}

section_sums section_get_sums(const uint8_t in[SECTION_SUMS_BYTES]) {
    return (section_sums){
        .page_size = le32_get(in),
        .pages = le64_get(in + 8),
        .pages_begin = le64_get(in + 16),
        .head = le32_get(in + 24),
        .metadata = le32_get(in + 28),
        .table = le32_get(in + 32),
    };
}

/* ---- reading ---- */

/* A damaged trailer must not pass for none: a wrong magic with the checksum of the right
 * one, or a right magic with a wrong checksum, is damage. */
static bool looks_like_trailer(const uint8_t *t, bool *sound) {
    bool magic = memcmp(t, SECTION_MAGIC, 8) == 0;
    uint32_t crc = hash_crc32c(0, SECTION_MAGIC, 8);
    crc = hash_crc32c(crc, t + 8, TRAILER_CRC - 8);
    bool sum = crc == le32_get(t + TRAILER_CRC);
    *sound = magic && sum;
    return magic || sum;
}

static assay_status check_value(const section_record *r, const uint8_t *file, size_t i) {
    if (hash_crc32c(0, r->value, r->bytes) ==
        le32_get(r->value - SECTION_RECORD_BYTES + 4))
        return ASSAY_OK;
    assay_status status =
        err_set(ASSAY_E_FORMAT,
                "the value of record %zu of the section does not match its checksum", i);
    err_where("byte %zu", (size_t)(r->value - file));
    return status;
}

assay_status section_check_values(const section *s, const uint8_t *file) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < s->count; i++)
        ASSAY_TRY(check_value(&s->record[i], file, i));
done:
    return status;
}

static assay_status read_records(section *s,
                                 assay_ctx *ctx,
                                 const uint8_t *file,
                                 uint32_t records,
                                 uint64_t record_bytes) {
    assay_status status = ASSAY_OK;
    uint64_t at = s->begin, end = s->begin + record_bytes;
    if (records > record_bytes / SECTION_RECORD_BYTES)
        return err_set(ASSAY_E_FORMAT, "the section has no room for its records");
    ASSAY_TRY(mem_new(ctx, &s->record, (size_t)records + 1, sizeof *s->record));
    for (uint32_t i = 0; i < records; i++) {
        const uint8_t *p = file + at;
        if (end - at < SECTION_RECORD_BYTES ||
            hash_crc32c(0, p, RECORD_CRC) != le32_get(p + RECORD_CRC)) {
            status = err_set(ASSAY_E_FORMAT,
                             "record %" PRIu32 " of the section is damaged", i);
            err_where("byte %" PRIu64, at);
            goto done;
        }
        uint64_t bytes = le64_get(p + 8), room = end - at - SECTION_RECORD_BYTES;
        section_record r = {le32_get(p), p + SECTION_RECORD_BYTES, (size_t)bytes};
        if (bytes > room || section_padded(bytes) > room || section_find(s, r.tag)) {
            status = err_set(ASSAY_E_FORMAT, "record %" PRIu32 " of the section %s", i,
                             bytes > room ? "is longer than the section" : "is damaged");
            err_where("byte %" PRIu64, at);
            goto done;
        }
        if (r.bytes <= CHECKED_AT_ONCE)
            ASSAY_TRY(check_value(&r, file, i));
        s->record[s->count++] = r;
        at += SECTION_RECORD_BYTES + section_padded(bytes);
    }
    if (at != end) {
        status = err_set(ASSAY_E_FORMAT, "the section's records end early");
        err_where("byte %" PRIu64, at);
    }
done:
    return status;
}

assay_status section_read(section *out,
                          assay_ctx *ctx,
                          const uint8_t *file,
                          uint64_t file_bytes,
                          uint64_t floor,
                          uint64_t end) {
    assay_status status = ASSAY_OK;
    bool sound;
    *out = (section){.begin = end, .end = end};
    if (end < floor || end - floor < SECTION_TRAILER_BYTES)
        return ASSAY_OK;
    const uint8_t *t = file + end - SECTION_TRAILER_BYTES;
    if (!looks_like_trailer(t, &sound))
        return ASSAY_OK;
    uint64_t begin = le64_get(t + 16), record_bytes = le64_get(t + 24);
    if (!sound)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the section's trailer does not match its checksum");
    if (le32_get(t + 8) != SECTION_VERSION)
        ASSAY_FAIL(ASSAY_E_VERSION, "the section has version %" PRIu32 ", known is %d",
                   le32_get(t + 8), (int)SECTION_VERSION);
    if (le64_get(t + 32) != file_bytes)
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "the file should have %" PRIu64 " bytes, it has %" PRIu64,
                   le64_get(t + 32), file_bytes);
    if (begin % SECTION_ALIGN != 0 || begin < floor ||
        begin > end - SECTION_TRAILER_BYTES ||
        record_bytes > end - SECTION_TRAILER_BYTES - begin)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the section does not lie behind the metadata");
    out->begin = begin;
    ASSAY_TRY(read_records(out, ctx, file, le32_get(t + 12), record_bytes));
    out->present = true;
done:
    if (status != ASSAY_OK) {
        err_where("byte %" PRIu64 " (trailer)", end - SECTION_TRAILER_BYTES);
        section_free(out, ctx);
    }
    return status;
}

void section_free(section *s, assay_ctx *ctx) {
    mem_free(ctx, s->record);
    s->record = NULL;
    s->count = 0;
    s->present = false;
}

const section_record *section_find(const section *s, uint32_t tag) {
    for (size_t i = 0; i < s->count; i++)
        if (s->record[i].tag == tag)
            return &s->record[i];
    return NULL;
}

assay_status section_check_gaps(const section *s, const uint8_t *file) {
    uint64_t at = s->begin;
    for (size_t i = 0; i <= s->count; i++) {
        /* From the end of one value to the next record, or to the trailer. */
        uint64_t to = i < s->count ? section_padded(at) : s->end - SECTION_TRAILER_BYTES;
        for (; at < to; at++)
            if (file[at] != 0) {
                assay_status status =
                    err_set(ASSAY_E_FORMAT, "the section's padding is not zero");
                err_where("byte %" PRIu64, at);
                return status;
            }
        if (i < s->count)
            at += SECTION_RECORD_BYTES + s->record[i].bytes;
    }
    return ASSAY_OK;
}
