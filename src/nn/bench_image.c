/* The passes between convolutions, bf16 in and out: batch norm with its ReLU, and
 * max-pooling, forward and backward, by the kernels in use beside the same in plain C. */
#include "nn/bench.h"
#include "nn/kernel_table.h"

#include "base/rng.h"

#include <stdio.h>
#include <string.h>

static const struct shape {
    const char *name;
    size_t n, side, c;
} shapes[] = {
    {"C64 @32", 128, 32, 64},
    {"C128 @16", 128, 16, 128},
    {"C256 @16", 128, 16, 256},
    {"C256 @8", 128, 8, 256},
};

/* One shape's arrays. */
typedef struct images {
    const image_kernels *kernels;
    nn_window window; /* 2 x 2 */
    size_t n, rows, c;
    uint16_t *x, *y, *d_y, *d_x; /* [rows, c]; of a pooling y, d_y a quarter of it */
    uint8_t *tap;
    double *sums;                         /* [2, c] */
    float *mean, *invstd, *scale, *shift; /* [c] */
} images;

static const bn_tail relu = {.relu = true};

static bn_affine affine_of(const images *i) {
    return (bn_affine){i->mean, i->invstd, i->scale, i->shift};
}

static void norm_forward(void *arg) {
    const images *i = arg;
    const bn_affine a = affine_of(i);
    i->kernels->moments(i->sums, i->sums + i->c, i->x, 0, i->rows, i->c);
    i->kernels->bn(i->y, i->x, &a, &relu, i->rows, i->c);
}

static void norm_backward(void *arg) {
    const images *i = arg;
    const bn_affine a = affine_of(i);
    memset(i->sums, 0, 2 * i->c * sizeof *i->sums);
    i->kernels->bn_back_sums(i->sums, i->d_y, i->x, NULL, &a, &relu, i->rows, i->c);
    i->kernels->bn_back(i->d_x, i->d_y, i->x, &a, i->mean, i->shift, &relu, i->rows,
                        i->c);
}

static void pool_forward(void *arg) {
    const images *i = arg;
    i->kernels->max_pool(i->y, i->tap, i->x, &i->window, i->n, false);
}

static void pool_backward(void *arg) {
    const images *i = arg;
    i->kernels->max_pool_back(i->d_x, i->d_y, i->tap, &i->window, i->n);
}

static const struct pass {
    const char *op, *name;
    void (*call)(void *arg);
    bool back;
    size_t part; /* of the image that comes out: one in so many */
} passes[] = {
    {"norm+relu", "forward", norm_forward, false, 1},
    {"norm+relu", "backward", norm_backward, true, 1},
    {"max_pool", "forward", pool_forward, false, 4},
    {"max_pool", "backward", pool_backward, true, 1},
};

static assay_status
add_pass(nn_bench *b, images *i, const char *shape, const struct pass *p) {
    assay_status status = ASSAY_OK;
    nn_bench_row row = {.op = p->op, .pass = p->name, .other = "plain C"};
    uint16_t *plain = NULL, *out = p->back ? i->d_x : i->y;
    size_t count = i->rows * i->c / p->part, apart = 0;
    ASSAY_TRY(mem_new(nn_bench_ctx(b), &plain, count, sizeof *plain));
    (void)snprintf(row.shape, sizeof row.shape, "%s", shape);
    i->kernels = nn_kernels_c.image[1][1];
    row.other_ms = nn_bench_time(p->call, i);
    memcpy(plain, out, count * sizeof *plain);
    i->kernels = nn_kernels_get()->image[1][1];
    row.own_ms = nn_bench_time(p->call, i);
    for (size_t k = 0; k < count; k++)
        apart += out[k] != plain[k];
    row.error = (double)apart / (double)count;
    (void)snprintf(row.note, sizeof row.note, "bf16, %s", nn_kernels_get()->name);
    ASSAY_TRY(nn_bench_add(b, &row));
done:
    mem_free(nn_bench_ctx(b), plain);
    return status;
}

static assay_status images_make(images *i, assay_ctx *ctx, const struct shape *s) {
    assay_status status = ASSAY_OK;
    const int64_t side = (int64_t)s->side, half = side / 2;
    *i = (images){.n = s->n, .rows = s->n * s->side * s->side, .c = s->c};
    i->window = (nn_window){.c = (int64_t)s->c,
                            .h = side,
                            .w = side,
                            .oh = half,
                            .ow = half,
                            .kh = 2,
                            .kw = 2,
                            .stride = {2, 2},
                            .dilation = {1, 1}};
    const size_t floats = i->rows * i->c;
    uint16_t **half_of[] = {&i->x, &i->y, &i->d_y, &i->d_x};
    for (size_t k = 0; k < 4; k++)
        ASSAY_TRY(mem_new(ctx, half_of[k], floats, sizeof **half_of[k]));
    ASSAY_TRY(mem_new(ctx, &i->tap, floats / 4, 1));
    ASSAY_TRY(mem_new(ctx, &i->sums, 2 * i->c, sizeof *i->sums));
    float **channel[] = {&i->mean, &i->invstd, &i->scale, &i->shift};
    rng r = rng_at(1, RNG_BENCH, 1, floats);
    for (size_t k = 0; k < 4; k++) {
        ASSAY_TRY(mem_new(ctx, channel[k], i->c, sizeof **channel[k]));
        for (size_t q = 0; q < i->c; q++)
            (*channel[k])[q] = k == 1 || k == 2 ? 1 + 0.1F * (float)rng_uniform(&r)
                                                : 0.1F * (float)rng_normal(&r);
    }
    for (size_t k = 0; k < floats; k++) {
        const float pair[] = {(float)rng_normal(&r), (float)rng_normal(&r)};
        nn_kernels_get()->narrow(i->x + k, &pair[0], 1);
        nn_kernels_get()->narrow(i->d_y + k, &pair[1], 1);
    }
done:
    return status;
}

static void images_free(images *i, assay_ctx *ctx) {
    mem_free(ctx, i->x);
    mem_free(ctx, i->y);
    mem_free(ctx, i->d_y);
    mem_free(ctx, i->d_x);
    mem_free(ctx, i->tap);
    mem_free(ctx, i->sums);
    mem_free(ctx, i->mean);
    mem_free(ctx, i->invstd);
    mem_free(ctx, i->scale);
    mem_free(ctx, i->shift);
}

assay_status nn_bench_image(nn_bench *b) {
    assay_status status = ASSAY_OK;
    images i = {0};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        bool made = false;
        for (size_t p = 0; p < sizeof passes / sizeof *passes; p++) {
            if (!nn_bench_wants(b, passes[p].op, shapes[s].name))
                continue;
            if (!made)
                ASSAY_TRY(images_make(&i, nn_bench_ctx(b), &shapes[s]));
            made = true;
            ASSAY_TRY(add_pass(b, &i, shapes[s].name, &passes[p]));
        }
        images_free(&i, nn_bench_ctx(b));
        i = (images){0};
    }
done:
    images_free(&i, nn_bench_ctx(b));
    return status;
}
