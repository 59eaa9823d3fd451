/* Labels of WebDataset samples: their members .cls, or a table in the shard: labels.csv
 * or labels.tsv at its top, with a column of paths, one of labels, and, if there are, one
 * of class names ("name", "class_name") and one of splits. */
#include "data/source/table.h"
#include "data/source/values.h"
#include "data/source/wds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels ---- */

assay_status wds_read_cls(const wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    int64_t most = -1;
    size_t largest = 0;
    for (size_t i = 0; i < w->samples; i++) {
        const wds_member *m = wds_find(w, i, WDS_LABEL);
        const char *text = (const char *)wds_bytes(w, i, m);
        size_t n = (size_t)m->bytes;
        int64_t label;
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            n--;
        value_trim(&text, &n);
        if (!value_int(&label, text, n))
            status = err_set(ASSAY_E_FORMAT, "'%.*s' in .cls is not a class number",
                             (int)(n < 40 ? n : 40), text);
        else
            status = label_check(list, label);
        if (status != ASSAY_OK)
            return wds_failed_at(w, i, status);
        list->row[i].label = (int32_t)label;
        largest = label > most ? i : largest;
        most = label > most ? label : most;
    }
    status = label_number_classes(list, most);
    return status == ASSAY_OK ? status : wds_failed_at(w, largest, status);
}

/* A row of a labels table. */
typedef struct entry {
    char *path;
    char *label, *name, *split;
} entry;

typedef struct entries {
    assay_ctx *ctx;
    buf text;
    entry *row;
    size_t *at; /* four offsets a row, while the text still moves */
    size_t rows, cap;
    bool names, splits;
} entries;

static assay_status
read_header(const wds *w, const table *t, size_t shard, size_t column[4], entries *e) {
    enum { PATH, LABEL, NAME, SPLIT };
    for (size_t i = 0; i < 4; i++)
        column[i] = SIZE_MAX;
    for (size_t i = 0; i < t->cells; i++) {
        size_t n;
        const char *cell = table_cell(t, i, &n);
        value_role role = value_role_of(cell, n);
        size_t to = role == ROLE_PATH    ? PATH
                    : role == ROLE_LABEL ? LABEL
                    : role == ROLE_SPLIT ? SPLIT
                    : strcmp(cell, "name") == 0 || strcmp(cell, "class_name") == 0
                        ? NAME
                        : SIZE_MAX;
        if (to != SIZE_MAX && column[to] == SIZE_MAX)
            column[to] = i;
    }
    e->names = column[NAME] != SIZE_MAX;
    e->splits = column[SPLIT] != SIZE_MAX;
    if (column[PATH] != SIZE_MAX && column[LABEL] != SIZE_MAX)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "the table of labels has no column called %s",
            column[PATH] == SIZE_MAX ? "path" : "label");
    err_where("%s: labels.%s", w->shard[shard].path,
              w->shard[shard].table_separator == ',' ? "csv" : "tsv");
    return ASSAY_E_FORMAT;
}

