/* Packed files through libarchive: its raw format (no container) with the gzip, xz
 * and zstd filters; and the members of a zip. Tar is read by data/source/tar.c, which
 * knows where members lie. */
#include "data/source/stream.h"

#include "base/os.h"
#include "data/source/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

struct stream {
    assay_ctx *ctx;
    char *name;
    struct archive *a;
    uint64_t at;
    bool ended; /* nothing to read: the file is empty */
};

static assay_status damaged(const stream *s) {
    const char *why = archive_error_string(s->a);
    err_set(ASSAY_E_FORMAT, "packed data are damaged or end early (%s)",
            why ? why : "unknown");
    err_where("%s, after %llu unpacked bytes", s->name, (unsigned long long)s->at);
    err_help("fetch the file again");
    return ASSAY_E_FORMAT;
}

static assay_status begin(stream **out, assay_ctx *ctx, const char *name) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    ASSAY_TRY(mem_strdup(ctx, &s->name, name));
    s->a = archive_read_new();
    if (s->a == NULL)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for reading %s", name);
    if (archive_read_support_filter_gzip(s->a) < ARCHIVE_WARN ||
        archive_read_support_filter_xz(s->a) < ARCHIVE_WARN ||
        archive_read_support_filter_zstd(s->a) < ARCHIVE_WARN ||
        archive_read_support_format_empty(s->a) < ARCHIVE_WARN ||
        archive_read_support_format_raw(s->a) < ARCHIVE_WARN)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "libarchive was built without gzip, xz or zstd");
    *out = s;
    s = NULL;
done:
    stream_close(s);
    return status;
}

static assay_status first_header(stream *s, int opened) {
    struct archive_entry *entry = NULL;
    int r = opened;
    if (r == ARCHIVE_OK)
        r = archive_read_next_header(s->a, &entry);
    if (r == ARCHIVE_EOF) {
        s->ended = true;
        return ASSAY_OK;
    }
    return r < ARCHIVE_WARN ? damaged(s) : ASSAY_OK;
}

