/* Tables in text, .csv and .tsv, packed or not. With a column of paths: images with their
 * labels; without: a text table. Columns are known by the header's names (values.c);
 * others are numbers where every value is one, else bytes. Without a header, two columns
 * of which the second holds whole numbers only are texts and labels. */
#include "data/importer.h"

#include "data/source/labels.h"
#include "data/source/listed.h"
#include "data/source/spool.h"
#include "data/source/table.h"
#include "data/source/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is known of a column of the file. */
typedef struct csv_cell {
    char *name;
    value_role role;
    bool whole, number, filled; /* all values are whole, are numbers; any is there */
    size_t column;              /* in the list; SIZE_MAX: none */
} csv_cell;

typedef struct csv {
    assay_ctx *ctx;
    const char *path; /* of the source, while it is opened */
    char *folder;
    spool bytes;
    char separator;
    csv_cell *cell;
    size_t cells;
    size_t path_cell, label_cell, split_cell; /* SIZE_MAX: none */
    bool header;
} csv;

static bool is_table(const char *path) {
    return value_ends_packed(path, ".csv") || value_ends_packed(path, ".tsv");
}

static int detect(assay_ctx *ctx, const char *path) {
    (void)ctx;
    return is_table(path) && os_exists(path) && !os_is_dir(path) ? 20 : 0;
}

static void close_table(void *state) {
    csv *c = state;
    if (c == NULL)
        return;
    spool_close(&c->bytes);
    for (size_t i = 0; i < c->cells; i++)
        mem_free(c->ctx, c->cell[i].name);
    mem_free(c->ctx, c->cell);
    mem_free(c->ctx, c->folder);
    mem_free(c->ctx, c);
}

/* ---- the header ---- */

static assay_status bad_header(const csv *c, const table *t) {
    buf names = buf_make(c->ctx);
    for (size_t i = 0; i < t->cells; i++) {
        size_t n;
        buf_fmt(&names, "%s'%.40s'", i ? ", " : "", table_cell(t, i, &n));
    }
    err_set(ASSAY_E_FORMAT, "no column is called path or label; the header is %.300s",
            names.data != NULL ? names.data : "empty");
    err_where("%s, line %llu", c->path, (unsigned long long)t->line);
    err_help("name the column of image files path, file, filename or image, that of the "
             "labels label, class, target or y, that of the splits split or set");
    buf_free(&names);
    return ASSAY_E_FORMAT;
}

static assay_status
take_name(csv *c, size_t i, const char *name, value_role role, import_list *list) {
    assay_status status = ASSAY_OK;
    size_t *known[] = {[ROLE_PATH] = &c->path_cell,
                       [ROLE_LABEL] = &c->label_cell,
                       [ROLE_SPLIT] = &c->split_cell};
    ASSAY_TRY(mem_strdup(c->ctx, &c->cell[i].name, name));
    for (size_t k = 0; k < i; k++)
        if (name[0] != '\0' && strcmp(c->cell[k].name, name) == 0)
            ASSAY_FAIL(ASSAY_E_FORMAT, "two columns are called '%.100s'", name);
    if (name[0] == '\0')
        ASSAY_TRY(import_note(list, "column %zu has no name and was passed over", i + 1));
    if (role != ROLE_NONE) {
        if (*known[role] != SIZE_MAX)
            ASSAY_FAIL(ASSAY_E_FORMAT, "both '%.60s' and '%.60s' could be meant",
                       c->cell[*known[role]].name, name);
        *known[role] = i;
    }
    c->cell[i].role = role;
done:
    return status;
}

/* Whether the whole file is texts and whole numbers. */
static assay_status is_pair(const csv *c, bool *pair) {
    assay_status status = ASSAY_OK;
    table t;
    size_t n, rows = 0;
    int64_t v;
    *pair = true;
    table_begin(&t, c->ctx, c->bytes.data, c->bytes.bytes, c->separator);
    for (bool more = true; more && *pair;) {
        ASSAY_TRY_AT(table_next(&t, &more), "%s", c->path);
        if (!more)
            break;
        const char *label = t.cells == 2 ? table_cell(&t, 1, &n) : "";
        *pair = t.cells == 2 && value_int(&v, label, n);
        rows++;
    }
    *pair = *pair && rows > 0;
done:
    table_end(&t);
    return status;
}

