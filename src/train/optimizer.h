/* Optimizers: how a gradient moves the flat parameters. One kind is one file in
 * optimizers/ (optimizer_kind.h says what it provides); this is what a trainer sees.
 * A schedule gives the pace of each step, the optimizer does the rest. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include "nn/graph.h"

/* What may change from one step to the next. */
typedef struct train_pace {
    double rate, momentum; /* momentum: of kinds that keep a velocity */
} train_pace;

enum { OPTIMIZER_STATES = 2 };

typedef struct optimizer_options {
    const char *name;    /* of the registry */
    bool nesterov;       /* sgd: look ahead along the velocity */
    double weight_decay; /* of parameters that are subject to it (nn_param_info.decay) */
    bool decoupled;      /* decay shrinks weights beside the step, by rate * decay;
                            adamw always does */
    double beta1, beta2, epsilon; /* adamw */
    int newton_steps; /* muon: of the iteration that makes a step orthogonal */
    bool renorm;      /* muon: keeps each matrix at the norm of an orthogonal one */
    const char *groups, *freeze; /* see param_rules.h; NULL: all alike */
    int64_t epoch_steps;         /* in an epoch, where groups count epochs */
} optimizer_options;
/* PyTorch's numbers; the decay is for the caller to choose. */
#define OPTIMIZER_OPTIONS_INIT                                                           \
    {                                                                                    \
        .name = "sgd", .nesterov = true, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8,  \
        .newton_steps = 5                                                                \
    }

typedef struct optimizer_kind optimizer_kind;
typedef struct optimizer_part optimizer_part;

typedef struct optimizer {
    assay_ctx *ctx;
    const optimizer_kind *kind;
    optimizer_options options;
    float *state[OPTIMIZER_STATES]; /* each [floats], beside the flat parameters; as many
                                       as the kind names */
    size_t floats;
    optimizer_part *part;
    size_t n_parts;
    float *scratch; /* what the kind asks for */
    int64_t steps;  /* taken */
} optimizer;

/* Graph and words are not kept. NOTFOUND names the kinds, INVALID what is wrong about the
 * groups. */
ASSAY_MUST_CHECK assay_status optimizer_create(optimizer *out,
                                               assay_ctx *ctx,
                                               const nn_graph *g,
                                               const optimizer_options *options);
void optimizer_destroy(optimizer *o); /* accepts a zeroed one */
/* Which parameters it never moves: 1 in out[parameters of the graph]. */
void optimizer_frozen(const optimizer *o, const nn_graph *g, uint8_t *out);
/* As it was created: no state, no steps taken. */
void optimizer_reset(optimizer *o);
/* One step on the flat parameters. Allocates nothing. */
void optimizer_step(optimizer *o, float *params, const float *grads, train_pace pace);

/* The registry, for listings and checkpoints. */
size_t optimizer_count(void);
const char *optimizer_name(size_t i);
const char *optimizer_summary(size_t i);
/* The rate and the weight decay that a recipe starts from; of the registry's first kind
 * where the name is unknown. */
void optimizer_usual(const char *name, double *rate, double *weight_decay);
/* How many vectors lie beside the parameters, and what each is called. */
int optimizer_states(const optimizer *o);
const char *optimizer_state_name(const optimizer *o, int i);

#endif
