/* Looking inside a .beton, FFCV's included: what it holds, whether it is sound, one cell
 * of it. */
#include <assay/data.h>

#include "base/json.h"
#include "base/pool.h"
#include "data/image_cell.h"
#include "data/load/jpeg_index.h"
#include "data/opened.h"
#include "file/atomic.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS = 4096, GRAIN = 16, MAX_LISTED = 100 };

/* Hands a buffer's text out. */
static assay_status take_text(buf *b, char **out) {
    assay_status status = buf_check(b);
    if (status == ASSAY_OK) {
        *out = b->data;
        *b = buf_make(b->ctx);
    }
    return status;
}

void assay_string_free(assay_ctx *ctx, char *text) {
    mem_free(ctx, text);
}

/* ---- info ---- */

static void write_shape(json_out *j, const field_type *t) {
    json_key(j, "shape");
    json_arr(j);
    for (int i = 0; i < t->ndim; i++)
        if (t->dim[i] < 0)
            json_none(j);
        else
            json_int(j, t->dim[i]);
    json_arr_end(j);
}

/* Counts of a column of images; sides that all agree become its shape. */
static void write_images(json_out *j, const opened *o, int field) {
    uint64_t raw = 0, n = beton_samples(o->file);
    image_cell low = {0}, high = {0};
    for (uint64_t i = 0; i < n; i++) {
        image_cell c = image_cell_get(beton_cell(o->file, i, field));
        raw += c.mode == CELL_RAW;
        low.width = i == 0 || c.width < low.width ? c.width : low.width;
        low.height = i == 0 || c.height < low.height ? c.height : low.height;
        high.width = c.width > high.width ? c.width : high.width;
        high.height = c.height > high.height ? c.height : high.height;
    }
    field_type t = o->type[field];
    if (n > 0 && low.width == high.width)
        t.dim[1] = low.width;
    if (n > 0 && low.height == high.height)
        t.dim[0] = low.height;
    write_shape(j, &t);
    json_key(j, "images");
    json_obj(j);
    json_kint(j, "raw", (int64_t)raw);
    json_kint(j, "jpg", (int64_t)(n - raw));
    json_kint(j, "min_width", low.width);
    json_kint(j, "max_width", high.width);
    json_kint(j, "min_height", low.height);
    json_kint(j, "max_height", high.height);
    json_obj_end(j);
}

/* The JPEG index of a column of images, as a loader would find it. */
static assay_status write_index(json_out *j, const opened *o, int field) {
    assay_status status = ASSAY_OK;
    jpeg_index_set *set = NULL;
    char note[256];
    ASSAY_TRY(jpeg_index_open(&set, o->ctx, o->file, field, "auto", note));
    json_key(j, "index");
    if (set == NULL) {
        json_none(j);
    } else {
        jpeg_index_facts facts = jpeg_index_describe(set);
        json_obj(j);
        json_kint(j, "interval", facts.interval);
        json_kint(j, "images", (int64_t)facts.indexed);
        json_kint(j, "bytes", (int64_t)facts.bytes);
        json_kbool(j, "beside", facts.beside);
        json_obj_end(j);
    }
    if (note[0] != '\0')
        json_kstr(j, "note", note);
done:
    jpeg_index_close(set);
    return status;
}

static void write_value(json_out *j, const json_val *v);

static void write_members(json_out *j, const json_val *v) {
    const json_val *member;
    json_obj(j);
    for (size_t i = 0; i < json_len(v); i++) {
        const char *key = json_key_at(v, i, &member);
        json_key(j, key);
        write_value(j, member);
    }
    json_obj_end(j);
}

/* A copy of what was read, of the kinds that our section holds. */
static void write_value(json_out *j, const json_val *v) {
    const char *text = json_get_str(v, NULL);
    if (text != NULL) {
        json_str(j, text);
    } else if (json_is_obj(v)) {
        write_members(j, v);
    } else if (json_is_arr(v)) {
        json_arr(j);
        for (size_t i = 0; i < json_len(v); i++)
            write_value(j, json_at(v, i));
        json_arr_end(j);
    } else if (json_is_num(v)) {
        json_int(j, json_get_int(v, 0));
    } else {
        json_bool(j, json_get_bool(v, false));
    }
}

