/* Walks over the elements of a value in the order in which they lie, and with it over
 * operands that broadcast against it (NumPy's rule: shapes are aligned at their last
 * dimensions, a size of 1 repeats). Dimensions that follow each other in all of them are
 * taken as one, so that a walk over equal shapes is a single row. */
#ifndef NN_WALK_H
#define NN_WALK_H

#include "nn/op.h"

enum { WALK_OPERANDS = 3 };

typedef struct nn_walk {
    int ndim; /* at least 1; the last one is the row */
    int64_t dim[NN_MAX_DIMS];
    int operands;
    int64_t stride[WALK_OPERANDS][NN_MAX_DIMS]; /* 0: repeats */
} nn_walk;

/* One row: its elements of the value walked over lie at `first` and behind; those of
 * operand k begin at at[k] and are walk_step() apart. */
typedef struct walk_row {
    bool begun;
    int64_t index[NN_MAX_DIMS], at[WALK_OPERANDS], first;
} walk_row;

/* The shape that all inputs of the node broadcast to, into out_shape. SHAPE. */
ASSAY_MUST_CHECK assay_status walk_broadcast(nn_node *node);

/* A walk over a value of `shape` lying in `layout`, with n examples. `operand` lists
 * `count` inputs of the node. */
void walk_make(nn_walk *w,
               const nn_node *node,
               const nn_shape *shape,
               assay_layout layout,
               int n,
               const int *operand,
               int count);
/* The next row into a zeroed `row`; false when there is none. */
bool walk_next(const nn_walk *w, walk_row *row);

static inline size_t walk_length(const nn_walk *w) {
    return (size_t)w->dim[w->ndim - 1];
}
static inline int64_t walk_step(const nn_walk *w, int k) {
    return w->stride[k][w->ndim - 1];
}

#endif
