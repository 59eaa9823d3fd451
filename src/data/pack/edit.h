/* Editing: rows of open files, in any order, become a new file. Merging, splitting and
 * selecting only say which rows. */
#ifndef DATA_EDIT_H
#define DATA_EDIT_H

#include <assay/data.h>

#include "data/field.h"
#include "data/pack/emit.h"
#include "data/section.h"

typedef struct edit_file {
    const char *path; /* borrowed */
    beton_file *f;
    data_section said;
    int64_t *label;        /* of a label in the result; NULL: the same */
    uint8_t *orientation;  /* EXIF, by sample; NULL: none */
    jpeg_index_set *index; /* of the first image field; NULL: none */
} edit_file;

typedef struct edit {
    assay_ctx *ctx;
    edit_file *file;
    size_t files;
    emit_layout layout;
    field_type *type; /* of each field */
    int label_field;  /* -1: none */
    char **class_name;
    size_t classes, class_cap;
    char split_name[SECTION_MAX_SPLITS][8];
    size_t split_names; /* 0: no file names any */
    uint64_t page_size;
    /* the rows chosen */
    uint64_t *pick; /* file << 40 | sample */
    size_t picks, pick_cap;
    data_split split[SECTION_MAX_SPLITS];
    size_t splits;
} edit;

/* Opens all, compares their fields, unites their classes and splits. INVALID, FORMAT. The
 * edit must be freed in any case. */
ASSAY_MUST_CHECK assay_status edit_open(edit *e,
                                        assay_ctx *ctx,
                                        const char *const *paths,
                                        size_t n);
void edit_free(edit *e); /* accepts a zeroed one */

/* A row that may be chosen: row `at` of the `of` that its file has in its split. */
typedef struct edit_row {
    size_t file;
    uint64_t sample, at, of;
    size_t split; /* in split_name; 0 when there are none */
} edit_row;
/* Chooses rows anew: split after split, file after file. INVALID when none is left. */
ASSAY_MUST_CHECK assay_status
edit_choose(edit *e, bool (*keep)(const void *arg, const edit_row *r), const void *arg);
/* Writes the chosen rows. `page_size` 0: the largest of the sources'. */
ASSAY_MUST_CHECK assay_status edit_write(const edit *e,
                                         const char *out,
                                         uint64_t page_size,
                                         bool force,
                                         assay_edit_result *result);

/* ---- edit_classes.c ---- */
/* One table of all files' names, and each file's labels in it. INVALID: some have none.
 */
ASSAY_MUST_CHECK assay_status edit_unite_classes(edit *e);
/* ---- edit_info.c ---- */
/* The orientations that a file's info lists. NOMEM. */
ASSAY_MUST_CHECK assay_status edit_read_info(edit *e, edit_file *f);
/* What the result's info says. */
ASSAY_MUST_CHECK assay_status edit_write_info(const edit *e, buf *out);

static inline edit_file *edit_file_of(const edit *e, uint64_t pick, uint64_t *sample) {
    *sample = pick & ((UINT64_C(1) << 40) - 1);
    return &e->file[pick >> 40];
}

#endif