static void write_section(json_out *j, const opened *o) {
    const data_section *s = &o->said;
    char hex[65];
    json_kbool(j, "section", beton_has_section(o->file));
    json_key(j, "classes");
    json_arr(j);
    for (size_t i = 0; i < s->classes; i++)
        json_str(j, s->class_name[i]);
    json_arr_end(j);
    json_key(j, "splits");
    json_arr(j);
    for (size_t i = 0; i < s->splits; i++) {
        json_obj(j);
        json_kstr(j, "name", s->split[i].name);
        json_kint(j, "begin", (int64_t)s->split[i].begin);
        json_kint(j, "end", (int64_t)s->split[i].end);
        json_obj_end(j);
    }
    json_arr_end(j);
    json_key(j, "sha256");
    if (s->hash != NULL) {
        hash_hex(hex, s->hash);
        json_str(j, hex);
    } else {
        json_none(j);
    }
    json_key(j, "provenance");
    if (json_is_obj(json_root(s->info)))
        write_members(j, json_root(s->info));
    else
        json_none(j);
}

assay_status assay_beton_info(assay_ctx *ctx, const char *path, char **json) {
    assay_status status = ASSAY_OK;
    opened o = {.ctx = ctx};
    buf b = buf_make(ctx);
    json_out j = json_out_make(&b, 1);
    *json = NULL;
    ASSAY_TRY(opened_open(&o, ctx, path));
    json_obj(&j);
    json_kstr(&j, "schema", "assay.info/1");
    json_kint(&j, "version", 2);
    json_kint(&j, "page_size", beton_page_size(o.file));
    json_kint(&j, "num_samples", (int64_t)beton_samples(o.file));
    json_key(&j, "fields");
    json_arr(&j);
    for (int i = 0; i < o.fields; i++) {
        json_obj(&j);
        json_kstr(&j, "name", beton_field_at(o.file, i)->name);
        json_kstr(&j, "type", o.kind[i]->name);
        json_kstr(&j, "dtype", o.type[i].typestr);
        if (o.kind[i]->type == BETON_IMAGE) {
            write_images(&j, &o, i);
            ASSAY_TRY(write_index(&j, &o, i));
        } else {
            write_shape(&j, &o.type[i]);
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    write_section(&j, &o);
    json_obj_end(&j);
    status = take_text(&b, json);
done:
    opened_close(&o);
    buf_free(&b);
    return status;
}

/* ---- verify ---- */

typedef struct verifier {
    const opened *o;
    int quick;
    uint64_t first; /* sample of the block */
    bool *bad;      /* [rows][fields] */
} verifier;

static assay_status check_cell(const opened *o, int quick, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    const data_field *kind = o->kind[field];
    const beton_field *d = beton_field_at(o->file, field);
    field_value v;
    ASSAY_TRY(kind->read(&v, o->file, &o->type[field], sample, field));
    if (d->has_payload && d->type != BETON_CUSTOM && v.bytes > 0) {
        uint64_t ptr = le64_get(beton_cell(o->file, sample, field) + d->ptr_offset);
        ASSAY_TRY(beton_listed(o->file, sample, field, ptr, v.bytes));
    }
    if (kind->check != NULL && !(quick && kind->type == BETON_IMAGE))
        ASSAY_TRY(kind->check(o->ctx, &o->type[field], &v));
done:
    return status;
}

/* Marks what is wrong; the words are fetched afterwards, in order. */
static assay_status check_rows(void *arg, int worker, size_t begin, size_t end) {
    const verifier *v = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        for (int k = 0; k < v->o->fields; k++) {
            assay_status status = check_cell(v->o, v->quick, v->first + i, k);
            if (status == ASSAY_E_NOMEM)
                return status;
            v->bad[i * (size_t)v->o->fields + (size_t)k] = status != ASSAY_OK;
        }
    progress_add(v->o->ctx, (int64_t)(end - begin));
    return ASSAY_OK;
}

/* What verify found, as it is being written. */
typedef struct report {
    json_out j;
    uint64_t problems;
    err_record first;
} report;

/* Adds the failure that was just recorded. `sample` < 0: of the file as a whole. */
static void add_problem(report *r, int64_t sample, const char *field) {
    const assay_error *e = assay_last_error();
    if (r->problems++ == 0) {
        err_save(&r->first);
        r->first.status = e->status;
    }
    if (r->problems > MAX_LISTED)
        return;
    json_obj(&r->j);
    json_key(&r->j, "sample");
    if (sample < 0)
        json_none(&r->j);
    else
        json_int(&r->j, sample);
    json_key(&r->j, "field");
    if (field == NULL)
        json_none(&r->j);
    else
        json_str(&r->j, field);
    json_kstr(&r->j, "what", e->message);
    json_kstr(&r->j, "where", e->where);
    json_obj_end(&r->j);
}

static assay_status verify_cells(report *r, const opened *o, int quick) {
    assay_status status = ASSAY_OK;
    verifier v = {.o = o, .quick = quick};
    uint64_t samples = beton_samples(o->file);
    size_t fields = (size_t)o->fields;
    ASSAY_TRY(mem_new(o->ctx, &v.bad, BLOCK_ROWS * fields, sizeof *v.bad));
    progress_begin(o->ctx, "verifying", (int64_t)samples, "samples");
    for (; v.first < samples; v.first += BLOCK_ROWS) {
        size_t rows =
            (size_t)(samples - v.first < BLOCK_ROWS ? samples - v.first : BLOCK_ROWS);
        ASSAY_TRY(assay_parallel_for(o->ctx, rows, GRAIN, check_rows, &v));
        for (size_t i = 0; i < rows * fields; i++) {
            int field = (int)(i % fields);
            uint64_t sample = v.first + i / fields;
            if (!v.bad[i] || check_cell(o, quick, sample, field) == ASSAY_OK)
                continue;
            const char *name = beton_field_at(o->file, field)->name;
            if (assay_last_error()->where[0] == '\0')
                err_where("%s: sample %llu, field '%s'", beton_path(o->file),
                          (unsigned long long)sample, name);
            add_problem(r, (int64_t)sample, name);
        }
    }
    progress_end(o->ctx);
done:
    mem_free(o->ctx, v.bad);
    return status;
}

/* The identity that the file names must be that of its content. */
static assay_status verify_identity(report *r, const opened *o) {
    assay_status status = ASSAY_OK;
    const data_section *s = &o->said;
    uint8_t digest[32];
    if (s->hash == NULL || r->problems > 0)
        return ASSAY_OK;
    ASSAY_TRY(identity_of_file(o->ctx, o->file, (const char *const *)s->class_name,
                               s->classes, s->split, s->splits, digest));
    if (memcmp(digest, s->hash, sizeof digest) == 0)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "the content is not what its sha256 in the file says");
    err_where("%s", beton_path(o->file));
    add_problem(r, -1, NULL);
done:
    return status;
}

static bool is_of_the_file(assay_status s) {
    return s == ASSAY_E_FORMAT || s == ASSAY_E_VERSION || s == ASSAY_E_UNSUPPORTED ||
           s == ASSAY_E_SHAPE || s == ASSAY_E_DTYPE;
}

static assay_status
verify(report *r, uint64_t *samples, assay_ctx *ctx, const char *path, int quick) {
    assay_status status = ASSAY_OK;
    opened o;
    status = opened_open(&o, ctx, path);
    if (is_of_the_file(status)) {
        add_problem(r, -1, NULL);
        return ASSAY_OK;
    }
    if (status != ASSAY_OK)
        return status;
    *samples = beton_samples(o.file);
    status = beton_verify(o.file);
    if (is_of_the_file(status)) {
        add_problem(r, -1, NULL);
        status = ASSAY_OK;
    }
    ASSAY_TRY(status);
    status = data_section_check_ids(&o.said, o.file);
    if (status == ASSAY_E_FORMAT) {
        add_problem(r, -1, NULL);
        status = ASSAY_OK;
    }
    ASSAY_TRY(status);
    ASSAY_TRY(verify_cells(r, &o, quick));
    ASSAY_TRY(verify_identity(r, &o));
done:
    opened_close(&o);
    return status;
}

assay_status
assay_beton_verify(assay_ctx *ctx, const char *path, int quick, char **json) {
    assay_status status = ASSAY_OK;
    buf list = buf_make(ctx), b = buf_make(ctx);
    report r = {.j = json_out_make(&list, 0)};
    uint64_t samples = 0;
    if (json != NULL)
        *json = NULL;
    json_arr(&r.j);
    ASSAY_TRY(verify(&r, &samples, ctx, path, quick));
    json_arr_end(&r.j);
    if (json != NULL) {
        ASSAY_TRY(buf_check(&list));
        buf_fmt(&b,
                "{\"schema\": \"assay.verify/1\", \"samples\": %llu, \"count\": %llu, "
                "\"problems\": ",
                (unsigned long long)samples, (unsigned long long)r.problems);
        buf_str(&b, list.data);
        buf_str(&b, "}\n");
        ASSAY_TRY(take_text(&b, json));
    }
    if (r.problems > 0) {
        err_restore(&r.first);
        status = r.first.status;
    }
done:
    buf_free(&list);
    buf_free(&b);
    return status;
}

/* ---- dump ---- */

/* The extension in lower case, ".npy"; "" if there is none. */
static void extension(char ext[8], const char *path) {
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash : path, '.');
    size_t n = dot != NULL ? strlen(dot) : 0;
    ext[0] = '\0';
    for (size_t i = 0; n < 8 && i <= n && dot != NULL; i++)
        ext[i] = (char)tolower((unsigned char)dot[i]);
}

