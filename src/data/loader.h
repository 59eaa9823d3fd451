/* The loader: batches of transformed images in some order, made ahead of the consumer by
 * worker threads, or inline. What a batch holds depends on (seed, epoch, sample) alone.
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/dataset.h"

/* Where samples come from: decoding a dataset (resize to size x size), or an array of
 * pixels. */
typedef struct loader_source {
    const dataset *ds;       /* either this, with size and channels */
    const npy_array *pixels; /* or this u8 [rows,H,W,C], labels beside it */
    const int32_t *labels;   /* [rows]; NULL: the dataset's */
    int size, channels;
} loader_source;

typedef enum loader_order { LOADER_SEQUENTIAL, LOADER_RANDOM } loader_order;

/* One transform of the registry and its numbers ("flip" {p}, "translate" {pixels}). */
typedef struct loader_transform {
    const char *name;
    double value[4];
} loader_transform;

typedef struct loader_options {
    int batch;
    loader_order order;
    uint64_t seed;
    int threads; /* worker threads; 0: inline in loader_next (fleets) */
    int ahead;   /* batches made ahead; 0: 2 per worker */
    bool drop_last;
    const uint32_t *rows; /* subset of rows, borrowed; NULL: all */
    size_t n_rows;
    const loader_transform *transforms; /* in order, on u8; copied */
    int n_transforms;
    float mean[3], std[3]; /* of the final normalisation to f32, in [0,1] units */
} loader_options;

typedef struct loader_batch {
    int n;                 /* 0: the epoch has ended */
    const float *images;   /* [n,H,W,C] f32 */
    const int32_t *labels; /* [n] */
    const uint32_t *rows;  /* [n] */
} loader_batch;

typedef struct loader loader;
ASSAY_MUST_CHECK assay_status loader_create(loader **out,
                                            assay_ctx *ctx,
                                            const loader_source *source,
                                            const loader_options *options);
/* Begins an epoch; a running one is given up without leaks. */
ASSAY_MUST_CHECK assay_status loader_epoch(loader *l, uint32_t epoch);
/* The next batch, valid until the next call. Errors of workers arrive here, naming the
 * sample. */
ASSAY_MUST_CHECK assay_status loader_next(loader *l, loader_batch *out);
size_t loader_batches(const loader *l); /* per epoch */
void loader_destroy(loader *l);

#endif
