/* JSON Lines: an object a line (.jsonl, .ndjson; packed too). Keys named like columns of
 * a table (values.c) are the image's path, the label and the split; "text" is bytes; a
 * key that is a number in every line is a column of numbers; if there is anything else,
 * the whole object is kept in a column "json". */
#include "data/importer.h"

#include "base/json.h"
#include "data/source/labels.h"
#include "data/source/listed.h"
#include "data/source/spool.h"
#include "data/source/values.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KEYS = 256 };

typedef struct jsonl_key {
    char *name;
    value_role role;
    size_t lines, numbers, whole, texts; /* how many lines have it, and as what */
    size_t column;                       /* in the list; SIZE_MAX: none */
} jsonl_key;

typedef struct jsonl {
    assay_ctx *ctx;
    const char *path; /* of the source, while it is opened */
    char *folder;
    spool bytes;
    jsonl_key *key;
    size_t keys, key_cap;
    size_t role[ROLE_SPLIT + 1]; /* which key has it; SIZE_MAX: none */
    bool more_keys;              /* than are kept */
    size_t json_column;
} jsonl;

static bool is_lines(const char *path) {
    return value_ends_packed(path, ".jsonl") || value_ends_packed(path, ".ndjson");
}

static int detect(assay_ctx *ctx, const char *path) {
    (void)ctx;
    return is_lines(path) && os_exists(path) && !os_is_dir(path) ? 20 : 0;
}

static void close_lines(void *state) {
    jsonl *j = state;
    if (j == NULL)
        return;
    spool_close(&j->bytes);
    for (size_t i = 0; i < j->keys; i++)
        mem_free(j->ctx, j->key[i].name);
    mem_free(j->ctx, j->key);
    mem_free(j->ctx, j->folder);
    mem_free(j->ctx, j);
}

/* ---- lines ---- */

/* The line at a byte, without its end; `next` is where the one after it begins. */
static const char *line_at(const jsonl *j, uint64_t at, size_t *n, uint64_t *next) {
    const char *text = (const char *)j->bytes.data + at;
    const char *end = memchr(text, '\n', (size_t)(j->bytes.bytes - at));
    *n = end != NULL ? (size_t)(end - text) : (size_t)(j->bytes.bytes - at);
    *next = at + *n + (end != NULL);
    while (*n > 0 && (text[*n - 1] == '\r' || text[*n - 1] == ' '))
        (*n)--;
    return text;
}

/* ---- keys ---- */

static assay_status find_key(jsonl *j, const char *name, bool first_line, size_t *out) {
    assay_status status = ASSAY_OK;
    for (*out = 0; *out < j->keys; ++*out)
        if (strcmp(j->key[*out].name, name) == 0)
            return ASSAY_OK;
    *out = SIZE_MAX;
    if (j->keys == MAX_KEYS) {
        j->more_keys = true;
        return ASSAY_OK;
    }
    if (j->keys == j->key_cap)
        ASSAY_TRY(
            mem_grow(j->ctx, &j->key, j->keys, &j->key_cap, j->keys + 1, sizeof *j->key));
    value_role role = first_line ? value_role_of(name, strlen(name)) : ROLE_NONE;
    if (role != ROLE_NONE && j->role[role] != SIZE_MAX)
        role = ROLE_NONE; /* the first of several is meant */
    j->key[j->keys] = (jsonl_key){.role = role, .column = SIZE_MAX};
    ASSAY_TRY(mem_strdup(j->ctx, &j->key[j->keys].name, name));
    if (role != ROLE_NONE)
        j->role[role] = j->keys;
    *out = j->keys++;
done:
    return status;
}

static assay_status look_at_keys(jsonl *j, const json_val *object, bool first_line) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < json_len(object); i++) {
        const json_val *v;
        size_t k;
        const char *name = json_key_at(object, i, &v);
        ASSAY_TRY(find_key(j, name, first_line, &k));
        if (k == SIZE_MAX)
            continue;
        j->key[k].lines++;
        j->key[k].numbers += json_is_num(v);
        j->key[k].whole += json_is_int(v);
        j->key[k].texts += json_get_str(v, NULL) != NULL;
    }
done:
    return status;
}

