/* Protocols: everything that a measurement of attribution fixes besides the data. */
#ifndef ATTRIBUTE_PROTOCOL_H
#define ATTRIBUTE_PROTOCOL_H

#include "attribute/study/run.h"

typedef struct att_protocol {
    const char *name, *summary;
    const char *model;    /* zoo */
    int size;             /* side of the images */
    size_t rows, targets; /* the first training and test rows */
    double share;         /* of the rows that a subset holds */
    size_t subsets, seeds;
    size_t
        fit_subsets; /* disjointly drawn, one model each, that settings are chosen on */
    att_recipe recipe;
    const model_card *card; /* of a given model of sequences, whose tokens and classes are
                               taken; NULL: made from the rows */
    const zoo_model
        *net; /* instead of the zoo's: a given model's graph, borrowed; NULL */
} att_protocol;

/* One of a caller's own: the first rows and targets (no rows: all there are), in the
 * usual recipe where epochs, batch or rate are 0: 15 passes in batches of 50, rate .02;
 * of models of tokens AdamW, 4 passes in batches of 25, rate .001.
 */
att_protocol att_protocol_of(const char *model,
                             int64_t rows,
                             int64_t targets,
                             double share,
                             int epochs,
                             int batch,
                             double rate);

/* NOTFOUND lists the names. */
ASSAY_MUST_CHECK assay_status att_protocol_find(const att_protocol **out,
                                                assay_ctx *ctx,
                                                const char *name);

#endif
