/* A chain of linear layers with ReLU between them, seen through the flat parameters of a
 * model: what replay differentiates twice. */
#ifndef ATTRIBUTE_MLP_H
#define ATTRIBUTE_MLP_H

#include "attribute/study/study.h"
#include "nn/gemm.h"

enum { MLP_MOST_LAYERS = 16 };

typedef struct mlp_layer {
    size_t in, out;
    size_t weight, bias; /* places in the flat parameters; weight [out, in] */
    size_t state; /* place of the layer's part [in + 1, out] in a state: the bias is
                     the last row */
    bool decays;  /* the weight is subject to weight decay (biases are not) */
} mlp_layer;

typedef struct mlp {
    int layers;
    mlp_layer layer[MLP_MOST_LAYERS];
    size_t floats; /* of parameters, and of a state */
    size_t widest; /* layer's side */
} mlp;

/** From the model's parameters: pairs of weight [out, in] and bias [out] that chain. That
 * nothing but ReLU is between them shows when margins are compared.
 *  @errors UNSUPPORTED */
ASSAY_MUST_CHECK assay_status mlp_of(mlp *out, const zoo_model *model);

/* A forward pass of `n` examples. */
typedef struct mlp_pass {
    float *x;                    /* [n, in of the first] */
    float *act[MLP_MOST_LAYERS]; /* [n, out] behind the ReLU; of the last: the logits */
    float *prob;                 /* [n, classes] */
} mlp_pass;
ASSAY_MUST_CHECK assay_status mlp_pass_make(mlp_pass *out,
                                            assay_ctx *ctx,
                                            const mlp *m,
                                            size_t n);
void mlp_pass_free(mlp_pass *p, assay_ctx *ctx, const mlp *m);
/* From p->x. `scratch` as mlp_scratch says. */
void mlp_forward(
    const mlp_pass *p, const mlp *m, const float *params, size_t n, float *scratch);
/* d [n, classes] at the logits to all layers: delta[l] [n, out], delta of the last being
 * given; behind a ReLU of nought nothing comes through. */
void mlp_backward(float *const *delta,
                  const mlp_pass *p,
                  const mlp *m,
                  const float *params,
                  size_t n,
                  float *scratch);
/* Floats of scratch for any product of the chain with n examples. */
size_t mlp_scratch(const mlp *m, size_t n);

#endif
