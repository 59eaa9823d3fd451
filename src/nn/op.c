/* The registry of ops, and the small helpers that ops share: shapes, attributes, windows.
 */
#include "nn/op.h"

#include <stdio.h>
#include <string.h>

#define X(name) extern const nn_op_def assay_op_##name;
#include "op_table.inc"
#undef X

static const nn_op_def *const table[] = {
#define X(name) &assay_op_##name,
#include "op_table.inc"
#undef X
};

size_t nn_op_count(void) {
    return sizeof table / sizeof *table;
}

const nn_op_def *nn_op_at(size_t i) {
    return table[i];
}

const nn_op_def *nn_op_find(const char *name) {
    for (size_t i = 0; i < nn_op_count(); i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

int64_t nn_shape_each(const nn_shape *s) {
    int64_t n = 1;
    for (int i = 1; i < s->ndim; i++)
        n *= s->dim[i];
    return n;
}

int64_t nn_shape_count(const nn_shape *s) {
    return s->ndim ? nn_shape_each(s) * s->dim[0] : 1;
}

bool nn_shape_open(const nn_shape *s) {
    return s->ndim > 0 && s->dim[0] == 0;
}

int64_t nn_shape_elements(const nn_shape *s, int n) {
    return nn_shape_open(s) ? nn_shape_each(s) * n : nn_shape_count(s);
}

void nn_strides(const nn_shape *s, assay_layout layout, int64_t out[NN_MAX_DIMS]) {
    static const int rows[NN_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int last[4] = {0, 2, 3, 1}; /* outermost first */
    const int *order = layout == ASSAY_CHANNELS_LAST && s->ndim == 4 ? last : rows;
    int64_t step = 1;
    for (int k = s->ndim; k-- > 0;) {
        out[order[k]] = step;
        step *= s->dim[order[k]];
    }
}

bool nn_shape_equal(const nn_shape *a, const nn_shape *b) {
    bool same = a->ndim == b->ndim;
    for (int i = 0; same && i < a->ndim; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

const char *nn_shape_text(const nn_shape *s, char out[64]) {
    size_t at = 0;
    for (int i = 0; i < s->ndim && at + 24 < 64; i++) {
        int wrote = i == 0 && s->dim[0] == 0
                        ? snprintf(out + at, 64 - at, "[N")
                        : snprintf(out + at, 64 - at, "%s%lld", i ? "," : "[",
                                   (long long)s->dim[i]);
        at += (size_t)wrote;
    }
    snprintf(out + at, 64 - at, "]");
    return out;
}

const nn_attr *nn_attr_get(const nn_node *node, const char *name) {
    for (int i = 0; i < node->n_attr; i++)
        if (strcmp(node->attr[i].name, name) == 0)
            return &node->attr[i];
    return NULL;
}

double nn_attr_f(const nn_node *node, const char *name, double fallback) {
    const nn_attr *a = nn_attr_get(node, name);
    return a ? a->f : fallback;
}

int64_t nn_attr_i(const nn_node *node, const char *name, int64_t fallback) {
    const nn_attr *a = nn_attr_get(node, name);
    return a && a->count > 0 ? a->i[0] : fallback;
}

/* Spreads one, two or four numbers over `n` (2 or 4) places. */
static assay_status spread(const nn_node *node,
                           const char *name,
                           int64_t fallback,
                           int64_t least,
                           int n,
                           int64_t *out) {
    const nn_attr *a = nn_attr_get(node, name);
    if (a && (a->count == 0 || a->count == 3 || a->count > n))
        return err_set(ASSAY_E_INVALID, "%s: attribute '%s' has %d numbers",
                       node->op->name, name, a->count);
    for (int i = 0; i < n; i++) {
        out[i] = a ? a->i[i % a->count] : fallback;
        if (out[i] < least || out[i] > 1 << 20)
            return err_set(ASSAY_E_INVALID, "%s: attribute '%s' is %lld", node->op->name,
                           name, (long long)out[i]);
    }
    return ASSAY_OK;
}

assay_status
nn_attr_pair(const nn_node *node, const char *name, int64_t fallback, int64_t out[2]) {
    return spread(node, name, fallback, 1, 2, out);
}

assay_status nn_attr_pad(const nn_node *node, int64_t out[4]) {
    return spread(node, "pad", 0, 0, 4, out);
}

assay_status nn_op_bad_shape(const nn_node *node, int input, const char *what) {
    char text[64];
    return err_set(ASSAY_E_SHAPE, "%s: %s, but input %d is %s", node->op->name, what,
                   input, nn_shape_text(&node->in_shape[input], text));
}

assay_status nn_op_bad_dtype(const nn_node *node, int input, const char *what) {
    return err_set(ASSAY_E_DTYPE, "%s: %s, but input %d is %s", node->op->name, what,
                   input, assay_dtype_name(node->in_dtype[input]));
}

/* How many places a window has that can move by `room`; rounding up, a last one that
 * juts out counts if it begins before `end` (PyTorch's rule). */
static int64_t places(int64_t room, int64_t stride, int64_t end, bool up) {
    int64_t n = room / stride + 1;
    return up && room % stride && n * stride < end ? n + 1 : n;
}

assay_status nn_window_make(nn_window *out, const nn_node *node, int64_t kh, int64_t kw) {
    assay_status status = ASSAY_OK;
    const nn_shape *x = &node->in_shape[0];
    if (x->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    nn_window g = {.c = x->dim[1],
                   .h = x->dim[2],
                   .w = x->dim[3],
                   .kh = kh,
                   .kw = kw,
                   .groups = nn_attr_i(node, "groups", 1)};
    if (g.groups < 1 || g.c % g.groups)
        return nn_op_bad_shape(node, 0, "the channels don't part into the groups");
    bool pool = nn_attr_get(node, "kernel") != NULL;
    int64_t stride[2] = {pool ? kh : 1, pool ? kw : 1};
    if (nn_attr_get(node, "stride"))
        ASSAY_TRY(nn_attr_pair(node, "stride", 1, stride));
    memcpy(g.stride, stride, sizeof stride);
    ASSAY_TRY(nn_attr_pad(node, g.pad));
    ASSAY_TRY(nn_attr_pair(node, "dilation", 1, g.dilation));
    int64_t tall = (kh - 1) * g.dilation[0] + 1, wide = (kw - 1) * g.dilation[1] + 1;
    int64_t room_h = g.h + g.pad[0] + g.pad[2], room_w = g.w + g.pad[1] + g.pad[3];
    if (room_h < tall || room_w < wide)
        return nn_op_bad_shape(node, 0, "the window is larger than the padded image");
    bool up = nn_attr_i(node, "ceil_mode", 0) != 0;
    g.oh = places(room_h - tall, g.stride[0], g.h + g.pad[0], up);
    g.ow = places(room_w - wide, g.stride[1], g.w + g.pad[1], up);
    *out = g;
done:
    return status;
}

assay_status nn_pool_window(nn_window *out, const nn_node *node) {
    int64_t k[2];
    if (!nn_attr_get(node, "kernel"))
        return err_set(ASSAY_E_INVALID, "%s needs the attribute 'kernel'",
                       node->op->name);
    assay_status status = nn_attr_pair(node, "kernel", 1, k);
    return status == ASSAY_OK ? nn_window_make(out, node, k[0], k[1]) : status;
}
