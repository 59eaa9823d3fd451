/* Labels as a source writes them, one a row, and the classes that they make. Whole
 * numbers everywhere are class numbers; otherwise labels are class names, numbered in
 * byte order, or in that of a classes.txt or classes.json beside the source. */
#ifndef DATA_LABELS_H
#define DATA_LABELS_H

#include "data/importer.h"

typedef struct label_list {
    assay_ctx *ctx;
    buf text; /* NUL-terminated, one behind the other */
    size_t *at;
    size_t count, cap;
} label_list;

label_list label_list_make(assay_ctx *ctx);
void label_list_free(label_list *l);
/* The label of the next row, trimmed. FORMAT: empty, or with a NUL. */
ASSAY_MUST_CHECK assay_status label_list_add(label_list *l, const char *text, size_t n);
/* Writes all rows' labels, and the classes unless the list has them. FORMAT; *bad is then
 * the row. */
ASSAY_MUST_CHECK assay_status label_list_settle(const label_list *l,
                                                import_list *list,
                                                size_t *bad);

/* classes.txt (a name a line) or classes.json (an array of names, or an object from names
 * to numbers 0, 1, ...) in a folder. Neither: the list stays without classes. */
ASSAY_MUST_CHECK assay_status label_read_classes(import_list *list, const char *folder);
/* Checks a class number against the list's classes, if it has any. FORMAT */
ASSAY_MUST_CHECK assay_status label_check(const import_list *list, int64_t label);
/* Names classes 0 to `most` by their numbers, unless the list has names. FORMAT where
 * there are far too few rows for so many (label_plausible). */
ASSAY_MUST_CHECK assay_status label_number_classes(import_list *list, int64_t most);

/* Whether labels up to `most` may number the classes of so many rows: up to 65,535, or
 * 16 a row. More is a slip, or hostile: one row would make a million classes. */
bool label_plausible(int64_t most, uint64_t rows);

#endif