static assay_status
find_cell(const opened *o, uint64_t sample, const char *field, int *out) {
    buf names = buf_make(o->ctx);
    uint64_t samples = beton_samples(o->file);
    *out = beton_field_find(o->file, field);
    if (*out >= 0 && sample < samples)
        return ASSAY_OK;
    if (*out < 0) {
        for (int i = 0; i < o->fields; i++)
            buf_fmt(&names, "%s%s", i ? ", " : "", beton_field_at(o->file, i)->name);
        err_set(ASSAY_E_NOTFOUND, "no field is called '%s'", field);
        err_help("there are: %.300s", names.data != NULL ? names.data : "none");
    } else {
        err_set(ASSAY_E_NOTFOUND, "no sample %llu", (unsigned long long)sample);
        err_help("the file holds %llu, counted from 0", (unsigned long long)samples);
    }
    err_where("%s", beton_path(o->file));
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

assay_status assay_beton_dump(assay_ctx *ctx,
                              const char *path,
                              uint64_t sample,
                              const char *field,
                              const char *out,
                              int force) {
    assay_status status = ASSAY_OK;
    opened o = {.ctx = ctx};
    buf b = buf_make(ctx);
    char ext[8];
    int k;
    field_value v;
    if (os_exists(out) && (!force || os_is_dir(out))) {
        err_set(ASSAY_E_INVALID,
                os_is_dir(out) ? "the output is a folder" : "the output exists already");
        err_where("%s", out);
        err_help("pass --force to replace a file, or another name");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(opened_open(&o, ctx, path));
    ASSAY_TRY(find_cell(&o, sample, field, &k));
    ASSAY_TRY(o.kind[k]->read(&v, o.file, &o.type[k], sample, k));
    extension(ext, out);
    ASSAY_TRY_AT(o.kind[k]->dump(&b, ctx, &o.type[k], &v, ext),
                 "%s: sample %llu, field '%s'", path, (unsigned long long)sample, field);
    ASSAY_TRY(buf_check(&b));
    ASSAY_TRY(atomic_put(ctx, out, b.data, b.len));
done:
    buf_free(&b);
    opened_close(&o);
    return status;
}
