/* The resumable row store. The flags say which blocks are finished, and nothing else is
 * believed: rows.json is written last when a store is made, and a block's flag after its
 * rows are on disk. */
#include "file/store.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/le.h"
#include "base/pool.h"
#include "file/atomic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* .sums: magic, u32 version, u64 blocks; then u32 CRC-32C and u32 flag for each block. */
enum { SUMS_VERSION = 1, SUMS_HEAD = 16, SUMS_ENTRY = 8, ROWS_SCHEMA = 1 };
#define SUMS_MAGIC "asum"
#define SUMS_DONE  0x454E4F44u /* "DONE" */
enum { STORE_JSON_LIMIT = 1 << 20 };

struct row_store {
    assay_ctx *ctx;
    char *npy_path, *json_path, *sums_path, *identity;
    int64_t rows, cols, block_rows, blocks;
    npy_array array;
    os_map sums;
    atomic_bool *done;
    bool writable;
    bool part; /* damage is no error */
};

/* ---- blocks ---- */

static float *block_data(const row_store *s, int64_t block, size_t *bytes) {
    int64_t begin = block * s->block_rows, end = begin + s->block_rows;
    if (end > s->rows)
        end = s->rows;
    *bytes = (size_t)(end - begin) * (size_t)s->cols * sizeof(float);
    return (float *)(void *)s->array.data + begin * s->cols;
}

static uint8_t *block_entry(const row_store *s, int64_t block) {
    return s->sums.data + SUMS_HEAD + (size_t)block * SUMS_ENTRY;
}

/* Compares finished blocks with their checksums. */
static assay_status check_blocks(void *arg, int worker, size_t begin, size_t end) {
    row_store *s = arg;
    (void)worker;
    for (size_t b = begin; b < end; b++) {
        size_t bytes;
        const float *data = block_data(s, (int64_t)b, &bytes);
        const uint8_t *entry = block_entry(s, (int64_t)b);
        if (!s->done[b] || hash_crc32c(0, data, bytes) == le32_get(entry))
            continue;
        if (s->writable || s->part) {
            s->done[b] = false;
            continue;
        }
        assay_status status = err_set(
            ASSAY_E_FORMAT, "the rows of block %zu do not match their checksum", b);
        err_where("%s", s->npy_path);
        err_help("remove the file and run the command that made it again");
        return status;
    }
    return ASSAY_OK;
}

/* ---- opening ---- */

static assay_status
join(assay_ctx *ctx, char **out, const char *path, const char *extension) {
    size_t n = strlen(path) + strlen(extension) + 1;
    assay_status status = mem_new(ctx, out, n, 1);
    if (status == ASSAY_OK)
        (void)snprintf(*out, n, "%s%s", path, extension);
    return status;
}

static assay_status store_new(row_store **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    row_store *s = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    s->array.map.fd = s->sums.fd = -1;
    ASSAY_TRY(join(ctx, &s->npy_path, path, ".npy"));
    ASSAY_TRY(join(ctx, &s->json_path, path, ".rows.json"));
    ASSAY_TRY(join(ctx, &s->sums_path, path, ".sums"));
    *out = s;
    s = NULL;
done:
    store_destroy(s);
    return status;
}

static assay_status
set_shape(row_store *s, int64_t rows, int64_t cols, int64_t block_rows) {
    if (rows < 0 || cols < 1 || block_rows < 1 || cols > INT64_MAX / 8 ||
        rows > INT64_MAX / 8 / cols || block_rows > INT64_MAX - rows)
        return err_set(ASSAY_E_SHAPE,
                       "a store of %" PRId64 " x %" PRId64 " in blocks of %" PRId64, rows,
                       cols, block_rows);
    s->rows = rows;
    s->cols = cols;
    s->block_rows = block_rows;
    s->blocks = (rows + block_rows - 1) / block_rows;
    return ASSAY_OK;
}

/* Fills shape and identity from <path>.rows.json. */
static assay_status read_identity(row_store *s) {
    assay_status status = ASSAY_OK;
    uint8_t *text = NULL;
    size_t bytes;
    json_doc *doc = NULL;
    ASSAY_TRY(os_read_file(s->ctx, s->json_path, STORE_JSON_LIMIT, &text, &bytes));
    ASSAY_TRY_AT(json_parse(&doc, s->ctx, (const char *)text, bytes), "%s", s->json_path);
    const json_val *root = json_root(doc);
    const char *identity = json_get_str(json_get(root, "identity"), NULL);
    if (json_get_int(json_get(root, "schema"), 0) != ROWS_SCHEMA || !identity) {
        status = err_set(ASSAY_E_FORMAT, "not the description of a row store");
        err_where("%s", s->json_path);
        goto done;
    }
    ASSAY_TRY_AT(set_shape(s, json_get_int(json_get(root, "rows"), -1),
                           json_get_int(json_get(root, "cols"), -1),
                           json_get_int(json_get(root, "block_rows"), -1)),
                 "%s", s->json_path);
    ASSAY_TRY(mem_strdup(s->ctx, &s->identity, identity));
done:
    json_doc_destroy(doc);
    mem_free(s->ctx, text);
    return status;
}

