/* WebDataset's tar shards: for each row KEY.jpg or .png, KEY.cls, and a member for every
 * other column: NAME.npy for numbers and arrays, NAME.json, NAME.bin for bytes; a column
 * that is itself called npy, json or txt has its name alone. A row's split is told by its
 * shard's name. Headers hold no times and owners. */
#include "data/exporter.h"

#include "data/source/values.h"
#include "file/atomic.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 512,
    FLUSH_BYTES = 1 << 20,
    KEY_PART = 200,
    MAX_PATH = 2 * EXPORT_NAME_BYTES
};

static assay_status check(const export_job *e) {
    if (e->fields > 0)
        return ASSAY_OK;
    err_set(ASSAY_E_UNSUPPORTED, "the file has no fields");
    err_where("%s", e->path);
    return ASSAY_E_UNSUPPORTED;
}

/* A key is an id whose last part has no dot; its folders stay. */
static void name_row(char out[EXPORT_NAME_BYTES],
                     const export_job *e,
                     const export_row *row,
                     const char *id) {
    char stem[EXPORT_NAME_BYTES / 2], part[KEY_PART];
    size_t used = 0;
    (void)e;
    (void)row;
    (void)snprintf(stem, sizeof stem, "%s", id);
    char *dot = strrchr(stem, '.');
    if (dot != NULL && value_is_image(stem))
        *dot = '\0';
    for (const char *p = stem; p != NULL;) {
        char *slash = strchr(p, '/');
        if (slash != NULL)
            *slash = '\0';
        if (p[0] != '\0' || slash == NULL) {
            value_file_name(part, sizeof part, p);
            for (char *c = part; slash == NULL && *c != '\0'; c++)
                *c = *c == '.' ? '_' : *c;
            int n = snprintf(out + used, EXPORT_NAME_BYTES - used - 32, "%s%s", part,
                             slash != NULL ? "/" : "");
            if (n > 0 && used + (size_t)n < EXPORT_NAME_BYTES - 32)
                used += (size_t)n;
        }
        p = slash != NULL ? slash + 1 : NULL;
    }
    out[used] = '\0';
}

/* ---- tar ---- */

typedef struct shard {
    export_job *e;
    atomic_file file;
    buf out;        /* not written yet */
    uint64_t bytes; /* of the shard so far */
    int64_t rows;
} shard;

static assay_status flush(shard *s, size_t least) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(buf_check(&s->out));
    if (s->out.len >= least && s->out.len > 0) {
        ASSAY_TRY(atomic_write(&s->file, s->out.data, s->out.len));
        buf_clear(&s->out);
    }
done:
    return status;
}

