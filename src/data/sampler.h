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
    const uint64_t *subset; /* [n_subset], borrowed; NULL: all */
    uint64_t n_subset;
    const double *weights; /* [chosen rows], borrowed: "weighted" */
    uint64_t epoch_rows;
    const uint64_t *file_begin; /* [files + 1] first row of each; NULL: one file */
    const double *file_weights; /* [files] or NULL */
    int files;
    uint64_t rows_per_page; /* quasi-random: rows that lie together, about */
    uint64_t pool_pages;    /* quasi-random: pages open at a time */
    int batch, rank, world;
    bool drop_last;
} sampler_options;

typedef struct sampler sampler;
ASSAY_MUST_CHECK assay_status sampler_create(sampler **out,
                                             assay_ctx *ctx,
                                             const sampler_options *options);
void sampler_destroy(sampler *s); /* accepts NULL */
/* Fixes an epoch; O(1), but for quasi-random O(pages) and weighted O(rows) at creation.
 */
ASSAY_MUST_CHECK assay_status sampler_epoch(sampler *s, uint32_t epoch);
/* Samples of the epoch in all ranks together. */
uint64_t sampler_count(const sampler *s);
/* The row at a place of the global order, [0, count). @threads safe within an epoch */
uint64_t sampler_at(const sampler *s, uint64_t place);

/* Elastic determinism: a global batch is world * batch places in a row; rank r takes its
 * part of each. `handed` samples were handed out by all ranks before (resuming, with
 * perhaps another world). */
typedef struct sampler_span {
    uint64_t place; /* first place of this rank's batch b */
    int n;          /* its samples; 0: the epoch has ended */
} sampler_span;
uint64_t sampler_batches(const sampler *s, uint64_t handed);
sampler_span sampler_batch(const sampler *s, uint64_t handed, uint64_t b);

#endif
