/* The rule for f32, from measurements (GFLOP/s of ours beside oneDNN's sgemm in
 * gemm_test's shapes): ours where there are few rows, where B lies transposed, and where
 * the whole product is small; oneDNN's for the rest. */
#include "nn/product.h"

#include "nn/mixed.h"

#include <string.h>

enum { SMALL = 1 << 21 }; /* multiplications of a product that ours does */

static bool own(const product *p) {
    const half_job *j = &p->job;
    return p->own || p->add || j->m <= 64 || j->b.row == 1 ||
           j->m * j->n * j->k <= SMALL || j->act != ACT_NONE || j->pre.at;
}

static size_t round64(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}
static size_t f32_bytes(bool half, size_t n) {
    return half ? round64(n * sizeof(float)) : 0;
}

size_t product_scratch(const product *p) {
    const half_job *j = &p->job;
    if (p->tiles)
        return round64(gemm_half_scratch(j->m, j->n, j->k));
    return f32_bytes(j->a.half, j->m * j->k) + f32_bytes(j->b.half, j->k * j->n) +
           2 * f32_bytes(j->c.half, j->m * j->n) +
           round64(gemm_scratch(j->m, j->n, j->k) * sizeof(float));
}

/* In f32: where it lies, or widened into scratch. */
static const float *widened(uint8_t **scratch, const half_matrix *a, size_t n) {
    if (!a->half)
        return a->at;
    float *to = (float *)(void *)*scratch;
    nn_kernels_get()->widen(to, a->at, n);
    *scratch += f32_bytes(true, n);
    return to;
}

static assay_status by_library(const gemm_job *g) {
    bool ta = g->a_col != 1, tb = g->b_col != 1;
    assay_status status =
        dn_gemm(ta, tb, (int64_t)g->m, (int64_t)g->n, (int64_t)g->k, 1.0f, g->a,
                (int64_t)(ta ? g->a_col : g->a_row), g->b,
                (int64_t)(tb ? g->b_col : g->b_row), 0.0f, g->c, (int64_t)g->ldc);
    if (status == ASSAY_OK && g->bias)
        nn_kernels_get()->add_row(g->c, g->bias, g->m, g->n);
    return status;
}

assay_status product_run(const product *p, void *scratch) {
    const half_job *j = &p->job;
    if (p->tiles) {
        gemm_half_run(j, scratch);
        return ASSAY_OK;
    }
    uint8_t *room = scratch;
    size_t count = j->m * j->n;
    gemm_job g = {.m = j->m,
                  .n = j->n,
                  .k = j->k,
                  .a = widened(&room, &j->a, j->m * j->k),
                  .a_row = j->a.row,
                  .a_col = j->a.col,
                  .b = widened(&room, &j->b, j->k * j->n),
                  .b_row = j->b.row,
                  .b_col = j->b.col,
                  .c = j->c.at,
                  .ldc = j->ldc,
                  .add = p->add,
                  .bias = j->bias,
                  .act = j->act,
                  .pre = j->pre.at};
    if (j->c.half) {
        g.c = (float *)(void *)room;
        room += f32_bytes(true, count);
        g.pre = j->pre.at ? (float *)(void *)room : NULL;
        room += f32_bytes(true, count);
    }
    if (!own(p)) {
        assay_status status = by_library(&g);
        if (status != ASSAY_OK)
            return status;
    } else {
        gemm_run(&g, (float *)(void *)room);
    }
    if (j->c.half)
        nn_kernels_get()->narrow(j->c.at, g.c, count);
    if (j->c.half && j->pre.at)
        nn_kernels_get()->narrow(j->pre.at, g.pre, count);
    return ASSAY_OK;
}
