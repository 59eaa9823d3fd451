/* An ONNX graph becomes one of ours: what a rule under ops/ is handed, and the helpers it
 * uses. One rule turns one kind of node into nodes of ours.
 *
 * A value of the file may be many things here: numbers known now (shapes, axes: known.h),
 * a tensor in the file that nobody used yet, or a value of our graph. It becomes the
 * latter when a rule asks for it, in the role that the rule gives it: what a convolution
 * multiplies by is a parameter, statistics are buffers. */
#ifndef NN_ONNX_IMPORT_H
#define NN_ONNX_IMPORT_H

#include "nn/onnx/array.h"
#include "nn/op.h"

typedef struct imp imp;

/* Numbers known while importing. Integers and truth values in `i`, floats in `f`. */
typedef struct imp_known {
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS], count;
    int64_t *i;
    double *f;
    bool *batch; /* NULL, or which numbers are the size of the batch */
} imp_known;

typedef struct imp_value {
    const char *name;
    assay_dtype dtype;
    nn_shape shape;            /* dim[0] == 0 and `open`: the batch */
    bool open, empty;          /* empty: no elements, which only known numbers may have */
    nn_value v, param, buffer; /* of our graph, by role; -1: not made */
    const onnx_tensor *init;   /* an initializer, or the value of a Constant */
    bool constant;             /* never to be trained */
    int input;                 /* of the model; -1: none */
    imp_known *known;
    bool failed_known;
} imp_value;

/* ---- a rule ---- */

typedef struct imp_rule {
    const char *op_type; /* NULL ends the list */
    assay_status (*run)(imp *im, const onnx_node *node, const struct imp_rule *rule);
    const char *op; /* of ours, for rules that serve many */
    int64_t arg;    /* what else the rule wants to know */
    int since;      /* the opset from which it holds; 0: 7 */
} imp_rule;

typedef struct imp_rules {
    const imp_rule *rule;
} imp_rules;

/* ---- what rules ask ---- */

nn_graph *imp_graph(imp *im);
assay_ctx *imp_ctx(imp *im);
int64_t imp_opset(const imp *im);
/* Cleared memory that lives until the import ends. */
ASSAY_MUST_CHECK assay_status imp_take(imp *im, void *out, size_t count, size_t size);

/* Input i, or NULL where it is left out. */
imp_value *imp_optional(imp *im, const onnx_node *node, size_t i);
/* Input i; FORMAT when it is left out. */
ASSAY_MUST_CHECK assay_status imp_input(imp *im,
                                        const onnx_node *node,
                                        size_t i,
                                        imp_value **out);
/* It as a value of our graph: an activation, an input, a constant, or (floats of more
 * than one element in the file) a parameter. */
ASSAY_MUST_CHECK assay_status imp_get(imp *im, imp_value *v, nn_value *out);
/* imp_input and imp_get in one. */
ASSAY_MUST_CHECK assay_status imp_get_in(imp *im,
                                         const onnx_node *node,
                                         size_t i,
                                         nn_value *out);
/* It as a parameter: of the file, or an input of the model, which then sets it before
 * each run. UNSUPPORTED for one that is computed. `decay`: see nn_graph_param. */
ASSAY_MUST_CHECK assay_status imp_param(imp *im, imp_value *v, bool decay, nn_value *out);
/* The same with its numbers in another shape. */
ASSAY_MUST_CHECK assay_status
imp_param_shaped(imp *im, imp_value *v, const nn_shape *shape, bool decay, nn_value *out);
ASSAY_MUST_CHECK assay_status imp_buffer(imp *im, imp_value *v, nn_value *out);
/* Whether it could be a parameter: in the file, or an input. */
bool imp_is_weight(const imp_value *v);
/* Its numbers, known now; UNSUPPORTED when they depend on what is fed. A value of the
 * model's inputs counts as known when the import was told it, and is bound to it then. */
ASSAY_MUST_CHECK assay_status imp_known_of(imp *im, imp_value *v, const imp_known **out);
/* The same if they are known anyway, without binding inputs; NULL otherwise. */
const imp_known *imp_known_now(imp *im, imp_value *v);
/* At most `most` integers of it, the batch as -1 where `batch` is not NULL (which element
 * it is; -1 none). */
ASSAY_MUST_CHECK assay_status
imp_ints(imp *im, imp_value *v, int most, int64_t *out, int *count, int *batch);
/* One number of it. */
ASSAY_MUST_CHECK assay_status imp_number(imp *im, imp_value *v, double *out);

/* ---- attributes ---- */

const onnx_attr *imp_attr(const onnx_node *node, const char *name);
ASSAY_MUST_CHECK assay_status imp_attr_i(const onnx_node *node,
                                         const char *name,
                                         int64_t fallback,
                                         int64_t *out);
ASSAY_MUST_CHECK assay_status imp_attr_f(const onnx_node *node,
                                         const char *name,
                                         double fallback,
                                         double *out);
/* "" if absent and no fallback. */
ASSAY_MUST_CHECK assay_status imp_attr_s(const onnx_node *node,
                                         const char *name,
                                         const char *fallback,
                                         const char **out);
