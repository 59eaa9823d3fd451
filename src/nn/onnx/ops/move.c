/* Elements moved about: transposed, cut, put together, repeated, looked up. */
#include "nn/onnx/import.h"

#include <string.h>

static assay_status transpose(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    int64_t given[NN_MAX_DIMS];
    int perm[NN_MAX_DIMS], count;
    bool seen[NN_MAX_DIMS] = {0};
    nn_value v;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    int n = x->shape.ndim;
    ASSAY_TRY(imp_attr_ints(node, "perm", NN_MAX_DIMS, given, &count));
    if (count >= 0 && count != n)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'perm' has %d numbers for %d dimensions",
                   count, n);
    for (int i = 0; i < n; i++) {
        int64_t p = count < 0 ? n - 1 - i : given[i];
        if (p < 0 || p >= n || seen[p])
            ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'perm' is no permutation");
        seen[p] = true;
        perm[i] = (int)p;
    }
    if (x->open && perm[0] != 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch would not be the first dimension");
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_transpose(im, v, perm, n, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status concat(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    int64_t given;
    int axis, n = 0;
    nn_value in[NN_MAX_INPUTS];
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", imp_opset(im) < 4 ? 1 : 0, &given));
    ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
    const nn_attr attr = {.name = "axis", .i = {axis}, .count = 1};
    for (size_t i = 0; i < node->n_in; i++) {
        ASSAY_TRY(imp_input(im, node, i, &x));
        if (x->empty)
            continue;
        if (n == NN_MAX_INPUTS) {
            ASSAY_TRY(imp_op(im, rule->op, in, n, &attr, 1, &in[0]));
            n = 1;
        }
        ASSAY_TRY(imp_get(im, x, &in[n]));
        n++;
    }
    if (n == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "no elements");
    if (n > 1)
        ASSAY_TRY(imp_op(im, rule->op, in, n, &attr, 1, &in[0]));
    ASSAY_TRY(imp_set(im, node, 0, in[0]));
done:
    return status;
}

/* ---- slices ---- */

/* start and end of a slice as ONNX means them, brought into the dimension. */
static void clamp(int64_t size, int64_t step, int64_t *start, int64_t *end) {
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    for (int k = 0; k < 2; k++) {
        int64_t *v = k ? end : start;
        if (*v < 0)
            *v = *v < -size ? low : *v + size;
        *v = *v < low ? low : *v > high ? high : *v;
    }
}

static assay_status read_slices(imp *im,
                                const onnx_node *node,
                                int ndim,
                                int64_t start[NN_MAX_DIMS],
                                int64_t end[NN_MAX_DIMS],
                                int64_t axes[NN_MAX_DIMS],
                                int64_t step[NN_MAX_DIMS],
                                int *count) {
    assay_status status = ASSAY_OK;
    int64_t *const list[4] = {start, end, axes, step};
    static const char *const names[4] = {"starts", "ends", "axes", "steps"};
    int n[4];
    for (int k = 0; k < 4; k++) {
        imp_value *given = imp_optional(im, node, (size_t)k + 1);
        if (given)
            ASSAY_TRY(imp_ints(im, given, NN_MAX_DIMS, list[k], &n[k], NULL));
        else
            ASSAY_TRY(imp_attr_ints(node, names[k], NN_MAX_DIMS, list[k], &n[k]));
    }
    *count = n[0];
    for (int i = 0; n[2] < 0 && i < n[0]; i++)
        axes[i] = i;
    for (int i = 0; n[3] < 0 && i < n[0]; i++)
        step[i] = 1;
    if (n[0] < 0 || n[1] != n[0] || (n[2] >= 0 && n[2] != n[0]) ||
        (n[3] >= 0 && n[3] != n[0]) || n[0] > ndim)
        ASSAY_FAIL(ASSAY_E_FORMAT, "starts, ends, axes and steps do not go together");
done:
    return status;
}

static assay_status slice(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    int64_t start[NN_MAX_DIMS], end[NN_MAX_DIMS], axes[NN_MAX_DIMS], step[NN_MAX_DIMS];
    int count;
    nn_value v;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(read_slices(im, node, x->shape.ndim, start, end, axes, step, &count));
    ASSAY_TRY(imp_get(im, x, &v));
    for (int i = 0; i < count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(axes[i], x->shape.ndim, &axis));
        if (step[i] == 0 || step[i] < -(1 << 30))
            ASSAY_FAIL(ASSAY_E_FORMAT, "a step of %lld", (long long)step[i]);
        if (x->open && axis == 0) {
            if (start[i] == 0 && end[i] > 1 << 30 && step[i] == 1)
                continue;
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a slice of the batch");
        }
        clamp(x->shape.dim[axis], step[i], &start[i], &end[i]);
        ASSAY_TRY(imp_slice(im, v, axis, start[i], end[i], step[i], &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status split(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *sizes = imp_optional(im, node, 1);
    int64_t given, part[64], first = 0;
    int axis, count;
    nn_value v, piece;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
    if (x->open && axis == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is split");
    if (sizes)
        ASSAY_TRY(imp_ints(im, sizes, 64, part, &count, NULL));
    else
        ASSAY_TRY(imp_attr_ints(node, "split", 64, part, &count));
    if (node->n_out > 64 || (count >= 0 && (size_t)count != node->n_out))
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu outputs for %d parts", node->n_out, count);
    int64_t size = x->shape.dim[axis], n = (int64_t)node->n_out;
    ASSAY_TRY(imp_get(im, x, &v));
    for (size_t k = 0; k < node->n_out; k++) {
        int64_t each = (size + n - 1) / n, last = size - each * (n - 1);
        int64_t now = count >= 0 ? part[k] : k + 1 < node->n_out ? each : last;
        if (now < 1 || now > size - first)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a part of %lld", (long long)now);
        ASSAY_TRY(imp_slice(im, v, axis, first, first + now, 1, &piece));
        ASSAY_TRY(imp_set(im, node, k, piece));
        first += now;
    }
done:
    return status;
}

/* ---- padding and repeating ---- */

static assay_status pad(imp *im, const onnx_node *node, const imp_rule *rule) {
    (void)rule;
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    assay_status status = ASSAY_OK;
    imp_value *x, *pads = imp_optional(im, node, 1), *value = imp_optional(im, node, 2);
    const char *mode;
    int64_t amount[2 * NN_MAX_DIMS];
    double number = 0;
    int count, kind = -1, n;
    nn_value v;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    n = x->shape.ndim;
    ASSAY_TRY(imp_attr_s(node, "mode", "constant", &mode));
    for (int i = 0; i < 4; i++)
        kind = strcmp(mode, modes[i]) == 0 ? i : kind;
    if (kind < 0 || imp_optional(im, node, 3))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "mode '%s'", mode);
    if (pads)
        ASSAY_TRY(imp_ints(im, pads, 2 * NN_MAX_DIMS, amount, &count, NULL));
    else
        ASSAY_TRY(imp_attr_ints(node, "pads", 2 * NN_MAX_DIMS, amount, &count));
    if (value)
        ASSAY_TRY(imp_number(im, value, &number));
    else
        ASSAY_TRY(imp_attr_f(node, "value", 0, &number));
    if (count != 2 * n)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%d paddings for %d dimensions", count, n);
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_pad(im, v, amount, kind, number, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status expand(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *to;
    int64_t dim[NN_MAX_DIMS];
    int n, batch;
    nn_value v;
    nn_shape shape = {0};
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &to));
    ASSAY_TRY(imp_ints(im, to, NN_MAX_DIMS, dim, &n, &batch));
    shape.ndim = n > x->shape.ndim ? n : x->shape.ndim;
    for (int i = 0; i < shape.ndim; i++) {
        int a = i - shape.ndim + x->shape.ndim, b = i - shape.ndim + n;
        int64_t da = a >= 0 ? x->shape.dim[a] : 1, db = b >= 0 ? dim[b] : 1;
        bool whole = b >= 0 && b == batch;
        if (whole && (i > 0 || (a >= 0 && !(x->open && a == 0) && da != 1)))
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is not the first dimension");
        if (x->open && a == 0 && i > 0)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is not the first dimension");
        if (x->open && a == 0 && !whole && db != 1)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is stretched");
        if (!whole && (db < 1 || (da != db && da != 1 && db != 1)))
            ASSAY_FAIL(ASSAY_E_FORMAT, "dimension %d can't become %lld", i,
                       (long long)db);
        shape.dim[i] = whole || (x->open && a == 0) ? 0 : da == 1 ? db : da;
    }
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_expand(im, v, &shape, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status tile(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *times;
    nn_attr attr = {.name = "repeats"};
    nn_value v;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &times));
    ASSAY_TRY(imp_ints(im, times, NN_MAX_DIMS, attr.i, &attr.count, NULL));
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, &attr, 1, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* Blocks of depth laid out over space, or space folded into depth. */
static assay_status depth_space(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    const char *mode;
    int64_t block;
    nn_value v;
    ASSAY_TRY(imp_attr_i(node, "blocksize", 0, &block));
    ASSAY_TRY(imp_attr_s(node, "mode", "DCR", &mode));
    const nn_attr attr[2] = {
        {.name = "block", .i = {block}, .count = 1},
        {.name = "crd", .i = {strcmp(mode, "CRD") == 0}, .count = 1}};
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, attr, rule->arg ? 2 : 1, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"Transpose", transpose, "transpose", 0, 1},
                                {"Concat", concat, "concat", 0, 1},
                                {"Slice", slice, "slice", 0, 1},
                                {"Split", split, "slice", 0, 2},
                                {"Pad", pad, "pad", 0, 2},
                                {"Expand", expand, "expand", 0, 0},
                                {"Tile", tile, "tile", 0, 6},
                                {"DepthToSpace", depth_space, "depth_to_space", 1, 1},
                                {"SpaceToDepth", depth_space, "space_to_depth", 0, 1},
                                {0}};
const imp_rules assay_onnx_rule_move = {list};
