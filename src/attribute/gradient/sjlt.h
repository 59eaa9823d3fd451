/* The projector: 16 per-example gradients side by side into sparse sketches. */
#ifndef ATTRIBUTE_SJLT_H
#define ATTRIBUTE_SJLT_H

#include "attribute/trak/attribute.h"

enum { SJLT_LANES = 16, SJLT_COORDINATES = 64 /* interleaved at a time */ };

/* Key of the hash that places coordinates: a seed, mixed. */
uint64_t sjlt_key(uint64_t seed);

/* Adds gradients g[SJLT_LANES][count], rows `stride` apart, at flat positions [first,
 * first + count) to the sketches in sum [dim][SJLT_LANES]. */
void sjlt_add(float *sum,
              uint32_t dim,
              uint64_t key,
              const float *g,
              size_t stride,
              uint64_t first,
              size_t count);

/* Writes one lane, scaled. out [dim] */
void sjlt_take(const float *sum, uint32_t dim, int lane, float scale, float *out);

#endif
