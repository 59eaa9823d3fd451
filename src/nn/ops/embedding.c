/* embedding: rows of a table [V,C] by number: ids [0,T] or [0] of i32 or i64 -> [0,T,C].
 * An id outside 0..V-1 is INVALID. Its gradient adds up rows in the order of the ids. */
#include "nn/op.h"

#include "nn/mixed.h"
#include "nn/tangent.h"
#include "simd/simd.h"

#include <string.h>

enum { STRETCH = 512 };

static int64_t width_of(const nn_node *node) {
    return node->in_shape[1].dim[1];
}

static assay_status embedding_infer(nn_node *node) {
    const nn_shape *ids = &node->in_shape[0], *table = &node->in_shape[1];
    if (node->in_dtype[0] != ASSAY_I32 && node->in_dtype[0] != ASSAY_I64)
        return nn_op_bad_dtype(node, 0, "the ids must be i32 or i64");
    if (node->in_dtype[1] != ASSAY_F32)
        return nn_op_bad_dtype(node, 1, "the table must be f32");
    if (table->ndim != 2 || nn_shape_open(table))
        return nn_op_bad_shape(node, 1, "the table must be [V,C]");
    if (ids->ndim + 1 > NN_MAX_DIMS)
        return nn_op_bad_shape(node, 0, "there are too many dimensions");
    node->out_shape = *ids;
    node->out_shape.dim[node->out_shape.ndim++] = table->dim[1];
    return ASSAY_OK;
}

static assay_status embedding_plan(nn_plan *p) {
    p->backward_reads = 1;
    p->factor_reads_x = p->factor_reads_d = true;
    return ASSAY_OK;
}

static int64_t id_at(const nn_io *io, int64_t i) {
    return io->node->in_dtype[0] == ASSAY_I64 ? ((const int64_t *)io->in[0])[i]
                                              : ((const int32_t *)io->in[0])[i];
}

static assay_status embedding_forward(nn_io *io) {
    int64_t c = width_of(io->node), v = io->node->in_shape[1].dim[0];
    int64_t count = nn_shape_elements(&io->node->in_shape[0], io->n);
    const float *table = io->in[1];
    size_t bytes = (size_t)c * (io->out_half ? 2 : 4);
    uint8_t *out = io->out;
    for (int64_t i = 0; i < count; i++) {
        int64_t id = id_at(io, i);
        if (id < 0 || id >= v)
            return err_set(ASSAY_E_INVALID, "embedding: id %lld in a table of %lld rows",
                           (long long)id, (long long)v);
        mixed_copy(out + (size_t)i * bytes, io->out_half, table + id * c, false,
                   (size_t)c);
    }
    return ASSAY_OK;
}

static assay_status embedding_backward(nn_io *io) {
    int64_t c = width_of(io->node);
    int64_t count = nn_shape_elements(&io->node->in_shape[0], io->n);
    float *d = io->d_in[1], room[STRETCH];
    if (!d)
        return ASSAY_OK;
    memset(d, 0, (size_t)nn_shape_count(&io->node->in_shape[1]) * sizeof *d);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < c; k += STRETCH) {
            size_t n = (size_t)(c - k < STRETCH ? c - k : STRETCH);
            const float *from = (const float *)io->d_out + i * c + k;
            if (io->out_half) {
                nn_kernels_get()->widen(room, (const uint16_t *)io->d_out + i * c + k, n);
                from = room;
            }
            simd()->f32_add(d + id_at(io, i) * c + k, from, n);
        }
    return ASSAY_OK;
}

static void embedding_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_GATHER;
    f->index = io->in[0];
    f->index_i64 = io->node->in_dtype[0] == ASSAY_I64;
    f->d = io->d_out;
    f->t = nn_shape_each(&io->node->in_shape[0]);
    f->in = io->node->in_shape[1].dim[0];
    f->out = width_of(io->node);
}

static void embedding_reference(const nn_node *node,
                                int n,
                                bool training,
                                const double *const *in,
                                double *out,
                                const double *d_out,
                                double *const *d_in) {
    (void)training;
    int64_t c = width_of(node), count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < c; k++) {
            int64_t at = (int64_t)in[0][i] * c + k;
            out[i * c + k] = in[1][at];
            if (d_out && d_in[1])
                d_in[1][at] += d_out[i * c + k];
        }
}

static const nn_op_case embedding_cases[] = {
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_LABEL, {2, {0, 9}}}, {NN_CASE_PARAM, {2, {5, 19}}}},
     .labels = 5},
    {.name = "one number each",
     .batch = 4,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_LABEL, {1, {0}}}, {NN_CASE_PARAM, {2, {3, 16}}}},
     .labels = 3},
    {0}};

const nn_op_def assay_op_embedding = {
    .name = "embedding",
    .summary = "rows of a table, by number",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .dtypes = 1u << ASSAY_I32 | 1u << ASSAY_I64 | 1u << ASSAY_F32,
    .half_out = true,
    .infer = embedding_infer,
    .plan = embedding_plan,
    .forward = embedding_forward,
    .backward = embedding_backward,
    .factors = embedding_factors,
    .tangent = nn_tangent_product,
    .reference = embedding_reference,
    .cases = embedding_cases,
};
