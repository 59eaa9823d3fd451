/* Parameter groups: which parameters learn at another rate, decay otherwise, are left
 * alone. A line of groups, PATTERN:rate=64,decay=0 and the like with ";" between them, is
 * turned into one rule for each parameter; of groups that name one parameter the later
 * has the last word. */
#ifndef TRAIN_PARAM_RULES_H
#define TRAIN_PARAM_RULES_H

#include "nn/graph.h"

typedef struct param_rule {
    double rate;   /* times the rate of the step; 0: frozen */
    double decay;  /* times the weight decay; 0 where the graph says so, unless a group
                      says otherwise */
    double epochs; /* it learns for so many, then is frozen; 0: to the end */
    bool matrix;   /* may be stepped as a matrix (Muon): weights, not norms and biases */
} param_rule;

/* Rules [params of the graph], owned by the caller. `groups` and `freeze` (patterns with
 * ";" between them) may be NULL or empty; patterns are the shell's (* ? [...]). INVALID
 * names what can't be read, and a pattern that no parameter matches. */
ASSAY_MUST_CHECK assay_status param_rules_make(param_rule **out,
                                               assay_ctx *ctx,
                                               const nn_graph *g,
                                               const char *groups,
                                               const char *freeze);

#endif
