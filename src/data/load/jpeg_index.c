/* The indexes of a file's JPEGs as one value of bytes, mapped or being collected.
 *
 *      0  "ASSAYJIX"
 *      8  u32  version, 1
 *     12  u32  bytes of an offset, 4 or 8
 *     16  u64  samples
 *     24  u64  samples that have an index
 *     32  u64  bytes of all indexes
 *     40  16 bytes, the field's name, filled with NUL
 *     56  u32  interval
 *     60  u32  CRC-32C of the 60 bytes before
 *     64  offsets: samples + 1, from where the indexes begin
 *         the indexes, back to back
 *
 * Offsets and indexes are looked at when a sample is asked for, so that a set of millions
 * opens at once; each index carries its own checksum. */
#include "data/load/jpeg_index.h"

#include "base/hash.h"
#include "base/le.h"
#include "data/image_cell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "ASSAYJIX"
enum {
    VERSION = 1,
    HEAD = 64,
    NAME_AT = 40,
    NAME_BYTES = 16,
    CRC_AT = 60,
    MAX_INTERVAL = 64,
    LOOKED_AT = 1024,      /* samples compared with the file on opening */
    CHUNK_BYTES = 1 << 20, /* of a collecting set's memory */
    KNOWN_PER_WORD = 16    /* two bits each */
};
enum { UNKNOWN = 0, SOUND = 1, REFUSED = 2 };

/* A collected index: its bytes follow. */
typedef struct record {
    size_t bytes;
    uint8_t data[];
} record;

typedef struct chunk {
    struct chunk *next;
    size_t used, cap;
    uint8_t data[];
} chunk;

struct jpeg_index_set {
    assay_ctx *ctx;
    uint64_t samples, indexed, blob_bytes;
    int interval;
    char field[NAME_BYTES + 1];
    bool beside;
    os_map map;
    atomic_uint *known; /* UNKNOWN, SOUND, REFUSED */
    /* of a stored set */
    const uint8_t *offset, *blob; /* NULL: collecting */
    int width;
    /* of a collecting set */
    _Atomic(record *) *collected;
    chunk *chunks;
    pthread_mutex_t lock; /* chunks and counts */
    bool locked;
};

int jpeg_index_usual_interval(uint64_t images) {
    return images >= 1000000 ? 32 : images >= 100000 ? 16 : 8;
}

/* ---- making and closing ---- */

static assay_status new_set(jpeg_index_set **out, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    jpeg_index_set *s = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    s->map.fd = -1;
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no lock could be made");
    s->locked = true;
    *out = s;
    s = NULL;
done:
    jpeg_index_close(s);
    return status;
}

static assay_status know_nothing(jpeg_index_set *s) {
    return mem_new(s->ctx, &s->known, (size_t)(s->samples / KNOWN_PER_WORD) + 1,
                   sizeof *s->known);
}

void jpeg_index_close(jpeg_index_set *s) {
    if (s == NULL)
        return;
    while (s->chunks != NULL) {
        chunk *next = s->chunks->next;
        mem_free(s->ctx, s->chunks);
        s->chunks = next;
    }
    if (s->locked)
        (void)pthread_mutex_destroy(&s->lock);
    os_unmap(&s->map);
    mem_free(s->ctx, s->collected);
    mem_free(s->ctx, s->known);
    mem_free(s->ctx, s);
}

static int offset_width(const jpeg_index_set *s) {
    return s->blob_bytes > UINT32_MAX ? 8 : 4;
}

jpeg_index_facts jpeg_index_describe(const jpeg_index_set *s) {
    jpeg_index_facts facts = {.samples = s->samples,
                              .indexed = s->indexed,
                              .interval = s->interval,
                              .beside = s->beside};
    facts.bytes = HEAD + (s->samples + 1) * (uint64_t)offset_width(s) + s->blob_bytes;
    memcpy(facts.field, s->field, sizeof facts.field);
    return facts;
}

/* ---- reading ---- */

static assay_status bad(uint64_t at, const char *what) {
    assay_status status = err_set(ASSAY_E_FORMAT, "%s", what);
    err_where("byte %llu of the JPEG index", (unsigned long long)at);
    err_help("make it again: assay index FILE --force");
    return status;
}

