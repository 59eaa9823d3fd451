/* Training one model, and fleets of them: SGD on pixels that lie in memory, one model per
 * core. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <assay/train.h>

#include "data/load/feeder.h"
#include "data/text/tokenizer.h"
#include "train/settings.h"
#include "zoo/zoo.h"

/* The recipe for a dataset of so many training rows at that size; options override.
 * INVALID names the option. `flip_ok`: what the data bears (see data_bears_flip). Of
 * every setting the recipe says what was done: "auto" is settled. */
ASSAY_MUST_CHECK assay_status train_recipe_make(train_recipe *out,
                                                const assay_train_options *options,
                                                uint64_t train_rows,
                                                int size,
                                                bool flip_ok);
/* The recipe for a text. */
ASSAY_MUST_CHECK assay_status train_recipe_make_text(train_recipe *out,
                                                     const assay_train_options *options);
/* Whether the options ask for a model of tokens. */
ASSAY_MUST_CHECK assay_status train_recipe_is_text(bool *out,
                                                   const assay_train_options *options);
/* Training size for a dataset: the median side up to 64; larger images are shrunk to 64,
 * or to 32 when there are very many. */
int train_size_for(const dataset *d);
/* Whether mirrored images keep their label: nearest neighbours (in pixels, of a seeded
 * sample) of mirrored images carry the label nearly as often as those of the images
 * themselves. False on digits. */
ASSAY_MUST_CHECK assay_status data_bears_flip(assay_ctx *ctx,
                                              const npy_array *pixels,
                                              const int32_t *labels,
                                              uint64_t train_rows,
                                              int classes,
                                              uint64_t seed,
                                              bool *out);

/* What a trained model needs besides weights; stored in its safetensors metadata. Of a
 * model of tokens `classes` is the vocabulary, and there are no pixels; of one of
 * sequences it is how many labels there are. */
typedef struct model_card {
    char name[40]; /* zoo */
    int size, channels, classes;
    float mean[3], std[3];
    char dataset_sha256[65];
    char recipe[RECIPE_LINE];
    char key[65]; /* hash of all that decided the weights (data, rows, recipe, seed,
                     version); "" if not made by a run */
    uint64_t seed;
    char **class_name; /* [classes], owned */
    int context;       /* tokens of an example; 0: a model of pixels */
    double held_out;   /* share of a text that is not trained on */
    tokenizer *tokens; /* owned; NULL: a model of pixels */
} model_card;
ASSAY_MUST_CHECK assay_status model_card_copy(model_card *out,
                                              assay_ctx *ctx,
                                              const model_card *from);
void model_card_free(model_card *c, assay_ctx *ctx);
/* The zoo's config of such a model. */
zoo_config model_card_config(const model_card *c, double smoothing);

/* A model in memory: graph, weights, card. */
typedef struct trained_model {
    zoo_model zoo;
    nn_weights weights;
    model_card card;
    assay_ctx *ctx;
} trained_model;
ASSAY_MUST_CHECK assay_status model_save(const trained_model *m, const char *path);
ASSAY_MUST_CHECK assay_status model_load(trained_model *out,
                                         assay_ctx *ctx,
                                         const char *path);
void model_free(trained_model *m); /* accepts a zeroed one */

/* One member of a fleet. Files in `dir`: model.safetensors when finished, until then
 * checkpoint.safetensors (weights, velocity, epoch) after each epoch; metrics.jsonl. */
typedef struct train_job {
    const char *dir;      /* NULL: nothing is written, the model stays in `result` */
    const uint32_t *rows; /* training rows of this member, borrowed */
    size_t n_rows;
    uint64_t seed;
    bool wide; /* alone: its batches are cut into shards for all threads of the context */
    const char *init; /* file of weights to start from (pretrained.h); NULL: anew */
    const char *init_sha256; /* of that file */
    const char *identity;    /* of data and options; a checkpoint of another identity is
                                refused and redone */
    trained_model
        *result; /* filled if not NULL; the caller frees it, also after a failure */
    double seconds, cpu_seconds, gflop; /* filled (of this process's part) */
} train_job;

typedef struct train_data {
    const npy_array *pixels;      /* u8 [rows,H,W,C] */
    const int32_t *labels;        /* [rows] */
    const model_card *card;       /* size, channels, classes, mean, std, names, sha256 */
    const struct text_data *text; /* instead of pixels and labels; a job's rows are then
                                     none, their number that of windows in an epoch */
    const struct sentences *sentences; /* instead of pixels; labels and rows are as for
                                          them (data/text/sentences.h) */
    const struct passages *passages; /* instead of all of these: rows are windows of them
                                        (data/text/passages.h) */
} train_data;

/* Runs n jobs, one per core, shared read-only data. Jobs already finished are kept.
 * NUMERIC when a loss is not finite. CANCELLED ends at the next step; at most one epoch
 * is lost. */
ASSAY_MUST_CHECK assay_status train_fleet(assay_ctx *ctx,
                                          const train_data *data,
                                          const train_recipe *recipe,
                                          train_job *jobs,
                                          size_t n);
/* One of them, on the calling thread. */
ASSAY_MUST_CHECK assay_status train_one(assay_ctx *ctx,
                                        const train_data *data,
                                        const train_recipe *recipe,
                                        train_job *job);
/* Images that a job of so many rows goes through, those that it is measured on after each
 * epoch among them: the unit of progress. */
int64_t train_images(const train_recipe *recipe, size_t n_rows);

/* Balanced two-thirds subsets: M members in blocks of three; within a block each row is
 * left out by exactly one, so with M = 6 each row is unseen by two. seen[m*rows + row] is
 * 1 if m trains on it. Stratified by class. M must be a multiple of 3. */
ASSAY_MUST_CHECK assay_status train_subsets(assay_ctx *ctx,
                                            const int32_t *labels,
                                            uint64_t train_rows,
                                            int classes,
                                            int members,
                                            uint64_t seed,
                                            uint8_t *seen);

/* Clears active[row] for every training row that exclude.txt names; active is
 * [train_rows]. INVALID when the file was made for another dataset, FORMAT with its line.
 */
ASSAY_MUST_CHECK assay_status train_exclude_load(assay_ctx *ctx,
                                                 const char *path,
                                                 const dataset *d,
                                                 uint8_t *active);

/* What a model is shown of an image when it is to judge it: the image, also its mirror,
 * and both also shifted by a pixel up left and down right (airbench's: the edge
 * reflected, half the weight). */
typedef enum predict_views {
    VIEWS_PLAIN,
    VIEWS_MIRROR,
    VIEWS_MIRROR_SHIFT
} predict_views;
/* "none", "mirror", "mirror-shift"; false for other words. */
bool predict_views_find(predict_views *out, const char *word);
/* Those of a model: what its recipe says, else the mirror where it was trained on
 * mirrored images. */
predict_views predict_views_of(const model_card *c);

/* Forward in evaluation mode over rows of a pixel array (all if rows is NULL), in
 * parallel: logits [n, classes] and, unless NULL, penultimate [n, F] of the plain image.
 * With several views, logits are the weighted mean of their log-probabilities. */
ASSAY_MUST_CHECK assay_status train_predict(assay_ctx *ctx,
                                            const trained_model *m,
                                            const npy_array *pixels,
                                            const uint32_t *rows,
                                            size_t n,
                                            predict_views views,
                                            float *logits,
                                            float *penultimate);
/* Adds the probabilities of a row of logits. */
void predict_add_probabilities(double *sum, const float *logits, size_t classes);
size_t model_penultimate_width(const trained_model *m);

#endif
