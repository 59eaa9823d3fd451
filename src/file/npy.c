/* NumPy's .npy: a magic, a header that is a Python dictionary in ASCII, then the
 * elements. The header is read by a parser of its own that knows the three keys and
 * nothing else. */
#include "file/npy.h"

#include "base/le.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NPY_ALIGN = 64, NPY_HEADER_LIMIT = 1 << 16, NPY_HEADER_ROOM = 384 };

/* ---- the dictionary ---- */

typedef struct npy_text {
    const char *at, *end;
} npy_text;

static void skip_space(npy_text *t) {
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t'))
        t->at++;
}

static bool take(npy_text *t, char c) {
    skip_space(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

static bool take_word(npy_text *t, const char *word) {
    size_t n = strlen(word);
    skip_space(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

/* A quoted string without escapes, into `out`. */
static bool take_string(npy_text *t, char *out, size_t room) {
    skip_space(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    char quote = *t->at++;
    size_t n = 0;
    for (; t->at < t->end && *t->at != quote; t->at++) {
        if (*t->at == '\\' || n + 1 >= room)
            return false;
        out[n++] = *t->at;
    }
    out[n] = '\0';
    return take(t, quote);
}

static bool take_int(npy_text *t, int64_t *out) {
    skip_space(t);
    int64_t v = 0;
    const char *first = t->at;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        if (v > (INT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (*t->at - '0');
    }
    *out = v;
    return t->at > first;
}

/* "(2, 3)", "(2,)", "()". */
static assay_status take_shape(npy_text *t, npy_array *a) {
    if (!take(t, '('))
        return err_set(ASSAY_E_FORMAT, "the header's shape isn't a tuple");
    a->ndim = 0;
    while (!take(t, ')')) {
        if (a->ndim == NPY_MAX_DIMS)
            return err_set(ASSAY_E_UNSUPPORTED, "more than %d dimensions",
                           (int)NPY_MAX_DIMS);
        if (!take_int(t, &a->dim[a->ndim]))
            return err_set(ASSAY_E_FORMAT,
                           "the header's shape holds something not a size");
        a->ndim++;
        if (!take(t, ',')) {
            if (!take(t, ')'))
                return err_set(ASSAY_E_FORMAT, "the header's shape has no end");
            return ASSAY_OK;
        }
    }
    return ASSAY_OK;
}

static assay_status take_dict(npy_text *t, npy_array *a) {
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    unsigned seen = 0, key;
    char word[32];
    if (!take(t, '{'))
        return err_set(ASSAY_E_FORMAT, "the header isn't a dictionary");
    while (!take(t, '}')) {
        if (!take_string(t, word, sizeof word) || !take(t, ':'))
            return err_set(ASSAY_E_FORMAT, "the header's dictionary is damaged");
        if (strcmp(word, "descr") == 0) {
            key = DESCR;
            if (!take_string(t, word, sizeof word))
                return err_set(ASSAY_E_DTYPE, "records and named fields aren't read");
            assay_status status = dtype_from_typestr(&a->dtype, word);
            if (status != ASSAY_OK) {
                err_help("convert it, for example with numpy's astype('<f4')");
                return status;
            }
        } else if (strcmp(word, "fortran_order") == 0) {
            key = ORDER;
            if (take_word(t, "True")) {
                assay_status status =
                    err_set(ASSAY_E_UNSUPPORTED, "the array is in column order");
                err_help("save numpy.ascontiguousarray of it");
                return status;
            }
            if (!take_word(t, "False"))
                return err_set(ASSAY_E_FORMAT, "the header's fortran_order isn't a bool");
        } else if (strcmp(word, "shape") == 0) {
            key = SHAPE;
            assay_status status = take_shape(t, a);
            if (status != ASSAY_OK)
                return status;
        } else {
            return err_set(ASSAY_E_FORMAT, "the header has an unknown key '%s'", word);
        }
        if (seen & key)
            return err_set(ASSAY_E_FORMAT, "the header has a key twice");
        seen |= key;
        if (!take(t, ',') && !(t->at < t->end && *t->at == '}'))
            return err_set(ASSAY_E_FORMAT, "the header's dictionary has no end");
    }
    skip_space(t);
    if (seen != (DESCR | ORDER | SHAPE) || t->at != t->end)
        return err_set(ASSAY_E_FORMAT, "the header isn't descr, fortran_order and shape");
    return ASSAY_OK;
}

/* ---- the whole ---- */

/* Fills a->dtype .. a->bytes from the file's bytes. */
static assay_status parse(npy_array *a, const uint8_t *p, size_t n) {
    if (n < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        return err_set(ASSAY_E_FORMAT, "not a .npy file");
    if (p[6] < 1 || p[6] > 3)
        return err_set(ASSAY_E_VERSION, ".npy version %d.%d isn't known", p[6], p[7]);
    size_t prefix = p[6] == 1 ? 10 : 12;
    if (n < prefix)
        return err_set(ASSAY_E_FORMAT, "the header is cut off");
    size_t header = p[6] == 1 ? le16_get(p + 8) : le32_get(p + 8);
    if (header > NPY_HEADER_LIMIT || header > n - prefix)
        return err_set(ASSAY_E_FORMAT, "the header claims %zu bytes; the file has %zu",
                       header, n - prefix);
    npy_text text = {(const char *)p + prefix, (const char *)p + prefix + header};
    assay_status status = take_dict(&text, a);
    if (status != ASSAY_OK) {
        err_where("byte %td", text.at - (const char *)p);
        return status;
    }
    int64_t count;
    if (ten_measure(&count, &a->bytes, a->dtype, a->ndim, a->dim) != ASSAY_OK)
        return err_set(ASSAY_E_FORMAT, "the header's shape has too many elements");
    size_t start = prefix + header;
    if (a->bytes != n - start)
        return err_set(ASSAY_E_FORMAT,
                       "the header promises %zu bytes of data; the file has %zu",
                       a->bytes, n - start);
    if (start % assay_dtype_size(a->dtype) != 0)
        return err_set(ASSAY_E_FORMAT, "the data begins unaligned, at byte %zu", start);
    return ASSAY_OK;
}

/* The header for an array, prefix included; its length is a multiple of NPY_ALIGN. */
static size_t
format(char out[NPY_HEADER_ROOM], assay_dtype dtype, int ndim, const int64_t *dim) {
    const size_t room = NPY_HEADER_ROOM;
    size_t n = 10;
    n += (size_t)snprintf(out + n, room - n,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (",
                          dtype_typestr(dtype));
    for (int i = 0; i < ndim; i++)
        n += (size_t)snprintf(out + n, room - n, "%" PRId64 "%s", dim[i],
                              ndim == 1      ? ","
                              : i + 1 < ndim ? ", "
                                             : "");
    n += (size_t)snprintf(out + n, room - n, "), }");
    while ((n + 1) % NPY_ALIGN != 0)
        out[n++] = ' ';
    out[n++] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    le16_put((uint8_t *)out + 8, (uint16_t)(n - 10));
    return n;
}

static assay_status
check_shape(size_t *bytes, assay_dtype dtype, int ndim, const int64_t *dim) {
    int64_t count;
    if (ndim < 0 || ndim > NPY_MAX_DIMS)
        return err_set(ASSAY_E_SHAPE, "an .npy of %d dimensions isn't written", ndim);
    if (!dtype_typestr(dtype))
        return err_set(ASSAY_E_DTYPE, ".npy has no such element type");
    return ten_measure(&count, bytes, dtype, ndim, dim);
}

/* ---- files ---- */

assay_status npy_parse(npy_array *out, const void *bytes, size_t n) {
    *out = (npy_array){.map = {.fd = -1}};
    assay_status status = parse(out, bytes, n);
    if (status != ASSAY_OK)
        *out = (npy_array){.map = {.fd = -1}};
    else
        out->data = (uint8_t *)(uintptr_t)bytes + (n - out->bytes);
    return status;
}

assay_status npy_open(npy_array *out, assay_ctx *ctx, const char *path, bool writable) {
    assay_status status = ASSAY_OK;
    os_map map;
    (void)ctx;
    *out = (npy_array){.map = {.fd = -1}};
    status = os_map_file(&map, path, writable);
    if (status != ASSAY_OK)
        return status;
    status = npy_parse(out, map.data, map.bytes);
    if (status != ASSAY_OK) {
        err_where("%s", path);
        os_unmap(&map);
        return status;
    }
    out->map = map;
    return ASSAY_OK;
}

assay_status npy_create(npy_array *out,
                        assay_ctx *ctx,
                        const char *path,
                        assay_dtype dtype,
                        int ndim,
                        const int64_t *dim) {
    assay_status status = ASSAY_OK;
    char header[NPY_HEADER_ROOM];
    size_t bytes = 0;
    int fd = -1;
    bool made = false;
    *out = (npy_array){.map = {.fd = -1}};
    ASSAY_TRY_AT(check_shape(&bytes, dtype, ndim, dim), "%s", path);
    size_t head = format(header, dtype, ndim, dim);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = err_errno(ASSAY_E_INVALID, errno, "can't write the file");
        err_where("%s", path);
        goto done;
    }
    made = true;
    int err = bytes > (size_t)INT64_MAX - head
                  ? EFBIG
                  : posix_fallocate(fd, 0, (off_t)(head + bytes));
    if (err == 0) {
        ssize_t n = pwrite(fd, header, head, 0);
        err = n < 0 ? errno : (size_t)n != head ? ENOSPC : 0;
    }
    if (err != 0) {
        status = err_errno(err == EFBIG ? ASSAY_E_NOSPC : ASSAY_E_IO, err,
                           "can't make room for %zu bytes", head + bytes);
        err_where("%s", path);
        err_help("free some space, or write to another disk");
        goto done;
    }
    ASSAY_TRY(npy_open(out, ctx, path, true));
done:
    if (fd >= 0)
        (void)close(fd);
    if (status != ASSAY_OK && made)
        (void)unlink(path);
    return status;
}

assay_status npy_sync(npy_array *a, const char *path) {
    return os_map_sync(&a->map, path);
}

void npy_close(npy_array *a) {
    os_unmap(&a->map);
    *a = (npy_array){.map = {.fd = -1}};
}

assay_status npy_begin(atomic_file *f,
                       uint64_t *start,
                       assay_ctx *ctx,
                       const char *path,
                       assay_dtype dtype,
                       int ndim,
                       const int64_t *dim) {
    assay_status status = ASSAY_OK;
    char header[NPY_HEADER_ROOM];
    size_t bytes = 0;
    *f = (atomic_file){.fd = -1};
    ASSAY_TRY_AT(check_shape(&bytes, dtype, ndim, dim), "%s", path);
    *start = format(header, dtype, ndim, dim);
    ASSAY_TRY(atomic_open(f, ctx, path));
    ASSAY_TRY(atomic_write(f, header, (size_t)*start));
done:
    if (status != ASSAY_OK)
        atomic_abandon(f);
    return status;
}

assay_status npy_put(assay_ctx *ctx,
                     const char *path,
                     assay_dtype dtype,
                     int ndim,
                     const int64_t *dim,
                     const void *data) {
    assay_status status = ASSAY_OK;
    atomic_file f = {.fd = -1};
    uint64_t start;
    int64_t count;
    size_t bytes = 0;
    ASSAY_TRY(npy_begin(&f, &start, ctx, path, dtype, ndim, dim));
    ASSAY_TRY(ten_measure(&count, &bytes, dtype, ndim, dim));
    ASSAY_TRY(atomic_write(&f, data, bytes));
    ASSAY_TRY(atomic_commit(&f));
done:
    atomic_abandon(&f);
    return status;
}
