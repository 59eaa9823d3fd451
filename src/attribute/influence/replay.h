/* Replay: the exact derivative of a target's margin by every training example's weight,
 * through the whole run (Ilyas and Engstrom 2025 call it MAGIC; Maclaurin et al. 2015 did
 * it for learning rates). Training is
 *     g = sum_i c_i grad l_i(w) + k w,  v' = mu v + g,  w' = w - eta v'
 * and backwards, from lam = grad f(w_T) and nu = 0,
 *     nu <- mu nu - eta lam,   S_i += c_i <nu, grad l_i(w_t)>,   lam <- lam + H nu + k nu
 * with H the Hessian of the step's loss; with Nesterov's momentum w' = w - eta (g + mu
 * v'), nu <- mu nu - eta mu lam, and nu - eta lam takes nu's place in the other two. For
 * all targets side by side, with a state (lam, nu) of two parameter vectors each.
 *
 * The run is done again in stretches of sqrt(steps) from marks, last stretch first; what
 * a step's Hessian needs (activations, weights) is on the stretch's tape. A target goes
 * through a whole stretch while its state is in the second-level cache. */
#ifndef ATTRIBUTE_REPLAY_H
#define ATTRIBUTE_REPLAY_H

#include "attribute/influence/mlp.h"
#include "attribute/method.h"

/** Adds d margin_t / d weight_i to scores [n_rows, n_targets].
 *  @param from  share of the run, at its beginning, that is left out, 0 to 1 exclusive
 *  @errors UNSUPPORTED (an op without a tangent), NUMERIC, NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost about (1 - from) trainings per target for chains of linear layers, three times
 *        that for other models */
ASSAY_MUST_CHECK assay_status att_replay(float *scores, const att_member *m, double from);

/* The same for any model whose ops have tangents, also chains of linear layers. */
ASSAY_MUST_CHECK assay_status replay_graph(float *scores,
                                           const att_member *m,
                                           double from);

/* What a step left for its derivatives. Products with B lie so that nothing is packed. */
typedef struct replay_step {
    uint32_t *place; /* [batch] of the study's rows */
    float rate;
    float *x, *xt;                  /* [batch, in], and turned */
    float *act[MLP_MOST_LAYERS];    /* [batch, out] behind the ReLU */
    float *actt[MLP_MOST_LAYERS];   /* [out, batch] */
    float *error[MLP_MOST_LAYERS];  /* [batch, out] derivative of the step's loss */
    float *weight[MLP_MOST_LAYERS]; /* [out, in], of all layers but the first */
    float *turned[MLP_MOST_LAYERS]; /* [in, out] */
    float *prob;                    /* [batch, classes] */
} replay_step;

/* One thread's room: [batch, out] per layer, and a direction where it is not nu. */
typedef struct replay_room {
    float *r[MLP_MOST_LAYERS], *d[MLP_MOST_LAYERS];
    float *direction, *scratch;
} replay_room;

/* Goes one step back with one target's state; scores is the target's column, `stride`
 * floats between rows. */
void replay_step_back(float *scores,
                      size_t stride,
                      float *lam,
                      float *nu,
                      const replay_step *step,
                      const mlp *m,
                      const att_recipe *recipe,
                      const replay_room *room);

#endif
