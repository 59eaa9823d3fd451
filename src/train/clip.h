/* Gradient clipping by the norm of all of it (Pascanu et al. 2013, arXiv 1211.5063). */
#ifndef TRAIN_CLIP_H
#define TRAIN_CLIP_H

#include <stddef.h>

/* Scales g [n] down to the norm `most` where it is longer; returns the norm it had. One
 * that is not finite is left as it is. */
double gradient_clip(float *g, size_t n, double most);

#endif
