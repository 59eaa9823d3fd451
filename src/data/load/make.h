/* Making one batch: the pipeline from rows to normalised floats. No threads here;
 * feeder.c has them. */
#ifndef DATA_MAKE_H
#define DATA_MAKE_H

#include "data/load/feeder.h"
#include "data/order.h"
#include "data/transform.h"

enum { MAKE_MAX_TRANSFORMS = 16 };

/* What stays the same from batch to batch. */
typedef struct maker {
    assay_ctx *ctx;
    feeder_source source;
    const int32_t *labels;
    const uint32_t *rows; /* NULL: all */
    uint64_t n_rows, source_rows;
    uint64_t seed;
    int batch;
    transform_shape in, out; /* of the source, after all transforms */
    const data_transform *transform[MAKE_MAX_TRANSFORMS];
    transform_plan plan[MAKE_MAX_TRANSFORMS];
    int n_transforms;
    size_t scratch_bytes;      /* of the largest image on the way */
    size_t transform_bytes;    /* what the transforms want at most */
    float mean[3], inv_std[3]; /* in units of the bytes */
} maker;

/* Of one thread. */
typedef struct maker_scratch {
    image im;
    uint8_t *pixels[3]; /* decoded; two that transforms write in turn */
    uint8_t *transform; /* lent to each transform */
} maker_scratch;

/* INVALID, SHAPE. The source and options' rows are borrowed. */
ASSAY_MUST_CHECK assay_status maker_plan(maker *m,
                                         assay_ctx *ctx,
                                         const feeder_source *source,
                                         const feeder_options *options);
void maker_unplan(maker *m); /* also after a plan that failed, or none */
ASSAY_MUST_CHECK assay_status maker_scratch_make(maker_scratch *s, const maker *m);
void maker_scratch_free(maker_scratch *s, const maker *m);

/* The batch that begins at place `first` of an epoch, of n samples. Allocates only when
 * decoding meets a larger image than before. */
ASSAY_MUST_CHECK assay_status maker_fill(const maker *m,
                                         maker_scratch *s,
                                         const data_order *order,
                                         const order_state *state,
                                         uint32_t epoch,
                                         uint64_t first,
                                         int n,
                                         float *images,
                                         int32_t *labels,
                                         uint32_t *rows);

#endif
