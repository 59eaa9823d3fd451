/* Sparse Johnson-Lindenstrauss sketches (Kane and Nelson 2014, one entry per coordinate):
 * a hash sends each coordinate to one bucket with a sign. Nothing is stored of the
 * matrix. Sixteen examples go through together, so that one hash serves them all and a
 * bucket is one vector. */
#include "attribute/gradient/sjlt.h"

#include "base/rng.h"
#include "simd/simd.h"

uint64_t sjlt_key(uint64_t seed) {
    uint32_t w[4];
    rng_philox(w, seed, RNG_SKETCH, 1, 0, 0);
    return (uint64_t)w[0] | (uint64_t)w[1] << 32;
}

void sjlt_add(float *sum,
              uint32_t dim,
              uint64_t key,
              const float *g,
              size_t stride,
              uint64_t first,
              size_t count) {
    float tile[SJLT_COORDINATES * SJLT_LANES];
    for (size_t begin = 0; begin < count; begin += SJLT_COORDINATES) {
        size_t n = count - begin < SJLT_COORDINATES ? count - begin : SJLT_COORDINATES;
        simd()->f32_interleave16(tile, g + begin, stride, n);
        simd()->f32_sjlt16(sum, dim, tile, n, key, first + begin);
    }
}

void sjlt_take(const float *sum, uint32_t dim, int lane, float scale, float *out) {
    for (uint32_t b = 0; b < dim; b++)
        out[b] = sum[b * SJLT_LANES + (uint32_t)lane] * scale;
}
