/* Values in bf16 go through f32 in the cache, a stretch at a time. */
#include "nn/pointwise.h"

#include "base/cpu.h"
#include "nn/mixed.h"

enum { STRETCH = 512 };

const pointwise_kernels *pointwise_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &pointwise_kernels_avx512;
    case CPU_AVX2:
        return &pointwise_kernels_avx2;
    default:
        break;
    }
#endif
    return &pointwise_kernels_c;
}

assay_status pointwise_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

assay_status pointwise_plan(nn_plan *p) {
    p->backward_reads = 1;
    return ASSAY_OK;
}

static void numbers_of(const pointwise *f, const nn_node *node, float *p) {
    double wide[POINTWISE_NUMBERS] = {0};
    f->numbers(node, wide);
    for (int i = 0; i < POINTWISE_NUMBERS; i++)
        p[i] = (float)wide[i];
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->in_shape[0], io->n);
}

/* A stretch as f32: where it lies, or copied. */
static const float *
as_f32(float *copy, const void *values, bool half, size_t first, size_t n) {
    if (!half)
        return (const float *)values + first;
    mixed_copy(copy, false, (const uint16_t *)values + first, true, n);
    return copy;
}

void pointwise_forward(const pointwise *f, nn_io *io) {
    const pointwise_kernels *k = pointwise_kernels_get();
    float p[POINTWISE_NUMBERS], x_copy[STRETCH], y_copy[STRETCH];
    bool x_half = io->in_half & 1, y_half = io->out_half;
    size_t count = count_of(io), step = x_half || y_half ? STRETCH : count;
    numbers_of(f, io->node, p);
    for (size_t i = 0; i < count; i += step) {
        size_t n = count - i < step ? count - i : step;
        const float *x = as_f32(x_copy, io->in[0], x_half, i, n);
        k->of[f->kind].forward(y_half ? y_copy : (float *)io->out + i, x, n, p);
        if (y_half)
            mixed_copy((uint16_t *)io->out + i, true, y_copy, false, n);
    }
}

void pointwise_backward(const pointwise *f, nn_io *io) {
    const pointwise_kernels *k = pointwise_kernels_get();
    float p[POINTWISE_NUMBERS], x_copy[STRETCH], y_copy[STRETCH], d_copy[STRETCH];
    bool x_half = io->in_half & 1, y_half = io->out_half;
    size_t count = count_of(io), step = x_half || y_half ? STRETCH : count;
    numbers_of(f, io->node, p);
    for (size_t i = 0; i < count; i += step) {
        size_t n = count - i < step ? count - i : step;
        const float *x = as_f32(x_copy, io->in[0], x_half, i, n);
        const float *d_y = as_f32(y_copy, io->d_out, y_half, i, n);
        k->of[f->kind].backward(x_half ? d_copy : (float *)io->d_in[0] + i, d_y, x, n, p);
        if (x_half)
            mixed_copy((uint16_t *)io->d_in[0] + i, true, d_copy, false, n);
    }
}

void pointwise_reference(const pointwise *f,
                         const nn_node *node,
                         int n,
                         const double *in,
                         double *out,
                         const double *d_out,
                         double *d_in) {
    double p[POINTWISE_NUMBERS] = {0}, slope;
    f->numbers(node, p);
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        out[i] = f->at(in[i], p, &slope);
        if (d_out && d_in)
            d_in[i] = d_out[i] * slope;
    }
}
