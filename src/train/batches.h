/* Batches: what a trainer eats, whatever it is made of. Images in memory come through the
 * feeder; tokens are windows of a text,
 * or labelled sequences. The trainer copies a batch into the executor's
 * inputs and knows no more about it. What a batch holds depends on (seed, epoch, place in
 * the epoch) alone. */
#ifndef TRAIN_BATCHES_H
#define TRAIN_BATCHES_H

#include "base/hash.h"
#include "train/trainer.h"

typedef struct train_batch {
    int n;                 /* examples */
    const void *inputs;    /* as the model's input lies in memory */
    const int32_t *labels; /* [n, labels of an example]; below 0: none */
    const int32_t *other;  /* [n] second labels of mixed examples; NULL: not mixed */
    const float *share;    /* [n] the first label's, beside the other's */
} train_batch;

/* How good a model is on what was held out; NaN where nothing is. */
typedef struct train_measure {
    double loss, accuracy;
} train_measure;

typedef struct batches batches;

/* One kind of data. */
typedef struct batches_kind {
    /* Whether data and job fit together: SHAPE */
    assay_status (*check)(const train_data *d, const train_job *job);
    /* Adds all of the data that decides the weights. */
    void (*key)(hash_sha256 *h, const train_data *d, const train_job *job);
    assay_status (*start)(batches *b, const train_recipe *recipe, const train_job *job);
    assay_status (*epoch)(batches *b, uint32_t epoch);
    assay_status (*next)(batches *b, train_batch *out);
    /* NULL: nothing is held out. */
    assay_status (*measure)(batches *b, const trained_model *m, train_measure *out);
    void (*end)(batches *b); /* also after a start that failed */
} batches_kind;

struct batches {
    const batches_kind *kind;
    assay_ctx *ctx;
    const train_data *data; /* borrowed */
    int batch;
    int64_t count;      /* in an epoch */
    size_t input_bytes; /* of an example */
    size_t labels;      /* of an example */
    int shards;         /* that suit a batch; 0: as the executor thinks */
    void *state;        /* the kind's own */
};

extern const batches_kind batches_of_pixels, batches_of_tokens, batches_of_sentences;

/* The kind of a set. */
const batches_kind *batches_kind_of(const train_data *data);
/* Rows of a job's that are held out of training, to measure on. */
size_t batches_held(const train_recipe *recipe, size_t n_rows);
/* Rows in a batch of a job: the recipe's, or all there are. */
int batches_size(const train_recipe *recipe, size_t n_rows);

/* Batches of a job, shuffled anew in every epoch; the last rows that do not fill one are
 * left out. Everything is borrowed. */
ASSAY_MUST_CHECK assay_status batches_create(batches *out,
                                             assay_ctx *ctx,
                                             const train_data *data,
                                             const train_recipe *recipe,
                                             const train_job *job);
void batches_destroy(batches *b); /* accepts a zeroed one */
ASSAY_MUST_CHECK assay_status batches_epoch(batches *b, uint32_t epoch);
/* The next of an epoch's batches; valid until the next call. */
ASSAY_MUST_CHECK assay_status batches_next(batches *b, train_batch *out);
ASSAY_MUST_CHECK assay_status batches_measure(batches *b,
                                              const trained_model *m,
                                              train_measure *out);

#endif
