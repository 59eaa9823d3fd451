/* Tables in text: .csv by RFC 4180 (quotes, "" for one, line ends LF or CRLF), .tsv
 * without quotes (IANA text/tab-separated-values). One record at a time, from bytes in
 * memory; a byte order mark at the start is passed over. */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include "base/buf.h"

enum { TABLE_MAX_CELLS = 4096 };

typedef struct table {
    assay_ctx *ctx;
    const char *data;
    uint64_t bytes, at;
    char separator;
    uint64_t line;      /* of the record just read, from 1 */
    uint64_t next_line; /* of the one to come */
    uint64_t record_at; /* where the record just read begins */
    buf text;           /* its cells, unquoted, each with a NUL behind it */
    size_t start[TABLE_MAX_CELLS + 1];
    size_t cells;
} table;

void table_begin(
    table *t, assay_ctx *ctx, const void *data, uint64_t bytes, char separator);
void table_end(table *t);
/* The next record that is not an empty line; *more = false at the end. FORMAT with the
 * line as the place: a quote without end, text behind a quote, a NUL, too many cells. */
ASSAY_MUST_CHECK assay_status table_next(table *t, bool *more);
/* The record that begins at a byte. */
ASSAY_MUST_CHECK assay_status table_at(table *t, uint64_t at, bool *more);
const char *table_cell(const table *t, size_t i, size_t *n);

#endif
