/* Muon for weights as matrices, AdamW for the rest, at one rate for both: a matrix moves
 * by 0.2 * sqrt(max(rows, cols)) times an orthogonal one, as far as AdamW would move it
 * (Liu et al. 2025, arXiv 2502.16982, section 2.2). */
#include "train/muon.h"

#include <math.h>

extern const optimizer_kind assay_optimizer_adamw;

static void step(const optimizer *o,
                 const optimizer_part *part,
                 float *w,
                 const float *g,
                 float *const *state,
                 train_pace pace) {
    if (part->rows == 0) {
        assay_optimizer_adamw.step(o, part, w, g, state, pace);
        return;
    }
    double side = (double)(part->rows > part->cols ? part->rows : part->cols);
    double scale = o->options.renorm ? 1 : 0.2 * sqrt(side);
    muon_step(o, part, w, g, state[0], pace, scale);
}

const optimizer_kind assay_optimizer_muon_adamw = {
    .name = "muon-adamw",
    .summary = "orthogonal steps of matrices, adamw for the rest",
    .rate = 1e-3,
    .weight_decay = 0.01,
    .state = {"first", "second"},
    .matrices = true,
    .scratch = muon_scratch,
    .step = step,
};
