/* The sampler: which row comes at which place of an epoch, for all orders, subsets,
 * several files and any number of ranks. Pure arithmetic over what it is given: no I/O,
 * no threads; asked from any thread. */
#ifndef DATA_SAMPLER_H
#define DATA_SAMPLER_H

#include "base/ctx.h"

typedef struct sampler_options {
    const char *order; /* "sequential", "random", "quasi-random", "weighted", "given" */
    uint64_t seed;
    uint64_t rows;          /* over all files, one behind the other */
    const uint64_t *subset; /* [n_subset], borrowed; NULL: all. "given" needs it. Repeats
                               come as often as listed. quasi-random reads little at a
                               time when it is ascending */
    uint64_t n_subset;
    const double *weights; /* [chosen rows], for the call: "weighted" */
    uint64_t epoch_rows;   /* "weighted" or with file_weights; 0: as many as chosen */
    const uint64_t *file_begin; /* [files + 1] first row of each; NULL: one file */
    const double *file_weights; /* [files] or NULL; for the call */
    int files;
    uint64_t rows_per_page; /* quasi-random: rows that lie together, about; 0: 1 */
    uint64_t pool_pages;    /* quasi-random: pages' worth of rows open at a time; 0: 16 */
    int batch, rank, world; /* world 0: 1 */
    bool drop_last;
} sampler_options;

/* With file_weights each file gets its share of every epoch, to the row (largest
 * remainder), spread evenly over the places: after i places a file has had its share of i
 * up to log2(files). A file's rows come in the order asked for, cycle after cycle, each
 * cycle with an order of its own; an epoch goes on in the cycle where the one before
 * stopped, so that all rows of a file come equally often whatever its share. */

typedef struct sampler sampler;
/* INVALID says which option. Memory: nothing per row, but 16 bytes for "weighted" and 8
 * for a subset with file_weights. */
ASSAY_MUST_CHECK assay_status sampler_create(sampler **out,
                                             assay_ctx *ctx,
                                             const sampler_options *options);
void sampler_destroy(sampler *s); /* accepts NULL */
/* Fixes an epoch. O(1) for one file. No other thread may be asking. */
ASSAY_MUST_CHECK assay_status sampler_epoch(sampler *s, uint32_t epoch);
/* Samples of the epoch in all ranks together. */
uint64_t sampler_count(const sampler *s);
/* The row at a place of the global order, [0, count). O(1), with file_weights O(log
 * files); some 0.1 us. @threads safe within an epoch */
uint64_t sampler_at(const sampler *s, uint64_t place);

/* Elastic determinism: a global batch is world * batch places in a row; rank r takes its
 * part of each. `handed` samples were handed out by all ranks before (resuming, with
 * perhaps another world).
 *
 * The last global batch is short unless drop_last leaves it out. It is split evenly:
 * ranks differ by at most one sample. Should it hold fewer samples than there are ranks,
 * it is joined with the one before and both are halved, so that every rank has something
 * in every batch, and as many batches as any other: no rank waits for another in vain.
 * Only where that can't be done (batch is 1, or there is no batch before), the fewer than
 * `world` samples are left out. */
typedef struct sampler_span {
    uint64_t place; /* first place of this rank's batch b */
    int n;          /* its samples; 0: the epoch has ended */
} sampler_span;
uint64_t sampler_batches(const sampler *s, uint64_t handed);
sampler_span sampler_batch(const sampler *s, uint64_t handed, uint64_t b);
/* Samples handed out by all ranks once `b` more batches were: what a state keeps. */
uint64_t sampler_handed(const sampler *s, uint64_t handed, uint64_t b);

#endif
