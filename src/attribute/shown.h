/* assay_attribute and assay_datamodels with somebody who looks at the document while the
 * data that it is about are still open, so that they need not be read again. */
#ifndef ATTRIBUTE_SHOWN_H
#define ATTRIBUTE_SHOWN_H

#include <assay/attribute.h>

#include "data/dataset.h"

/* Models, pixels and scores are gone by then. `data` NULL: the document is of a text. */
typedef struct att_viewer {
    assay_status (*look)(void *cookie, dataset *data, const char *json);
    void *cookie;
} att_viewer;

/** As assay_attribute; *json is NULL where looking fails.
 *  @param viewer  NULL: nobody looks */
ASSAY_MUST_CHECK assay_status att_attribute(char **json,
                                            assay_ctx *ctx,
                                            const char *source,
                                            const assay_attribute_options *options,
                                            const att_viewer *viewer);
ASSAY_MUST_CHECK assay_status att_datamodels(char **json,
                                             assay_ctx *ctx,
                                             const char *source,
                                             const assay_datamodels_options *options,
                                             const att_viewer *viewer);

#endif