/* ---- rows ---- */

/* The value of the key with a role; NULL if there is no such key at all. */
static assay_status
value_of(const jsonl *j, const json_val *object, value_role role, const json_val **out) {
    *out = NULL;
    if (j->role[role] == SIZE_MAX)
        return ASSAY_OK;
    const char *name = j->key[j->role[role]].name;
    *out = json_get(object, name);
    if (*out != NULL)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "no '%.60s', which the first line has", name);
    return ASSAY_E_FORMAT;
}

static assay_status take_label(const json_val *v, label_list *labels) {
    const char *text = json_get_str(v, NULL);
    char number[24];
    if (text == NULL) {
        if (!json_is_int(v))
            return err_set(ASSAY_E_FORMAT,
                           "a label that is neither a whole number nor a text");
        snprintf(number, sizeof number, "%lld", (long long)json_get_int(v, 0));
        text = number;
    }
    return label_list_add(labels, text, strlen(text));
}

static assay_status add_row(jsonl *j,
                            const json_val *object,
                            uint64_t at,
                            import_list *list,
                            label_list *labels) {
    assay_status status = ASSAY_OK;
    import_split split = IMPORT_TRAIN;
    const json_val *path, *label, *set;
    if (!json_is_obj(object))
        ASSAY_FAIL(ASSAY_E_FORMAT, "the line is no object");
    ASSAY_TRY(look_at_keys(j, object, list->rows == 0));
    ASSAY_TRY(value_of(j, object, ROLE_PATH, &path));
    ASSAY_TRY(value_of(j, object, ROLE_LABEL, &label));
    ASSAY_TRY(value_of(j, object, ROLE_SPLIT, &set));
    if (set != NULL) {
        const char *name = json_get_str(set, "");
        if (!value_split(&split, name, strlen(name)))
            ASSAY_FAIL(ASSAY_E_FORMAT, "'%.60s' is not a split", name);
    }
    if (label != NULL)
        ASSAY_TRY(take_label(label, labels));
    if (path == NULL) {
        ASSAY_TRY(listed_add_number(list, split, at));
    } else {
        const char *name = json_get_str(path, NULL);
        if (name == NULL)
            ASSAY_FAIL(ASSAY_E_FORMAT, "a path that is no text");
        ASSAY_TRY(listed_add(list, j->folder, split, at, name, strlen(name)));
    }
done:
    return status;
}

static assay_status
failed_in_row(const jsonl *j, const import_list *list, size_t row, assay_status status) {
    unsigned long long line = 1;
    for (uint64_t i = 0; row < list->rows && i < list->row[row].ref; i++)
        line += j->bytes.data[i] == '\n';
    err_where("%s, line %llu", j->path, line);
    return status;
}

static assay_status read_lines(jsonl *j, import_list *list, label_list *labels) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    unsigned long long line = 1;
    uint64_t at = 0, next = 0;
    if (j->bytes.bytes >= 3 && memcmp(j->bytes.data, "\xEF\xBB\xBF", 3) == 0)
        at = 3;
    for (; at < j->bytes.bytes; at = next, line++) {
        size_t n;
        const char *text = line_at(j, at, &n, &next);
        if (n == 0)
            continue;
        status = json_parse(&doc, j->ctx, text, n);
        if (status == ASSAY_E_FORMAT) { /* of one line: the number in the file counts */
            char what[256];
            snprintf(what, sizeof what, "%.255s", assay_last_error()->message);
            (void)err_set(ASSAY_E_FORMAT, "%s", what);
        }
        ASSAY_TRY_AT(status, "%s, line %llu", j->path, line);
        ASSAY_TRY_AT(add_row(j, json_root(doc), at, list, labels), "%s, line %llu",
                     j->path, line);
        json_doc_destroy(doc);
        doc = NULL;
        ASSAY_TRY(ctx_check(j->ctx));
    }
done:
    json_doc_destroy(doc);
    return status;
}

