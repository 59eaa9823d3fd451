/* A chain's products in AVX2: 6 x 16 sums in 12 registers. */
#include "nn/chain_inside.h"

#include <immintrin.h>

enum { TALL = 6, WIDE = 2, W = 8 };
#define TALL_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6)

typedef __m256 vx;
#define vx_load   _mm256_loadu_ps
#define vx_store  _mm256_storeu_ps
#define vx_all(x) _mm256_set1_ps(x)
#define vx_fused  _mm256_fmadd_ps
#define vx_add    _mm256_add_ps
#define vx_minus  _mm256_sub_ps
#define vx_times  _mm256_mul_ps

#include "nn/chain.inc"

const chain_kernels chain_kernels_avx2 = {
    .name = "avx2", .product = k_product, .update = k_update};
