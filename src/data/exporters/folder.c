/* Images in folders by class, below folders by split where the file names several. JPEG
 * bytes stay as they are, raw pixels become PNG; other columns go into rows.csv, which
 * lists the images' paths. The order of the classes is in classes.json. */
#include "data/exporter.h"

#include "base/le.h"
#include "data/source/values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_BYTES = 200 };

static assay_status cant(const export_job *e, const char *what) {
    err_set(ASSAY_E_UNSUPPORTED, "%s", what);
    err_where("%s", e->path);
    err_help("--to webdataset holds any columns");
    return ASSAY_E_UNSUPPORTED;
}

static assay_status check(const export_job *e) {
    if (e->image < 0)
        return cant(e, "no image field: there is nothing to put into folders");
    if (e->label < 0)
        return cant(e, "no field of class numbers: there are no folders");
    for (int i = 0; i < e->fields; i++)
        if (i != e->image && beton_field_at(e->file, i)->type == BETON_IMAGE)
            return cant(e, "two image fields: a folder holds one");
    return ASSAY_OK;
}

/* "train/cat/"; "cat/" where there is one split. */
static void place(char out[2 * PART_BYTES], const export_job *e, const export_row *row) {
    char class_part[PART_BYTES];
    int64_t label = (int64_t)le64_get(beton_cell(e->file, row->sample, e->label));
    bool known = label >= 0 && (uint64_t)label < e->classes;
    value_file_name(class_part, sizeof class_part, known ? e->class_name[label] : "_");
    (void)snprintf(out, 2 * PART_BYTES, "%s%s%s/",
                   e->splits > 1 ? e->split[row->split].name : "",
                   e->splits > 1 ? "/" : "", class_part);
}

static const char *without(const char *id, const char *prefix) {
    size_t n = strlen(prefix);
    return n > 0 && strncmp(id, prefix, n) == 0 && id[n] == '/' && id[n + 1] != '\0'
               ? id + n + 1
               : id;
}

/* The id without split, class and extension. */
static void name_row(char out[EXPORT_NAME_BYTES],
                     const export_job *e,
                     const export_row *row,
                     const char *id) {
    char folder[2 * PART_BYTES], stem[EXPORT_NAME_BYTES], name[PART_BYTES];
    int64_t label = (int64_t)le64_get(beton_cell(e->file, row->sample, e->label));
    id = without(id, e->split[row->split].name);
    if (label >= 0 && (uint64_t)label < e->classes)
        id = without(id, e->class_name[label]);
    (void)snprintf(stem, sizeof stem, "%s", id);
    char *dot = strrchr(stem, '.');
    if (dot != NULL && value_is_image(stem))
        *dot = '\0';
    value_file_name(name, sizeof name, stem);
    place(folder, e, row);
    (void)snprintf(out, EXPORT_NAME_BYTES, "%s%s", folder, name);
}

/* ---- folders ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two classes may not fall into one folder. */
static assay_status check_class_folders(const export_job *e) {
    assay_status status = ASSAY_OK;
    char **name = NULL;
    char part[PART_BYTES];
    size_t n = 0;
    ASSAY_TRY(mem_new(e->ctx, &name, e->classes + 1, sizeof *name));
    for (; n < e->classes; n++) {
        value_file_name(part, sizeof part, e->class_name[n]);
        ASSAY_TRY(mem_strdup(e->ctx, &name[n], part));
    }
    if (n > 1)
        qsort(name, n, sizeof *name, by_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(name[i - 1], name[i]) == 0) {
            err_set(ASSAY_E_UNSUPPORTED, "two classes would share the folder '%s'",
                    name[i]);
            err_where("%s", e->path);
            err_help("--to webdataset holds classes of any name");
            status = ASSAY_E_UNSUPPORTED;
            goto done;
        }
done:
    for (size_t i = 0; name != NULL && i < n; i++)
        mem_free(e->ctx, name[i]);
    mem_free(e->ctx, name);
    return status;
}

/* The folder of a row's split and class, unless `made` says that it is there. */
static assay_status
make_folder(const export_job *e, const export_row *row, int64_t label, bool *made) {
    char folder[2 * PART_BYTES], path[8192];
    bool *known = &made[row->split * e->classes + (size_t)label];
    if (*known)
        return ASSAY_OK;
    *known = true;
    place(folder, e, row);
    (void)snprintf(path, sizeof path, "%s/%s", e->folder, folder);
    path[strlen(path) - 1] = '\0'; /* its slash */
    return os_mkdirs(path);
}

/* ---- rows.csv ---- */

