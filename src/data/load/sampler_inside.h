/* Inside of the sampler: what sampler.c and sampler_ranks.c share. */
#ifndef DATA_SAMPLER_INSIDE_H
#define DATA_SAMPLER_INSIDE_H

#include "data/load/sampler.h"
#include "data/order.h"

/* Rows with an order of their own: all, or with file weights those of one file. */
typedef struct sampler_part {
    order_setup setup;
    alias_table *alias;
    uint64_t first; /* in `rows`, or where that is NULL, of all rows */
    uint64_t share; /* with file weights: places of an epoch */
} sampler_part;

struct sampler {
    assay_ctx *ctx;
    const data_order *order;
    uint64_t count;       /* places of an epoch */
    const uint64_t *rows; /* chosen ones; NULL: all */
    uint64_t *own;        /* `rows`, when made here */
    sampler_part *part;
    int parts;
    uint64_t *before; /* [parts + 1] shares of the parts before; NULL: one part */
    int batch, rank, world;
    bool drop_last;
    uint32_t epoch;
    order_state state; /* of the one part */
};

#endif
