/* Pipelines as text: `name = field: step(args) | step ; ...`. Here the text becomes steps
 * with their numbers; data/load/plan.h makes them into passes over a sample. */
#ifndef DATA_PIPELINE_H
#define DATA_PIPELINE_H

#include "data/transform.h"

enum {
    PIPELINE_OUTPUTS = 256,
    PIPELINE_STEPS = 32,
    PIPELINE_NAME = 64,
    PIPELINE_TEXT = 1 << 20
};

typedef struct pipeline_step {
    const data_transform *transform;
    transform_plan plan; /* of the arguments alone until it is planned */
    bool planned;
} pipeline_step;

typedef struct pipeline_output {
    char name[PIPELINE_NAME], field[PIPELINE_NAME];
    pipeline_step *step;
    int steps;
} pipeline_output;

typedef struct pipeline {
    assay_ctx *ctx;
    pipeline_output *output;
    int outputs;
    size_t cap;
    bool preset; /* `image` and `label` stand for the first fields of such types */
} pipeline;

/* Reads a text or a preset's name. INVALID names output, step and argument. `hooks` are
 * borrowed as long as the pipeline. On failure *out is empty. */
ASSAY_MUST_CHECK assay_status pipeline_parse(pipeline *out,
                                             assay_ctx *ctx,
                                             const char *text,
                                             const assay_hook *hooks,
                                             size_t n_hooks);
/* Adds an output without steps, called as its field. */
ASSAY_MUST_CHECK assay_status pipeline_add(pipeline *p, const char *field);
void pipeline_free(pipeline *p); /* accepts an empty one */

/* Adds "output 'x', step 2 (flip)" to an error's place. */
void pipeline_where(const pipeline_output *o, int step);

#endif
