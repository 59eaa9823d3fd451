/* Ops that are told by indices where elements come from or go to: gather and scatter in
 * their forms. All of them move blocks of elements that lie together; an op says how many
 * there are, how long they are, and where in the data (input 0) block k lies. Values lie
 * row by row. An index outside is an error (INVALID) when it is met, never a look
 * outside; negative ones count from the end. */
#ifndef NN_INDEXED_H
#define NN_INDEXED_H

#include "nn/numbers.h"
#include "nn/op.h"

/* Indices of any element type. */
typedef struct indices {
    const void *values;
    assay_dtype dtype;
} indices;
/* Index i within 0..size-1; false, with the number in *value, where it is outside. */
bool index_at(int64_t *value, const indices *from, int64_t i, int64_t size);

typedef enum scatter_rule {
    SCATTER_NONE, /* the last one stays */
    SCATTER_ADD,
    SCATTER_MUL, /* these three have no gradient */
    SCATTER_MAX,
    SCATTER_MIN
} scatter_rule;

typedef struct indexed {
    /* Blocks in all, and elements of one. */
    void (*blocks)(const nn_node *node, int n, int64_t *count, int64_t *length);
    /* The data's element where block k begins. false: *value is outside 0..*size-1. */
    bool (*place)(const nn_node *node,
                  int n,
                  int64_t k,
                  const indices *from,
                  int64_t *at,
                  int64_t *value,
                  int64_t *size);
} indexed;

assay_status gather_plan(nn_plan *p);
assay_status gather_forward(nn_io *io);
assay_status gather_backward(nn_io *io);
void gather_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in);

/* data, indices, updates; attribute "reduction": a scatter_rule. */
assay_status scatter_plan(nn_plan *p);
assay_status scatter_forward(nn_io *io);
assay_status scatter_backward(nn_io *io);
void scatter_reference(const nn_node *node,
                       int n,
                       bool training,
                       const double *const *in,
                       double *out,
                       const double *d_out,
                       double *const *d_in);

#define GATHER_OP                                                                        \
    .min_inputs = 2, .max_inputs = 2, .layout = NN_ROWS, .dtypes = ~0u,                  \
    .plan = gather_plan, .forward = gather_forward, .backward = gather_backward,         \
    .reference = gather_reference
#define SCATTER_OP                                                                       \
    .min_inputs = 3, .max_inputs = 3, .layout = NN_ROWS, .dtypes = ~0u,                  \
    .plan = scatter_plan, .forward = scatter_forward, .backward = scatter_backward,      \
    .reference = scatter_reference

/* ---- what several of them share ---- */

/* SHAPE unless input i fits within input 0 but along the axis; both have the batch or
 * neither. */
ASSAY_MUST_CHECK assay_status indexed_same_but(const nn_node *node, int i, int axis);
/* `place` of the elements' forms: attribute "axis", blocks of one element. */
bool indexed_element(const nn_node *node,
                     int n,
                     int64_t k,
                     const indices *from,
                     int64_t *at,
                     int64_t *value,
                     int64_t *size);
/* `blocks` and `place` of the forms with vectors of indices, behind `shared` dimensions
 * that data and indices have in common. */
void indexed_vectors(
    const nn_node *node, int n, int shared, int64_t *count, int64_t *length);
bool indexed_vector(const nn_node *node,
                    int n,
                    int shared,
                    int64_t k,
                    const indices *from,
                    int64_t *at,
                    int64_t *value,
                    int64_t *size);
/* DTYPE unless input 1 is i32 or i64. */
ASSAY_MUST_CHECK assay_status indexed_check(const nn_node *node);

#endif
