/* fleet: many models on parts of a dataset, and what each says of chosen rows. */
#ifndef ASSAY_FLEET_H
#define ASSAY_FLEET_H

#include <assay/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_fleet_options {
    size_t struct_size;
    const assay_train_options *train; /**< how each is trained; no `members`; NULL: the
                                           defaults. `seed` starts all randomness */
    int models;                       /**< in all: subsets times seeds times settings */
    double subset; /**< share of the training rows in each subset, drawn anew for each */
    int folds; /**< instead, if above 1: each subset leaves out one of so many folds, by
                    turns, stratified by class; every row is left out equally often */
    const char *masks;   /**< instead: .npy of bytes or truth values, [subsets, training
                            rows],   1 where a row is trained on; NULL: none */
    int seeds;           /**< models of each subset and setting: starts and orders */
    const char *sweep;   /**< settings to vary, a grid: "lr=0.1,0.01;model=mlp,cnn";
                              NULL: one setting */
    const char *outputs; /**< what is kept of each row: "margins", "logits", "correct",
                              "loss", by commas; NULL: margins */
    const char *rows; /**< which rows: "test", "train", "all", or a .npy of whole numbers
                           (training rows come first); NULL: test */
    int keep_models;  /**< keep each as models/member-<i>.safetensors */
    double checkpoint_gflop; /**< models that take more arithmetic keep checkpoints of
                                their own after each epoch; 0: 2000 */
    int shard, shards; /**< train one part of so many only, 1 to `shards`; 0, 0: all, and
                            gather what parts have done */
} assay_fleet_options;
#define ASSAY_FLEET_OPTIONS_INIT                                                         \
    {                                                                                    \
        .struct_size = sizeof(assay_fleet_options), .models = 100, .subset = 0.5,        \
        .seeds = 1                                                                       \
    }

typedef struct assay_fleet_result {
    uint64_t models;  /**< of the fleet, or of this part of it */
    uint64_t trained; /**< in this call; the others were there */
    uint64_t failed;  /**< whose numbers were not finite, now or before */
    uint64_t subsets, seeds, settings, train_rows, rows;
    double seconds, cpu_seconds, gflop; /**< of this call */
} assay_fleet_result;

/** Trains K models over subsets, seeds and settings, one per core, into the folder `out`:
 *  `<output>.npy` [models, rows] f32 for each output ([models, rows x classes] for
 * logits), with a checksum for each model beside; masks.npy [subsets, training rows],
 * seeds.npy [models] and rows.npy [rows]; fleet.json. Model m has subset m / (seeds x
 * settings), seed m / settings % seeds, setting m % settings. Margins are log p / (1 - p)
 * of the label's probability.
 *
 *  Killed at any moment, the same call continues; only what was being trained is lost,
 * and the bytes are the same as undisturbed, at any number of threads. A part (`shard`)
 * keeps its results in shard-<i>-of-<n>/; a call without `shard` gathers them, trains
 * what is missing and leaves the folder that one call alone would have made.
 *
 *  A model whose loss is not finite is noted (its outputs are NaN), the others go on, and
 *  the call ends with NUMERIC that names it.
 *  @param result  filled, also after NUMERIC; may be NULL
 *  @errors INVALID, NOTFOUND, FORMAT, SHAPE, NUMERIC, NOSPC, NOMEM, CANCELLED
 *  @threads uses the context's, one model per core, no locks between them */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_fleet(assay_ctx *ctx,
                                                    const char *source,
                                                    const char *out,
                                                    const assay_fleet_options *options,
                                                    assay_fleet_result *result);

#ifdef __cplusplus
}
#endif
#endif