/* Maps rows and flags, and compares them with the shape. */
static assay_status map_parts(row_store *s) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(npy_open(&s->array, s->ctx, s->npy_path, s->writable));
    const npy_array *a = &s->array;
    if (a->dtype != ASSAY_F32 || a->ndim != 2 || a->dim[0] != s->rows ||
        a->dim[1] != s->cols) {
        status =
            err_set(ASSAY_E_FORMAT,
                    "not the %" PRId64 " x %" PRId64 " f32 array that the store needs",
                    s->rows, s->cols);
        err_where("%s", s->npy_path);
        goto done;
    }
    ASSAY_TRY(os_map_file(&s->sums, s->sums_path, s->writable));
    const uint8_t *p = s->sums.data;
    if (s->sums.bytes != SUMS_HEAD + (uint64_t)s->blocks * SUMS_ENTRY ||
        memcmp(p, SUMS_MAGIC, 4) != 0 || le32_get(p + 4) != SUMS_VERSION ||
        le64_get(p + 8) != (uint64_t)s->blocks) {
        status = err_set(ASSAY_E_FORMAT, "not the checksums of this store");
        err_where("%s", s->sums_path);
        goto done;
    }
    ASSAY_TRY(mem_new(s->ctx, &s->done, (size_t)s->blocks + 1, sizeof *s->done));
    for (int64_t b = 0; b < s->blocks; b++)
        s->done[b] = le32_get(block_entry(s, b) + 4) == SUMS_DONE;
done:
    return status;
}

/* Lets go of everything that map_parts and read_identity made. */
static void unmap_parts(row_store *s) {
    npy_close(&s->array);
    os_unmap(&s->sums);
    mem_free(s->ctx, s->done);
    mem_free(s->ctx, s->identity);
    s->done = NULL;
    s->identity = NULL;
}

static assay_status remove_file(const char *path) {
    if (unlink(path) == 0 || errno == ENOENT)
        return ASSAY_OK;
    assay_status status = err_errno(ASSAY_E_INVALID, errno, "can't replace the file");
    err_where("%s", path);
    return status;
}

static assay_status write_sums(row_store *s) {
    assay_status status = ASSAY_OK;
    size_t bytes = SUMS_HEAD + (size_t)s->blocks * SUMS_ENTRY;
    uint8_t *data = NULL;
    ASSAY_TRY(mem_new(s->ctx, &data, bytes, 1));
    memcpy(data, SUMS_MAGIC, 4);
    le32_put(data + 4, SUMS_VERSION);
    le64_put(data + 8, (uint64_t)s->blocks);
    ASSAY_TRY(atomic_put(s->ctx, s->sums_path, data, bytes));
done:
    mem_free(s->ctx, data);
    return status;
}

static assay_status write_identity(row_store *s) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(s->ctx);
    json_out j = json_out_make(&text, 1);
    json_obj(&j);
    json_kint(&j, "schema", ROWS_SCHEMA);
    json_kstr(&j, "identity", s->identity);
    json_kint(&j, "rows", s->rows);
    json_kint(&j, "cols", s->cols);
    json_kint(&j, "block_rows", s->block_rows);
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(atomic_put(s->ctx, s->json_path, text.data, text.len));
done:
    buf_free(&text);
    return status;
}

/* Makes the store anew. The description goes first and comes last: a store without one is
 * none. */
static assay_status make_anew(row_store *s, const char *identity) {
    assay_status status = ASSAY_OK;
    int64_t dim[2] = {s->rows, s->cols};
    ASSAY_TRY(remove_file(s->json_path));
    ASSAY_TRY(npy_create(&s->array, s->ctx, s->npy_path, ASSAY_F32, 2, dim));
    npy_close(&s->array);
    ASSAY_TRY(write_sums(s));
    ASSAY_TRY(mem_strdup(s->ctx, &s->identity, identity));
    ASSAY_TRY(write_identity(s));
    ASSAY_TRY(map_parts(s));
done:
    return status;
}

static bool matches(const row_store *s,
                    const char *identity,
                    int64_t rows,
                    int64_t cols,
                    int64_t block_rows) {
    return s->rows == rows && s->cols == cols && s->block_rows == block_rows &&
           strcmp(s->identity, identity) == 0;
}

