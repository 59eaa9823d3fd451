/* What a batch norm and the passes that take one along share: the ReLU and pooling behind
 * it, its statistics, and what forward leaves to backward. */
#ifndef NN_NORM_H
#define NN_NORM_H

#include "nn/kernels.h"

typedef struct norm {
    size_t c, each;  /* channels; pixels of one example */
    bool relu, pool; /* pool only with relu */
    bool adds,
        relu_first;   /* a sum with another value, without pool; the ReLU before it */
    nn_window window; /* of the pooling: disjoint, 2 x 2 */
    size_t out_each;  /* pixels of one example of the output */
    float eps, momentum;
    bool x_half, y_half; /* input, output and their gradients lie in bf16 */
    bool other_half;     /* so does the value added */
} norm;

/* How many of the nodes behind a batch norm can go along: a ReLU and a 2 x 2 pooling
 * behind it; or, where `adds`, the sum with another value of its shape, before the ReLU,
 * behind it or alone. */
int norm_follow(const nn_node *bn, const nn_node *const *next, int n, bool adds);
/* Describes `bn` with the first n of `next`. */
void norm_make(norm *out, const nn_node *bn, const nn_node *const *next, int n);

/* Memory from forward to backward. */
typedef struct norm_save {
    float *mean, *invstd;
    void *x_won; /* with a pooling and a backward pass; as x lies */
    uint8_t *won;
    uint8_t *mask; /* with a sum under a ReLU and a backward pass */
    size_t bytes;
} norm_save;
/* Lays it out at `memory` (NULL: only counts) for `batch` examples. */
norm_save norm_save_at(void *memory, const norm *m, size_t batch, bool backward);

/* Scratch: 2 c doubles, then 2 c floats. */
size_t norm_scratch(const norm *m);
static inline double *norm_sums(void *scratch) {
    return scratch;
}
float *norm_floats(const norm *m, void *scratch);

/* Memory of all shards together: each one's two sums and their rows, of forward and of
 * backward. */
size_t norm_shared(const norm *m, int shards);
/* Where this shard's sums go in the first phase, cleared; they are over `rows`. */
double *norm_shard_sums(const norm *m, const nn_io *io, bool backward, size_t rows);
/* In the second phase, into sum (2 c) what all shards found, in their order; returns the
 * rows. Moments: mean, squared deviations. */
size_t norm_all_moments(const norm *m, const nn_io *io, double *sum);
size_t norm_all_back_sums(const norm *m, const nn_io *io, double *sum);

/* From sums (mean, squared deviations) over `rows`: mean, 1/sd; moves the running
 * statistics if given (one shard does). */
void norm_finish(const norm *m,
                 const norm_save *save,
                 const double *sum,
                 size_t rows,
                 float *running_mean,
                 float *running_var);
/* From the running statistics. */
void norm_running(const norm *m,
                  const norm_save *save,
                  const float *mean,
                  const float *var);
/* From sums (d_y, d_y xhat) of the whole batch: the gradients of shift and scale, which
 * are the first shard's (NULL: not wanted; nought for other shards), and into `pull` (2 c
 * floats) the sums over `rows`. */
void norm_pull(const norm *m,
               float *pull,
               const double *sum,
               size_t rows,
               int shard,
               float *d_scale,
               float *d_shift);

/* Where element i of values in bf16 or f32 lies. */
static inline const void *norm_at(const void *values, size_t i, bool half) {
    return (const uint8_t *)values + i * (half ? 2 : 4);
}
const image_kernels *norm_kernels(const norm *m);

/* One stretch of n examples through the norm and what follows; `at` is the first
 * example's index. x: of this stretch; y, other and what was saved: of the whole batch.
 */
void norm_forward(const norm *m,
                  const norm_save *save,
                  const bn_affine *a,
                  void *y,
                  const void *x,
                  const void *other,
                  size_t at,
                  size_t n);
/* Adds the stretch's sums to `sum`. x of this stretch as forward had it (unused with a
 * pooling). d_other (NULL: not wanted): of the whole batch; may be d_y. */
void norm_back_sums(const norm *m,
                    const norm_save *save,
                    const bn_affine *a,
                    double *sum,
                    const void *d_y,
                    const void *x,
                    void *d_other,
                    size_t at,
                    size_t n);
/* pull NULL: constant statistics. x, d_x: of this stretch; d_y, d_other as norm_back_sums
 * left it, and what was saved: of the whole batch. */
void norm_back(const norm *m,
               const norm_save *save,
               const bn_affine *a,
               void *d_x,
               const void *d_y,
               const void *x,
               const void *d_other,
               const float *pull,
               size_t at,
               size_t n);

#endif
