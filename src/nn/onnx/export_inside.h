/* The exporter's inside: export.c builds the file, export_ops.c knows what each op of
 * ours is in ONNX. */
#ifndef NN_ONNX_EXPORT_INSIDE_H
#define NN_ONNX_EXPORT_INSIDE_H

#include "nn/graph_inside.h"
#include "nn/onnx/export.h"

enum { EXP_MAX_IN = NN_MAX_INPUTS, EXP_MAX_ATTR = 8 };

typedef struct exp_block exp_block;

typedef struct exporter {
    assay_ctx *ctx;
    const nn_graph *graph;
    const nn_weights *weights;
    exp_block *blocks;
    const char **name; /* of values; NULL: not written yet */
    onnx_node *node;
    onnx_tensor *init;
    onnx_value *in, *out;
    size_t n_node, cap_node, n_init, cap_init, n_in, cap_in, n_out;
    int made; /* names made so far */
} exporter;

typedef assay_status (*exp_op_fn)(exporter *x, const nn_node *node, const char *out);

/* What writes nodes of this op; NULL: nothing does. */
exp_op_fn exp_op_find(const char *op);

/* Cleared memory that lives until the export ends. */
ASSAY_MUST_CHECK assay_status exp_take(exporter *x, void *out, size_t count, size_t size);
/* The name of a value, which is written as a tensor or an input if need be. */
ASSAY_MUST_CHECK assay_status exp_name(exporter *x, nn_value v, const char **out);
/* A name that nobody has. */
ASSAY_MUST_CHECK assay_status exp_new_name(exporter *x, const char **out);
/* A node of one output; `out` NULL makes a new name, told in *made. */
ASSAY_MUST_CHECK assay_status exp_node(exporter *x,
                                       const char *op_type,
                                       const char *const *in,
                                       int n_in,
                                       const onnx_attr *attr,
                                       int n_attr,
                                       const char *out,
                                       const char **made);
/* Constants, of nodes: tensors of the file would be trained by who imports it. */
ASSAY_MUST_CHECK assay_status exp_scalar(exporter *x, int64_t v, const char **out);
ASSAY_MUST_CHECK assay_status exp_ints(exporter *x,
                                       const int64_t *v,
                                       size_t n,
                                       const char **out);
ASSAY_MUST_CHECK assay_status exp_float(exporter *x, float v, const char **out);
ASSAY_MUST_CHECK assay_status
exp_floats(exporter *x, const float *v, int ndim, const int64_t *dim, const char **out);

static inline onnx_attr exp_attr_i(const char *name, int64_t v) {
    return (onnx_attr){.name = name, .kind = ONNX_ATTR_INT, .i = v, .s = ""};
}
static inline onnx_attr exp_attr_f(const char *name, double v) {
    return (onnx_attr){.name = name, .kind = ONNX_ATTR_FLOAT, .f = (float)v, .s = ""};
}
/* Borrows v until the export ends. */
static inline onnx_attr exp_attr_ints(const char *name, const int64_t *v, size_t n) {
    return (onnx_attr){
        .name = name, .kind = ONNX_ATTR_INTS, .ints = v, .count = n, .s = ""};
}

#endif