assay_status store_open(row_store **out,
                        assay_ctx *ctx,
                        const char *path,
                        const char *identity,
                        int64_t rows,
                        int64_t cols,
                        int64_t block_rows) {
    assay_status status = ASSAY_OK;
    row_store *s = NULL;
    *out = NULL;
    ASSAY_TRY(store_new(&s, ctx, path));
    s->writable = true;
    if (read_identity(s) == ASSAY_OK && matches(s, identity, rows, cols, block_rows) &&
        map_parts(s) == ASSAY_OK) {
        ASSAY_TRY(assay_parallel_for(ctx, (size_t)s->blocks, 1, check_blocks, s));
    } else {
        unmap_parts(s);
        ASSAY_TRY_AT(set_shape(s, rows, cols, block_rows), "%s", path);
        ASSAY_TRY(make_anew(s, identity));
    }
    *out = s;
    s = NULL;
done:
    store_destroy(s);
    return status;
}

static assay_status
open_read(row_store **out, assay_ctx *ctx, const char *path, bool part, bool check) {
    assay_status status = ASSAY_OK;
    row_store *s = NULL;
    *out = NULL;
    ASSAY_TRY(store_new(&s, ctx, path));
    s->part = part;
    ASSAY_TRY(read_identity(s));
    ASSAY_TRY(map_parts(s));
    if (!part && !store_complete(s)) {
        status = err_set(ASSAY_E_FORMAT, "the store is unfinished");
        err_where("%s", s->npy_path);
        err_help("run the command that makes it again; it continues where it was");
        goto done;
    }
    if (check)
        ASSAY_TRY(assay_parallel_for(ctx, (size_t)s->blocks, 1, check_blocks, s));
    *out = s;
    s = NULL;
done:
    store_destroy(s);
    return status;
}

assay_status
store_open_read(row_store **out, assay_ctx *ctx, const char *path, bool check) {
    return open_read(out, ctx, path, false, check);
}

assay_status store_open_part(row_store **out, assay_ctx *ctx, const char *path) {
    return open_read(out, ctx, path, true, true);
}

void store_destroy(row_store *s) {
    if (!s)
        return;
    unmap_parts(s);
    mem_free(s->ctx, s->npy_path);
    mem_free(s->ctx, s->json_path);
    mem_free(s->ctx, s->sums_path);
    mem_free(s->ctx, s);
}

assay_status store_close(row_store **s) {
    assay_status status = ASSAY_OK;
    if (*s && (*s)->writable) {
        ASSAY_TRY(npy_sync(&(*s)->array, (*s)->npy_path));
        ASSAY_TRY(os_map_sync(&(*s)->sums, (*s)->sums_path));
    }
done:
    store_destroy(*s);
    *s = NULL;
    return status;
}

/* ---- use ---- */

int64_t store_rows(const row_store *s) {
    return s->rows;
}
int64_t store_cols(const row_store *s) {
    return s->cols;
}
int64_t store_blocks(const row_store *s) {
    return s->blocks;
}
int64_t store_block_rows(const row_store *s) {
    return s->block_rows;
}
const char *store_identity(const row_store *s) {
    return s->identity;
}

bool store_block_done(const row_store *s, int64_t block) {
    return s->done[block];
}

bool store_complete(const row_store *s) {
    for (int64_t b = 0; b < s->blocks; b++)
        if (!s->done[b])
            return false;
    return true;
}

float *store_row(row_store *s, int64_t row) {
    return (float *)(void *)s->array.data + row * s->cols;
}

const float *store_row_read(const row_store *s, int64_t row) {
    return (const float *)(const void *)s->array.data + row * s->cols;
}

/* Writes the pages that hold [data, data + bytes) through to disk. */
static assay_status sync_range(void *data, size_t bytes, const char *path) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)data;
    uintptr_t begin = at & ~(page - 1);
    if (msync((void *)begin, bytes + (at - begin), MS_SYNC) == 0)
        return ASSAY_OK;
    assay_status status = err_errno(ASSAY_E_IO, errno, "can't write the file");
    err_where("%s", path);
    return status;
}

assay_status store_block_seal(row_store *s, int64_t block) {
    assay_status status = ASSAY_OK;
    size_t bytes;
    float *data = block_data(s, block, &bytes);
    uint8_t *entry = block_entry(s, block);
    ASSAY_TRY(sync_range(data, bytes, s->npy_path));
    le32_put(entry, hash_crc32c(0, data, bytes));
    le32_put(entry + 4, SUMS_DONE);
    ASSAY_TRY(sync_range(entry, SUMS_ENTRY, s->sums_path));
    s->done[block] = true;
done:
    return status;
}

void store_block_note(row_store *s, int64_t block) {
    size_t bytes;
    const float *data = block_data(s, block, &bytes);
    uint8_t *entry = block_entry(s, block);
    le32_put(entry, hash_crc32c(0, data, bytes));
    le32_put(entry + 4, SUMS_DONE);
    s->done[block] = true;
}

void store_block_forget(row_store *s, int64_t block) {
    size_t bytes;
    const float *data = block_data(s, block, &bytes);
    os_map_forget(&s->array.map, (size_t)((const uint8_t *)data - s->array.map.data),
                  bytes);
}
