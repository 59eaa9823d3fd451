/* Transforms: what happens to an image (u8, H x W x C) between its source and
 * normalisation. One file under data/transforms each. What one does depends on (seed,
 * epoch, sample) and its place in the pipeline alone. */
#ifndef DATA_TRANSFORM_H
#define DATA_TRANSFORM_H

#include "base/rng.h"
#include "base/status.h"

#include <stdbool.h>

enum { TRANSFORM_VALUES = 4 };

typedef struct transform_shape {
    int height, width, channels;
} transform_shape;

typedef struct transform_plan {
    double value[TRANSFORM_VALUES];
    transform_shape in, out; /* `in` is given, `out` is filled by plan */
} transform_plan;

typedef struct transform_case {
    double value[TRANSFORM_VALUES];
    transform_shape in, out;
    bool refused; /* plan says INVALID */
} transform_case;

typedef struct data_transform {
    const char *name, *summary;
    const char *values; /* names of its numbers, for messages */
    assay_status (*plan)(transform_plan *p);
    /* Writes `dst` and returns true, or leaves it and returns false: the image stays as
     * it is (shapes are equal then). No memory, no failure. @threads safe */
    bool (*apply)(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst);
    /* The same, pixel by pixel, in plain words: always writes. */
    void (*reference)(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst);
    const transform_case *cases; /* ended by one with in.height 0 */
} data_transform;

size_t transform_count(void);
const data_transform *transform_at(size_t i);
/* INVALID lists what there is. */
ASSAY_MUST_CHECK assay_status transform_find(const data_transform **out,
                                             const char *name);

#endif
