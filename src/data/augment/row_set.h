/* A set of rows, written "1,5,10:20" (20 is left out) or in a file of such. */
#ifndef DATA_ROW_SET_H
#define DATA_ROW_SET_H

#include "base/ctx.h"

typedef struct row_range {
    uint64_t first, end;
} row_range;

typedef struct row_set {
    assay_ctx *ctx;
    row_range *range; /* sorted, apart from each other */
    size_t n, cap;
} row_set;

/* `text` is the list itself if it has digits, commas, colons and spaces only, else the
 * name of a file with such, where lines separate too and # begins a remark. INVALID,
 * NOTFOUND, IO, FORMAT, NOMEM */
ASSAY_MUST_CHECK assay_status row_set_read(row_set *out,
                                           assay_ctx *ctx,
                                           const char *text);
void row_set_free(row_set *s); /* accepts a zeroed one */
bool row_set_has(const row_set *s, uint64_t row);

#endif
