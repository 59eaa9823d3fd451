/* cast: the same numbers in another element type, "to" (an assay_dtype). Floats become
 * integers by cutting off the fraction; those that don't fit become the nearest that does
 * and NaN becomes 0, where ONNX leaves it open. Integers keep their low bits. What is not
 * 0 is true. A gradient passes from f32 to f32 only. */
#include "nn/numbers.h"
#include "nn/op.h"

#include <string.h>

enum { STRETCH = 512 };

static const char *const cast_attrs[] = {"to", NULL};

static assay_status cast_infer(nn_node *node) {
    int64_t to = nn_attr_i(node, "to", -1);
    if (to < 0 || to >= DTYPE_COUNT)
        return err_set(ASSAY_E_INVALID, "cast: attribute 'to' is no element type");
    node->out_shape = node->in_shape[0];
    node->out_dtype = (assay_dtype)to;
    return ASSAY_OK;
}

static assay_status cast_forward(nn_io *io) {
    const nn_node *node = io->node;
    assay_dtype from = node->in_dtype[0], to = node->out_dtype;
    size_t count = (size_t)nn_shape_elements(&node->in_shape[0], io->n);
    size_t from_size = assay_dtype_size(from), to_size = assay_dtype_size(to);
    if (from == to) {
        memcpy(io->out, io->in[0], count * to_size);
        return ASSAY_OK;
    }
    for (size_t i = 0; i < count; i += STRETCH) {
        const uint8_t *x = (const uint8_t *)io->in[0] + i * from_size;
        uint8_t *y = (uint8_t *)io->out + i * to_size;
        size_t n = count - i < STRETCH ? count - i : STRETCH;
        if (num_is_float(from) || num_is_float(to)) {
            double room[STRETCH];
            num_to_f64(room, x, from, 1, n);
            num_from_f64(y, to, room, n);
        } else {
            int64_t room[STRETCH];
            num_to_i64(room, x, from, 1, n);
            num_from_i64(y, to, room, n);
        }
    }
    return ASSAY_OK;
}

static assay_status cast_backward(nn_io *io) {
    memcpy(io->d_in[0], io->d_out,
           (size_t)nn_shape_elements(&io->node->in_shape[0], io->n) * sizeof(float));
    return ASSAY_OK;
}

static void cast_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        uint8_t bytes[8];
        bool floats = num_is_float(node->out_dtype);
        out[i] = in[0][i];
        if (!floats) {
            num_from_f64(bytes, node->out_dtype, &in[0][i], 1);
            num_to_f64(&out[i], bytes, node->out_dtype, 1, 1);
        }
        if (d_out && d_in[0])
            d_in[0][i] = d_out[i];
    }
}

#define CASE(NAME, FROM, TO)                                                             \
    {                                                                                    \
        .name = NAME, .batch = 3, .n = 2, .n_inputs = 1,                                 \
        .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 40}}}}, .dtype = {FROM},                    \
        .attr = {{.name = "to", .i = {TO}, .count = 1}}, .n_attrs = 1                    \
    }

static const nn_op_case cast_cases[] = {
    CASE("f32 to f32", ASSAY_F32, ASSAY_F32),   CASE("f32 to i32", ASSAY_F32, ASSAY_I32),
    CASE("i64 to f32", ASSAY_I64, ASSAY_F32),   CASE("f32 to f64", ASSAY_F32, ASSAY_F64),
    CASE("f32 to bool", ASSAY_F32, ASSAY_BOOL), CASE("f16 to f64", ASSAY_F16, ASSAY_F64),
    CASE("u8 to i64", ASSAY_U8, ASSAY_I64),     {0}};

const nn_op_def assay_op_cast = {
    .name = "cast",
    .summary = "the same numbers in another element type",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = ~0u,
    .attrs = cast_attrs,
    .infer = cast_infer,
    .forward = cast_forward,
    .backward = cast_backward,
    .reference = cast_reference,
    .cases = cast_cases,
};
