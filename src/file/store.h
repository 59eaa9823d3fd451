/* A resumable store of fixed-size f32 rows: <path>.npy holds the rows (any tool can read it),
 * <path>.rows.json the identity, <path>.sums one CRC-32C and a flag per block of rows. Killed at any
 * moment, it reopens with the finished blocks; one whose checksum fails counts as unfinished. Mapped, so it does not count as the process's memory. */
#ifndef FILE_STORE_H
#define FILE_STORE_H

#include "file/npy.h"

typedef struct row_store row_store;

/* Opens `path` (without extension) if its identity string, rows and cols match, else makes it anew.
 * `identity` says what the rows are (model hash, projector, seed, version). */
ASSAY_MUST_CHECK assay_status store_open(row_store **out, assay_ctx *ctx, const char *path, const char *identity,
                                         int64_t rows, int64_t cols, int64_t block_rows);
/* Read-only: refuses an incomplete store and, with `check`, verifies every block's checksum. */
ASSAY_MUST_CHECK assay_status store_open_read(row_store **out, assay_ctx *ctx, const char *path, bool check);
/* Read-only, finished or not: blocks that are unfinished or damaged count as not done. */
ASSAY_MUST_CHECK assay_status store_open_part(row_store **out, assay_ctx *ctx, const char *path);
/* msync + close. */
ASSAY_MUST_CHECK assay_status store_close(row_store **s);
void store_destroy(row_store *s); /* without sync; accepts NULL */
int64_t store_rows(const row_store *s);
int64_t store_cols(const row_store *s);
int64_t store_blocks(const row_store *s);
int64_t store_block_rows(const row_store *s);
bool store_block_done(const row_store *s, int64_t block);
float *store_row(row_store *s, int64_t row); /* writable while the block isn't done */
const float *store_row_read(const row_store *s, int64_t row);
/* Seals a block: checksum, flag, both written through. @threads distinct blocks from distinct threads */
ASSAY_MUST_CHECK assay_status store_block_seal(row_store *s, int64_t block);
/* The same without waiting for the disk: what a kill of the process leaves is whole, and after a
 * power failure the checksum tells which blocks are not. store_close writes through. */
void store_block_note(row_store *s, int64_t block);
bool store_complete(const row_store *s);
const char *store_identity(const row_store *s);
/* Tells the kernel a block's pages are not needed for now. */
void store_block_forget(row_store *s, int64_t block);

#endif
