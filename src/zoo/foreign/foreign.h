/* Networks that others published as .safetensors: recognised by the names and shapes of
 * their tensors, built under the same names, and run as they are. */
#ifndef ZOO_FOREIGN_H
#define ZOO_FOREIGN_H

#include "file/safetensors.h"
#include "nn/graph.h"

typedef struct foreign_net {
    const char *name, *summary;
    const char *input, *output; /* their names to the outside */
    /* A tensor that only this network has, and its shape. */
    const char *mark;
    int64_t mark_shape[4];
    int64_t size[2]; /* height and width where the caller names none */
    /* Adds everything from *x, an image [0,channels,height,width], to the output. */
    int64_t channels;
    assay_status (*build)(nn_graph *g, nn_value *x);
} foreign_net;

/* The network of a file. UNSUPPORTED lists those that are known. */
ASSAY_MUST_CHECK assay_status foreign_find(const foreign_net **out, const st_file *f);
/* Its graph for images of a size (NULL: the network's own). SHAPE */
ASSAY_MUST_CHECK assay_status foreign_build(nn_graph **out,
                                            nn_value *in,
                                            nn_value *result,
                                            assay_ctx *ctx,
                                            const foreign_net *net,
                                            const int64_t size[2]);
/* Every parameter from the file: f32, f16 or bf16. NOTFOUND, DTYPE, SHAPE, NUMERIC name
 * the tensor. */
ASSAY_MUST_CHECK assay_status foreign_read(const st_file *f,
                                           const nn_graph *g,
                                           nn_weights *w);

/* ---- layers; each takes a value and puts its output into *x ---- */

typedef struct foreign_conv {
    int64_t channels, kernel, stride, groups; /* groups 0: one */
    bool same; /* padded as TensorFlow does: more below and right; else by kernel / 2 */
    bool no_bias;
} foreign_conv;

/* Parameters NAME.weight and NAME.bias. */
ASSAY_MUST_CHECK assay_status foreign_add_conv(nn_graph *g,
                                               nn_value *x,
                                               const char *name,
                                               const foreign_conv *conv);
/* Parameters NAME.weight and NAME.bias. */
ASSAY_MUST_CHECK assay_status foreign_add_group_norm(nn_graph *g,
                                                     nn_value *x,
                                                     const char *name,
                                                     int64_t groups);
/* An op without parameters. */
ASSAY_MUST_CHECK assay_status
foreign_add(nn_graph *g, nn_value *x, const char *op, const nn_attr *attrs, int n_attrs);

extern const foreign_net foreign_mobilenet, foreign_taef2_encoder, foreign_taef2_decoder;

#endif