static void pad(buf *b, size_t n) {
    static const uint8_t zeros[BLOCK] = {0};
    buf_add(b, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

static void put_header(buf *b, const char *name, char type, uint64_t bytes) {
    char h[BLOCK] = {0};
    unsigned sum = 0;
    size_t n = strlen(name);
    memcpy(h, name, n < 100 ? n : 100);
    memcpy(h + 100, "0000644", 7);
    memcpy(h + 108, "0000000", 7);
    memcpy(h + 116, "0000000", 7);
    if (bytes < UINT64_C(1) << 33) {
        (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)bytes);
    } else { /* as GNU tar does: binary, most significant byte first */
        for (int i = 0; i < 8; i++)
            h[124 + 4 + i] = (char)(bytes >> 8 * (7 - i));
        h[124] = (char)0x80;
    }
    memcpy(h + 136, "00000000000", 11);
    memset(h + 148, ' ', 8);
    h[156] = type;
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    buf_add(b, h, BLOCK);
}

/* A name that no header holds goes before it, as pax's path: "length path=name\n", where
 * the length counts itself. */
static void put_long_name(buf *b, const char *name) {
    char record[MAX_PATH + 32];
    size_t body = strlen(name) + strlen(" path=\n"), n = body + 1;
    for (size_t digits = 1, ten = 10; n >= ten; ten *= 10)
        n = body + ++digits;
    (void)snprintf(record, sizeof record, "%zu path=%s\n", n, name);
    put_header(b, "pax", 'x', n);
    buf_add(b, record, n);
    pad(b, n);
}

static assay_status
put_member(shard *s, const export_row *row, const char *ext, const void *data, size_t n) {
    char name[MAX_PATH];
    size_t before = s->out.len;
    (void)snprintf(name, sizeof name, "%s.%s", export_name(s->e, row), ext);
    if (strlen(name) > 100)
        put_long_name(&s->out, name);
    put_header(&s->out, name, '0', n);
    buf_add(&s->out, data, n);
    pad(&s->out, n);
    s->bytes += s->out.len - before;
    return flush(s, FLUSH_BYTES);
}

static assay_status open_shard(shard *s, const char *split, size_t number) {
    char path[sizeof s->e->folder + 64];
    (void)snprintf(path, sizeof path, "%s/%s-%06zu.tar", s->e->folder,
                   split[0] != '\0' ? split : "data", number);
    s->bytes = 0;
    s->rows = 0;
    s->e->done.files++;
    return atomic_open(&s->file, s->e->ctx, path);
}

static assay_status close_shard(shard *s) {
    assay_status status = ASSAY_OK;
    static const uint8_t end[2 * BLOCK] = {0};
    buf_add(&s->out, end, sizeof end);
    ASSAY_TRY(flush(s, 0));
    s->e->done.bytes += s->file.written;
    ASSAY_TRY(atomic_commit(&s->file));
done:
    return status;
}

/* ---- columns ---- */

/* What is behind the key: lower-case letters, digits, '-', '_' and inner dots of the
 * column's name, and its form. */
static void name_member(char out[64], const beton_field *f) {
    const char *form = f->type == BETON_JSON    ? "json"
                       : f->type == BETON_BYTES ? "bin"
                                                : "npy";
    const char *alone = f->type == BETON_BYTES ? "txt" : form;
    char name[17];
    size_t n = strlen(f->name);
    for (size_t i = 0; i <= n; i++) {
        char c = f->name[i];
        c = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '\0' || (c == '.' && i > 0 && i + 1 < n);
        name[i] = (char)(fine ? c : '_');
    }
    if (strcmp(name, alone) == 0)
        (void)snprintf(out, 64, "%s", name);
    else
        (void)snprintf(out, 64, "%s.%s", name, form);
}

static assay_status put_column(shard *s, const export_row *row, int field, buf *scratch) {
    assay_status status = ASSAY_OK;
    const export_job *e = s->e;
    const beton_field *f = beton_field_at(e->file, field);
    field_value v;
    char ext[64];
    name_member(ext, f);
    ASSAY_TRY(export_value(e, row, field, &v));
    if (f->type == BETON_BYTES || f->type == BETON_JSON) {
        size_t n = (size_t)v.bytes;
        if (f->type == BETON_JSON && n > 0 && v.data[n - 1] == 0)
            n--;
        return put_member(s, row, ext, v.data, n);
    }
    buf_clear(scratch);
    ASSAY_TRY_AT(e->kind[field]->dump(scratch, e->ctx, &e->type[field], &v, ".npy"),
                 "%s: sample %llu, field '%s'", e->path, (unsigned long long)row->sample,
                 f->name);
    ASSAY_TRY(buf_check(scratch));
    ASSAY_TRY(put_member(s, row, ext, scratch->data, scratch->len));
done:
    return status;
}

static assay_status put_image(shard *s, const export_row *row, int field, buf *scratch) {
    assay_status status = ASSAY_OK;
    const export_job *e = s->e;
    const uint8_t *data;
    const char *form;
    size_t bytes;
    char ext[64];
    ASSAY_TRY(export_image(e, row, field, scratch, &data, &bytes, &form));
    if (field == e->image)
        return put_member(s, row, form, data, bytes);
    (void)snprintf(ext, sizeof ext, "%.16s.%s", beton_field_at(e->file, field)->name,
                   form);
    ASSAY_TRY(put_member(s, row, ext, data, bytes));
done:
    return status;
}

static assay_status put_row(shard *s, const export_row *row, buf *scratch) {
    assay_status status = ASSAY_OK;
    const export_job *e = s->e;
    char text[24];
    int64_t label;
    for (int i = 0; i < e->fields; i++) {
        if (i == e->label) {
            ASSAY_TRY(export_label(e, row, &label));
            int n = snprintf(text, sizeof text, "%lld", (long long)label);
            ASSAY_TRY(put_member(s, row, "cls", text, (size_t)n));
        } else if (beton_field_at(e->file, i)->type == BETON_IMAGE) {
            ASSAY_TRY(put_image(s, row, i, scratch));
        } else {
            ASSAY_TRY(put_column(s, row, i, scratch));
        }
    }
    s->rows++;
done:
    return status;
}

/* Two columns may not become one member. */
static assay_status check_names(const export_job *e) {
    char a[64], b[64];
    for (int i = 0; i < e->fields; i++)
        for (int k = 0; k < i; k++) {
            const beton_field *x = beton_field_at(e->file, k);
            const beton_field *y = beton_field_at(e->file, i);
            name_member(a, x);
            name_member(b, y);
            if (x->type == BETON_IMAGE || y->type == BETON_IMAGE || strcmp(a, b) != 0)
                continue;
            err_set(ASSAY_E_UNSUPPORTED, "fields '%s' and '%s' would both be called %s",
                    x->name, y->name, a);
            err_where("%s", e->path);
            return ASSAY_E_UNSUPPORTED;
        }
    return ASSAY_OK;
}

static assay_status run(export_job *e) {
    assay_status status = ASSAY_OK;
    shard s = {.e = e, .file = {.fd = -1}, .out = buf_make(e->ctx)};
    buf scratch = buf_make(e->ctx);
    size_t number = 0;
    ASSAY_TRY(check_names(e));
    for (size_t i = 0; i < e->rows; i++) {
        const export_row *row = &e->row[i];
        bool begin = i == 0 || row->split != e->row[i - 1].split;
        bool full = s.bytes >= e->o.shard_bytes ||
                    (e->o.shard_rows > 0 && s.rows >= e->o.shard_rows);
        ASSAY_TRY(ctx_check(e->ctx));
        if (begin || full) {
            if (i > 0)
                ASSAY_TRY(close_shard(&s));
            number = begin ? 0 : number + 1;
            ASSAY_TRY(open_shard(&s, e->split[row->split].name, number));
        }
        ASSAY_TRY(put_row(&s, row, &scratch));
        progress_add(e->ctx, 1);
    }
    if (e->rows > 0)
        ASSAY_TRY(close_shard(&s));
    ASSAY_TRY(export_classes(e));
done:
    atomic_abandon(&s.file);
    buf_free(&s.out);
    buf_free(&scratch);
    return status;
}

const data_exporter assay_exporter_webdataset = {
    .name = "webdataset",
    .summary = "numbered tar shards with a member for each column",
    .check = check,
    .name_row = name_row,
    .run = run,
};
