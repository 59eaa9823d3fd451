/* The iteration: X <- a X + (b A + c A A) X with A = X X^T, on the shorter side; its
 * coefficients drive singular values between about 0.7 and 1.2 within five steps. */
#include "train/muon.h"

#include "nn/gemm.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

static const float CUBIC[3] = {3.4445F, -4.7750F, 2.0315F};
static const double TINY = 1e-7; /* of a norm: nothing is divided by zero */

/* Floats up to the next 64 bytes. */
static size_t rounded(size_t n) {
    return (n + 15) / 16 * 16;
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Of the iteration, with sides of s <= l. */
static size_t iteration_floats(size_t s, size_t l) {
    size_t products = largest(gemm_scratch(s, s, l), gemm_scratch(s, l, s));
    return 2 * rounded(s * l) + 2 * rounded(s * s) +
           largest(products, gemm_scratch(s, s, s));
}

size_t muon_scratch(const optimizer_part *part) {
    size_t r = part->rows, c = part->cols;
    if (r == 0)
        return 0;
    return rounded(r * c) + (r < c ? iteration_floats(r, c) : iteration_floats(c, r));
}

/* c[m,n] = a[m,k] b, where b lies row by row, or turned round ([n,k]). */
static void multiply(float *c,
                     const float *a,
                     const float *b,
                     bool turned,
                     size_t m,
                     size_t n,
                     size_t k,
                     bool add,
                     float *scratch) {
    gemm_job job =
        turned ? gemm_times_turned(c, a, b, m, n, k) : gemm_times(c, a, b, m, n, k);
    job.add = add;
    gemm_run(&job, scratch);
}

static void transpose(float *out, const float *x, size_t rows, size_t cols) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[j * rows + i] = x[i * cols + j];
}

void muon_orthogonal(
    float *x, size_t rows, size_t cols, int newton_steps, float *scratch) {
    size_t s = rows < cols ? rows : cols, l = largest(rows, cols), n = rows * cols;
    float *now = scratch, *next = now + rounded(n), *a = next + rounded(n);
    float *b = a + rounded(s * s), *rest = b + rounded(s * s);
    const simd_table *k = simd();
    if (rows > cols)
        transpose(now, x, rows, cols);
    else
        memcpy(now, x, n * sizeof *x);
    k->f32_scale(now, (float)(1 / (sqrt(k->f32_dot64(x, x, n)) + TINY)), n);
    for (int i = 0; i < newton_steps; i++) {
        multiply(a, now, now, true, s, s, l, false, rest);
        multiply(b, a, a, false, s, s, s, false, rest);
        k->f32_scale(b, CUBIC[2], s * s);
        k->f32_axpy(b, CUBIC[1], a, s * s);
        memset(next, 0, n * sizeof *next);
        k->f32_axpy(next, CUBIC[0], now, n);
        multiply(next, b, now, false, s, l, s, true, rest);
        float *other = now;
        now = next;
        next = other;
    }
    if (rows > cols)
        transpose(x, now, cols, rows);
    else
        memcpy(x, now, n * sizeof *x);
}

void muon_step(const optimizer *o,
               const optimizer_part *part,
               float *w,
               const float *g,
               float *v,
               train_pace pace,
               double scale) {
    const simd_table *k = simd();
    size_t n = part->count;
    float *step = o->scratch;
    k->f32_scale(v, (float)pace.momentum, n);
    k->f32_add(v, g, n);
    memcpy(step, v, n * sizeof *v);
    if (o->options.nesterov) {
        k->f32_scale(step, (float)pace.momentum, n);
        k->f32_add(step, g, n);
    }
    muon_orthogonal(step, part->rows, part->cols, o->options.newton_steps,
                    o->scratch + rounded(n));
    if (o->options.renorm) {
        double norm = sqrt(k->f32_dot64(w, w, n));
        if (norm > 0)
            k->f32_scale(w, (float)(sqrt((double)part->rows) / norm), n);
    }
    if (part->decay > 0)
        k->f32_scale(w, (float)(1 - pace.rate * part->decay), n);
    k->f32_axpy(w, (float)(-pace.rate * scale), step, n);
}
