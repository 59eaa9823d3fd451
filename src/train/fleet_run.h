/* The inside of assay_fleet, shared by its files: fleet_run.c does the work,
 * fleet_files.c writes what lies beside the outputs. */
#ifndef TRAIN_FLEET_RUN_H
#define TRAIN_FLEET_RUN_H

#include "train/fleet_outputs.h"
#include "train/fleet_plan.h"
#include "train/members.h"

#define FLEET_FILE   "fleet.json"
#define FLEET_SCHEMA "assay-fleet-1"

typedef struct fleet_run {
    assay_ctx *ctx;
    const char *source, *out;
    assay_fleet_options o;
    assay_train_options t;
    char *work;  /* folder of this call's own files: out/run, or out/shard-<i>-of-<n> */
    char *store; /* folder of its outputs: out, or the shard's */
    dataset *data;
    npy_array pixels;
    int32_t *labels; /* [rows] */
    uint8_t *active; /* [train rows] */
    size_t train_rows, n_active;
    uint32_t *row; /* [n_rows] that outputs are about */
    int32_t *row_label;
    size_t n_rows;
    model_card card;
    fleet_plan plan;
    double *flop; /* [settings] of one image's step */
    char key[65], part_key[80];
    size_t *mine; /* [n_mine] models of this part, rising */
    size_t n_mine;
    fleet_outputs outputs;
    /* Of this call. */
    train_member *member; /* [n_todo] */
    size_t *todo;         /* places in mine */
    size_t n_todo;
    float **logits; /* [threads][n_rows, classes], made when first used */
    bool finished;
    assay_fleet_result result;
} fleet_run;

/* Rows of outputs by the option's words. */
ASSAY_MUST_CHECK assay_status fleet_rows_choose(fleet_run *r);
/* Whether the folder has the description and the arrays of this very fleet. */
bool fleet_begun(const fleet_run *r);
/* masks.npy, seeds.npy, rows.npy */
ASSAY_MUST_CHECK assay_status fleet_arrays_write(const fleet_run *r);
/* fleet.json: what this folder is, and once it is finished, which models failed. */
ASSAY_MUST_CHECK assay_status fleet_file_write(const fleet_run *r);
ASSAY_MUST_CHECK assay_status fleet_timing_write(const fleet_run *r);
/* Removes what a kill in the middle of writing left in the fleet's folder. */
ASSAY_MUST_CHECK assay_status fleet_leftovers_remove(const fleet_run *r);
/* Copies what parts of this fleet have done; fills `parts` with the folders that are
 * parts of it, whole or not. */
ASSAY_MUST_CHECK assay_status fleet_gather(fleet_run *r, os_names *parts);
/* The models of part `shard` of so many: every so-many-th subset and seed, with all its
 * settings. */
size_t fleet_part(size_t *out, const fleet_plan *p, int shard, int shards);
void fleet_part_key(char out[80], const char *key, int shard, int shards);

#endif
