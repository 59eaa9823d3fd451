/* Scores that were made elsewhere, of a protocol's rows for its targets. */
#ifndef ATTRIBUTE_SCORES_FILE_H
#define ATTRIBUTE_SCORES_FILE_H

#include "attribute/study/study.h"

/** Reads f32 [rows, targets or more]; of columns the study's first ones.
 *  @param out  [n_rows, n_targets], filled   @param protocol  for the message
 *  @errors SHAPE, NUMERIC, FORMAT, with the file's name */
ASSAY_MUST_CHECK assay_status att_scores_read(float *out,
                                              const att_study *s,
                                              const char *protocol,
                                              const char *path);

#endif
