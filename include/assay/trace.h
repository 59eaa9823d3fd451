/* trace: what a table of attribution scores is good for. */
#ifndef ASSAY_TRACE_H
#define ASSAY_TRACE_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_trace_options {
    size_t struct_size;
    const char *use;    /**< a name: "leaks", "select", "clusters", "compare" */
    const char *scores; /**< .npy f32 or f64 [rows, targets] of the first so many training
                             and test rows, as `assay attribute --scores` writes them */
    const char *against; /**< compare: another of the same rows and targets; NULL */
    int count;           /**< select: rows that are chosen; clusters: how many; compare:
                              components; 0: a tenth of the rows, twice the
                              classes, 3 */
    const char *how;     /**< select: "sum" (NULL) or "votes" */
    int dim;             /**< clusters: dimensions of the embedding; 0: 16 */
    double threshold;    /**< leaks: a target's first row, over its second one, by what
                              each does to others; 0: 2 */
    int top;             /**< rows named for each thing; 0: 10 */
    const char *csv;     /**< where all that was found goes as a table; NULL: nowhere */
    const char *list;    /**< select: where numbers of the samples go, one a line, for
                              assay_beton_select; NULL: nowhere */
    uint64_t seed;
} assay_trace_options;
#define ASSAY_TRACE_OPTIONS_INIT                                                         \
    { .struct_size = sizeof(assay_trace_options) }

/** Uses of attribution over a table of scores:
 *  - leaks: targets that are copies of a training row: by scores (one row stands far out)
 *    and by pixels, beside each other;
 *  - select: training rows for a set of targets;
 *  - clusters: of rows, by k-means on the principal components of what they do to all
 *    targets (rows of the table, of unit length);
 *  - compare: how two algorithms differ (ModelDiff, Shah et al. 2022): each target's
 *    scores of one less what those of the other explain, and principal components of
 *    that, with the share of either's squares that each explains and the rows and
 *    targets at both ends; both ways round.
 *  @param source  the dataset that the scores are of
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (a use, a file), INVALID, FORMAT, DTYPE, SHAPE (not two dimensions;
 *  more rows or targets than the data have; two tables that differ), NUMERIC (not finite,
 *  with row and target), UNSUPPORTED (tables too large), NOMEM, CANCELLED
 *  @threads uses the context's; the result does not depend on how many
 *  @cost leaks: a comparison of all pairs; clusters, compare: 2 rows targets min(rows,
 *  targets), and its cube */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_trace(assay_ctx *ctx,
                                                    const char *source,
                                                    const assay_trace_options *options,
                                                    char **json);

/** Uses by index, for help texts. @threads safe */
ASSAY_API size_t assay_trace_count(void);
ASSAY_API const char *assay_trace_name(size_t i);
ASSAY_API const char *assay_trace_summary(size_t i);

#ifdef __cplusplus
}
#endif
#endif
