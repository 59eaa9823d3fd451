/* A chain's products in plain C: the meaning of the others. */
#include "nn/chain_inside.h"

#include <math.h>

enum { TALL = 4, WIDE = 4, W = 1 };
#define TALL_CASES(X) X(1) X(2) X(3) X(4)

typedef float vx;
#define vx_load(p)     (*(p))
#define vx_store(p, x) (*(p) = (x))
#define vx_all(x)      (x)
#define vx_fused       fmaf
#define vx_add(a, b)   ((a) + (b))
#define vx_minus(a, b) ((a) - (b))
#define vx_times(a, b) ((a) * (b))

#include "nn/chain.inc"

const chain_kernels chain_kernels_c = {
    .name = "c", .product = k_product, .update = k_update};
