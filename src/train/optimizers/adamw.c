/* AdamW: Adam with weight decay of its own (Loshchilov and Hutter 2019, arXiv 1711.05101,
 * algorithm 2; bias correction and the place of epsilon as PyTorch has them):
 *     w -= rate * decay * w
 *     m  = beta1 * m + (1 - beta1) * g
 *     v  = beta2 * v + (1 - beta2) * g^2
 *     w -= rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon) */
#include "train/optimizer_kind.h"

#include "simd/simd.h"

#include <math.h>

static void step(const optimizer *o,
                 const optimizer_part *part,
                 float *w,
                 const float *g,
                 float *const *state,
                 train_pace pace) {
    const optimizer_options *s = &o->options;
    double t = (double)o->steps;
    const simd_adamw f = {.beta1 = (float)s->beta1,
                          .gain1 = (float)(1 - s->beta1),
                          .beta2 = (float)s->beta2,
                          .gain2 = (float)(1 - s->beta2),
                          .keep = (float)(1 - pace.rate * part->decay),
                          .rate = (float)(pace.rate / (1 - pow(s->beta1, t))),
                          .root = (float)(1 / sqrt(1 - pow(s->beta2, t))),
                          .epsilon = (float)s->epsilon};
    simd()->f32_adamw(w, state[0], state[1], g, part->count, &f);
}

const optimizer_kind assay_optimizer_adamw = {
    .name = "adamw",
    .summary = "Adam with decoupled weight decay",
    .rate = 1e-3,
    .weight_decay = 0.01,
    .state = {"first", "second"},
    .step = step,
};
