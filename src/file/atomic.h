/* A file that appears whole or not at all: temporary name beside the target, fsync, rename, fsync
 * of the folder. */
#ifndef FILE_ATOMIC_H
#define FILE_ATOMIC_H

#include "base/buf.h"

typedef struct atomic_file {
    int fd; /* -1 when closed */
    char *path, *temporary;
    assay_ctx *ctx;
    uint64_t written;
} atomic_file;

/* INVALID when the output can't be written (exit code 2), NOSPC on a full disk. */
ASSAY_MUST_CHECK assay_status atomic_open(atomic_file *f, assay_ctx *ctx, const char *path);
ASSAY_MUST_CHECK assay_status atomic_write(atomic_file *f, const void *data, size_t bytes);
/* Writes at an offset, past or before the end (pwrite). */
ASSAY_MUST_CHECK assay_status atomic_write_at(atomic_file *f, uint64_t offset, const void *data, size_t bytes);
/* fsync + rename. After it, or after a failure of it, the struct is closed. */
ASSAY_MUST_CHECK assay_status atomic_commit(atomic_file *f);
/* Removes the temporary file. Accepts a closed or zeroed-and-never-opened struct (path NULL). */
void atomic_abandon(atomic_file *f);
/* All in one. */
ASSAY_MUST_CHECK assay_status atomic_put(assay_ctx *ctx, const char *path, const void *data, size_t bytes);

/* Removes what a kill in the middle of writing left in a folder: files named as temporary ones are,
 * NAME.tmp-<process>-<number>. Not for folders that others write to at the same time. Fine if there is no
 * such folder. */
ASSAY_MUST_CHECK assay_status atomic_sweep(assay_ctx *ctx, const char *folder);

/* An appending log (metrics.jsonl, events): each append is one write() of whole lines. */
ASSAY_MUST_CHECK assay_status append_line(assay_ctx *ctx, const char *path, const char *line, size_t bytes);

#endif
