/* exclude.txt: the training rows an audit, or a person, decided against. */
#ifndef TRAIN_EXCLUDE_H
#define TRAIN_EXCLUDE_H

#include "base/ctx.h"

/* What it must have been made for. */
typedef struct exclude_for {
    const char *sha256;
    uint64_t rows, train_rows;
    const char *source; /* for the help text */
} exclude_for;

/* The file is text:
 *     # assay-exclude 1  dataset=sha256:<64 hex digits>  rows=<n>
 *     row<TAB>split<TAB>reason<TAB>score<TAB>id
 *     412<TAB>train<TAB>copy<TAB>1.00<TAB>cat/0412.jpg
 * Only the first column is used; further lines that begin with '#', and empty ones, are
 * skipped. active[row] = 0 for the training rows named (active is [train_rows]; others
 * are left alone). Test rows in it count for nothing. INVALID: made for another dataset.
 * FORMAT: file and line. NOTFOUND. */
ASSAY_MUST_CHECK assay_status exclude_read(assay_ctx *ctx,
                                           const char *path,
                                           const exclude_for *of,
                                           uint8_t *active);

#endif
