/* The zoo: builders of models, one file each under zoo/models. */
#ifndef ZOO_ZOO_H
#define ZOO_ZOO_H

#include "nn/graph.h"

typedef struct zoo_config {
    int classes, channels, height, width;
    double smoothing; /* of the training loss */
} zoo_config;

/* A built graph and the values everyone asks for; images [0,C,H,W] f32, labels [0] i32;
 * penultimate [0,F], logits [0,K], loss [0], margin [0]. */
typedef struct zoo_model {
    const char *name; /* the zoo's, static */
    zoo_config config;
    nn_graph *graph;
    nn_value images, labels, penultimate, logits, loss, margin;
} zoo_model;

typedef struct zoo_model_def {
    const char *name, *summary;
    assay_status (*build)(zoo_model *m, assay_ctx *ctx);
    int64_t params_28x28x1x10; /* golden parameter count of that configuration */
} zoo_model_def;

/* NOTFOUND lists the names. SHAPE when the image is too small. */
ASSAY_MUST_CHECK assay_status zoo_build(zoo_model *out, assay_ctx *ctx, const char *name, const zoo_config *config);
void zoo_destroy(zoo_model *m); /* accepts a zeroed one */
const zoo_model_def *zoo_at(size_t i);

#endif
