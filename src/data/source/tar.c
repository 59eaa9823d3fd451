/* Reading tar (POSIX.1-2001, "pax interchange format", and GNU tar's manual, "basic tar
 * format"). */
#include "data/source/tar.h"

#include <stdio.h>
#include <string.h>

enum {
    AT_SIZE = 124,
    AT_SUM = 148,
    AT_TYPE = 156,
    AT_MAGIC = 257,
    AT_PREFIX = 345,
    NAME = 100,
    PREFIX = 155,
    EXTENSION_LIMIT = 1 << 20 /* of one pax header */
};

tar_reader tar_begin(const void *data, uint64_t bytes) {
    return (tar_reader){.data = data, .bytes = bytes};
}

static assay_status damaged(uint64_t at, const char *what) {
    err_set(ASSAY_E_FORMAT, "%s", what);
    err_where("byte %llu", (unsigned long long)at);
    return ASSAY_E_FORMAT;
}

static assay_status ends_early(tar_reader *r, uint64_t wanted) {
    r->wanted = wanted;
    err_set(ASSAY_E_FORMAT, "the archive ends early");
    err_where("byte %llu of %llu", (unsigned long long)r->bytes,
              (unsigned long long)wanted);
    return ASSAY_E_FORMAT;
}

/* An octal number, or GNU's binary one. */
static bool number(uint64_t *out, const uint8_t *p, size_t n) {
    uint64_t v = 0;
    if (p[0] & 0x80) {
        v = p[0] & 0x7f;
        for (size_t i = 1; i < n; i++) {
            if (v >> 55 != 0)
                return false;
            v = v << 8 | p[i];
        }
        *out = v;
        return true;
    }
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(p[i] - '0');
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return false;
    *out = v;
    return true;
}

static bool sum_is_right(const uint8_t *h) {
    uint64_t told, sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= AT_SUM && i < AT_SUM + 8 ? ' ' : h[i];
    return number(&told, h + AT_SUM, 8) && told == sum;
}

static bool is_zero(const uint8_t *h) {
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (h[i] != 0)
            return false;
    return true;
}

static size_t length(const uint8_t *p, size_t n) {
    const uint8_t *end = memchr(p, 0, n);
    return end != NULL ? (size_t)(end - p) : n;
}

/* What earlier headers say of the member to come. */
typedef struct extension {
    bool name, size;
    uint64_t bytes;
} extension;

static assay_status take_name(tar_member *m, const uint8_t *p, size_t n, uint64_t at) {
    n = length(p, n);
    if (n >= sizeof m->name)
        return damaged(at, "a member's name of more than 4,095 bytes");
    memcpy(m->name, p, n);
    m->name[n] = '\0';
    return ASSAY_OK;
}

/* Records "length key=value\n"; path and size are of interest. */
static assay_status
take_pax(extension *x, tar_member *m, const uint8_t *p, size_t n, uint64_t at) {
    assay_status status = ASSAY_OK;
    while (n > 0) {
        size_t len = 0, i = 0;
        for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
            len = len * 10 + (size_t)(p[i] - '0');
        if (i == 0 || i >= n || p[i] != ' ' || len <= i + 1 || len > n ||
            p[len - 1] != '\n')
            return damaged(at, "a pax header is damaged");
        const uint8_t *key = p + i + 1, *end = p + len - 1;
        const uint8_t *eq = memchr(key, '=', (size_t)(end - key));
        if (eq == NULL)
            return damaged(at, "a pax header is damaged");
        size_t key_n = (size_t)(eq - key), value_n = (size_t)(end - eq - 1);
        if (key_n == 4 && memcmp(key, "path", 4) == 0) {
            ASSAY_TRY(take_name(m, eq + 1, value_n, at));
            x->name = true;
        } else if (key_n == 4 && memcmp(key, "size", 4) == 0) {
            x->bytes = 0;
            for (size_t k = 0; k < value_n; k++) {
                if (eq[1 + k] < '0' || eq[1 + k] > '9' || x->bytes > UINT64_MAX / 16)
                    return damaged(at, "a pax header's size is not a number");
                x->bytes = x->bytes * 10 + (uint64_t)(eq[1 + k] - '0');
            }
            x->size = value_n > 0;
        }
        p += len;
        n -= len;
    }
done:
    return status;
}

