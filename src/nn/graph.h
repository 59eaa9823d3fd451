/* A static graph of ops over named values, with parameters, buffers and constants: what a
 * model *is*. Running it is exec.h; one op is op.h.
 *
 * Shapes are logical (N,C,H,W). dim[0] == 0 is the batch, left open until an executor is
 * made; a shape without an open dimension is static (it does not depend on the batch),
 * ndim 0 is a scalar. Activations of four dimensions that images go through lie
 * channels-last; everything else, and every parameter, buffer and constant, lies row by
 * row. A value says how it lies (nn_graph_layout), and where an op needs the other way
 * the graph puts a `layout` node before it. Parameters are f32 masters in one flat
 * vector, in the order in which they were added; names and shapes are PyTorch's
 * ("conv1.weight" [O,I,kh,kw], "fc.weight" [out,in]), converted at the file boundary if
 * storage differs. */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include "base/ctx.h"
#include "tensor/tensor.h"

enum { NN_MAX_DIMS = 8, NN_MAX_INPUTS = 16, NN_MAX_NAME = 96, NN_MAX_ATTR_INTS = 8 };

typedef struct nn_shape {
    int ndim;
    int64_t dim[NN_MAX_DIMS]; /* dim[0] == 0: the batch */
} nn_shape;

typedef int nn_value; /* index into nn_graph.value; negative = none */

typedef struct nn_graph nn_graph;

/* How a parameter starts. Fan-in is taken from the shape (PyTorch's rule). */
typedef enum nn_init {
    NN_INIT_ZERO,
    NN_INIT_ONE,
    NN_INIT_KAIMING_UNIFORM,
    NN_INIT_KAIMING_NORMAL,
    NN_INIT_NORMAL_SMALL, /* N(0, 0.02), as GPT-2's */
    NN_INIT_DIRAC /* convolutions: each of the first outputs is an input as it is, the
                     others start as KAIMING_UNIFORM */
} nn_init;

ASSAY_MUST_CHECK assay_status nn_graph_create(nn_graph **out, assay_ctx *ctx);
void nn_graph_destroy(nn_graph *g);

/* An input fed at each run: images [0,C,H,W] f32 (channels-last in memory, as every input
 * of four dimensions), labels [0] i32, tokens [0,T] i32; or static, of any dtype. */
ASSAY_MUST_CHECK assay_status nn_graph_input(
    nn_graph *g, const char *name, assay_dtype dtype, nn_shape shape, nn_value *out);
/* A trained parameter. `decay` = subject to weight decay (biases and norms are not). */
ASSAY_MUST_CHECK assay_status nn_graph_param(nn_graph *g,
                                             const char *name,
                                             nn_shape shape,
                                             nn_init init,
                                             bool decay,
                                             nn_value *out);
/* State that steps update but gradients don't (running statistics); also a weight that is
 * not trained, in the place of a parameter. */
ASSAY_MUST_CHECK assay_status nn_graph_buffer(
    nn_graph *g, const char *name, nn_shape shape, nn_init init, nn_value *out);

/* A value that never changes, of any dtype, row-major; its bytes are copied. No gradient
 * reaches it. The shape is static. */
ASSAY_MUST_CHECK assay_status nn_graph_constant(nn_graph *g,
                                                const char *name,
                                                assay_dtype dtype,
                                                nn_shape shape,
                                                const void *data,
                                                nn_value *out);

/* One attribute of an op: integers or a float, by name ("stride", "pad", "eps"). */
typedef struct nn_attr {
    const char *name;
    int64_t i[NN_MAX_ATTR_INTS];
    int count;
    double f;
} nn_attr;

