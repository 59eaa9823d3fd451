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
    double flop; /* of one example's forward pass: convolutions and matrix products */
} zoo_model;

typedef struct zoo_model_def {
    const char *name, *summary;
    /* Adds the layers from m->images on; sets penultimate and logits. SHAPE */
    assay_status (*build)(zoo_model *m);
    int64_t params_28x28x1x10; /* golden parameter count of that configuration */
} zoo_model_def;

/* NOTFOUND lists the names. SHAPE when the image is too small. */
ASSAY_MUST_CHECK assay_status zoo_build(zoo_model *out,
                                        assay_ctx *ctx,
                                        const char *name,
                                        const zoo_config *config);
void zoo_destroy(zoo_model *m); /* accepts a zeroed one */
size_t zoo_count(void);
const zoo_model_def *zoo_at(size_t i);
const zoo_model_def *zoo_find(const char *name); /* NULL if there is none */

#endif