static assay_status settle(const jsonl *j, import_list *list, const label_list *labels) {
    assay_status status = ASSAY_OK;
    bool unique;
    size_t a = 0, b = 0;
    ASSAY_TRY(import_unique_ids(list, &unique, &a, &b));
    if (!unique) {
        err_set(ASSAY_E_FORMAT, "'%.200s' is listed twice", import_id(list, a));
        return failed_in_row(j, list, b, ASSAY_E_FORMAT);
    }
    if (labels->count > 0) {
        status = label_list_settle(labels, list, &a);
        if (status != ASSAY_OK)
            return failed_in_row(j, list, a, status);
    }
done:
    return status;
}

static bool can_name_field(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (name[i] < 0x20 || name[i] > 0x7E)
            return false;
    return n > 0 && n <= 16;
}

static assay_status add_columns(jsonl *j, import_list *list) {
    assay_status status = ASSAY_OK;
    bool rest = j->more_keys;
    for (size_t i = 0; i < j->keys; i++) {
        jsonl_key *k = &j->key[i];
        if (k->role != ROLE_NONE)
            continue;
        bool text = strcmp(k->name, "text") == 0 && k->texts == list->rows;
        if ((!text && k->numbers != list->rows) || !can_name_field(k->name)) {
            rest = true;
            continue;
        }
        import_column c = {.type = text                     ? BETON_BYTES
                                   : k->whole == list->rows ? BETON_INT
                                                            : BETON_FLOAT};
        snprintf(c.name, sizeof c.name, "%.16s", k->name);
        k->column = list->columns;
        ASSAY_TRY_AT(import_add_column(list, &c), "%s", j->path);
    }
    if (rest) {
        j->json_column = list->columns;
        ASSAY_TRY_AT(
            import_add_column(list, &(import_column){.type = BETON_JSON, .name = "json"}),
            "%s", j->path);
    }
done:
    return status;
}

static assay_status
open_lines(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    jsonl *j = NULL;
    char folder[IMPORT_PATH_BYTES];
    label_list labels = label_list_make(ctx);
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &j, 1, sizeof *j));
    *j = (jsonl){.ctx = ctx,
                 .path = path,
                 .bytes = {.map = {.fd = -1}},
                 .role = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX},
                 .json_column = SIZE_MAX};
    ASSAY_TRY(value_folder(folder, path));
    ASSAY_TRY(mem_strdup(ctx, &j->folder, folder));
    ASSAY_TRY(spool_open(&j->bytes, ctx, path));
    ASSAY_TRY(label_read_classes(list, folder));
    ASSAY_TRY(read_lines(j, list, &labels));
    list->no_image = j->role[ROLE_PATH] == SIZE_MAX;
    list->no_label = j->role[ROLE_LABEL] == SIZE_MAX;
    ASSAY_TRY(settle(j, list, &labels));
    ASSAY_TRY(add_columns(j, list));
    j->path = NULL;
    *state = j;
    j = NULL;
done:
    label_list_free(&labels);
    close_lines(j);
    return status;
}

/* ---- values ---- */

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    const jsonl *j = state;
    return listed_fetch(j->folder, list, row, out);
}

static assay_status fetch_cell(const void *state,
                               const import_list *list,
                               size_t row,
                               size_t column,
                               import_cell *out) {
    assay_status status = ASSAY_OK;
    const jsonl *j = state;
    json_doc *doc = NULL;
    size_t n, k = 0;
    uint64_t next;
    const char *line = line_at(j, list->row[row].ref, &n, &next);
    if (column == j->json_column) {
        out->data = (const uint8_t *)line;
        out->bytes = n;
        return ASSAY_OK;
    }
    while (j->key[k].column != column)
        k++;
    ASSAY_TRY(json_parse(&doc, out->ctx, line, n));
    const json_val *v = json_get(json_root(doc), j->key[k].name);
    const char *text = json_get_str(v, NULL);
    out->integer = json_get_int(v, 0);
    out->number = json_get_num(v, 0);
    if (text != NULL)
        ASSAY_TRY(listed_copy(out, text, strlen(text)));
done:
    json_doc_destroy(doc);
    return status;
}

const data_importer assay_importer_jsonl = {
    .name = "jsonl",
    .summary = "JSON Lines (.jsonl, .ndjson) that name image files or hold texts",
    .detect = detect,
    .open = open_lines,
    .fetch = fetch,
    .fetch_cell = fetch_cell,
    .close = close_lines,
};
