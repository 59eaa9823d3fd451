/* Mapping source files, packed ones through a temporary file. */
#include "data/source/spool.h"

#include "data/source/stream.h"

#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 16, MOST_RATIO = 1100, LEAST_LIMIT = 1 << 24 };

/* A mapping lives without its file open: thousands of shards need no thousands of files.
 */
static void close_file(os_map *map) {
    if (map->fd >= 0)
        (void)close(map->fd);
    map->fd = -1;
}

bool spool_is_packed(const char *name) {
    static const char *const ends[] = {".gz", ".tgz", ".xz", ".zst"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t m = strlen(ends[i]);
        if (n > m && strcmp(name + n - m, ends[i]) == 0)
            return true;
    }
    return false;
}

assay_status
spool_fill(spool *out, spool_read read, void *from, uint64_t limit, const char *name) {
    assay_status status = ASSAY_OK, mapped;
    uint8_t block[BLOCK];
    uint64_t bytes = 0;
    err_record why = {0};
    int fd;
    *out = (spool){.packed = true, .map = {.fd = -1}};
    status = os_temporary(&fd);
    if (status != ASSAY_OK)
        return status;
    for (size_t got = 1; got > 0 && status == ASSAY_OK;) {
        status = read(from, block, sizeof block, &got);
        if (status == ASSAY_OK && got > limit - bytes) {
            status = err_set(ASSAY_E_FORMAT, "unpacks to more than %llu bytes",
                             (unsigned long long)limit);
            err_where("%s", name);
        }
        if (got > limit - bytes)
            got = (size_t)(limit - bytes);
        if (got > 0 && (status == ASSAY_OK || status == ASSAY_E_FORMAT)) {
            assay_status written = os_append(fd, block, got);
            status = written != ASSAY_OK ? written : status;
        }
        bytes += got;
    }
    if (status != ASSAY_OK)
        err_save(&why);
    mapped = os_map_fd(&out->map, fd, name);
    if (mapped == ASSAY_OK) {
        close_file(&out->map);
        out->data = out->map.data;
        out->bytes = out->map.bytes;
    }
    if (status == ASSAY_OK)
        return mapped;
    err_restore(&why);
    return status;
}

static assay_status read_stream(void *from, void *dst, size_t n, size_t *got) {
    return stream_read(from, dst, n, got);
}

assay_status spool_open(spool *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    os_map map = {.fd = -1};
    *out = (spool){.map = {.fd = -1}};
    ASSAY_TRY(os_map_file(&map, path, false));
    if (!spool_is_packed(path)) {
        close_file(&map);
        *out = (spool){.data = map.data, .bytes = map.bytes, .map = map};
        return ASSAY_OK;
    }
    uint64_t limit = (uint64_t)map.bytes * MOST_RATIO + LEAST_LIMIT;
    os_unmap(&map);
    ASSAY_TRY(stream_open(&s, ctx, path));
    ASSAY_TRY(spool_fill(out, read_stream, s, limit, path));
done:
    stream_close(s);
    return status;
}

void spool_close(spool *s) {
    os_unmap(&s->map);
    *s = (spool){.map = {.fd = -1}};
}
