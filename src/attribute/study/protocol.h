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
} att_protocol;

/* NOTFOUND lists the names. */
ASSAY_MUST_CHECK assay_status att_protocol_find(const att_protocol **out,
                                                assay_ctx *ctx,
                                                const char *name);

#endif
