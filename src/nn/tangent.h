/* The tangent of a graph: another graph, of ordinary ops, whose parameters are the first
 * one's, w, and which has a buffer more for each of them, a direction nu. Per example it
 * computes
 *     R_i = <nu, grad l_i(w)>
 * of the target l (Pearlmutter 1994, "Fast Exact Multiplication by the Hessian", the
 * R-operator's forward half); so that its ordinary backward pass, seeded with c, gives
 * sum_i c_i H_i nu, and nothing has to be known about second derivatives but how each
 * op's tangent is differentiated.
 *
 * What an op's tangent is, the op says in its own file (nn_op_def.tangent). */
#ifndef NN_TANGENT_H
#define NN_TANGENT_H

#include "nn/op.h"

/** Values of `g`, parameters and buffers keep their numbers and places in the new graph.
 *  The direction's buffers follow those of g, in the order of the parameters: it is a
 *  flat vector like them, from nn_graph_buffer_floats(g) on.
 *  @param tangent  of the target, [0] as it; the value that the executor's target is
 *  @errors UNSUPPORTED where an op on the way has no tangent, with its name */
ASSAY_MUST_CHECK assay_status nn_tangent_create(nn_graph **out,
                                                nn_value *tangent,
                                                assay_ctx *ctx,
                                                const nn_graph *g,
                                                nn_value target);

/* What an op's rule is handed: its node, with values of the graph under way. */
struct nn_tangent {
    nn_graph *graph;
    const nn_node *node;
    nn_value of[NN_MAX_INPUTS]; /* the inputs' tangents; negative: it does not move. One
                                   of them does */
};

/* ---- rules that many ops share, and what rules are written with ---- */

/* Linear in the first input, the others being still: the same op of its tangent. */
ASSAY_MUST_CHECK assay_status nn_tangent_linear(nn_value *out, const nn_tangent *t);
/* Linear in each of two inputs, with or without a bias as a third: the sum of the op with
 * one of them at a time replaced by its tangent. */
ASSAY_MUST_CHECK assay_status nn_tangent_product(nn_value *out, const nn_tangent *t);
/* The sum of those of two inputs that move. */
ASSAY_MUST_CHECK assay_status nn_tangent_sum(nn_value *out, const nn_tangent *t);
/* The op of the name, with the node's attributes. */
ASSAY_MUST_CHECK assay_status nn_tangent_op(
    nn_value *out, const nn_tangent *t, const char *op, const nn_value *in, int n_in);
/* An op with attributes of its own, of one input or of two (b negative: of one). */
ASSAY_MUST_CHECK assay_status nn_tangent_call(nn_value *out,
                                              const nn_tangent *t,
                                              const char *op,
                                              nn_value a,
                                              nn_value b,
                                              const nn_attr *attrs,
                                              int n_attrs);
/* y (r - <y, r>), the scalar product along an axis: how shares y move when what they are
 * the softmax of moves by r. */
ASSAY_MUST_CHECK assay_status nn_tangent_shares(
    nn_value *out, const nn_tangent *t, nn_value y, nn_value r, int64_t axis);
/* UNSUPPORTED "there is no tangent of <op><why>" */
ASSAY_MUST_CHECK assay_status nn_tangent_none(const nn_tangent *t, const char *why);
/* The op of the name with the node's attributes, of (r, x), x as it goes into the node or
 * as it came out of it. */
ASSAY_MUST_CHECK assay_status nn_tangent_act(nn_value *out,
                                             const nn_tangent *t,
                                             const char *op,
                                             bool of_output);

#endif
