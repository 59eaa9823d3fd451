/* detect: which labels are wrong, by models that are trained for the purpose. */
#ifndef ASSAY_DETECT_H
#define ASSAY_DETECT_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_mislabels_options {
    size_t struct_size;
    const char *methods; /**< names with commas between, each NAME or NAME:VARIANT; the
                              first ranks the rows; NULL: "probability" */
    const char *model;   /**< of the zoo; NULL: "cnn" */
    int members;         /**< models, each trained on two thirds of the rows, a multiple
                              of 3; 0: 6 */
    int epochs;          /**< 0: the recipe's */
    int64_t rows;        /**< the first so many training rows; 0: all */
    int64_t tests;       /**< harm: to the first so many test rows; 0: 500 */
    double flip;         /**< share of the labels that are flipped on purpose, to see what
                              is found; up to 0.5; 0: none */
    int top;             /**< rows named; 0: 20 */
    int dim;             /**< of trak's projection; 0: 512 */
    double damping, ridge; /**< as in assay_lds_options, none is chosen; negative: 1 */
    int rounds;            /**< of the bootstrap over rows; negative: none; 0: 200 */
    const char *csv;       /**< where all rows go, with every method's score; NULL */
    uint64_t seed;
} assay_mislabels_options;
#define ASSAY_MISLABELS_OPTIONS_INIT                                                     \
    { .struct_size = sizeof(assay_mislabels_options), .damping = -1, .ridge = -1 }

/** Ranks training rows by how likely their labels are wrong. Members are trained on
 *  balanced two thirds of the rows, so that each row is judged by a third of them that
 *  did not see it; the label given, the one they suggest and the score stand beside each
 *  row, with the range of what single members say. With `flip`, labels spoiled on
 *  purpose tell how well each method finds them: area under the ROC curve with a 95 %
 *  interval by drawing rows again, how many of them are among as many first rows, and
 *  from that how many labels are wrong in all; spoiled rows are then not named.
 *  @param source  a .beton file, or anything that can be packed
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (model, method), INVALID, SHAPE (too few rows), UNSUPPORTED (a
 *  method that can't treat the model), FORMAT (one class), NUMERIC, NOMEM, CANCELLED
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost the members' training, and the methods' (docs/attribution.md) */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_mislabels(assay_ctx *ctx,
                const char *source,
                const assay_mislabels_options *options,
                char **json);

/** Methods of it by index, for help texts. @threads safe */
ASSAY_API size_t assay_mislabels_count(void);
ASSAY_API const char *assay_mislabels_name(size_t i);
ASSAY_API const char *assay_mislabels_summary(size_t i);

#ifdef __cplusplus
}
#endif
#endif
