/* The operating system: time, memory, processors, files as far as reading goes. Writing
 * files that survive a crash is file/atomic.h. */
#ifndef BASE_OS_H
#define BASE_OS_H

#include "base/ctx.h"

uint64_t os_now_ns(void);        /* monotonic */
uint64_t os_cpu_ns(void);        /* processor time of the process, all threads */
uint64_t os_thread_cpu_ns(void); /* of the calling thread */
int os_processors(void);         /* allowed to this process */
void os_sample_memory(void);     /* feeds assay_peak_bytes() */
/* Asks the kernel to let this process use matrix tiles (AMX). */
bool os_allow_tiles(void);

/* Tells the kernel that memory of many megabytes will be written soon and throughout:
 * pages of 2 MiB spare it thousands of faults. Only advice; nothing changes in meaning. */
void os_large_pages(void *memory, size_t bytes);
/* mem_new for many megabytes: advised before the pages are touched. */
ASSAY_MUST_CHECK assay_status os_new_large(assay_ctx *ctx, void *out, size_t bytes);

/* A whole file in memory: NUL-terminated behind `bytes`. Refuses more than `limit` bytes.
 * "-" is not special. NOTFOUND, IO, NOMEM, FORMAT (too large). */
ASSAY_MUST_CHECK assay_status os_read_file(
    assay_ctx *ctx, const char *path, size_t limit, uint8_t **out, size_t *bytes);

/* A file mapped read-only, or read-write (shared). */
typedef struct os_map {
    uint8_t *data; /* NULL when bytes is 0 */
    size_t bytes;
    int fd;
    bool writable;
} os_map;
ASSAY_MUST_CHECK assay_status os_map_file(os_map *out, const char *path, bool writable);
/* The same of an open file, which is taken: closed by os_unmap, or here on failure. */
ASSAY_MUST_CHECK assay_status os_map_fd(os_map *out, int fd, const char *path);
void os_unmap(os_map *m); /* accepts a zeroed one */
ASSAY_MUST_CHECK assay_status os_map_sync(os_map *m,
                                          const char *path); /* msync + fsync */
/* Tells the kernel that [offset, offset + bytes) is not needed in memory for now. */
void os_map_forget(os_map *m, size_t offset, size_t bytes);

/* A file without a name, for what does not fit memory: it is gone when it is closed,
 * however the process ends. Lies in the first of ASSAY_CACHE, TMPDIR and /tmp that is set.
 * INVALID where that can't be written to. */
ASSAY_MUST_CHECK assay_status os_temporary(int *fd);
/* Appends to it. NOSPC, IO. */
ASSAY_MUST_CHECK assay_status os_append(int fd, const void *data, size_t bytes);

bool os_exists(const char *path);
bool os_is_dir(const char *path);
/* Makes a directory and its parents; fine if it exists. INVALID if it can't be. */
ASSAY_MUST_CHECK assay_status os_mkdirs(const char *path);
/* Removes a file or a folder with all in it; fine if absent. */
ASSAY_MUST_CHECK assay_status os_remove_tree(const char *path);

/* Names in a folder, without . and .., sorted bytewise. Free with os_names_free. */
typedef struct os_names {
    assay_ctx *ctx;
    char **name;
    size_t count, cap;
} os_names;
ASSAY_MUST_CHECK assay_status os_list_dir(assay_ctx *ctx,
                                          const char *path,
                                          os_names *out);
void os_names_free(os_names *n);

#endif
