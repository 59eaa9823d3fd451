/* A .beton with the types of its columns and what our section says of it. */
#ifndef DATA_OPENED_H
#define DATA_OPENED_H

#include "data/field.h"
#include "data/section.h"

typedef struct opened {
    assay_ctx *ctx;
    beton_file *file;
    int fields;
    const data_field *kind[BETON_MAX_FIELDS];
    field_type *type;
    data_section said;
} opened;

/* UNSUPPORTED for a field of a type that is not read. On failure nothing is held. */
ASSAY_MUST_CHECK assay_status opened_open(opened *o, assay_ctx *ctx, const char *path);
void opened_close(opened *o);

#endif