static assay_status read_header(csv *c, table *t, import_list *list) {
    assay_status status = ASSAY_OK;
    bool more, pair;
    ASSAY_TRY_AT(table_next(t, &more), "%s", c->path);
    if (!more) {
        err_set(ASSAY_E_FORMAT, "the table is empty");
        err_where("%s", c->path);
        return ASSAY_E_FORMAT;
    }
    size_t n;
    bool known = false;
    for (size_t i = 0; i < t->cells; i++) {
        const char *name = table_cell(t, i, &n);
        value_role role = value_role_of(name, n);
        known = known || role == ROLE_PATH || role == ROLE_LABEL;
    }
    ASSAY_TRY(mem_new(c->ctx, &c->cell, t->cells, sizeof *c->cell));
    c->cells = t->cells;
    for (size_t i = 0; i < c->cells; i++)
        c->cell[i] = (csv_cell){.whole = true, .number = true, .column = SIZE_MAX};
    c->header = known;
    if (!known) {
        ASSAY_TRY(is_pair(c, &pair));
        if (!pair)
            return bad_header(c, t);
        ASSAY_TRY(take_name(c, 0, "text", ROLE_NONE, list));
        ASSAY_TRY(take_name(c, 1, "label", ROLE_LABEL, list));
        c->cell[0].number = c->cell[0].whole = false;
        table_end(t);
        table_begin(t, c->ctx, c->bytes.data, c->bytes.bytes, c->separator);
        return ASSAY_OK;
    }
    for (size_t i = 0; i < c->cells; i++) {
        const char *name = table_cell(t, i, &n);
        ASSAY_TRY_AT(take_name(c, i, name, value_role_of(name, n), list), "%s, line %llu",
                     c->path, (unsigned long long)t->line);
    }
done:
    return status;
}

/* ---- the rows ---- */

static void look_at_value(csv_cell *cell, const char *text, size_t n) {
    int64_t whole;
    double number;
    value_trim(&text, &n);
    if (n == 0) { /* not a number, if the others are */
        cell->whole = false;
        return;
    }
    cell->filled = true;
    cell->whole = cell->whole && value_int(&whole, text, n);
    cell->number = cell->number && value_number(&number, text, n);
}

static assay_status
add_row(csv *c, const table *t, import_list *list, label_list *labels) {
    assay_status status = ASSAY_OK;
    import_split split = IMPORT_TRAIN;
    const char *text;
    size_t n;
    if (t->cells != c->cells)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu cells where %s has %zu", t->cells,
                   c->header ? "the header" : "the first line", c->cells);
    if (c->split_cell != SIZE_MAX) {
        text = table_cell(t, c->split_cell, &n);
        value_trim(&text, &n);
        if (!value_split(&split, text, n)) {
            err_set(ASSAY_E_FORMAT, "'%.*s' is not a split", (int)(n < 60 ? n : 60),
                    text);
            err_help("splits are called train, test or val");
            return ASSAY_E_FORMAT;
        }
    }
    if (c->label_cell != SIZE_MAX) {
        text = table_cell(t, c->label_cell, &n);
        ASSAY_TRY(label_list_add(labels, text, n));
    }
    for (size_t i = 0; i < c->cells; i++)
        if (c->cell[i].role == ROLE_NONE) {
            text = table_cell(t, i, &n);
            look_at_value(&c->cell[i], text, n);
        }
    if (c->path_cell == SIZE_MAX)
        return listed_add_number(list, split, t->record_at);
    text = table_cell(t, c->path_cell, &n);
    status = listed_add(list, c->folder, split, t->record_at, text, n);
done:
    return status;
}

/* The line that a row of the list stands in. */
static assay_status
failed_in_row(const csv *c, const import_list *list, size_t row, assay_status status) {
    unsigned long long line = 1;
    for (uint64_t i = 0; row < list->rows && i < list->row[row].ref; i++)
        line += c->bytes.data[i] == '\n';
    err_where("%s, line %llu", c->path, line);
    return status;
}

