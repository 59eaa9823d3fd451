/* The feeder: what the trainer eats. Batches of normalised floats out of pixels in memory
 * (or a dataset that is decoded), in some order, made ahead by threads or inline. What a
 * batch holds depends on (seed, epoch, sample) alone; its streams are those of the
 * loader's first output. The loader (load_inside.h) is for files and pipelines. */
#ifndef DATA_FEEDER_H
#define DATA_FEEDER_H

#include "data/dataset.h"

/* Where samples come from: decoding a dataset (resize to size x size), or an array of
 * pixels. */
typedef struct feeder_source {
    const dataset *ds;       /* either this, with size and channels */
    const npy_array *pixels; /* or this u8 [rows,H,W,C], labels beside it */
    const int32_t *labels;   /* [rows]; NULL: the dataset's */
    int size, channels;
} feeder_source;

typedef enum feeder_order { FEEDER_SEQUENTIAL, FEEDER_RANDOM } feeder_order;

/* One transform of the registry and its numbers ("flip" {p}, "translate" {pixels}). */
typedef struct feeder_transform {
    const char *name;
    double value[4];
} feeder_transform;

typedef struct feeder_options {
    int batch;
    feeder_order order;
    uint64_t seed;
    int threads; /* worker threads; 0: inline in feeder_next (fleets) */
    int ahead;   /* batches made ahead; 0: 2 per worker */
    bool drop_last;
    const uint32_t *rows; /* subset of rows, borrowed; NULL: all */
    size_t n_rows;
    const feeder_transform *transforms; /* in order, on u8; copied */
    int n_transforms;
    float mean[3], std[3]; /* of the final normalisation to f32, in [0,1] units */
} feeder_options;

typedef struct feeder_batch {
    int n;                 /* 0: the epoch has ended */
    const float *images;   /* [n,H,W,C] f32 */
    const int32_t *labels; /* [n] */
    const uint32_t *rows;  /* [n] */
} feeder_batch;

typedef struct feeder feeder;
ASSAY_MUST_CHECK assay_status feeder_create(feeder **out,
                                            assay_ctx *ctx,
                                            const feeder_source *source,
                                            const feeder_options *options);
/* Begins an epoch; a running one is given up without leaks. */
ASSAY_MUST_CHECK assay_status feeder_epoch(feeder *l, uint32_t epoch);
/* The next batch, valid until the next call. Errors of workers arrive here, naming the
 * sample. */
ASSAY_MUST_CHECK assay_status feeder_next(feeder *l, feeder_batch *out);
size_t feeder_batches(const feeder *l); /* per epoch */
void feeder_destroy(feeder *l);

#endif
