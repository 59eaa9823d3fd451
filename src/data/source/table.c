/* Reading CSV and TSV. */
#include "data/source/table.h"

#include <string.h>

void table_begin(
    table *t, assay_ctx *ctx, const void *data, uint64_t bytes, char separator) {
    t->ctx = ctx;
    t->data = data;
    t->bytes = bytes;
    t->separator = separator;
    t->at = bytes >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    t->line = 0;
    t->next_line = 1;
    t->text = buf_make(ctx);
    t->cells = 0;
}

void table_end(table *t) {
    buf_free(&t->text);
}

static assay_status wrong(const table *t, const char *what) {
    err_set(ASSAY_E_FORMAT, "%s", what);
    err_where("line %llu", (unsigned long long)t->line);
    return ASSAY_E_FORMAT;
}

static bool at_line_end(const table *t) {
    char c = t->at < t->bytes ? t->data[t->at] : '\n';
    return c == '\n' ||
           (c == '\r' && (t->at + 1 == t->bytes || t->data[t->at + 1] == '\n'));
}

static void pass_line_end(table *t) {
    if (t->at < t->bytes && t->data[t->at] == '\r')
        t->at++;
    if (t->at < t->bytes && t->data[t->at] == '\n')
        t->at++;
    t->next_line++;
}

static assay_status quoted_cell(table *t) {
    t->at++;
    for (;;) {
        const char *from = t->data + t->at;
        const char *quote = memchr(from, '"', (size_t)(t->bytes - t->at));
        if (quote == NULL)
            return wrong(t, "a quote that is never closed");
        size_t n = (size_t)(quote - from);
        buf_add(&t->text, from, n);
        for (const char *p = from; (p = memchr(p, '\n', (size_t)(quote - p))) != NULL;
             p++)
            t->next_line++;
        t->at += n + 1;
        if (t->at == t->bytes || t->data[t->at] != '"')
            break;
        buf_add(&t->text, "\"", 1);
        t->at++;
    }
    if (!at_line_end(t) && t->data[t->at] != t->separator)
        return wrong(t, "text behind a closing quote");
    return ASSAY_OK;
}

static void plain_cell(table *t) {
    uint64_t first = t->at;
    while (t->at < t->bytes && t->data[t->at] != t->separator && !at_line_end(t))
        t->at++;
    buf_add(&t->text, t->data + first, (size_t)(t->at - first));
}

assay_status table_next(table *t, bool *more) {
    assay_status status = ASSAY_OK;
    *more = false;
    while (t->at < t->bytes && at_line_end(t))
        pass_line_end(t);
    if (t->at >= t->bytes)
        return ASSAY_OK;
    t->line = t->next_line;
    t->record_at = t->at;
    t->cells = 0;
    buf_clear(&t->text);
    for (;;) {
        if (t->cells == TABLE_MAX_CELLS)
            return wrong(t, "more than 4,096 cells in a line");
        t->start[t->cells++] = t->text.len;
        if (t->separator == ',' && t->at < t->bytes && t->data[t->at] == '"')
            ASSAY_TRY(quoted_cell(t));
        else
            plain_cell(t);
        buf_add(&t->text, "", 1);
        if (at_line_end(t))
            break;
        t->at++;
    }
    pass_line_end(t);
    t->start[t->cells] = t->text.len;
    ASSAY_TRY(buf_check(&t->text));
    for (size_t i = 0; i < t->cells; i++)
        if (memchr(t->text.data + t->start[i], '\0', t->start[i + 1] - t->start[i] - 1))
            return wrong(t, "a NUL: this is not text");
    *more = true;
done:
    return status;
}

assay_status table_at(table *t, uint64_t at, bool *more) {
    t->at = at;
    return table_next(t, more);
}

const char *table_cell(const table *t, size_t i, size_t *n) {
    *n = t->start[i + 1] - t->start[i] - 1;
    return t->text.data + t->start[i];
}