assay_status stream_open(stream **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    *out = NULL;
    if (!os_exists(path)) {
        err_set(ASSAY_E_NOTFOUND, "no such file");
        err_where("%s", path);
        return ASSAY_E_NOTFOUND;
    }
    if (os_is_dir(path)) {
        err_set(ASSAY_E_INVALID, "a folder where a file is expected");
        err_where("%s", path);
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(begin(&s, ctx, path));
    ASSAY_TRY(first_header(s, archive_read_open_filename(s->a, path, 1 << 16)));
    *out = s;
    s = NULL;
done:
    stream_close(s);
    return status;
}

assay_status stream_open_memory(
    stream **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    *out = NULL;
    ASSAY_TRY(begin(&s, ctx, name));
    if (n == 0)
        s->ended = true;
    else
        ASSAY_TRY(first_header(s, archive_read_open_memory(s->a, bytes, n)));
    *out = s;
    s = NULL;
done:
    stream_close(s);
    return status;
}

assay_status stream_read(stream *s, void *dst, size_t n, size_t *got) {
    uint8_t *to = dst;
    *got = 0;
    while (!s->ended && *got < n) {
        la_ssize_t r = archive_read_data(s->a, to + *got, n - *got);
        if (r < 0)
            return damaged(s);
        s->ended = r == 0;
        *got += (size_t)r;
        s->at += (uint64_t)r;
    }
    return ASSAY_OK;
}

assay_status stream_rest(stream *s, size_t limit, uint8_t **out, size_t *bytes) {
    assay_status status = ASSAY_OK;
    uint8_t *data = NULL;
    size_t cap = 0, used = 0, got = 0;
    *out = NULL;
    *bytes = 0;
    do {
        if (used == cap)
            ASSAY_TRY(mem_grow(s->ctx, &data, used, &cap, used + (1 << 20), 1));
        size_t want = cap - used;
        if (want > limit - used + 1)
            want = limit - used + 1;
        ASSAY_TRY(stream_read(s, data + used, want, &got));
        used += got;
        if (used > limit) {
            err_set(ASSAY_E_FORMAT, "holds more than the %llu bytes expected",
                    (unsigned long long)limit);
            err_where("%s", s->name);
            status = ASSAY_E_FORMAT;
            goto done;
        }
    } while (!s->ended);
    *out = data;
    *bytes = used;
    data = NULL;
done:
    mem_free(s->ctx, data);
    return status;
}

uint64_t stream_at(const stream *s) {
    return s->at;
}

const char *stream_name(const stream *s) {
    return s->name;
}

void stream_close(stream *s) {
    if (s == NULL)
        return;
    if (s->a != NULL)
        archive_read_free(s->a);
    mem_free(s->ctx, s->name);
    mem_free(s->ctx, s);
}

/* ---- zip ---- */

struct zip_reader {
    assay_ctx *ctx;
    char *path, *name; /* the file's, and the member's */
    struct archive *a;
};

static assay_status zip_damaged(const zip_reader *z) {
    const char *why = archive_error_string(z->a);
    err_set(ASSAY_E_FORMAT, "the zip is damaged or ends early (%s)",
            why ? why : "unknown");
    err_where("%s%s%s", z->path, z->name ? ": " : "", z->name ? z->name : "");
    err_help("fetch the file again");
    return ASSAY_E_FORMAT;
}

assay_status zip_open(zip_reader **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    zip_reader *z = NULL;
    *out = NULL;
    if (!os_exists(path) || os_is_dir(path)) {
        err_set(ASSAY_E_NOTFOUND, "no such file");
        err_where("%s", path);
        return ASSAY_E_NOTFOUND;
    }
    ASSAY_TRY(mem_new(ctx, &z, 1, sizeof *z));
    z->ctx = ctx;
    ASSAY_TRY(mem_strdup(ctx, &z->path, path));
    z->a = archive_read_new();
    if (z->a == NULL)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for reading %s", path);
    /* by the directory at its end: a zip that was cut has none */
    if (archive_read_support_format_zip_seekable(z->a) < ARCHIVE_WARN)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "libarchive was built without zip");
    if (archive_read_open_filename(z->a, path, 1 << 16) < ARCHIVE_WARN) {
        status = zip_damaged(z);
        goto done;
    }
    *out = z;
    z = NULL;
done:
    zip_close(z);
    return status;
}

assay_status zip_next(zip_reader *z, const char **name) {
    assay_status status = ASSAY_OK;
    struct archive_entry *entry = NULL;
    *name = NULL;
    mem_free(z->ctx, z->name);
    z->name = NULL;
    do {
        int r = archive_read_next_header(z->a, &entry);
        if (r == ARCHIVE_EOF)
            return ASSAY_OK;
        if (r < ARCHIVE_WARN)
            return zip_damaged(z);
    } while (archive_entry_filetype(entry) != AE_IFREG);
    const char *given = archive_entry_pathname(entry);
    ASSAY_TRY(mem_strdup(z->ctx, &z->name, given != NULL ? given : ""));
    if (archive_entry_is_encrypted(entry)) {
        err_set(ASSAY_E_FORMAT, "the file is encrypted");
        err_where("%s: %s", z->path, z->name);
        return ASSAY_E_FORMAT;
    }
    *name = z->name;
done:
    return status;
}

assay_status zip_read(zip_reader *z, void *dst, size_t n, size_t *got) {
    uint8_t *to = dst;
    *got = 0;
    while (*got < n) {
        la_ssize_t r = archive_read_data(z->a, to + *got, n - *got);
        if (r < 0)
            return zip_damaged(z);
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return ASSAY_OK;
}

void zip_close(zip_reader *z) {
    if (z == NULL)
        return;
    if (z->a != NULL)
        archive_read_free(z->a);
    mem_free(z->ctx, z->path);
    mem_free(z->ctx, z->name);
    mem_free(z->ctx, z);
}
