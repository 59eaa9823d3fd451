/* Muon's step of one matrix (Jordan et al. 2024, kellerjordan.github.io/posts/muon): the
 * momentum's nearest orthogonal matrix, by Newton and Schulz's iteration, is what weights
 * are moved by. What is not a matrix is left to other rules (optimizers/muon*.c). */
#ifndef TRAIN_MUON_H
#define TRAIN_MUON_H

#include "train/optimizer_kind.h"

/* Floats, 64-byte aligned; 0 where the part is no matrix. */
size_t muon_scratch(const optimizer_part *part);
/* v = momentum v + g; w -= rate decay w; w -= rate scale orthogonal(v), or of g +
 * momentum v with Nesterov's look ahead. With renorm w is first brought to the norm
 * sqrt(rows). */
void muon_step(const optimizer *o,
               const optimizer_part *part,
               float *w,
               const float *g,
               float *v,
               train_pace pace,
               double scale);
/* In place of x [rows, cols], whose norm does not matter: x's singular values all become
 * about 1. */
void muon_orthogonal(
    float *x, size_t rows, size_t cols, int newton_steps, float *scratch);

#endif
