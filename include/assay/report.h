/* report: findings as files that a person, or another program, reads. */
#ifndef ASSAY_REPORT_H
#define ASSAY_REPORT_H

#include <assay/attribute.h>
#include <assay/audit.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_report_options {
    size_t struct_size;
    const char *command;  /**< the command line, for "how this was made"; NULL: left out */
    int page_items;       /**< scales the page's caps, percent; 0: 100 */
    uint64_t page_size;   /**< largest page in bytes; 0: 8 MB */
} assay_report_options;
#define ASSAY_REPORT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_report_options) }

/** Writes audit.html, audit.json, issues.csv, issues.jsonl, influence.csv and exclude.txt into the
 *  folder, each whole or not at all. Same audit, same bytes.
 *  @errors INVALID (unwritable), NOSPC, NOMEM   @threads one call per folder */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_audit_report(assay_ctx *ctx, const assay_audit *audit,
                                                           const char *folder,
                                                           const assay_report_options *options);

/** audit.json as text. @param json take; release with assay_string_free */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_audit_json(assay_ctx *ctx, const assay_audit *audit, char **json);

/** The answer in a few plain lines, for a terminal. @param text take; assay_string_free */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_audit_answer(assay_ctx *ctx, const assay_audit *audit, char **text);

/** A page that shows each target of an attribution beside the rows that help and harm it
 *  most: one file without scripts, written whole or not at all. Targets that would take it
 *  beyond 8 MB are left out, which it says.
 *  @param source  the data that the document was made from; they are opened, or packed, again
 *  @param json  what assay_attribute or assay_datamodels said, borrowed
 *  @errors FORMAT (another document; rows that the data do not have), as dataset sources;
 *  INVALID (unwritable), NOSPC, NOMEM   @threads safe   @cost decodes each named picture */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_attribution_page(assay_ctx *ctx, const char *source,
                                                               const char *json, const char *path);

/** assay_attribute with its page: the data are read once. Models and scores are released
 *  before pictures are looked at.
 *  @param path  of the page; NULL: none   @errors as both; *json is NULL then */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_attribute_with_page(assay_ctx *ctx, const char *source, const assay_attribute_options *options,
                          const char *path, char **json);
/** The same of assay_datamodels. */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_datamodels_with_page(assay_ctx *ctx, const char *source, const assay_datamodels_options *options,
                           const char *path, char **json);

#ifdef __cplusplus
}
#endif
#endif
