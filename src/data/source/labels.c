/* From labels in words to classes. */
#include "data/source/labels.h"

#include "base/json.h"
#include "base/os.h"
#include "data/source/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_FILE_LIMIT = 1 << 26, PLAIN_CLASSES = 1 << 16, CLASSES_PER_ROW = 16 };

label_list label_list_make(assay_ctx *ctx) {
    return (label_list){.ctx = ctx, .text = buf_make(ctx)};
}

void label_list_free(label_list *l) {
    buf_free(&l->text);
    mem_free(l->ctx, l->at);
    *l = label_list_make(l->ctx);
}

assay_status label_list_add(label_list *l, const char *text, size_t n) {
    assay_status status = ASSAY_OK;
    value_trim(&text, &n);
    if (n == 0)
        return err_set(ASSAY_E_FORMAT, "an empty label");
    if (memchr(text, '\0', n) != NULL)
        return err_set(ASSAY_E_FORMAT, "a label with a NUL in it");
    if (l->count == l->cap)
        ASSAY_TRY(
            mem_grow(l->ctx, &l->at, l->count, &l->cap, l->count + 1, sizeof *l->at));
    l->at[l->count++] = l->text.len;
    buf_add(&l->text, text, n);
    buf_add(&l->text, "", 1);
    status = buf_check(&l->text);
done:
    return status;
}

/* ---- numbers ---- */

assay_status label_check(const import_list *list, int64_t label) {
    if (label < 0 || label >= IMPORT_MAX_CLASSES) {
        err_set(ASSAY_E_FORMAT, "label %lld where 0 to %d are possible", (long long)label,
                IMPORT_MAX_CLASSES - 1);
        err_help("number the classes from 0, or give their names");
        return ASSAY_E_FORMAT;
    }
    if (list->classes > 0 && (size_t)label >= list->classes)
        return err_set(ASSAY_E_FORMAT, "label %lld where %zu classes are named",
                       (long long)label, list->classes);
    return ASSAY_OK;
}

bool label_plausible(int64_t most, uint64_t rows) {
    return most < PLAIN_CLASSES || (uint64_t)most / CLASSES_PER_ROW < rows;
}

assay_status label_number_classes(import_list *list, int64_t most) {
    assay_status status = ASSAY_OK;
    if (list->classes > 0)
        return ASSAY_OK;
    if (!label_plausible(most, list->rows)) {
        err_set(ASSAY_E_FORMAT, "label %lld among %zu rows", (long long)most, list->rows);
        err_help("number the classes from 0, or name them in a classes.txt");
        return ASSAY_E_FORMAT;
    }
    for (int64_t c = 0; c <= most; c++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%lld", (long long)c);
        ASSAY_TRY(import_add_class(list, number));
    }
done:
    return status;
}

static const char *text_at(const label_list *l, size_t i) {
    return l->text.data + l->at[i];
}

static assay_status
settle_numbers(const label_list *l, import_list *list, bool *all, size_t *bad) {
    assay_status status = ASSAY_OK;
    int64_t v, most = -1;
    size_t largest = 0;
    *all = true;
    for (size_t i = 0; i < l->count && *all; i++)
        *all = value_int(&v, text_at(l, i), strlen(text_at(l, i)));
    for (size_t i = 0; i < l->count && *all; i++) {
        *bad = i;
        (void)value_int(&v, text_at(l, i), strlen(text_at(l, i)));
        ASSAY_TRY(label_check(list, v));
        list->row[i].label = (int32_t)v;
        largest = v > most ? i : largest;
        most = v > most ? v : most;
    }
    *bad = largest;
    if (*all)
        ASSAY_TRY(label_number_classes(list, most));
done:
    return status;
}

/* ---- names ---- */

typedef struct named {
    const char *text;
    size_t i;
} named;

static int by_text(const void *a, const void *b) {
    const named *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c != 0 ? c : (x->i > y->i) - (x->i < y->i);
}

static assay_status name_new(const named *sorted, size_t n, import_list *list) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(sorted[i].text, sorted[i - 1].text) != 0)
            ASSAY_TRY(import_add_class(list, sorted[i].text));
        list->row[sorted[i].i].label = (int32_t)list->classes - 1;
    }
done:
    return status;
}

