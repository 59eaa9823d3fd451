/* The importers' table and the list that they fill. */
#include "data/importer.h"

#include <assay/data.h>

#include "base/os.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(n) extern const data_importer assay_importer_##n;
#include "importer_table.inc"
#undef X

static const data_importer *const table[] = {
#define X(n) &assay_importer_##n,
#include "importer_table.inc"
#undef X
};

size_t importer_count(void) {
    return sizeof table / sizeof table[0];
}

const data_importer *importer_at(size_t i) {
    return i < importer_count() ? table[i] : NULL;
}

size_t assay_importer_count(void) {
    return importer_count();
}

const char *assay_importer_name(size_t i) {
    const data_importer *d = importer_at(i);
    return d ? d->name : NULL;
}

const char *assay_importer_summary(size_t i) {
    const data_importer *d = importer_at(i);
    return d ? d->summary : NULL;
}

assay_status importer_find(const data_importer **out, const char *name) {
    char names[256] = "";
    size_t used = 0;
    *out = NULL;
    for (size_t i = 0; i < importer_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return ASSAY_OK;
        }
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                         table[i]->name);
        if (n > 0 && (size_t)n < sizeof names - used)
            used += (size_t)n;
    }
    err_set(ASSAY_E_INVALID, "no importer is called '%s'", name);
    err_help("there are: %s", names);
    return ASSAY_E_INVALID;
}

assay_status
importer_detect(const data_importer **out, assay_ctx *ctx, const char *path) {
    int best = 0;
    *out = NULL;
    bool pattern = strchr(path, '{') != NULL; /* stands for files without being one */
    if (!os_exists(path) && !pattern) {
        err_set(ASSAY_E_NOTFOUND, "no such file or folder");
        err_where("%s", path);
        return ASSAY_E_NOTFOUND;
    }
    for (size_t i = 0; i < importer_count(); i++) {
        int answer = table[i]->detect(ctx, path);
        if (answer > best) {
            best = answer;
            *out = table[i];
        }
    }
    if (*out != NULL)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "no importer knows what this is");
    err_where("%s", path);
    err_help("give a folder with one folder of images per class, or one of the sources "
             "that docs/sources.md lists");
    return ASSAY_E_FORMAT;
}

/* ---- the list ---- */

const char *import_split_name(import_split s) {
    static const char *const names[IMPORT_SPLITS] = {"train", "test", "val"};
    return names[s];
}

import_list import_list_make(assay_ctx *ctx) {
    return (import_list){.ctx = ctx, .ids = buf_make(ctx)};
}

void import_list_free(import_list *l) {
    for (size_t i = 0; i < l->classes; i++)
        mem_free(l->ctx, l->class_name[i]);
    for (size_t i = 0; i < l->notes; i++)
        mem_free(l->ctx, l->note[i]);
    mem_free(l->ctx, l->class_name);
    mem_free(l->ctx, l->note);
    mem_free(l->ctx, l->row);
    mem_free(l->ctx, l->column);
    buf_free(&l->ids);
    *l = import_list_make(l->ctx);
}

assay_status import_add(
    import_list *l, import_split split, int32_t label, uint64_t ref, const char *id) {
    assay_status status = ASSAY_OK;
    if (l->rows == l->row_cap)
        ASSAY_TRY(
            mem_grow(l->ctx, &l->row, l->rows, &l->row_cap, l->rows + 1, sizeof *l->row));
    size_t at = l->ids.len;
    buf_add(&l->ids, id, strlen(id) + 1);
    ASSAY_TRY(buf_check(&l->ids));
    l->row[l->rows++] =
        (import_row){.id_at = at, .ref = ref, .label = label, .split = split};
done:
    return status;
}

assay_status import_add_class(import_list *l, const char *name) {
    assay_status status = ASSAY_OK;
    if (l->classes == IMPORT_MAX_CLASSES)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than %d classes", IMPORT_MAX_CLASSES);
    if (l->classes == l->class_cap)
        ASSAY_TRY(mem_grow(l->ctx, &l->class_name, l->classes, &l->class_cap,
                           l->classes + 1, sizeof *l->class_name));
    ASSAY_TRY(mem_strdup(l->ctx, &l->class_name[l->classes], name));
    l->classes++;
done:
    return status;
}

static bool name_is_plain(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (name[i] < 0x20 || name[i] > 0x7E)
            return false;
    return n > 0 && n <= 16;
}

