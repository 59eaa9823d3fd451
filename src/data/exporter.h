/* Exporters: a .beton becomes a folder of files. Each is one file under data/exporters,
 * and sees an open file, the rows that were chosen, and their names. */
#ifndef DATA_EXPORTER_H
#define DATA_EXPORTER_H

#include <assay/data.h>

#include "data/field.h"
#include "data/section.h"

enum { EXPORT_NAME_BYTES = 1024 };

typedef struct export_row {
    uint64_t sample;
    uint32_t split; /* in `split` */
    size_t name_at; /* in `names` */
} export_row;

typedef struct export_job {
    assay_ctx *ctx;
    const char *path; /* of the .beton */
    assay_export_options o;
    beton_file *file;
    int fields, image, label; /* which is the image and the label; -1: none */
    const data_field *kind[BETON_MAX_FIELDS];
    field_type *type;
    data_section said;
    char **class_name;
    size_t classes;
    struct {
        char name[16]; /* "" where the file names no splits */
    } split[SECTION_MAX_SPLITS];
    size_t splits;
    export_row *row;
    size_t rows;
    buf names;
    char folder[4096]; /* where to write, without a slash at its end */
    assay_export_result done;
} export_job;

typedef struct data_exporter {
    const char *name, *summary;
    /* Whether the form can hold the file. UNSUPPORTED */
    assay_status (*check)(const export_job *e);
    /* The name of a row from its id: what is unique is left to the caller. */
    void (*name_row)(char out[EXPORT_NAME_BYTES],
                     const export_job *e,
                     const export_row *row,
                     const char *id);
    /* Writes all rows into e->folder. */
    assay_status (*run)(export_job *e);
} data_exporter;

size_t exporter_count(void);
const data_exporter *exporter_at(size_t i);
/* By name; INVALID lists what there is. */
ASSAY_MUST_CHECK assay_status exporter_find(const data_exporter **out, const char *name);

/* ---- for exporters ---- */

const char *export_name(const export_job *e, const export_row *row);
/* A value, with the place in errors. */
ASSAY_MUST_CHECK assay_status export_value(const export_job *e,
                                           const export_row *row,
                                           int field,
                                           field_value *v);
/* An image as a file: the JPEG bytes that are stored, or a PNG made in `scratch`. *ext is
 * "jpg" or "png". */
ASSAY_MUST_CHECK assay_status export_image(const export_job *e,
                                           const export_row *row,
                                           int field,
                                           buf *scratch,
                                           const uint8_t **data,
                                           size_t *bytes,
                                           const char **ext);
/* The class number of a row. FORMAT where there is no such class. */
ASSAY_MUST_CHECK assay_status export_label(const export_job *e,
                                           const export_row *row,
                                           int64_t *label);
/* A file below e->folder, made anew; counted. */
ASSAY_MUST_CHECK assay_status export_put(export_job *e,
                                         const char *name,
                                         const void *data,
                                         size_t bytes);
/* classes.json: the names in their order. Nothing for a file without labels. */
ASSAY_MUST_CHECK assay_status export_classes(export_job *e);

#endif