static assay_status plain_name(tar_member *m, const uint8_t *h, uint64_t at) {
    size_t n = length(h, NAME), prefix = 0;
    /* GNU tar has other things where POSIX has the prefix: its magic ends in spaces. */
    if (memcmp(h + AT_MAGIC, "ustar\0", 6) == 0)
        prefix = length(h + AT_PREFIX, PREFIX);
    if (n == 0 && prefix == 0)
        return damaged(at, "a member without a name");
    (void)snprintf(m->name, sizeof m->name, "%.*s%s%.*s", (int)prefix,
                   (const char *)h + AT_PREFIX, prefix > 0 ? "/" : "", (int)n,
                   (const char *)h);
    return ASSAY_OK;
}

static tar_kind kind_of(uint8_t type) {
    switch (type) {
    case '0':
    case '\0':
    case '7':
        return TAR_FILE;
    case '1':
    case '2':
        return TAR_LINK;
    case '5':
        return TAR_FOLDER;
    default:
        return TAR_OTHER;
    }
}

/* Checks the header at r->at; *bytes is the size that it names. */
static assay_status header(const tar_reader *r, uint64_t *bytes) {
    const uint8_t *h = r->data + r->at;
    if (!sum_is_right(h))
        return damaged(r->at,
                       r->at == 0 ? "not a tar archive" : "a member's header is damaged");
    if (!number(bytes, h + AT_SIZE, 12))
        return damaged(r->at, "a member's size is not a number");
    return ASSAY_OK;
}

/* Bytes and padding of a member that begins at `at`. */
static assay_status find_end(tar_reader *r, uint64_t at, uint64_t bytes, uint64_t *end) {
    if (bytes > INT64_MAX)
        return damaged(r->at, "a member's size is not possible");
    if (bytes > r->bytes - at)
        return ends_early(r, at + bytes);
    uint64_t padded = (bytes + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    /* the padding of the last member may be missing: nothing is lost with it */
    *end = padded > r->bytes - at ? r->bytes : at + padded;
    return ASSAY_OK;
}

assay_status tar_next(tar_reader *r, tar_member *m, bool *more) {
    assay_status status = ASSAY_OK;
    extension x = {0};
    *more = false;
    for (;;) {
        uint64_t bytes, end, left = r->bytes - r->at;
        if (left == 0 && !x.name && !x.size)
            return ASSAY_OK;
        if (left < TAR_BLOCK)
            return ends_early(r, r->at + TAR_BLOCK);
        const uint8_t *h = r->data + r->at;
        if (is_zero(h)) {
            r->ended = true;
            r->at = r->bytes;
            return ASSAY_OK;
        }
        ASSAY_TRY(header(r, &bytes));
        uint64_t at = r->at + TAR_BLOCK;
        uint8_t type = h[AT_TYPE];
        if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
            ASSAY_TRY(find_end(r, at, bytes, &end));
            if (bytes > EXTENSION_LIMIT)
                return damaged(r->at, "a header of more than 1 MB");
            if (type == 'x')
                ASSAY_TRY(take_pax(&x, m, r->data + at, (size_t)bytes, r->at));
            if (type == 'L') {
                ASSAY_TRY(take_name(m, r->data + at, (size_t)bytes, r->at));
                x.name = true;
            }
            r->at = end;
            continue;
        }
        if (!x.name)
            ASSAY_TRY(plain_name(m, h, r->at));
        m->kind = kind_of(type);
        size_t n = strlen(m->name);
        if (m->kind == TAR_FILE && n > 0 && m->name[n - 1] == '/')
            m->kind = TAR_FOLDER; /* as before POSIX */
        /* links and folders have no bytes, whatever their headers say */
        m->bytes = x.size ? x.bytes : bytes;
        if (m->kind == TAR_LINK || m->kind == TAR_FOLDER)
            m->bytes = 0;
        m->at = at;
        ASSAY_TRY(find_end(r, at, m->bytes, &end));
        r->at = end;
        *more = true;
        return ASSAY_OK;
    }
done:
    return status;
}
