/* A chain's products in AVX-512: 12 x 32 sums in 24 registers. */
#include "nn/chain_inside.h"

#include <immintrin.h>

enum { TALL = 12, WIDE = 2, W = 16 };
#define TALL_CASES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)

typedef __m512 vx;
#define vx_load   _mm512_loadu_ps
#define vx_store  _mm512_storeu_ps
#define vx_all(x) _mm512_set1_ps(x)
#define vx_fused  _mm512_fmadd_ps
#define vx_add    _mm512_add_ps
#define vx_minus  _mm512_sub_ps
#define vx_times  _mm512_mul_ps

#include "nn/chain.inc"

const chain_kernels chain_kernels_avx512 = {
    .name = "avx512", .product = k_product, .update = k_update};