static assay_status read_head(jpeg_index_set *s, const uint8_t *p, size_t n) {
    if (n < HEAD || memcmp(p, MAGIC, 8) != 0)
        return bad(0, "this is no JPEG index");
    if (hash_crc32c(0, p, CRC_AT) != le32_get(p + CRC_AT))
        return bad(CRC_AT, "the header does not match its checksum");
    if (le32_get(p + 8) != VERSION)
        return err_set(ASSAY_E_VERSION, "the JPEG index has version %lu, known is %d",
                       (unsigned long)le32_get(p + 8), (int)VERSION);
    uint32_t width = le32_get(p + 12), interval = le32_get(p + 56);
    s->samples = le64_get(p + 16);
    s->indexed = le64_get(p + 24);
    s->blob_bytes = le64_get(p + 32);
    memcpy(s->field, p + NAME_AT, NAME_BYTES);
    if ((width != 4 && width != 8) || interval < 1 || interval > MAX_INTERVAL ||
        s->indexed > s->samples)
        return bad(8, "the header makes no sense");
    size_t room = n - HEAD;
    if (s->samples >= room / width ||
        room - (size_t)(s->samples + 1) * width != s->blob_bytes)
        return bad(n, "the index does not have the size that its header states");
    s->width = (int)width;
    s->interval = (int)interval;
    s->offset = p + HEAD;
    s->blob = s->offset + (size_t)(s->samples + 1) * width;
    return ASSAY_OK;
}

assay_status jpeg_index_open_memory(jpeg_index_set **out,
                                    assay_ctx *ctx,
                                    const void *bytes,
                                    size_t n) {
    assay_status status = ASSAY_OK;
    jpeg_index_set *s = NULL;
    *out = NULL;
    ASSAY_TRY(new_set(&s, ctx));
    ASSAY_TRY(read_head(s, bytes, n));
    ASSAY_TRY(know_nothing(s));
    *out = s;
    s = NULL;
done:
    jpeg_index_close(s);
    return status;
}

static uint64_t offset_at(const jpeg_index_set *s, uint64_t i) {
    const uint8_t *p = s->offset + i * (uint64_t)s->width;
    return s->width == 4 ? le32_get(p) : le64_get(p);
}

bool jpeg_index_at(const jpeg_index_set *s, uint64_t sample, jpeg_index *out) {
    *out = (jpeg_index){NULL, 0};
    if (sample >= s->samples)
        return false;
    if (s->offset == NULL) {
        const record *r =
            atomic_load_explicit(&s->collected[sample], memory_order_acquire);
        if (r != NULL)
            *out = (jpeg_index){r->data, r->bytes};
        return r != NULL;
    }
    uint64_t begin = offset_at(s, sample), end = offset_at(s, sample + 1);
    if (begin >= end || end > s->blob_bytes)
        return false;
    *out = (jpeg_index){s->blob + begin, (size_t)(end - begin)};
    return true;
}

bool jpeg_index_find(
    jpeg_index_set *s, uint64_t sample, const uint8_t *jpeg, size_t n, jpeg_index *out) {
    if (!jpeg_index_at(s, sample, out) || jpeg_index_length(out) != n)
        return false;
    atomic_uint *word = &s->known[sample / KNOWN_PER_WORD];
    unsigned shift = (unsigned)(sample % KNOWN_PER_WORD) * 2;
    unsigned state = atomic_load_explicit(word, memory_order_relaxed) >> shift & 3;
    if (state == UNKNOWN) {
        state = jpeg_index_matches(out, jpeg, n) ? SOUND : REFUSED;
        (void)atomic_fetch_or_explicit(word, state << shift, memory_order_relaxed);
    }
    return state == SOUND;
}

/* ---- which index belongs to a file ---- */

/* Whether some of the samples, spread over the file, have payloads of the size that their
 * index was made from. */
static bool sizes_agree(const jpeg_index_set *s, const beton_file *f, int field) {
    uint64_t n = s->samples, looks = n < LOOKED_AT ? n : LOOKED_AT;
    for (uint64_t i = 0; i < looks; i++) {
        uint64_t sample = i * (n / looks) + i * (n % looks) / looks, bytes;
        const uint8_t *data;
        jpeg_index index;
        if (!jpeg_index_at(s, sample, &index))
            continue;
        image_cell c = image_cell_get(beton_cell(f, sample, field));
        if (c.mode != CELL_JPEG ||
            beton_payload(f, sample, field, c.ptr, 0, &data, &bytes) != ASSAY_OK ||
            jpeg_index_length(&index) != bytes)
            return false;
    }
    return true;
}

