/* Stochastic gradient descent with momentum and weight decay (PyTorch's form):
 *     g' = g + decay * w
 *     v  = momentum * v + g'
 *     w -= rate * (g' + momentum * v)      or rate * v without Nesterov's look ahead
 * With decoupled decay (SGDW, Loshchilov and Hutter 2019, arXiv 1711.05101) g' = g, and
 * w shrinks by rate * decay * w before the step. */
#include "train/optimizer_kind.h"

#include "simd/simd.h"

static void step(const optimizer *o,
                 const optimizer_part *part,
                 float *w,
                 const float *g,
                 float *const *state,
                 train_pace pace) {
    const simd_table *k = simd();
    double decay = part->decay;
    if (o->options.decoupled) {
        if (decay > 0)
            k->f32_scale(w, (float)(1 - pace.rate * decay), part->count);
        decay = 0;
    }
    k->f32_sgd(w, state[0], g, part->count, (float)pace.rate, (float)pace.momentum,
               (float)decay, o->options.nesterov);
}

const optimizer_kind assay_optimizer_sgd = {
    .name = "sgd",
    .summary = "stochastic gradient descent with momentum",
    .rate = 0.1,
    .weight_decay = 5e-4,
    .state = {"velocity"},
    .step = step,
};
