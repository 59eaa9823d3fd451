/* audit: from a labelled dataset to findings. */
#ifndef ASSAY_AUDIT_H
#define ASSAY_AUDIT_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_audit_options {
    size_t struct_size;
    int members;            /**< ensemble size, a multiple of 3; 0: 6 */
    uint64_t seed;
    const char *model;      /**< zoo name; NULL: "cnn" */
    int train_size;         /**< pixels; 0: chosen from the data */
    int epochs;             /**< 0: the recipe's */
    int batch;              /**< 0: the recipe's */
    double lr;              /**< 0: the recipe's */
    int flip;               /**< -1: only where the data bears it */
    int translate;          /**< -1: the recipe's */
    int sketch;             /**< dimension of the sketched gradients; 0: 512 */
    double ridge;           /**< relative to the mean eigenvalue; 0: 1 */
    const char *pred_probs; /**< .npy [rows or train rows, classes] f32/f64 of one's own out-of-sample
                                 probabilities for the label check; NULL: from the members */
    const char *const *plant; /**< "labels:5%", "copies:200", "shifts:200"; NULL-terminated, or NULL */
    const char *exclude;    /**< exclude.txt; NULL: none */
    const char *from;       /**< importer; NULL: detected */
    int64_t limit;          /**< at most this many rows per split; 0: all */
    int no_self_test;       /**< leave the self-test out */
    int no_resume;          /**< start over */
    int force;              /**< use an output folder that belongs to another dataset or options */
} assay_audit_options;
#define ASSAY_AUDIT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_audit_options), .flip = -1, .translate = -1 }

typedef struct assay_audit assay_audit; /* findings in memory */

/** What an audit would do: rows, classes, members, bytes of disk and memory, seconds. */
typedef struct assay_audit_plan {
    uint64_t rows, train_rows, test_rows, disk_bytes, memory_bytes;
    int classes, members, train_size;
    double seconds_low, seconds_high;
} assay_audit_plan;
/** The plan, with nothing written (a source is scanned, not packed). */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_audit_dry_run(assay_ctx *ctx, const char *source,
                                                            const assay_audit_options *options,
                                                            assay_audit_plan *plan);

/** Runs, or continues, an audit of `source` (folder, idx, CIFAR-10, .beton) in the folder `out`:
 *  every phase leaves its result in out/run with a key (input hash, options, version); finished
 *  phases are kept. The report is written by assay_audit_report().
 *  @param out_audit  create; NULL on failure
 *  @errors INVALID, NOTFOUND, FORMAT, SHAPE, NUMERIC, NOSPC, NOMEM, CANCELLED (resumable)
 *  @threads uses the context's   @cost training dominates: members x 2/3 rows x epochs */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_audit_run(assay_audit **out_audit, assay_ctx *ctx,
                                                        const char *source, const char *out,
                                                        const assay_audit_options *options);
ASSAY_API void assay_audit_destroy(assay_audit *audit);

typedef struct assay_audit_counts {
    uint64_t label, leakage, copy_exact, copy_near, corrupt;
    uint64_t rows, train_rows, test_rows;
    double accuracy_single, accuracy_ensemble;
} assay_audit_counts;
ASSAY_API assay_audit_counts assay_audit_get_counts(const assay_audit *audit);

/** Influences on one test row: the training rows that pushed for and against its label, as JSON.
 *  Runs what is missing of the audit in `out` first (resumable).
 *  @param test  index among the test rows   @param top  rows each way, 1..1000
 *  @param json  take; release with assay_string_free   @errors as assay_audit_run; NOTFOUND */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_why(assay_ctx *ctx, const char *source, const char *out,
                                                  const assay_audit_options *options, int64_t test,
                                                  int top, char **json);

#ifdef __cplusplus
}
#endif
#endif