static assay_status read_rows(csv *c, table *t, import_list *list, label_list *labels) {
    assay_status status = ASSAY_OK;
    bool unique;
    size_t a = 0, b = 0;
    for (;;) {
        bool more;
        ASSAY_TRY_AT(table_next(t, &more), "%s", c->path);
        if (!more)
            break;
        ASSAY_TRY_AT(add_row(c, t, list, labels), "%s, line %llu", c->path,
                     (unsigned long long)t->line);
        ASSAY_TRY(ctx_check(c->ctx));
    }
    ASSAY_TRY(import_unique_ids(list, &unique, &a, &b));
    if (!unique) {
        err_set(ASSAY_E_FORMAT, "'%.200s' is listed twice", import_id(list, a));
        return failed_in_row(c, list, b, ASSAY_E_FORMAT);
    }
    if (labels->count > 0) {
        status = label_list_settle(labels, list, &a);
        if (status != ASSAY_OK)
            return failed_in_row(c, list, a, status);
    }
done:
    return status;
}

static assay_status add_columns(csv *c, import_list *list) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < c->cells; i++) {
        csv_cell *cell = &c->cell[i];
        if (cell->role != ROLE_NONE || cell->name[0] == '\0')
            continue;
        bool number = cell->number && cell->filled;
        import_column column = {.type = number && cell->whole ? BETON_INT
                                        : number              ? BETON_FLOAT
                                                              : BETON_BYTES};
        if (strlen(cell->name) > 16) {
            err_set(ASSAY_E_INVALID,
                    "'%.100s' can't name a field: more than 16 characters", cell->name);
            err_where("%s, line 1", c->path);
            err_help("rename the column");
            return ASSAY_E_INVALID;
        }
        snprintf(column.name, sizeof column.name, "%.16s", cell->name);
        cell->column = list->columns;
        ASSAY_TRY_AT(import_add_column(list, &column), "%s, line 1", c->path);
    }
done:
    return status;
}

static assay_status
open_table(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    csv *c = NULL;
    char folder[IMPORT_PATH_BYTES];
    label_list labels = label_list_make(ctx);
    table t = {.text = buf_make(ctx)};
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &c, 1, sizeof *c));
    *c = (csv){.ctx = ctx,
               .path = path,
               .bytes = {.map = {.fd = -1}},
               .path_cell = SIZE_MAX,
               .label_cell = SIZE_MAX,
               .split_cell = SIZE_MAX};
    c->separator = strstr(value_base(path), ".tsv") != NULL ? '\t' : ',';
    ASSAY_TRY(value_folder(folder, path));
    ASSAY_TRY(mem_strdup(ctx, &c->folder, folder));
    ASSAY_TRY(spool_open(&c->bytes, ctx, path));
    table_begin(&t, ctx, c->bytes.data, c->bytes.bytes, c->separator);
    ASSAY_TRY(read_header(c, &t, list));
    list->no_image = c->path_cell == SIZE_MAX;
    list->no_label = c->label_cell == SIZE_MAX;
    ASSAY_TRY(label_read_classes(list, folder));
    ASSAY_TRY(read_rows(c, &t, list, &labels));
    ASSAY_TRY(add_columns(c, list));
    c->path = NULL;
    *state = c;
    c = NULL;
done:
    table_end(&t);
    label_list_free(&labels);
    close_table(c);
    return status;
}

/* ---- values ---- */

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    const csv *c = state;
    return listed_fetch(c->folder, list, row, out);
}

static assay_status fetch_cell(const void *state,
                               const import_list *list,
                               size_t row,
                               size_t column,
                               import_cell *out) {
    assay_status status = ASSAY_OK;
    const csv *c = state;
    table t;
    size_t i = 0, n;
    bool more;
    while (c->cell[i].column != column)
        i++;
    table_begin(&t, out->ctx, c->bytes.data, c->bytes.bytes, c->separator);
    ASSAY_TRY(table_at(&t, list->row[row].ref, &more));
    const char *text = table_cell(&t, i, &n);
    if (list->column[column].type == BETON_BYTES) {
        ASSAY_TRY(listed_copy(out, text, n));
        goto done;
    }
    value_trim(&text, &n);
    out->number = (double)NAN; /* an empty value among numbers */
    if (list->column[column].type == BETON_INT)
        (void)value_int(&out->integer, text, n);
    else
        (void)value_number(&out->number, text, n);
done:
    table_end(&t);
    return status;
}

const data_importer assay_importer_csv = {
    .name = "csv",
    .summary = "a .csv or .tsv that lists image files with labels, or texts with labels",
    .detect = detect,
    .open = open_table,
    .fetch = fetch,
    .fetch_cell = fetch_cell,
    .close = close_table,
};
