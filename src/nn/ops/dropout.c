/* dropout: in training each element is zeroed with probability p (0.5) and the others are
 * multiplied by 1 / (1 - p); otherwise the identity. Srivastava et al. 2014, JMLR 15.
 *
 * Which elements go is a function of (seed, step, node, example) and the element's place
 * in its example: it does not depend on threads, shards or how much runs at once. An
 * element goes if its 16 bits of the generator are below round(65536 p); eight elements
 * share a draw, and their byte is what forward leaves to backward. */
#include "nn/mixed.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

static const char *const dropout_attrs[] = {"p", NULL};

enum { STRETCH = 512, DRAW = 8 };

static assay_status dropout_infer(nn_node *node) {
    double p = nn_attr_f(node, "p", 0.5);
    if (!(p >= 0 && p <= 1))
        return err_set(ASSAY_E_INVALID, "dropout: a probability of %g", p);
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

/* Elements of an example; a static value is one example. */
static size_t each_of(const nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    return (size_t)(nn_shape_open(x) ? nn_shape_each(x) : nn_shape_count(x));
}
static size_t examples_of(const nn_node *node, int n) {
    return nn_shape_open(&node->in_shape[0]) ? (size_t)n : 1;
}
static size_t mask_bytes(const nn_node *node) {
    return (each_of(node) + DRAW - 1) / DRAW;
}

static float scale_of(const nn_node *node) {
    double p = nn_attr_f(node, "p", 0.5);
    return p < 1 ? (float)(1 / (1 - p)) : 0;
}

static assay_status dropout_plan(nn_plan *p) {
    if (p->mode == NN_TRAIN)
        p->save_bytes = mask_bytes(p->node) * examples_of(p->node, p->batch);
    return ASSAY_OK;
}

/* Which of eight elements stay, one bit each. */
static uint8_t draw(
    const nn_node *node, uint64_t seed, uint64_t step, uint64_t example, uint32_t place) {
    uint32_t word[4], cut = (uint32_t)lround(65536 * nn_attr_f(node, "p", 0.5));
    uint8_t bits = 0;
    rng_philox(word, seed ^ rng_mix64(step >> 32),
               (uint32_t)RNG_DROPOUT + (uint32_t)node->index, (uint32_t)step, example,
               place);
    for (int i = 0; i < DRAW; i++)
        bits |= (uint8_t)((word[i / 2] >> (i % 2 * 16) & 0xffff) >= cut) << i;
    return bits;
}

static void apply(float *y, const float *x, const uint8_t *mask, size_t n, float scale) {
    for (size_t i = 0; i < n; i++)
        y[i] = mask[i / DRAW] >> (i % DRAW) & 1 ? x[i] * scale : 0;
}

/* One example; values in bf16 go through f32 in the cache. */
static void apply_mixed(void *y,
                        bool y_half,
                        const void *x,
                        bool x_half,
                        const uint8_t *mask,
                        size_t n,
                        float scale) {
    float from[STRETCH], to[STRETCH];
    for (size_t i = 0; i < n; i += STRETCH) {
        size_t m = n - i < STRETCH ? n - i : STRETCH;
        mixed_copy(from, false, (const uint8_t *)x + i * (x_half ? 2 : 4), x_half, m);
        apply(to, from, mask + i / DRAW, m, scale);
        mixed_copy((uint8_t *)y + i * (y_half ? 2 : 4), y_half, to, false, m);
    }
}

/* y = x masked, example by example. */
static void apply_all(const nn_io *io, void *y, bool y_half, const void *x, bool x_half) {
    size_t each = each_of(io->node), bytes = mask_bytes(io->node);
    float scale = scale_of(io->node);
    for (size_t i = 0; i < examples_of(io->node, io->n); i++)
        apply_mixed((uint8_t *)y + i * each * (y_half ? 2 : 4), y_half,
                    (const uint8_t *)x + i * each * (x_half ? 2 : 4), x_half,
                    (const uint8_t *)io->save + i * bytes, each, scale);
}

static assay_status dropout_forward(nn_io *io) {
    bool x_half = io->in_half & 1;
    size_t examples = examples_of(io->node, io->n), bytes = mask_bytes(io->node);
    if (io->mode != NN_TRAIN) {
        mixed_copy(io->out, io->out_half, io->in[0], x_half,
                   examples * each_of(io->node));
        return ASSAY_OK;
    }
    uint8_t *mask = io->save;
    for (size_t i = 0; i < examples; i++)
        for (size_t k = 0; k < bytes; k++)
            mask[i * bytes + k] =
                draw(io->node, io->seed, io->step, (uint64_t)io->first + i, (uint32_t)k);
    apply_all(io, io->out, io->out_half, io->in[0], x_half);
    return ASSAY_OK;
}

static assay_status dropout_backward(nn_io *io) {
    bool x_half = io->in_half & 1;
    if (io->mode == NN_TRAIN)
        apply_all(io, io->d_in[0], x_half, io->d_out, io->out_half);
    else
        mixed_copy(io->d_in[0], x_half, io->d_out, io->out_half,
                   examples_of(io->node, io->n) * each_of(io->node));
    return ASSAY_OK;
}

/* The mask is that of seed 0 and step 0, where an executor begins. */
static void dropout_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    double p = nn_attr_f(node, "p", 0.5);
    size_t each = each_of(node), count = examples_of(node, n) * each;
    for (size_t i = 0; i < count; i++) {
        uint32_t place = (uint32_t)(i % each / DRAW);
        bool stays =
            !training || (draw(node, 0, 0, i / each, place) >> (i % each % DRAW) & 1);
        double gain = !stays ? 0 : training ? 1 / (1 - p) : 1;
        out[i] = gain * in[0][i];
        if (d_out && d_in[0])
            d_in[0][i] = gain * d_out[i];
    }
}

static const nn_op_case dropout_cases[] = {{.name = "images, a half",
                                            .batch = 3,
                                            .n = 2,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
                                           {.name = "vectors, a tenth",
                                            .batch = 4,
                                            .n = 4,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {2, {0, 1037}}}},
                                            .attr = {{.name = "p", .f = 0.1}},
                                            .n_attrs = 1},
                                           {.name = "static, none",
                                            .batch = 1,
                                            .n = 1,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {2, {3, 5}}}},
                                            .attr = {{.name = "p", .f = 0}},
                                            .n_attrs = 1},
                                           {0}};

const nn_op_def assay_op_dropout = {
    .name = "dropout",
    .summary = "random zeros in training",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = dropout_attrs,
    .infer = dropout_infer,
    .plan = dropout_plan,
    .forward = dropout_forward,
    .backward = dropout_backward,
    .reference = dropout_reference,
    .cases = dropout_cases,
};
