/* The rows that a table of scores names: the strongest of each target, of either sign,
 * picked, and told as JSON and as a table. */
#ifndef ATTRIBUTE_NAMED_H
#define ATTRIBUTE_NAMED_H

#include "attribute/study/lab.h"
#include "attribute/trak/heap.h"
#include "base/json.h"

/** @param out  [att_lab_targets, 2, top]: helpful, harmful; strongest first, ties by row
 *  @param scores  of row i for target t at scores[i by_row + t by_target]
 *  @errors NOMEM */
ASSAY_MUST_CHECK assay_status named_pick(att_top *out,
                                         const att_lab *lab,
                                         const float *scores,
                                         size_t by_row,
                                         size_t by_target,
                                         int top);

/* Adds the member "targets" to a document, and all lines to `csv`.
 * @param value  what a score is called   @param margin  [targets]
 * Of a text, targets are passages, and rows are told by their place and their words. */
void named_tell(json_out *j,
                buf *csv,
                const att_lab *lab,
                const att_top *named,
                int top,
                const char *value,
                const double *margin);

#endif
