/* The binary version of CIFAR-10 and CIFAR-100: files of records, each of one or two
 * label bytes and 3 x 32 x 32 planar RGB bytes. What the two importers share. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include "data/importer.h"

typedef struct cifar_layout {
    const char *name;         /* "CIFAR-10" */
    const char *first[2];     /* what names of training and test batches begin with */
    const char *files;        /* a sentence on how the files are called */
    size_t labels;            /* label bytes of a record; the last is the class */
    int most[2];              /* classes of each label byte */
    const char *coarse;       /* column of the label byte before the class; NULL: none */
    const char *classes_file; /* a class name a line */
    const char *const *known; /* the published names; NULL: numbers */
} cifar_layout;

/* Whether a folder holds such batches, or a file is one, by name. */
bool cifar_is(assay_ctx *ctx, const cifar_layout *layout, const char *path);
ASSAY_MUST_CHECK assay_status cifar_open(void **state,
                                         import_list *list,
                                         assay_ctx *ctx,
                                         const cifar_layout *layout,
                                         const char *path);
ASSAY_MUST_CHECK assay_status cifar_fetch(const void *state,
                                          const import_list *list,
                                          size_t row,
                                          import_image *out);
ASSAY_MUST_CHECK assay_status cifar_fetch_coarse(const void *state,
                                                 const import_list *list,
                                                 size_t row,
                                                 size_t column,
                                                 import_cell *out);
void cifar_close(void *state); /* accepts NULL */

#endif
