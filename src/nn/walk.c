/* The walk: dimensions sorted by how they lie, merged, and counted through. */
#include "nn/walk.h"

static assay_status merge_shape(nn_node *node, int i) {
    const nn_shape *s = &node->in_shape[i];
    nn_shape *out = &node->out_shape;
    int shift = out->ndim - s->ndim;
    for (int d = 0; d < s->ndim; d++) {
        int64_t *to = &out->dim[d + shift], from = s->dim[d];
        bool batch = from == 0;
        if (batch && d + shift != 0)
            return nn_op_bad_shape(node, i, "the batch must be the first dimension");
        if (from == 1 || from == *to)
            continue;
        if (*to != 1)
            return nn_op_bad_shape(node, i, "the shapes don't broadcast");
        *to = from;
    }
    return ASSAY_OK;
}

assay_status walk_broadcast(nn_node *node) {
    nn_shape *out = &node->out_shape;
    *out = (nn_shape){0};
    for (int i = 0; i < node->n_in; i++)
        if (node->in_shape[i].ndim > out->ndim)
            out->ndim = node->in_shape[i].ndim;
    for (int d = 0; d < out->ndim; d++)
        out->dim[d] = 1;
    for (int i = 0; i < node->n_in; i++) {
        assay_status status = merge_shape(node, i);
        if (status != ASSAY_OK)
            return status;
    }
    return ASSAY_OK;
}

/* Strides of input i along the dimensions of `shape`. */
static void operand_strides(int64_t out[NN_MAX_DIMS],
                            const nn_node *node,
                            int i,
                            const nn_shape *shape) {
    const nn_shape *s = &node->in_shape[i];
    int64_t own[NN_MAX_DIMS];
    nn_strides(s, node->in_layout[i], own);
    int shift = shape->ndim - s->ndim;
    for (int d = 0; d < shape->ndim; d++)
        out[d] = d < shift || s->dim[d - shift] == 1 ? 0 : own[d - shift];
}

/* The dimensions of `shape` in the order in which they lie, outermost first. */
static void order_of(int order[NN_MAX_DIMS], const nn_shape *shape, assay_layout layout) {
    static const int last[4] = {0, 2, 3, 1};
    for (int d = 0; d < shape->ndim; d++)
        order[d] = layout == ASSAY_CHANNELS_LAST && shape->ndim == 4 ? last[d] : d;
}

/* Appends a dimension, or widens the last one by it where all operands allow. */
static void
append(nn_walk *w, int64_t size, int64_t stride[WALK_OPERANDS][NN_MAX_DIMS], int d) {
    if (size == 1)
        return;
    bool merge = w->ndim > 0;
    for (int k = 0; merge && k < w->operands; k++)
        merge = w->stride[k][w->ndim - 1] == stride[k][d] * size;
    int at = merge ? w->ndim - 1 : w->ndim++;
    w->dim[at] = merge ? w->dim[at] * size : size;
    for (int k = 0; k < w->operands; k++)
        w->stride[k][at] = stride[k][d];
}

void walk_make(nn_walk *w,
               const nn_node *node,
               const nn_shape *shape,
               assay_layout layout,
               int n,
               const int *operand,
               int count) {
    int64_t stride[WALK_OPERANDS][NN_MAX_DIMS];
    int order[NN_MAX_DIMS];
    *w = (nn_walk){.operands = count};
    for (int k = 0; k < count; k++)
        operand_strides(stride[k], node, operand[k], shape);
    order_of(order, shape, layout);
    for (int i = 0; i < shape->ndim; i++)
        append(w, order[i] == 0 && shape->dim[0] == 0 ? n : shape->dim[order[i]], stride,
               order[i]);
    if (w->ndim == 0)
        w->dim[w->ndim++] = 1;
}

bool walk_next(const nn_walk *w, walk_row *row) {
    if (!row->begun)
        return row->begun = true;
    row->first += w->dim[w->ndim - 1];
    for (int d = w->ndim - 1; d-- > 0;) {
        for (int k = 0; k < w->operands; k++)
            row->at[k] += w->stride[k][d];
        if (++row->index[d] < w->dim[d])
            return true;
        for (int k = 0; k < w->operands; k++)
            row->at[k] -= w->stride[k][d] * w->dim[d];
        row->index[d] = 0;
    }
    return false;
}
