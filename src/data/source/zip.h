/* Members of a zip, one after the other, unpacked as they are read. What it says of sizes
 * is not believed: the reader asks for what it wants. Adapter: libarchive.c. */
#ifndef DATA_ZIP_H
#define DATA_ZIP_H

#include "base/ctx.h"

typedef struct zip_reader zip_reader;

/* NOTFOUND, FORMAT, NOMEM. */
ASSAY_MUST_CHECK assay_status zip_open(zip_reader **out,
                                       assay_ctx *ctx,
                                       const char *path);
/* The next file's name, borrowed until the next call; NULL at the end. FORMAT: damaged,
 * encrypted. */
ASSAY_MUST_CHECK assay_status zip_next(zip_reader *z, const char **name);
/* Fills `dst` from the file; *got < n at its end only. */
ASSAY_MUST_CHECK assay_status zip_read(zip_reader *z, void *dst, size_t n, size_t *got);
void zip_close(zip_reader *z); /* accepts NULL */

#endif
