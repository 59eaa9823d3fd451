/* A study set up from a source of images and a protocol: what measurements of attribution
 * begin with. */
#ifndef ATTRIBUTE_LAB_H
#define ATTRIBUTE_LAB_H

#include "attribute/study/protocol.h"
#include "attribute/study/study.h"

typedef struct att_lab {
    assay_ctx *ctx;
    const att_protocol *protocol;
    size_t n_rows; /* the protocol's, or all training rows */
    int size;
    att_study study; /* of the members below */
    dataset *data;
    npy_array pixels;
    int32_t *labels;
    uint32_t *rows, *targets;
    model_card card;
    zoo_model model;
    train_data train;
    char *work; /* a folder of work files that goes with it */
} att_lab;

/** @param out  points into itself: it stays where it is
 *  @param protocol  borrowed; no rows: all training rows; no size: as the images suggest
 *  @errors as dataset_open_any; SHAPE when rows are too few */
ASSAY_MUST_CHECK assay_status att_lab_open(att_lab *out,
                                           assay_ctx *ctx,
                                           const char *source,
                                           const att_protocol *protocol);
/* Accepts a zeroed one. What can't be removed of the work files is left there. */
void att_lab_close(att_lab *lab);

#endif
