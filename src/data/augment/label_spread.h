/* Labels that become one number for each class. */
#ifndef DATA_LABEL_SPREAD_H
#define DATA_LABEL_SPREAD_H

#include "data/transform.h"

enum { SPREAD_MOST = 1 << 20 };

/* An argument `classes`: 0 is the dataset's own number. */
#define SPREAD_CLASSES_ARG                                                               \
    { .name = "classes", .count = 1, .least = 0, .most = SPREAD_MOST, .whole = true }

/* The number to be used; 0: unknown. */
int spread_classes(const transform_plan *p, double given);
/* INVALID when the number is unknown or too small, or the label is no integer any more.
 */
ASSAY_MUST_CHECK assay_status spread_check(const transform_plan *p,
                                           const char *name,
                                           double given);
/* `high` at the label's place, `low` elsewhere; a label that is no class leaves `low`. */
void spread_fill(float *to, int classes, int64_t label, float high, float low);

#endif