/* NULL, or how it is known that the index was made of something else. */
static const char *stale(const jpeg_index_set *s, const beton_file *f, int field) {
    if (strcmp(s->field, beton_field_at(f, field)->name) != 0)
        return "it is another field's";
    if (s->samples != beton_samples(f))
        return "the file has another number of samples now";
    return sizes_agree(s, f, field) ? NULL : "the file's images have changed since";
}

/* Keeps the set if it is the file's; else closes it and says so. */
static jpeg_index_set *keep_fresh(
    jpeg_index_set *s, const beton_file *f, int field, const char *name, char note[256]) {
    const char *why = stale(s, f, field);
    if (why == NULL)
        return s;
    snprintf(note, 256, "the JPEG index in %.120s is not used: %s", name, why);
    jpeg_index_close(s);
    return NULL;
}

static assay_status open_map(jpeg_index_set **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    jpeg_index_set *s = NULL;
    os_map map = {.fd = -1};
    *out = NULL;
    ASSAY_TRY(os_map_file(&map, path, false));
    ASSAY_TRY_AT(jpeg_index_open_memory(&s, ctx, map.data, map.bytes), "%s", path);
    s->map = map;
    s->beside = true;
    *out = s;
    return ASSAY_OK;
done:
    os_unmap(&map);
    return status;
}

/* A damaged index is no reason not to read the file. */
static assay_status forgive(assay_status status, const char *name, char note[256]) {
    if (status == ASSAY_E_FORMAT || status == ASSAY_E_VERSION) {
        snprintf(note, 256, "the JPEG index in %.100s is not used: %.80s", name,
                 assay_last_error()->message);
        return ASSAY_OK;
    }
    return status;
}

static assay_status open_own(jpeg_index_set **out,
                             assay_ctx *ctx,
                             const beton_file *f,
                             int field,
                             char note[256]) {
    static const char name[] = "the file's own section";
    assay_status status = ASSAY_OK;
    size_t n;
    const uint8_t *value = beton_tag(f, BETON_TAG_JPEG_INDEX, &n);
    *out = NULL;
    if (value == NULL)
        return ASSAY_OK;
    ASSAY_TRY(forgive(jpeg_index_open_memory(out, ctx, value, n), name, note));
    if (*out != NULL)
        *out = keep_fresh(*out, f, field, name, note);
done:
    return status;
}

static assay_status open_beside(jpeg_index_set **out,
                                assay_ctx *ctx,
                                const beton_file *f,
                                int field,
                                char note[256]) {
    assay_status status = ASSAY_OK;
    buf path = buf_make(ctx);
    *out = NULL;
    buf_fmt(&path, "%s%s", beton_path(f), JPEG_INDEX_SUFFIX);
    ASSAY_TRY(buf_check(&path));
    if (!os_exists(path.data) || os_is_dir(path.data))
        goto done;
    ASSAY_TRY(forgive(open_map(out, ctx, path.data), path.data, note));
    if (*out != NULL)
        *out = keep_fresh(*out, f, field, path.data, note);
done:
    buf_free(&path);
    return status;
}

assay_status jpeg_index_open(jpeg_index_set **out,
                             assay_ctx *ctx,
                             const beton_file *f,
                             int field,
                             const char *where,
                             char note[256]) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    note[0] = '\0';
    if (strcmp(where, "none") == 0 || beton_field_at(f, field)->type != BETON_IMAGE)
        return ASSAY_OK;
    if (strcmp(where, "auto") != 0) {
        ASSAY_TRY(open_map(out, ctx, where));
        *out = keep_fresh(*out, f, field, where, note);
        goto done;
    }
    ASSAY_TRY(open_own(out, ctx, f, field, note));
    if (*out == NULL)
        ASSAY_TRY(open_beside(out, ctx, f, field, note));
done:
    return status;
}

/* ---- collecting ---- */

assay_status jpeg_index_make(jpeg_index_set **out,
                             assay_ctx *ctx,
                             uint64_t samples,
                             const char *field,
                             int interval) {
    assay_status status = ASSAY_OK;
    jpeg_index_set *s = NULL;
    *out = NULL;
    if (interval < 1 || interval > MAX_INTERVAL)
        ASSAY_FAIL(ASSAY_E_INVALID, "an index every %d MCUs; from 1 to %d is possible",
                   interval, (int)MAX_INTERVAL);
    if (samples > SIZE_MAX / 16)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for so many samples");
    ASSAY_TRY(new_set(&s, ctx));
    s->samples = samples;
    s->interval = interval;
    snprintf(s->field, sizeof s->field, "%s", field);
    ASSAY_TRY(know_nothing(s));
    ASSAY_TRY(mem_new(ctx, &s->collected, (size_t)samples + 1, sizeof *s->collected));
    *out = s;
    s = NULL;
done:
    jpeg_index_close(s);
    return status;
}

