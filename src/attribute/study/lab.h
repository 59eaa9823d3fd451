/* A study set up from a source and a protocol: what measurements of attribution begin
 * with. */
#ifndef ATTRIBUTE_LAB_H
#define ATTRIBUTE_LAB_H

#include "attribute/study/lab_text.h"
#include "attribute/study/protocol.h"
#include "attribute/study/study.h"
#include "train/sentences.h"

typedef struct att_lab {
    assay_ctx *ctx;
    const att_protocol *protocol;
    size_t n_rows; /* the protocol's, or all training rows */
    size_t n_all;  /* of the data, targets among them */
    int size;
    att_study study; /* of the members below */
    dataset *data;
    npy_array pixels;
    sentences sentences; /* instead of data and pixels */
    int32_t *labels;     /* [n_all] */
    uint32_t *rows, *targets;
    model_card card;
    zoo_model model; /* the protocol's own graph is borrowed */
    train_data train;
    const att_lab_text *text; /* instead of data, pixels and labels; borrowed */
    char *work; /* a folder of work files that goes with it; NULL: there is none */
} att_lab;

/** Of a protocol whose model classifies sequences, the source is a table of sentences.
 *  @param out  points into itself: it stays where it is
 *  @param protocol  borrowed; no rows: all training rows; no size: as the images suggest
 *  @errors as dataset_open_any, sentences_read; SHAPE when rows are too few */
ASSAY_MUST_CHECK assay_status att_lab_open(att_lab *out,
                                           assay_ctx *ctx,
                                           const char *source,
                                           const att_protocol *protocol);
/** Of a text that has been read and cut into windows, all of its passages' for targets.
 *  @param card  of the model; copied but for its tokens and names   @errors as zoo_build
 */
ASSAY_MUST_CHECK assay_status att_lab_of_text(att_lab *out,
                                              assay_ctx *ctx,
                                              const att_lab_text *text,
                                              const model_card *card,
                                              const att_protocol *protocol);
/* The name of a class, borrowed; of images and sentences. */
const char *att_lab_class(const att_lab *lab, int c);
/* What is asked about: the study's targets, or passages of several of them. */
size_t att_lab_targets(const att_lab *lab);
/* Lets go of all but the dataset, which still can be looked at. */
void att_lab_keep_data(att_lab *lab);
/* Accepts a zeroed one. What can't be removed of the work files is left there. */
void att_lab_close(att_lab *lab);

#endif