assay_status import_add_column(import_list *l, const import_column *c) {
    assay_status status = ASSAY_OK;
    bool taken = (!l->no_image && strcmp(c->name, "image") == 0) ||
                 (!l->no_label && strcmp(c->name, "label") == 0);
    for (size_t i = 0; i < l->columns; i++)
        taken = taken || strcmp(l->column[i].name, c->name) == 0;
    if (taken)
        ASSAY_FAIL(ASSAY_E_INVALID, "two columns are called '%s'", c->name);
    if (!name_is_plain(c->name))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "'%s' can't name a field: 1 to 16 printable ASCII characters can",
                   c->name);
    if (l->columns == l->column_cap)
        ASSAY_TRY(mem_grow(l->ctx, &l->column, l->columns, &l->column_cap, l->columns + 1,
                           sizeof *l->column));
    l->column[l->columns++] = *c;
done:
    return status;
}

assay_status import_note(import_list *l, const char *fmt, ...) {
    assay_status status = ASSAY_OK;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (l->notes == l->note_cap)
        ASSAY_TRY(mem_grow(l->ctx, &l->note, l->notes, &l->note_cap, l->notes + 1,
                           sizeof *l->note));
    ASSAY_TRY(mem_strdup(l->ctx, &l->note[l->notes], text));
    l->notes++;
done:
    return status;
}

const char *import_id(const import_list *l, size_t row) {
    return l->ids.data + l->row[row].id_at;
}

size_t import_count(const import_list *l, import_split split) {
    size_t n = 0;
    for (size_t i = 0; i < l->rows; i++)
        n += l->row[i].split == split;
    return n;
}

assay_status import_list_check(const import_list *l, const char *path) {
    if (l->rows == 0) {
        err_set(ASSAY_E_FORMAT, "no %s found", l->no_image ? "rows" : "images");
        err_where("%s", path);
        if (!l->no_image)
            err_help(
                "give a folder that holds one folder of JPEG or PNG images per class");
        return ASSAY_E_FORMAT;
    }
    if (l->no_label)
        return ASSAY_OK;
    for (size_t i = 1; i < l->rows; i++)
        if (l->row[i].label != l->row[0].label)
            return ASSAY_OK;
    char n[32];
    err_set(ASSAY_E_FORMAT, "all %s images are of one class, '%s'",
            import_number(n, l->rows), l->class_name[l->row[0].label]);
    err_where("%s", path);
    err_help("two classes are the least that can be told apart");
    return ASSAY_E_FORMAT;
}

typedef struct id_row {
    const char *id;
    size_t row;
} id_row;

static int by_id(const void *a, const void *b) {
    const id_row *x = a, *y = b;
    int c = strcmp(x->id, y->id);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

assay_status import_unique_ids(const import_list *l, bool *unique, size_t *a, size_t *b) {
    assay_status status = ASSAY_OK;
    id_row *sorted = NULL;
    *unique = true;
    ASSAY_TRY(mem_new(l->ctx, &sorted, l->rows + 1, sizeof *sorted));
    for (size_t i = 0; i < l->rows; i++)
        sorted[i] = (id_row){import_id(l, i), i};
    if (l->rows > 1)
        qsort(sorted, l->rows, sizeof *sorted, by_id);
    for (size_t i = 1; i < l->rows && *unique; i++)
        if (strcmp(sorted[i - 1].id, sorted[i].id) == 0) {
            *unique = false;
            *a = sorted[i - 1].row;
            *b = sorted[i].row;
        }
done:
    mem_free(l->ctx, sorted);
    return status;
}

void import_image_free(import_image *im) {
    mem_free(im->ctx, im->own);
    *im = (import_image){.ctx = im->ctx};
}

void import_cell_free(import_cell *c) {
    mem_free(c->ctx, c->own);
    *c = (import_cell){.ctx = c->ctx};
}

assay_status import_path(char out[IMPORT_PATH_BYTES], const char *root, const char *rel) {
    size_t n = strlen(root);
    const char *slash = n > 0 && root[n - 1] == '/' ? "" : "/";
    int len = snprintf(out, IMPORT_PATH_BYTES, "%s%s%s", root, slash, rel);
    if (len < 0 || len >= IMPORT_PATH_BYTES)
        return err_set(ASSAY_E_INVALID, "path of more than %d bytes",
                       IMPORT_PATH_BYTES - 1);
    return ASSAY_OK;
}

const char *import_number(char out[32], uint64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}