/* Both lists in byte order: one walk through both. */
static assay_status
name_known(const named *sorted, size_t n, import_list *list, size_t *bad) {
    assay_status status = ASSAY_OK;
    named *known = NULL;
    ASSAY_TRY(mem_new(list->ctx, &known, list->classes, sizeof *known));
    for (size_t c = 0; c < list->classes; c++)
        known[c] = (named){list->class_name[c], c};
    qsort(known, list->classes, sizeof *known, by_text);
    for (size_t i = 0, c = 0; i < n; i++) {
        while (c < list->classes && strcmp(known[c].text, sorted[i].text) < 0)
            c++;
        *bad = sorted[i].i;
        if (c == list->classes || strcmp(known[c].text, sorted[i].text) != 0)
            ASSAY_FAIL(ASSAY_E_FORMAT, "'%.100s' is not among the %zu named classes",
                       sorted[i].text, list->classes);
        list->row[sorted[i].i].label = (int32_t)known[c].i;
    }
done:
    mem_free(list->ctx, known);
    return status;
}

assay_status label_list_settle(const label_list *l, import_list *list, size_t *bad) {
    assay_status status = ASSAY_OK;
    named *sorted = NULL;
    bool numbers;
    *bad = 0;
    if (l->count != list->rows)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "%zu labels for %zu rows", l->count, list->rows);
    ASSAY_TRY(settle_numbers(l, list, &numbers, bad));
    if (numbers || l->count == 0)
        goto done;
    ASSAY_TRY(mem_new(l->ctx, &sorted, l->count, sizeof *sorted));
    for (size_t i = 0; i < l->count; i++)
        sorted[i] = (named){text_at(l, i), i};
    qsort(sorted, l->count, sizeof *sorted, by_text);
    ASSAY_TRY(list->classes > 0 ? name_known(sorted, l->count, list, bad)
                                : name_new(sorted, l->count, list));
done:
    mem_free(l->ctx, sorted);
    return status;
}

/* ---- class names beside a source ---- */

static assay_status read_lines(import_list *list, const char *path) {
    assay_status status = ASSAY_OK;
    uint8_t *text = NULL;
    size_t bytes = 0;
    ASSAY_TRY(os_read_file(list->ctx, path, CLASSES_FILE_LIMIT, &text, &bytes));
    for (char *line = (char *)text; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        char *next = line + len + strspn(line + len, "\r\n");
        line[len] = '\0';
        if (len > 0)
            ASSAY_TRY(import_add_class(list, line));
        line = next;
    }
done:
    mem_free(list->ctx, text);
    return status;
}

/* From {"cat": 0, "dog": 1}: every number from 0 once. */
static assay_status names_by_number(import_list *list, const json_val *v) {
    assay_status status = ASSAY_OK;
    const char **name = NULL;
    size_t n = json_len(v);
    ASSAY_TRY(mem_new(list->ctx, &name, n + 1, sizeof *name));
    for (size_t i = 0; i < n; i++) {
        const json_val *number;
        const char *key = json_key_at(v, i, &number);
        int64_t at = json_get_int(number, -1);
        if (at < 0 || (uint64_t)at >= n || name[at] != NULL)
            ASSAY_FAIL(ASSAY_E_FORMAT, "class '%.100s' is not numbered 0 to %zu, once",
                       key, n - 1);
        name[at] = key;
    }
    for (size_t i = 0; i < n; i++)
        ASSAY_TRY(import_add_class(list, name[i]));
done:
    mem_free(list->ctx, name);
    return status;
}

static assay_status read_json(import_list *list, const char *path) {
    assay_status status = ASSAY_OK;
    uint8_t *text = NULL;
    size_t bytes = 0;
    json_doc *doc = NULL;
    ASSAY_TRY(os_read_file(list->ctx, path, CLASSES_FILE_LIMIT, &text, &bytes));
    ASSAY_TRY(json_parse(&doc, list->ctx, (const char *)text, bytes));
    const json_val *root = json_root(doc);
    if (json_is_obj(root)) {
        ASSAY_TRY(names_by_number(list, root));
        goto done;
    }
    for (size_t i = 0; i < json_len(root); i++) {
        const char *name = json_get_str(json_at(root, i), NULL);
        if (name == NULL)
            ASSAY_FAIL(ASSAY_E_FORMAT, "class %zu has no name", i);
        ASSAY_TRY(import_add_class(list, name));
    }
    if (list->classes == 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "neither an array of class names nor an object "
                                   "from names to numbers");
done:
    json_doc_destroy(doc);
    mem_free(list->ctx, text);
    return status;
}

assay_status label_read_classes(import_list *list, const char *folder) {
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    ASSAY_TRY(import_path(path, folder, "classes.txt"));
    if (os_exists(path)) {
        ASSAY_TRY(read_lines(list, path));
        goto done;
    }
    ASSAY_TRY(import_path(path, folder, "classes.json"));
    if (os_exists(path))
        ASSAY_TRY_AT(read_json(list, path), "%s", path);
done:
    return status;
}