assay_status jpeg_index_collect(
    jpeg_index_set **out, assay_ctx *ctx, const beton_file *f, int field, int interval) {
    return jpeg_index_make(out, ctx, beton_samples(f), beton_field_at(f, field)->name,
                           interval);
}

/* Memory for a record, from the newest chunk. The lock is held. */
static assay_status new_record(record **out, jpeg_index_set *s, size_t bytes) {
    assay_status status = ASSAY_OK;
    size_t align = _Alignof(max_align_t);
    size_t need = (sizeof(record) + bytes + align - 1) / align * align;
    size_t start = (sizeof(chunk) + align - 1) / align * align;
    if (s->chunks == NULL || s->chunks->cap - s->chunks->used < need) {
        chunk *c = NULL;
        size_t cap = start + (need > CHUNK_BYTES ? need : CHUNK_BYTES);
        ASSAY_TRY(mem_new(s->ctx, &c, 1, cap));
        *c = (chunk){.next = s->chunks, .used = start, .cap = cap};
        s->chunks = c;
    }
    *out = (record *)(void *)((uint8_t *)s->chunks + s->chunks->used);
    s->chunks->used += need;
done:
    return status;
}

assay_status jpeg_index_put(jpeg_index_set *s, uint64_t sample, const jpeg_index *index) {
    assay_status status = ASSAY_OK;
    record *r = NULL;
    if (s->collected == NULL || sample >= s->samples || index->bytes == 0)
        return err_set(ASSAY_E_INVALID, "this JPEG index can't be taken in");
    (void)pthread_mutex_lock(&s->lock);
    if (atomic_load_explicit(&s->collected[sample], memory_order_relaxed) != NULL)
        goto done;
    ASSAY_TRY(new_record(&r, s, index->bytes));
    r->bytes = index->bytes;
    memcpy(r->data, index->data, index->bytes);
    s->indexed++;
    s->blob_bytes += index->bytes;
    atomic_store_explicit(&s->collected[sample], r, memory_order_release);
done:
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- storing ---- */

/* The offsets of a stored set were not checked on opening: what its samples add up to
 * must be what its header says. */
static assay_status check_sum(const jpeg_index_set *s) {
    jpeg_index index;
    uint64_t bytes = 0, indexed = 0;
    for (uint64_t i = 0; i < s->samples; i++)
        if (jpeg_index_at(s, i, &index)) {
            indexed++;
            bytes += index.bytes;
            if (bytes > s->blob_bytes)
                break;
        }
    if (bytes != s->blob_bytes || indexed != s->indexed)
        return bad(HEAD, "the offsets disagree with the header");
    return ASSAY_OK;
}

static void put_head(uint8_t head[HEAD], const jpeg_index_set *s, int width) {
    memset(head, 0, HEAD);
    memcpy(head, MAGIC, 8);
    le32_put(head + 8, VERSION);
    le32_put(head + 12, (uint32_t)width);
    le64_put(head + 16, s->samples);
    le64_put(head + 24, s->indexed);
    le64_put(head + 32, s->blob_bytes);
    memcpy(head + NAME_AT, s->field, NAME_BYTES);
    le32_put(head + 56, (uint32_t)s->interval);
    le32_put(head + CRC_AT, hash_crc32c(0, head, CRC_AT));
}

assay_status jpeg_index_store(const jpeg_index_set *s, buf *out) {
    assay_status status = ASSAY_OK;
    uint8_t head[HEAD], number[8];
    jpeg_index index;
    uint64_t at = 0;
    int width = offset_width(s);
    ASSAY_TRY(check_sum(s));
    put_head(head, s, width);
    buf_add(out, head, HEAD);
    for (uint64_t i = 0; i <= s->samples; i++) {
        le64_put(number, at);
        buf_add(out, number, (size_t)width);
        if (jpeg_index_at(s, i, &index))
            at += index.bytes;
    }
    for (uint64_t i = 0; i < s->samples; i++)
        if (jpeg_index_at(s, i, &index))
            buf_add(out, index.data, index.bytes);
    ASSAY_TRY(buf_check(out));
done:
    return status;
}
