/* The audit as the report sees it: findings by kind, flags per row, and names that are
 * always there. Every writer of this room takes a view; none reads the dataset itself. */
#ifndef REPORT_VIEW_H
#define REPORT_VIEW_H

#include <assay/report.h>

#include "audit/result.h"

/* Where names and pictures come from: the audit's dataset, or a test. Members may be
 * NULL. */
typedef struct report_source {
    const void *cookie;
    uint64_t rows; /* of the dataset; rows behind these were planted */
    const char *(*class_name)(const void *cookie, int c);
    const char *(*id)(const void *cookie, uint64_t row);
    size_t skipped; /* files that could not be decoded */
    void (*skipped_at)(const void *cookie,
                       size_t i,
                       const char **split,
                       const char **id,
                       const char **reason);
    /* A row at its stored size; NULL: the audit's own pixels are shown. */
    assay_status (*picture)(const void *cookie, uint64_t row, image *out);
    int side; /* usual side of stored pictures; 0: as the audit's pixels */
} report_source;

/* What is said of a row elsewhere. */
enum { FLAG_LABEL = 1, FLAG_LEAKAGE = 2, FLAG_COPY = 4 };

/* Copies of one picture. The first member is kept, the others are extra. */
typedef struct copy_group {
    uint32_t first, count; /* into report_view.copy, the kept one left out */
    uint32_t kept;
    bool exact, labels_differ; /* every member; any member */
} copy_group;

typedef struct report_view {
    assay_ctx *ctx;
    const struct assay_audit *a;
    report_source source;
    const char *command; /* or NULL */
    size_t first[DETECT_KINDS],
        count[DETECT_KINDS];     /* of the findings, "maybe" among them */
    const detect_finding **leak; /* sure ones, most alike first */
    size_t n_leaks;
    const detect_finding **copy; /* sure ones, by group */
    size_t n_copies;
    copy_group *group;
    size_t n_groups;
    size_t maybe_leaks, maybe_copies;
    uint8_t *flags; /* [rows] */
    uint64_t *class_train, *class_test,
        *class_right; /* [classes]: rows; test rows said right */
} report_view;

ASSAY_MUST_CHECK assay_status report_view_create(report_view *v,
                                                 assay_ctx *ctx,
                                                 const struct assay_audit *a,
                                                 const report_source *source);
void report_view_free(report_view *v); /* accepts a zeroed one */

/* A class's name, or "class 3". */
typedef char report_name[48];
const char *report_class(const report_view *v, int c, report_name scratch);
/* A row's id; "train/17", "test/4", "planted/0" without one. */
const char *report_id(const report_view *v, uint32_t row, report_name scratch);
/* "train" or "test". */
const char *report_split(const report_view *v, uint32_t row);
/* Index among the test rows. */
uint64_t report_test_index(const report_view *v, uint32_t row);
bool report_planted(const report_view *v, uint32_t row);
int report_label(const report_view *v, uint32_t row); /* -1: none */
/* The class with the largest probability, `but` left out; -1 without probabilities. */
int report_likely(const report_view *v, uint32_t row, int but);
float report_prob(const report_view *v, uint32_t row, int c); /* NaN if unknown */
/* "label", "leakage", "copy_exact", "copy_near", "corrupt", with "_maybe" behind where
 * unsure. */
const char *report_kind(const detect_finding *f);

#endif
