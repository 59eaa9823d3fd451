/* What a fleet consists of: subsets of the training rows, seeds, settings. */
#ifndef TRAIN_FLEET_PLAN_H
#define TRAIN_FLEET_PLAN_H

#include <assay/fleet.h>

#include "train/trainer.h"

/* Model m has subset m / (seeds settings), seed m / settings % seeds, setting
 * m % settings. */
typedef struct fleet_plan {
    assay_ctx *ctx;
    size_t rows; /* training rows: columns of the masks */
    size_t subsets, seeds, settings, models;
    uint8_t *mask;        /* [subsets, rows] */
    uint64_t *seed;       /* [models] */
    train_recipe *recipe; /* [settings] */
    char **varied;        /* [settings] what is varied in each, "" for one alone */
    size_t typical;       /* rows of the first subset */
} fleet_plan;

/* What is known of the data. */
typedef struct fleet_rows {
    const int32_t *labels; /* [rows] */
    const uint8_t *active; /* [rows] that may be trained on */
    size_t rows;
    int classes;
} fleet_rows;

/* INVALID names the option; SHAPE, DTYPE of given masks. */
ASSAY_MUST_CHECK assay_status fleet_plan_make(fleet_plan *out,
                                              assay_ctx *ctx,
                                              const assay_fleet_options *o,
                                              const fleet_rows *rows);
/* The recipes of the settings, for images of that size; after fleet_plan_make. */
ASSAY_MUST_CHECK assay_status fleet_plan_recipes(fleet_plan *p,
                                                 const assay_fleet_options *o,
                                                 int size,
                                                 bool flip_ok);
void fleet_plan_free(fleet_plan *p); /* accepts a zeroed one */

static inline const uint8_t *fleet_mask(const fleet_plan *p, size_t model) {
    return p->mask + model / (p->seeds * p->settings) * p->rows;
}

#endif