/* At most `most` numbers; *count -1 if absent. */
ASSAY_MUST_CHECK assay_status imp_attr_ints(
    const onnx_node *node, const char *name, int most, int64_t *out, int *count);
/* An axis of `ndim` dimensions, counted from behind where negative. INVALID. */
ASSAY_MUST_CHECK assay_status imp_axis(int64_t axis, int ndim, int *out);

/* ---- what rules make ---- */

/* A node of ours. UNSUPPORTED when there is no such op. */
ASSAY_MUST_CHECK assay_status imp_op(imp *im,
                                     const char *op,
                                     const nn_value *in,
                                     int n_in,
                                     const nn_attr *attr,
                                     int n_attr,
                                     nn_value *out);
/* The same over inputs of any element type: cast to what the op takes and back again.
 * All inputs to one type. */
ASSAY_MUST_CHECK assay_status imp_op_cast(imp *im,
                                          const char *op,
                                          const nn_value *in,
                                          int n_in,
                                          const nn_attr *attr,
                                          int n_attr,
                                          nn_value *out);
/* Ops of one and of two inputs without attributes, through imp_op_cast. */
ASSAY_MUST_CHECK assay_status imp_unary(imp *im,
                                        const char *op,
                                        nn_value v,
                                        nn_value *out);
ASSAY_MUST_CHECK assay_status
imp_binary(imp *im, const char *op, nn_value a, nn_value b, nn_value *out);
ASSAY_MUST_CHECK assay_status imp_cast(imp *im,
                                       nn_value v,
                                       assay_dtype to,
                                       nn_value *out);
/* A reshape; `shape` as our graph has them (dim[0] == 0: the batch). */
ASSAY_MUST_CHECK assay_status imp_reshape(imp *im,
                                          nn_value v,
                                          const nn_shape *shape,
                                          nn_value *out);
ASSAY_MUST_CHECK assay_status imp_constant(
    imp *im, assay_dtype dtype, const nn_shape *shape, const void *data, nn_value *out);
/* A scalar constant of any element type. */
ASSAY_MUST_CHECK assay_status imp_scalar(imp *im,
                                         assay_dtype dtype,
                                         double value,
                                         nn_value *out);
/* Elements start, start + step, ... of one axis, `end` not among them; within its size.
 */
ASSAY_MUST_CHECK assay_status imp_slice(imp *im,
                                        nn_value v,
                                        int axis,
                                        int64_t start,
                                        int64_t end,
                                        int64_t step,
                                        nn_value *out);
/* `amount`: before each dimension, then behind each; mode 0 constant, 1 reflect, 2 edge,
 * 3 wrap. Negative amounts cut. */
ASSAY_MUST_CHECK assay_status imp_pad(
    imp *im, nn_value v, const int64_t *amount, int mode, double value, nn_value *out);
/* Stretched to a shape, which may be open where v is not. */
ASSAY_MUST_CHECK assay_status imp_expand(imp *im,
                                         nn_value v,
                                         const nn_shape *shape,
                                         nn_value *out);
/* Reduced over axes with an op of ours. */
ASSAY_MUST_CHECK assay_status imp_reduce(imp *im,
                                         const char *op,
                                         nn_value v,
                                         const int64_t *axes,
                                         int count,
                                         bool keep,
                                         nn_value *out);
/* A constant of known numbers. */
ASSAY_MUST_CHECK assay_status imp_known_constant(imp *im,
                                                 const imp_known *k,
                                                 nn_value *out);
/* New known numbers, all 0. */
ASSAY_MUST_CHECK assay_status
imp_known_make(imp *im, assay_dtype dtype, int ndim, const int64_t *dim, imp_known **out);
/* All numbers those of an array of one, of their type. */
void imp_fill(imp_known *k, const onnx_array *one);
ASSAY_MUST_CHECK assay_status
imp_transpose(imp *im, nn_value v, const int *perm, int n, nn_value *out);
/* Output k of the node is this value. */
ASSAY_MUST_CHECK assay_status imp_set(imp *im,
                                      const onnx_node *node,
                                      size_t k,
                                      nn_value v);
/* Output k is the same as that value of the file. */
ASSAY_MUST_CHECK assay_status imp_alias(imp *im,
                                        const onnx_node *node,
                                        size_t k,
                                        const imp_value *v);
ASSAY_MUST_CHECK assay_status imp_set_known(imp *im,
                                            const onnx_node *node,
                                            size_t k,
                                            imp_known *known);
/* Output k is that tensor, a constant. */
ASSAY_MUST_CHECK assay_status imp_tensor(
    imp *im, const onnx_node *node, size_t k, const onnx_tensor *t, imp_value **out);
/* A rule goes by the shape of a value without computing with it. */
void imp_note_shape(imp *im, const imp_value *v);
/* Whether somebody wants output k. */
bool imp_wants(const onnx_node *node, size_t k);
assay_status imp_unsupported(const char *fmt, ...) ASSAY_PRINTF(1, 2);

#endif
