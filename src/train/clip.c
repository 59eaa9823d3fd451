/* One norm over the flat gradient, summed in float64 in a fixed order. */
#include "train/clip.h"

#include "simd/simd.h"

#include <math.h>

double gradient_clip(float *g, size_t n, double most) {
    double norm = sqrt(simd()->f32_dot64(g, g, n));
    if (isfinite(norm) && norm > most)
        simd()->f32_scale(g, (float)(most / norm), n);
    return norm;
}
