/* A call of assay_train in progress, shared by its files: images in train.c, text in
 * train_text.c, sentences in train_sentences.c. */
#ifndef TRAIN_TRAIN_RUN_H
#define TRAIN_TRAIN_RUN_H

#include "train/run.h"
#include "train/sentences.h"
#include "train/text.h"

enum timed { TIMED_DATA, TIMED_PIXELS, TIMED_TRAINING, TIMED_TEST, TIMED_PHASES };

typedef struct run {
    assay_ctx *ctx;
    const char *source, *out;
    assay_train_options o;
    dataset *data;
    npy_array pixels;
    int32_t *labels; /* [rows] */
    uint8_t *active; /* [train rows] that may be trained on */
    uint32_t *train; /* the active rows */
    uint32_t *test;
    size_t n_train, n_test;
    uint64_t excluded;
    text_data text;      /* instead of all from `data` on */
    sentences sentences; /* instead of data, pixels and active */
    model_card card;
    train_recipe recipe;
    int models;                    /* 1, or the members */
    char key[65], init_sha256[65]; /* of what the weights start from */
    train_job *jobs;
    trained_model *model;
    double seconds[TIMED_PHASES];
    assay_train_result result;
} run;

/* From options that are taken to data, rows, card and recipe. */
ASSAY_MUST_CHECK assay_status run_data(run *r);
/* What a job is trained on; borrows from the run. */
train_data run_train_data(const run *r);
void run_free(run *r);
/* Reads the text and cuts it: recipe, card, tokens. */
ASSAY_MUST_CHECK assay_status run_text_open(run *r);
/* The same of sentences, after the recipe is made. */
ASSAY_MUST_CHECK assay_status run_sentences_open(run *r);
/* Fills the result from what is held out. */
ASSAY_MUST_CHECK assay_status run_text_test(run *r);

#endif
