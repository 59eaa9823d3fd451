/* Rows of sources that name image files: paths relative to the source's own folder. */
#ifndef DATA_LISTED_H
#define DATA_LISTED_H

#include "data/importer.h"

/* Adds a row whose id is the path. INVALID: a path that leads out of the folder;
 * NOTFOUND: no such file. */
ASSAY_MUST_CHECK assay_status listed_add(import_list *list,
                                         const char *folder,
                                         import_split split,
                                         uint64_t ref,
                                         const char *path,
                                         size_t n);
/* Adds a row without a file: its id is its split and a number. */
ASSAY_MUST_CHECK assay_status listed_add_number(import_list *list,
                                                import_split split,
                                                uint64_t ref);
/* The bytes of a row's file. */
ASSAY_MUST_CHECK assay_status listed_fetch(const char *folder,
                                           const import_list *list,
                                           size_t row,
                                           import_image *out);
/* `n` bytes as a cell's value, copied into what it owns. */
ASSAY_MUST_CHECK assay_status listed_copy(import_cell *out, const void *data, size_t n);

#endif