static assay_status add_entry(entries *e, const table *t, const size_t column[4]) {
    assay_status status = ASSAY_OK;
    size_t cap = e->cap, n;
    char path[IMPORT_PATH_BYTES];
    if (e->rows == e->cap)
        ASSAY_TRY(
            mem_grow(e->ctx, &e->at, e->rows, &cap, e->rows + 1, 4 * sizeof *e->at));
    e->cap = cap;
    for (size_t k = 0; k < 4; k++) {
        if (column[k] != SIZE_MAX && column[k] >= t->cells)
            ASSAY_FAIL(ASSAY_E_FORMAT, "%zu cells where the header has more", t->cells);
        const char *cell = column[k] != SIZE_MAX ? table_cell(t, column[k], &n) : "";
        if (k == 0) {
            ASSAY_TRY(value_path(path, cell, n));
            cell = path;
        }
        e->at[4 * e->rows + k] = e->text.len;
        buf_add(&e->text, cell, strlen(cell) + 1);
    }
    e->rows++;
    status = buf_check(&e->text);
done:
    return status;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

/* All rows of a shard's table, sorted by path. */
static assay_status read_entries(entries *e, const wds *w, size_t shard) {
    assay_status status = ASSAY_OK;
    const wds_shard *s = &w->shard[shard];
    size_t column[4];
    bool more;
    table t;
    table_begin(&t, w->ctx, s->bytes.data + s->table_at, s->table_bytes,
                s->table_separator);
    ASSAY_TRY_AT(table_next(&t, &more), "%s: table of labels", s->path);
    ASSAY_TRY(read_header(w, &t, shard, column, e));
    for (;;) {
        ASSAY_TRY_AT(table_next(&t, &more), "%s: table of labels", s->path);
        if (!more)
            break;
        ASSAY_TRY_AT(add_entry(e, &t, column), "%s: table of labels, line %llu", s->path,
                     (unsigned long long)t.line);
    }
    ASSAY_TRY(mem_new(w->ctx, &e->row, e->rows + 1, sizeof *e->row));
    for (size_t i = 0; i < e->rows; i++)
        e->row[i] =
            (entry){e->text.data + e->at[4 * i], e->text.data + e->at[4 * i + 1],
                    e->text.data + e->at[4 * i + 2], e->text.data + e->at[4 * i + 3]};
    if (e->rows > 1)
        qsort(e->row, e->rows, sizeof *e->row, by_path);
done:
    table_end(&t);
    return status;
}

static void entries_free(entries *e) {
    buf_free(&e->text);
    mem_free(e->ctx, e->row);
    mem_free(e->ctx, e->at);
    *e = (entries){.ctx = e->ctx, .text = buf_make(e->ctx)};
}

/* The name of the image member is the key, a dot and the extension; the table's paths are
 * compared with it as they stand there. */
static const entry *entry_of(const wds *w, const entries *e, size_t sample) {
    char path[IMPORT_PATH_BYTES];
    const wds_member *m = wds_find(w, sample, WDS_IMAGE);
    if (m == NULL)
        return NULL;
    const char *key = wds_key(w, sample);
    size_t key_n = strlen(key), low = 0, high = e->rows;
    const char *ext = w->kind[m->kind].ext;
    if (key_n + 2 + strlen(ext) > sizeof path)
        return NULL;
    /* the extension may be in capitals there: what has this key sorts together */
    snprintf(path, sizeof path, "%s.", key);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(e->row[mid].path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < e->rows && strncmp(e->row[low].path, path, key_n + 1) == 0; low++)
        if (value_ends(e->row[low].path + key_n + 1, ext) &&
            strlen(e->row[low].path + key_n + 1) == strlen(ext))
            return &e->row[low];
    return NULL;
}

static assay_status take_entry(const entries *e,
                               const entry *r,
                               label_list *labels,
                               label_list *names,
                               import_row *row) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(label_list_add(labels, r->label, strlen(r->label)));
    if (e->names)
        ASSAY_TRY(label_list_add(names, r->name, strlen(r->name)));
    if (e->splits && !value_split(&row->split, r->split, strlen(r->split)))
        ASSAY_FAIL(ASSAY_E_FORMAT, "'%.40s' is not a split", r->split);
done:
    return status;
}

/* Class numbers that have names: one name each. Numbers that do not occur stay numbers.
 */
static assay_status
add_names(import_list *list, const label_list *labels, const label_list *names) {
    assay_status status = ASSAY_OK;
    const char **name = NULL;
    int64_t most = -1, v;
    for (size_t i = 0; i < labels->count; i++) {
        const char *text = labels->text.data + labels->at[i];
        if (!value_int(&v, text, strlen(text)))
            return ASSAY_OK; /* labels are names themselves */
        ASSAY_TRY(label_check(list, v));
        most = v > most ? v : most;
    }
    if (!label_plausible(most, list->rows))
        return ASSAY_OK; /* refused when the labels are settled */
    ASSAY_TRY(mem_new(list->ctx, &name, (size_t)most + 2, sizeof *name));
    for (size_t i = 0; i < labels->count; i++) {
        const char *text = labels->text.data + labels->at[i];
        const char *given = names->text.data + names->at[i];
        (void)value_int(&v, text, strlen(text));
        if (name[v] == NULL)
            name[v] = given;
        else if (strcmp(name[v], given) != 0)
            ASSAY_FAIL(ASSAY_E_FORMAT, "class %lld is called '%.60s' and '%.60s'",
                       (long long)v, name[v], given);
    }
    for (int64_t c = 0; c <= most; c++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)c);
        ASSAY_TRY(import_add_class(list, name[c] != NULL ? name[c] : number));
    }
done:
    mem_free(list->ctx, name);
    return status;
}

/* Labels from the tables in the shards; every shard must have one. */
assay_status wds_read_tables(const wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    entries e = {.ctx = w->ctx, .text = buf_make(w->ctx)};
    label_list labels = label_list_make(w->ctx), names = label_list_make(w->ctx);
    size_t open = SIZE_MAX, bad = 0;
    bool named = true;
    for (size_t i = 0; i < w->samples; i++) {
        size_t shard = w->sample[i].shard;
        if (shard != open) {
            entries_free(&e);
            open = shard;
            if (w->shard[shard].table_bytes > 0)
                ASSAY_TRY(read_entries(&e, w, shard));
            named = named && e.names;
        }
        const entry *r = entry_of(w, &e, i);
        status = r != NULL ? take_entry(&e, r, &labels, &names, &list->row[i])
                           : err_set(ASSAY_E_FORMAT, "the shard's table of labels has no "
                                                     "line for this sample");
        if (status != ASSAY_OK) {
            (void)wds_failed_at(w, i, status);
            goto done;
        }
    }
    if (named && list->classes == 0)
        ASSAY_TRY_AT(add_names(list, &labels, &names), "%s", w->shard[0].path);
    status = label_list_settle(&labels, list, &bad);
    if (status != ASSAY_OK)
        (void)wds_failed_at(w, bad, status);
done:
    entries_free(&e);
    label_list_free(&labels);
    label_list_free(&names);
    return status;
}