static void add_text(buf *b, const char *text, size_t n) {
    bool quote = n == 0 || text[0] == ' ' || text[n - 1] == ' ';
    for (size_t i = 0; i < n; i++)
        quote = quote || text[i] == ',' || text[i] == '"' || text[i] == '\n' ||
                text[i] == '\r';
    if (!quote) {
        buf_add(b, text, n);
        return;
    }
    buf_str(b, "\"");
    for (size_t i = 0; i < n; i++)
        buf_add(b, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
    buf_str(b, "\"");
}

static bool is_column(const export_job *e, int field) {
    return field != e->image && field != e->label;
}

static bool has_columns(const export_job *e) {
    for (int i = 0; i < e->fields; i++)
        if (is_column(e, i))
            return true;
    return false;
}

static void add_header(buf *b, const export_job *e) {
    buf_str(b, "path,label,split");
    for (int i = 0; i < e->fields; i++)
        if (is_column(e, i)) {
            const char *name = beton_field_at(e->file, i)->name;
            buf_str(b, ",");
            add_text(b, name, strlen(name));
        }
    buf_str(b, "\n");
}

/* Numbers as numbers, bytes and JSON as text, arrays as JSON. */
static assay_status
add_value(buf *b, const export_job *e, const export_row *row, int field) {
    assay_status status = ASSAY_OK;
    const beton_field *f = beton_field_at(e->file, field);
    field_value v;
    buf text = buf_make(e->ctx);
    ASSAY_TRY(export_value(e, row, field, &v));
    if (f->type == BETON_INT) {
        buf_fmt(b, "%lld", (long long)(int64_t)le64_get(v.data));
    } else if (f->type == BETON_FLOAT) {
        double d = le_f64_get(v.data);
        if (isfinite(d))
            field_double(b, d);
        else if (!isnan(d))
            buf_str(b, d > 0 ? "inf" : "-inf");
    } else if (f->type == BETON_BYTES || f->type == BETON_JSON) {
        size_t n = (size_t)v.bytes;
        if (f->type == BETON_JSON && n > 0 && v.data[n - 1] == 0)
            n--;
        if (memchr(v.data, 0, n) != NULL) {
            err_set(ASSAY_E_UNSUPPORTED, "field '%s' holds bytes that are no text",
                    f->name);
            err_where("%s: sample %llu", e->path, (unsigned long long)row->sample);
            err_help("--to webdataset holds any columns");
            return ASSAY_E_UNSUPPORTED;
        }
        add_text(b, (const char *)v.data, n);
    } else {
        ASSAY_TRY(e->kind[field]->dump(&text, e->ctx, &e->type[field], &v, ".json"));
        ASSAY_TRY(buf_check(&text));
        add_text(b, text.data, text.len > 0 ? text.len - 1 : 0);
    }
done:
    buf_free(&text);
    return status;
}

static assay_status add_line(
    buf *b, const export_job *e, const export_row *row, const char *path, int64_t label) {
    assay_status status = ASSAY_OK;
    const char *split = e->split[row->split].name, *name = e->class_name[label];
    add_text(b, path, strlen(path));
    buf_str(b, ",");
    add_text(b, name, strlen(name));
    buf_str(b, ",");
    buf_str(b, split[0] != '\0' ? split : "train");
    for (int i = 0; i < e->fields; i++)
        if (is_column(e, i)) {
            buf_str(b, ",");
            ASSAY_TRY(add_value(b, e, row, i));
        }
    buf_str(b, "\n");
    ASSAY_TRY(buf_check(b));
done:
    return status;
}

/* ---- the whole ---- */

static assay_status write_rows(export_job *e, buf *lines) {
    assay_status status = ASSAY_OK;
    buf scratch = buf_make(e->ctx);
    char path[EXPORT_NAME_BYTES + 8];
    bool columns = has_columns(e), *made = NULL;
    ASSAY_TRY(mem_new(e->ctx, &made, e->splits * e->classes + 1, sizeof *made));
    for (size_t i = 0; i < e->rows; i++) {
        const export_row *row = &e->row[i];
        const uint8_t *data;
        const char *ext;
        size_t bytes;
        int64_t label;
        ASSAY_TRY(ctx_check(e->ctx));
        ASSAY_TRY(export_label(e, row, &label));
        ASSAY_TRY(make_folder(e, row, label, made));
        ASSAY_TRY(export_image(e, row, e->image, &scratch, &data, &bytes, &ext));
        (void)snprintf(path, sizeof path, "%s.%s", export_name(e, row), ext);
        ASSAY_TRY(export_put(e, path, data, bytes));
        if (columns)
            ASSAY_TRY(add_line(lines, e, row, path, label));
        progress_add(e->ctx, 1);
    }
done:
    mem_free(e->ctx, made);
    buf_free(&scratch);
    return status;
}

static assay_status run(export_job *e) {
    assay_status status = ASSAY_OK;
    buf lines = buf_make(e->ctx);
    ASSAY_TRY(check_class_folders(e));
    add_header(&lines, e);
    ASSAY_TRY(write_rows(e, &lines));
    ASSAY_TRY(export_classes(e));
    if (has_columns(e))
        ASSAY_TRY(export_put(e, "rows.csv", lines.data, lines.len));
done:
    buf_free(&lines);
    return status;
}

const data_exporter assay_exporter_folder = {
    .name = "folder",
    .summary = "images in folders by split and class; other columns in rows.csv",
    .check = check,
    .name_row = name_row,
    .run = run,
};
