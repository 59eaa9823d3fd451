/* Ops that move elements without computing: each element of the output comes from one
 * place of one input, or is a filling. An op says so twice: as few strided views, which
 * are what runs, and as a plain rule for one element, which is the float64 reference (and
 * what runs where there are no views). Any element type; batch and layout as they come.
 */
#ifndef NN_STRIDED_H
#define NN_STRIDED_H

#include "nn/numbers.h"
#include "nn/op.h"

enum { STRIDED_DIMS = 2 * NN_MAX_DIMS };

/* A box of elements, once in the output (`to`) and once in an input (`from`): sizes,
 * strides and first elements. A `from` stride of 0 repeats. */
typedef struct strided_view {
    int input, ndim;
    int64_t dim[STRIDED_DIMS], to[STRIDED_DIMS], from[STRIDED_DIMS], to_at, from_at;
} strided_view;

/* What an op of this kind is: the `family` of its nn_op_def. */
typedef struct mover {
    /* The k-th view, with n examples; false when there are no more. NULL: by `source`. */
    bool (*view)(const nn_node *node, int n, int k, strided_view *out);
    /* Where the element of the output at `to` comes from: which input, and the place in
     * it; -1: it is the filling (attribute "value", else 0). */
    int (*source)(const nn_node *node, const int64_t *to, int64_t *from);
    bool fills;   /* not every element of the output comes from an input */
    bool repeats; /* an element may go to several places: its gradients are added up */
} mover;

/* A view of the whole output against input `input`: sizes and strides of both; the
 * shapes must have equally many dimensions. */
void strided_whole(strided_view *v, const nn_node *node, int n, int input);
/* Appends a dimension. */
void strided_add(strided_view *v, int64_t dim, int64_t to, int64_t from);

/* Copies elements of `size` bytes; strides may be negative. */
void strided_copy(void *to, const void *from, const strided_view *v, size_t size);

/* The runs that a view is made of: `length` elements at `to` and `from`, their steps. */
typedef struct strided_runs {
    strided_view v;
    int64_t index[STRIDED_DIMS], to, from, length, to_step, from_step;
    bool begun;
} strided_runs;
void strided_begin(strided_runs *r, const strided_view *v);
bool strided_next(strided_runs *r);

assay_status mover_plan(nn_plan *p);
assay_status mover_forward(nn_io *io);
assay_status mover_backward(nn_io *io);
/* The same for an op that chooses by its attributes. */
assay_status mover_plan_as(nn_plan *p, const mover *f);
assay_status mover_forward_as(nn_io *io, const mover *f);
assay_status mover_backward_as(nn_io *io, const mover *f);
void mover_reference(const nn_node *node,
                     int n,
                     bool training,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in);

#define MOVER_OP .layout = NN_ANY, .dtypes = ~0u, .reference = mover_reference
#define MOVER_RUNS                                                                       \
    .plan = mover_plan, .forward = mover_forward, .backward = mover_backward

/* A value as [outer, size, inner] around an axis, row by row, with n examples. */
typedef struct strided_axes {
    int64_t outer, size, inner;
} strided_axes;
strided_axes strided_around(const nn_shape *s, int axis, int n);
/* Size of dimension d, n where it is the batch. */
int64_t strided_size(const nn_shape *s, int d, int n);

/* An axis attribute within ndim dimensions (negative: from the end). INVALID. */
ASSAY_MUST_CHECK assay_status strided_axis(int *out,
                                           const nn_node *node,
                                           int64_t axis,
                                           int ndim);
/* The same by name, with a fallback; SHAPE if it is the batch of input `input`. */
ASSAY_MUST_CHECK assay_status strided_axis_attr(
    int *out, const nn_node *node, const char *name, int64_t fallback, int input);

#endif
