/* Kernels over rows of numbers: activations with an exponential in them, softmax, norms
 * over a row. One body (rows.inc) is compiled per instruction set; all versions give the
 * same bits. Any operand may lie in bf16; the arithmetic is f32. */
#ifndef NN_ROWS_H
#define NN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum row_act { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU } row_act;

/* A row's mean and one over its standard deviation (over its root mean square). */
typedef struct row_stat {
    float mean, inv;
} row_stat;

/* Values that lie in f32 or in bf16. */
typedef struct row_values {
    void *at;
    bool half;
} row_values;

/* The numbers of a norm over rows of c. */
typedef struct row_norm {
    size_t rows, c;
    float eps;
    bool centred;             /* layer norm; else root mean square */
    const float *gain, *bias; /* [c], or NULL */
} row_norm;

typedef struct row_kernels {
    const char *name;
    /* y = act(x) */
    void (*act)(row_values y, row_values x, size_t n, row_act act);
    /* d_x = d_y act'(x) */
    void (*act_back)(row_values d_x, row_values d_y, row_values x, size_t n, row_act act);
    /* d_x = d_y r act''(x), in f32: how act_back's result moves with x */
    void (*act_bend)(float *d_x,
                     const float *d_y,
                     const float *r,
                     const float *x,
                     size_t n,
                     row_act act);
    /* Softmax, or its logarithm, over the middle one of [outer, d, inner]. */
    void (*softmax)(
        row_values y, row_values x, size_t outer, size_t d, size_t inner, bool logarithm);
    void (*softmax_back)(row_values d_x,
                         row_values d_y,
                         row_values y,
                         size_t outer,
                         size_t d,
                         size_t inner,
                         bool logarithm);
    /* Fills stat[rows]. */
    void (*norm)(row_values y, row_stat *stat, row_values x, const row_norm *g);
    /* d_x.at, d_gain, d_bias may be NULL; the latter two [c] are added to. */
    void (*norm_back)(row_values d_x,
                      float *d_gain,
                      float *d_bias,
                      row_values d_y,
                      row_values x,
                      const row_stat *stat,
                      const row_norm *g);
    /* Rows of attention scores [rows, keys], `ld` apart: row r sees its first
     * min(keys, sees + r) keys (sees >= keys: all). In place to shares, zeros behind
     * what it sees; log_sum[rows] gets the logarithm of the sum. */
    void (*attend)(
        float *score, float *log_sum, size_t rows, size_t keys, size_t ld, size_t sees);
    /* Scores to shares p again, and d_p to the scores' gradient p (d_p - sum p d_p). */
    void (*attend_back)(float *score,
                        float *d_p,
                        const float *log_sum,
                        size_t rows,
                        size_t keys,
                        size_t ld,
                        size_t sees);
} row_kernels;

/* Those of the instruction set in use. */
const row_kernels *row_kernels_get(void);

extern const row_kernels row_kernels_c, row_kernels_avx2, row_kernels_avx512;

#endif
