/* Muon for weights of convolutions and linear layers, as matrices [out, in * kernel];
 * what is left takes the step of sgd. A matrix moves by rate * sqrt(max(1, rows / cols))
 * times an orthogonal one; just by rate where it is kept at a norm (airbench's form). */
#include "train/muon.h"

#include <math.h>

extern const optimizer_kind assay_optimizer_sgd;

static void step(const optimizer *o,
                 const optimizer_part *part,
                 float *w,
                 const float *g,
                 float *const *state,
                 train_pace pace) {
    if (part->rows == 0) {
        assay_optimizer_sgd.step(o, part, w, g, state, pace);
        return;
    }
    double ratio = (double)part->rows / (double)part->cols;
    double scale = o->options.renorm || ratio < 1 ? 1 : sqrt(ratio);
    muon_step(o, part, w, g, state[0], pace, scale);
}

const optimizer_kind assay_optimizer_muon = {
    .name = "muon",
    .summary = "orthogonal steps of matrices, sgd for the rest",
    .rate = 0.02,
    .weight_decay = 5e-4,
    .state = {"velocity"},
    .matrices = true,
    .scratch = muon_scratch,
    .step = step,
};
