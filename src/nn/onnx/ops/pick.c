/* Elements chosen by numbers: tables looked up, masks, places. */
#include "nn/onnx/import.h"

#include <string.h>

static assay_status where(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value in[3], v;
    for (size_t i = 0; i < 3; i++)
        ASSAY_TRY(imp_get_in(im, node, i, &in[i]));
    ASSAY_TRY(imp_op(im, rule->op, in, 3, NULL, 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* Rows of a table that is a parameter are an embedding; else the general op. */
static assay_status gather(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *table, *ids;
    int64_t given;
    int axis;
    nn_value in[2], v;
    ASSAY_TRY(imp_input(im, node, 0, &table));
    ASSAY_TRY(imp_input(im, node, 1, &ids));
    ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, table->shape.ndim, &axis));
    const nn_attr attr = {.name = "axis", .i = {axis}, .count = 1};
    if (table->init && !table->constant && table->dtype == ASSAY_F32 &&
        table->shape.ndim == 2 && axis == 0 && !imp_known_now(im, ids)) {
        ASSAY_TRY(imp_get(im, ids, &in[0]));
        ASSAY_TRY(imp_param(im, table, true, &in[1]));
        ASSAY_TRY(imp_op(im, "embedding", in, 2, NULL, 0, &v));
    } else {
        ASSAY_TRY(imp_get(im, table, &in[0]));
        ASSAY_TRY(imp_get(im, ids, &in[1]));
        ASSAY_TRY(imp_op(im, rule->op, in, 2, &attr, 1, &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* GatherElements, GatherND, ScatterElements, ScatterND: by names of our own. */
static assay_status by_index(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    int64_t given;
    int axis, n = 0;
    static const char *const kinds[] = {"none", "add", "mul", "max", "min"};
    const char *reduction;
    int kind = -1;
    nn_value in[3], v;
    nn_attr attr[2];
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_s(node, "reduction", "none", &reduction));
    for (int i = 0; i < 5; i++)
        kind = strcmp(reduction, kinds[i]) == 0 ? i : kind;
    if (kind < 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "reduction '%s'", reduction);
    if (kind)
        attr[n++] = (nn_attr){.name = "reduction", .i = {kind}, .count = 1};
    if (rule->arg & 2) {
        ASSAY_TRY(imp_attr_i(node, "batch_dims", 0, &given));
        if (given)
            attr[n++] = (nn_attr){.name = "batch_dims", .i = {given}, .count = 1};
    } else {
        ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
        ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
        attr[n++] = (nn_attr){.name = "axis", .i = {axis}, .count = 1};
    }
    int inputs = rule->arg & 1 ? 3 : 2;
    for (int i = 0; i < inputs; i++)
        ASSAY_TRY(imp_get_in(im, node, (size_t)i, &in[i]));
    ASSAY_TRY(imp_op(im, rule->op, in, inputs, attr, n, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status one_hot(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *depth;
    double number;
    int64_t axis;
    nn_value in[2], v;
    ASSAY_TRY(imp_input(im, node, 1, &depth));
    ASSAY_TRY(imp_number(im, depth, &number));
    ASSAY_TRY(imp_attr_i(node, "axis", -1, &axis));
    if (!(number >= 1 && number < 1 << 24))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a depth of %g", number);
    const nn_attr attr[2] = {{.name = "depth", .i = {(int64_t)number}, .count = 1},
                             {.name = "axis", .i = {axis}, .count = 1}};
    ASSAY_TRY(imp_get_in(im, node, 0, &in[0]));
    ASSAY_TRY(imp_cast(im, in[0], ASSAY_I64, &in[0]));
    ASSAY_TRY(imp_get_in(im, node, 2, &in[1]));
    ASSAY_TRY(imp_op(im, rule->op, in, 2, attr, 2, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status trilu(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *diagonal = imp_optional(im, node, 1);
    int64_t upper;
    double k = 0;
    nn_value v;
    ASSAY_TRY(imp_attr_i(node, "upper", 1, &upper));
    if (diagonal)
        ASSAY_TRY(imp_number(im, diagonal, &k));
    k = k < -1e9 ? -1e9 : k > 1e9 ? 1e9 : k;
    const nn_attr attr[2] = {{.name = "upper", .i = {upper != 0}, .count = 1},
                             {.name = "k", .i = {(int64_t)k}, .count = 1}};
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, attr, 2, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status running_sum(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *axis;
    double number;
    int64_t exclusive, reverse;
    nn_value v;
    ASSAY_TRY(imp_input(im, node, 1, &axis));
    ASSAY_TRY(imp_number(im, axis, &number));
    ASSAY_TRY(imp_attr_i(node, "exclusive", 0, &exclusive));
    ASSAY_TRY(imp_attr_i(node, "reverse", 0, &reverse));
    if (!(number >= -NN_MAX_DIMS && number < NN_MAX_DIMS))
        ASSAY_FAIL(ASSAY_E_FORMAT, "an axis of %g", number);
    const nn_attr attr[3] = {{.name = "axis", .i = {(int64_t)number}, .count = 1},
                             {.name = "exclusive", .i = {exclusive != 0}, .count = 1},
                             {.name = "reverse", .i = {reverse != 0}, .count = 1}};
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, 3, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* The elements where a list of truth values, known beforehand, says so. */
static assay_status compress(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *condition;
    const imp_known *truth;
    imp_known *places;
    int64_t given, n = 0;
    int axis = 0;
    nn_value in[2], v;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &condition));
    ASSAY_TRY(imp_known_of(im, condition, &truth));
    ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
    ASSAY_TRY(imp_get(im, x, &in[0]));
    if (!imp_attr(node, "axis")) {
        const nn_shape flat = {1, {nn_shape_count(&x->shape)}};
        if (x->open)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "over the batch");
        ASSAY_TRY(imp_reshape(im, in[0], &flat, &in[0]));
    } else {
        ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
    }
    for (int64_t i = 0; truth->i && i < truth->count; i++)
        n += truth->i[i] != 0;
    if (n == 0 || (x->open && axis == 0))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "nothing is left, or the batch is cut");
    ASSAY_TRY(imp_known_make(im, ASSAY_I64, 1, &n, &places));
    for (int64_t i = 0, to = 0; i < truth->count; i++)
        if (truth->i[i])
            places->i[to++] = i;
    ASSAY_TRY(imp_known_constant(im, places, &in[1]));
    const nn_attr attr = {.name = "axis", .i = {axis}, .count = 1};
    ASSAY_TRY(imp_op(im, "gather", in, 2, &attr, 1, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* arg: bit 0, a third input with what is put in; bit 1, the ND kind. */
static const imp_rule list[] = {{"Where", where, "where", 0, 0},
                                {"Gather", gather, "gather", 0, 1},
                                {"GatherElements", by_index, "gather_elements", 0, 0},
                                {"GatherND", by_index, "gather_nd", 2, 0},
                                {"Scatter", by_index, "scatter_elements", 1, 0},
                                {"ScatterElements", by_index, "scatter_elements", 1, 0},
                                {"ScatterND", by_index, "scatter_nd", 3, 0},
                                {"OneHot", one_hot, "one_hot", 0, 0},
                                {"Trilu", trilu, "trilu", 0, 0},
                                {"CumSum", running_sum, "cumsum", 0, 0},
                                {"Compress", compress, "gather", 0, 0},
                                {0}};
const imp_rules assay_onnx_rule_pick = {list};
