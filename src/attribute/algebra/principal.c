/* Principal components by the Gram matrix of the shorter side. */
#include "attribute/algebra/principal.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"

#include <math.h>

enum { MOST_SIDE = 8192 };

/* Below this share of all squares a component is rounding of f32. */
static const double least_share = 1e-6;

/* Eigenpairs of A'A, for A [m, n]. */
static assay_status gram_pairs(double *value,
                               double *vector,
                               assay_ctx *ctx,
                               const float *a,
                               const size_t of[2],
                               size_t want) {
    assay_status status = ASSAY_OK;
    size_t n = of[1];
    double *gram = NULL;
    float *scratch = NULL;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(ctx, &gram, n * n, sizeof *gram));
    ASSAY_TRY(mem_new(ctx, &scratch, n * n, sizeof *scratch));
    la_gram((int64_t)of[0], (int64_t)n, a, (int64_t)n, scratch, gram);
    ASSAY_TRY(ctx_check(ctx));
    ASSAY_TRY(la_eigen(ctx, (int64_t)n, gram, (int64_t)want, value, vector));
done:
    mem_free(ctx, gram);
    mem_free(ctx, scratch);
    return status;
}

/* The largest element becomes positive: an eigenvector's sign is nobody's. */
static void settle_signs(la_principal *p) {
    for (size_t c = 0; c < p->count; c++) {
        float *v = p->direction + c * p->n, most = 0;
        for (size_t i = 0; i < p->n; i++)
            most = fabsf(v[i]) > fabsf(most) ? v[i] : most;
        for (size_t i = 0; most < 0 && i < p->n; i++)
            v[i] = -v[i];
    }
}

/* Directions of a wide matrix: X'u / s. */
static assay_status turn(la_principal *p, const float *x, const double *vector) {
    assay_status status = ASSAY_OK;
    float *u = NULL;
    ASSAY_TRY(mem_new(p->ctx, &u, p->count * p->m, sizeof *u));
    for (size_t c = 0; c < p->count; c++)
        for (size_t i = 0; i < p->m; i++)
            u[c * p->m + i] = (float)(vector[c * p->m + i] / sqrt(p->value[c]));
    ASSAY_TRY(mat_mul(p->ctx, p->direction, u, x, p->count, p->n, p->m));
done:
    mem_free(p->ctx, u);
    return status;
}

static assay_status
transpose(float **out, assay_ctx *ctx, const float *x, size_t m, size_t n) {
    assay_status status = mem_new(ctx, out, m * n, sizeof **out);
    for (size_t i = 0; status == ASSAY_OK && i < m; i++)
        for (size_t j = 0; j < n; j++)
            (*out)[j * m + i] = x[i * n + j];
    return status;
}

assay_status la_principal_make(
    la_principal *out, assay_ctx *ctx, const float *x, size_t m, size_t n, size_t want) {
    assay_status status = ASSAY_OK;
    bool wide = m < n;
    size_t side = wide ? m : n;
    const size_t tall[2] = {wide ? n : m, side};
    double *vector = NULL;
    float *turned = NULL;
    *out = (la_principal){.ctx = ctx, .m = m, .n = n};
    want = want < side ? want : side;
    if (side > MOST_SIDE)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "components of a matrix of %zu by %zu; one side may have at most %d",
                   m, n, MOST_SIDE);
    for (size_t i = 0; i < m * n; i++)
        out->total += (double)x[i] * (double)x[i];
    if (!isfinite(out->total))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "a matrix is not finite");
    if (want == 0 || !(out->total > 0))
        goto done;
    ASSAY_TRY(mem_new(ctx, &out->value, want, sizeof *out->value));
    ASSAY_TRY(mem_new(ctx, &vector, want * side, sizeof *vector));
    if (wide)
        ASSAY_TRY(transpose(&turned, ctx, x, m, n));
    ASSAY_TRY(gram_pairs(out->value, vector, ctx, wide ? turned : x, tall, want));
    while (out->count < want && out->value[out->count] > least_share * out->total)
        out->count++;
    ASSAY_TRY(mem_new(ctx, &out->direction, out->count * n, sizeof *out->direction));
    ASSAY_TRY(mem_new(ctx, &out->place, m * out->count, sizeof *out->place));
    if (wide)
        ASSAY_TRY(turn(out, x, vector));
    else
        for (size_t i = 0; i < out->count * n; i++)
            out->direction[i] = (float)vector[i];
    settle_signs(out);
    ASSAY_TRY(mat_mul_nt(ctx, out->place, x, out->direction, m, out->count, n));
done:
    mem_free(ctx, vector);
    mem_free(ctx, turned);
    if (status != ASSAY_OK)
        la_principal_free(out);
    return status;
}

void la_principal_free(la_principal *p) {
    if (!p->ctx)
        return;
    mem_free(p->ctx, p->value);
    mem_free(p->ctx, p->direction);
    mem_free(p->ctx, p->place);
    *p = (la_principal){0};
}
