/* What an ONNX file says, in plain structures: what protobuf.c reads and writes, and what
 * import and export see. Nothing here is checked beyond being there. */
#ifndef NN_ONNX_IR_H
#define NN_ONNX_IR_H

#include "base/buf.h"
#include "tensor/tensor.h"

/* Element types by ONNX's numbers. */
enum {
    ONNX_UNDEFINED = 0,
    ONNX_FLOAT = 1,
    ONNX_UINT8,
    ONNX_INT8,
    ONNX_UINT16,
    ONNX_INT16,
    ONNX_INT32,
    ONNX_INT64,
    ONNX_STRING,
    ONNX_BOOL,
    ONNX_FLOAT16,
    ONNX_DOUBLE,
    ONNX_UINT32,
    ONNX_UINT64,
    ONNX_COMPLEX64,
    ONNX_COMPLEX128,
    ONNX_BFLOAT16
};

typedef struct onnx_tensor {
    const char *name; /* "" if it has none; strings are never NULL */
    int type;
    size_t ndim;
    const int64_t *dim;
    const uint8_t *raw; /* NULL: the values are in the field of their type */
    size_t raw_bytes;
    const float *floats;
    const int32_t *ints;
    const int64_t *longs;
    const double *doubles;
    const uint64_t *ulongs;
    size_t n_floats, n_ints, n_longs, n_doubles, n_ulongs;
    bool external, segmented;
    const char *location, *offset, *length; /* of external data; NULL: not said */
} onnx_tensor;

/* Kinds of attributes, by ONNX's numbers. */
typedef enum onnx_attr_kind {
    ONNX_ATTR_NONE = 0,
    ONNX_ATTR_FLOAT = 1,
    ONNX_ATTR_INT,
    ONNX_ATTR_STRING,
    ONNX_ATTR_TENSOR,
    ONNX_ATTR_GRAPH,
    ONNX_ATTR_FLOATS,
    ONNX_ATTR_INTS,
    ONNX_ATTR_OTHER
} onnx_attr_kind;

typedef struct onnx_attr {
    const char *name;
    onnx_attr_kind kind;
    bool reference; /* stands for an attribute of a function */
    float f;
    int64_t i;
    const char *s;
    const onnx_tensor *t;
    const float *floats;
    const int64_t *ints;
    size_t count; /* of floats or ints */
} onnx_attr;

typedef struct onnx_node {
    const char *name, *op_type, *domain;
    const char *const *in, *const *out; /* "" for one left out */
    size_t n_in, n_out, n_attr;
    const onnx_attr *attr;
} onnx_node;

/* One dimension: a size, or -1 with a name or without one. */
typedef struct onnx_dim {
    int64_t size;
    const char *name;
} onnx_dim;

typedef struct onnx_value {
    const char *name;
    bool tensor; /* and not a sequence, a map, ... */
    bool has_shape;
    int type;
    size_t ndim;
    const onnx_dim *dim;
} onnx_value;

typedef struct onnx_graph {
    const char *name;
    const onnx_node *node;
    const onnx_tensor *init;
    const onnx_value *in, *out;
    size_t n_node, n_init, n_sparse, n_in, n_out;
} onnx_graph;

typedef struct onnx_pair {
    const char *key, *value;
} onnx_pair;

typedef struct onnx_model {
    int64_t ir_version, opset; /* opset: of ONNX's own domain; 0: not said */
    const char *producer, *producer_version;
    size_t n_functions;
    const onnx_pair *meta;
    size_t n_meta;
    onnx_graph graph;
} onnx_model;

/* A parsed file; what it shows lives as long as it does. */
typedef struct onnx_file onnx_file;

/* `where` names the bytes in errors. FORMAT, NOMEM. */
ASSAY_MUST_CHECK assay_status onnx_parse(
    onnx_file **out, assay_ctx *ctx, const uint8_t *bytes, size_t n, const char *where);
void onnx_file_destroy(onnx_file *f); /* accepts NULL */
const onnx_model *onnx_file_model(const onnx_file *f);

/* The same of a file that holds one tensor (test data). */
ASSAY_MUST_CHECK assay_status onnx_parse_tensor(
    onnx_file **out, assay_ctx *ctx, const uint8_t *bytes, size_t n, const char *where);
const onnx_tensor *onnx_file_tensor(const onnx_file *f);

/* Appends the bytes of a model. NOMEM. */
ASSAY_MUST_CHECK assay_status onnx_pack(buf *out, assay_ctx *ctx, const onnx_model *m);

/* Our element type; DTYPE for strings, complex numbers and what is unknown. */
ASSAY_MUST_CHECK assay_status onnx_dtype(assay_dtype *out, int type);
int onnx_type_of(assay_dtype dtype);

#endif
