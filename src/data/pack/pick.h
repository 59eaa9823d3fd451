/* Picking rows by number: ranges, or a file with a number on each line. */
#ifndef DATA_PICK_H
#define DATA_PICK_H

#include "base/ctx.h"

/* Sets on[row] to `value` for every row named. `text` is a list of ranges ("0:1000",
 * "5000:", ":10", "7", joined by commas), or else names a file: a row's number begins
 * each line; what follows white space, lines that begin with '#' and empty ones count for
 * nothing, so that the exclude.txt of an audit will do. A first line "# assay-exclude 1
 * dataset=sha256:..." must name `sha256` (NULL: not compared). INVALID: a row that is not
 * there, a range that ends before it begins, another dataset's list. FORMAT: file and
 * line. NOTFOUND. */
ASSAY_MUST_CHECK assay_status pick_rows(assay_ctx *ctx,
                                        uint8_t *on,
                                        uint64_t rows,
                                        const char *text,
                                        uint8_t value,
                                        const char *sha256);

#endif
