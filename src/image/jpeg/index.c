/* The index: where every so many MCUs begin in the data as they are, and the DC values
 * there. Little-endian:
 *
 *      0  "JIX1"
 *      4  u32  CRC-32C of all that follows
 *      8  u64  bytes of the JPEG
 *     16  u32  CRC-32C of the JPEG
 *     20  u32  bytes of its entropy-coded data
 *     24  u32  entries: rows of MCUs x entries per row
 *     28  u16  entries per row
 *     30  u8   interval in MCUs
 *     31  u8   components
 *     32  per entry: u32 bit, i16 DC of each component
 *
 * An entry's bit counts from the first byte of entropy-coded data, 8 a byte, stuffed
 * zeros included: so a piece can be unstuffed on its own. */
#include "base/hash.h"
#include "base/le.h"
#include "image/jpeg/decoder.h"

#include <string.h>

enum {
    HEAD = 32,
    HASHED_FROM = 8,
    MAX_INTERVAL = 64,
    MAX_SCAN = (1 << 29) - 16 /* bytes that 32 bits of bit position reach */
};

static size_t entry_bytes(int components) {
    return 4 + 2 * (size_t)components;
}

bool jpg_index_open(jpg_index *out, const jpeg_index *index) {
    const uint8_t *p = index->data;
    if (index->bytes < HEAD || memcmp(p, "JIX1", 4) != 0)
        return false;
    *out = (jpg_index){.entry = p + HEAD,
                       .jpeg_bytes = le64_get(p + 8),
                       .jpeg_crc = le32_get(p + 16),
                       .end = le32_get(p + 20),
                       .count = le32_get(p + 24),
                       .per_row = le16_get(p + 28),
                       .interval = p[30],
                       .components = p[31]};
    return out->interval >= 1 && out->interval <= MAX_INTERVAL && out->per_row >= 1 &&
           (out->components == 1 || out->components == 3) &&
           out->count == (index->bytes - HEAD) / entry_bytes(out->components) &&
           (index->bytes - HEAD) % entry_bytes(out->components) == 0;
}

uint32_t jpg_index_entry(const jpg_index *ix, uint32_t i, int16_t dc[JPG_COMPONENTS]) {
    const uint8_t *p = ix->entry + i * entry_bytes(ix->components);
    for (int c = 0; c < ix->components; c++)
        dc[c] = (int16_t)le16_get(p + 4 + 2 * c);
    return le32_get(p);
}

bool jpeg_index_matches(const jpeg_index *index, const uint8_t *jpeg, size_t n) {
    jpg_index ix;
    return jpg_index_open(&ix, index) && ix.jpeg_bytes == n &&
           le32_get(index->data + 4) ==
               hash_crc32c(0, index->data + HASHED_FROM, index->bytes - HASHED_FROM) &&
           ix.jpeg_crc == hash_crc32c(0, jpeg, n);
}

uint64_t jpeg_index_length(const jpeg_index *index) {
    jpg_index ix;
    return jpg_index_open(&ix, index) ? ix.jpeg_bytes : 0;
}

/* Follows a cursor through the data as they are. */
typedef struct tracker {
    size_t from;    /* where the cursor's piece begins */
    size_t plain;   /* bytes of the piece passed */
    size_t stuffed; /* where that is in the data */
} tracker;

/* Passes `n` bytes; behind each FF among them a zero was stuffed. */
static void advance(tracker *t, const jpg_scan *s, size_t n) {
    while (n > 0) {
        const uint8_t *at = s->data + t->stuffed, *ff = memchr(at, 0xFF, n);
        size_t passed = ff ? (size_t)(ff - at) + 1 : n;
        t->stuffed += passed + (ff ? 1 : 0);
        t->plain += passed;
        n -= passed;
    }
}

/* The cursor's place; it has not passed its piece's end. */
static uint32_t bit_of(tracker *t, const jpg_scan *s, const jpg_cursor *c) {
    if (c->from != t->from)
        *t = (tracker){.from = c->from, .stuffed = c->from};
    size_t bit = (size_t)(c->at.next - c->begin) * 8 - c->at.n;
    advance(t, s, (bit >> 3) - t->plain);
    return (uint32_t)(t->stuffed * 8 + (bit & 7));
}

static void add_entry(buf *out, uint32_t bit, const jpg_cursor *c, int components) {
    uint8_t entry[4 + 2 * JPG_COMPONENTS];
    le32_put(entry, bit);
    for (int i = 0; i < components; i++)
        le16_put(entry + 4 + 2 * i, (uint16_t)c->dc[i]);
    buf_add(out, entry, entry_bytes(components));
}

/* Decodes all, keeping nothing but the places. *end: bytes of entropy-coded data. */
static assay_status
add_entries(buf *out, jpeg_decoder *d, int interval, int per_row, uint32_t *end) {
    assay_status status = ASSAY_OK;
    const jpg_entropy *entropy = d->kernels->entropy;
    const jpg_header *h = &d->header;
    jpg_scan *s = &d->scan;
    jpg_cursor c;
    tracker t = {0};
    ASSAY_TRY(jpg_reserve_bytes(d, s->bytes, 1));
    s->row0 = s->col0 = 0;
    s->row1 = s->col1 = -1;
    entropy->start(s, &c, NULL, s->bytes);
    for (int row = 0; row < h->mcus_y; row++)
        for (int i = 0; i < per_row; i++) {
            ASSAY_TRY(jpg_status(entropy->until(s, &c, row * h->mcus_x + i * interval)));
            add_entry(out, bit_of(&t, s, &c), &c, h->components);
        }
    ASSAY_TRY(jpg_status(entropy->until(s, &c, h->mcus_y * h->mcus_x)));
    ASSAY_TRY(jpg_check_end(s, c.next));
    *end = (uint32_t)c.next;
done:
    return status;
}

assay_status
jpeg_index_build(buf *out, jpeg_decoder *d, const uint8_t *jpeg, size_t n, int interval) {
    assay_status status = ASSAY_OK;
    size_t begin = out->len;
    uint8_t head[HEAD] = "JIX1";
    uint32_t end = 0;
    if (interval < 1 || interval > MAX_INTERVAL)
        ASSAY_FAIL(ASSAY_E_INVALID, "an index every %d MCUs; from 1 to %d is possible",
                   interval, (int)MAX_INTERVAL);
    ASSAY_TRY(jpg_open(d, jpeg, n));
    if (d->scan.bytes > MAX_SCAN)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a JPEG too long to be indexed");
    int per_row = (d->header.mcus_x + interval - 1) / interval;
    buf_add(out, head, HEAD);
    ASSAY_TRY(add_entries(out, d, interval, per_row, &end));
    ASSAY_TRY(buf_check(out));
    le64_put(head + 8, n);
    le32_put(head + 16, hash_crc32c(0, jpeg, n));
    le32_put(head + 20, end);
    le32_put(head + 24, (uint32_t)(per_row * d->header.mcus_y));
    le16_put(head + 28, (uint16_t)per_row);
    head[30] = (uint8_t)interval;
    head[31] = (uint8_t)d->header.components;
    uint8_t *at = (uint8_t *)out->data + begin;
    memcpy(at, head, HEAD);
    le32_put(at + 4, hash_crc32c(0, at + HASHED_FROM, out->len - begin - HASHED_FROM));
done:
    if (status != ASSAY_OK)
        out->len = begin;
    return status;
}