/* The ops, their inputs in order, and their attributes ([] = optional; one number where
 * two are meant stands for both): conv2d(x [0,I,H,W], weight [O,I/groups,kh,kw], [bias
 * [O]]) stride 1, pad 0 (1, 2 or 4 numbers: top left bottom right), dilation 1, groups 1
 *   linear(x [...,I] or [0,I,1,1], weight [O,I], [bias [O]]) batch_norm(x, scale [C], shift
 * [C], running_mean [C] buffer, running_var [C] buffer) eps 1e-5, momentum 0.1 (both .f)
 *   relu(x)   add(a, b)   flatten(x) -> [0, C*H*W] in logical order
 *   max_pool(x)  avg_pool(x)                             kernel (required), stride =
 * kernel, pad 0 global_avg_pool(x) -> [0,C,1,1] cross_entropy(logits [0,K], labels [0]
 * i32) -> [0]   smoothing 0 (.f) margin(logits [0,K], labels [0] i32) -> [0] log(p_y / (1
 * - p_y)); both also over tokens, logits [0,T,K] and labels [0,T]: the mean over an
 * example's tokens but those labelled -1. Unknown attribute names are refused.
 *   gelu(x) tanh 0   silu(x)   softmax(x), log_softmax(x) axis -1
 *   layer_norm(x, [gain, [bias]]), rms_norm(x, [gain]) over the last dims 1, eps 1e-5 (.f)
 *   embedding(ids [0,T] i32 or i64, table [V,C]) -> [0,T,C]
 *   matmul(a [...,M,K], b [...,K,N])
 *   attention(qkv [0,T,3C]) or (q [0,T,C], k [0,S,C], v [0,S,D])  heads 1, causal 0, scale
 * (.f) 1 / sqrt(C / heads), rotary (.f, a base) none
 *
 * Adds a node: an op of the registry over inputs (values, parameters, buffers in the op's
 * order); infers the output's shape. NOTFOUND for an unknown op, SHAPE with both shapes
 * in words. */
ASSAY_MUST_CHECK assay_status nn_graph_op(nn_graph *g,
                                          const char *op,
                                          const nn_value *inputs,
                                          int n_inputs,
                                          const nn_attr *attrs,
                                          int n_attrs,
                                          nn_value *out);
/* Gives a value a public name ("logits", "penultimate", "loss", "margin"). */
ASSAY_MUST_CHECK assay_status nn_graph_name(nn_graph *g, nn_value v, const char *name);
nn_value nn_graph_find(const nn_graph *g, const char *name); /* negative if absent */
nn_shape nn_graph_shape(const nn_graph *g, nn_value v);
assay_dtype nn_graph_dtype(const nn_graph *g, nn_value v);
/* The name of the op that makes a value; NULL: none does. */
const char *nn_graph_maker(const nn_graph *g, nn_value v);
assay_layout nn_graph_layout(const nn_graph *g, nn_value v);

/* The flat parameter vector: count, and one entry per parameter. */
typedef struct nn_param_info {
    const char *name; /* borrowed */
    nn_shape shape;
    size_t offset, count; /* in floats, into the flat vector */
    bool decay;
    nn_init init;
} nn_param_info;
size_t nn_graph_param_count(const nn_graph *g);  /* entries */
size_t nn_graph_param_floats(const nn_graph *g); /* length of the flat vector */
nn_param_info nn_graph_param_at(const nn_graph *g, size_t i);
size_t nn_graph_buffer_count(const nn_graph *g);
size_t nn_graph_buffer_floats(const nn_graph *g);
nn_param_info nn_graph_buffer_at(const nn_graph *g, size_t i);
/* SHA-256 of what it computes: ops, attributes, shapes, constants; not names, nor what
 * weights hold. */
void nn_graph_digest(uint8_t out[32], const nn_graph *g);

/* Values of one model: flat parameters and flat buffers. Plain arrays owned by the
 * caller's struct; many may exist for one graph (a fleet). Initialised by (seed) through
 * RNG_INIT, keyed by the parameter's index: independent of everything else. */
typedef struct nn_weights {
    float *params;
    float *buffers;
} nn_weights;
ASSAY_MUST_CHECK assay_status nn_weights_create(nn_weights *out,
                                                assay_ctx *ctx,
                                                const nn_graph *g,
                                                uint64_t seed);
void nn_weights_destroy(nn_weights *w, assay_ctx *ctx);

#endif
