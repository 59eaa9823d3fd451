/* What attribution costs: features of a zoo model per example, then kernels, strongest
 * rows, self-influence, means and trust over random features of the sizes of a real
 * audit.
 *
 *   attribution WORKDIR [model=cnn] [examples=4096] [rows=60000] [members=6] [dim=512]
 * [targets=770]
 */
#include <assay/assay.h>

#include "attribute/trak/attribute.h"
#include "base/os.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, CLASSES = 10, BLOCK = 512, TOP = 20, MOST_MEMBERS = 12, TRUST = 2000 };

typedef struct clocks {
    uint64_t cpu, wall;
} clocks;

static clocks start(void) {
    return (clocks){os_cpu_ns(), os_now_ns()};
}

static void lap(clocks *c, const char *what) {
    printf("%-24s %7.2f processor seconds, %7.2f s\n", what,
           (double)(os_cpu_ns() - c->cpu) * 1e-9, (double)(os_now_ns() - c->wall) * 1e-9);
    *c = start();
}

static assay_status
features(assay_ctx *ctx, const char *work, const char *name, int64_t n) {
    assay_status status = ASSAY_OK;
    const zoo_config config = {
        .classes = CLASSES, .channels = 1, .height = SIDE, .width = SIDE};
    trained_model m = {.ctx = ctx,
                       .card = {.size = SIDE,
                                .channels = 1,
                                .classes = CLASSES,
                                .mean = {0.29f},
                                .std = {0.35f}}};
    npy_array pixels = {.dtype = ASSAY_U8,
                        .ndim = 4,
                        .dim = {n, SIDE, SIDE, 1},
                        .bytes = (size_t)n * SIDE * SIDE};
    int32_t *labels = NULL;
    row_store *store = NULL;
    char path[4096];
    ASSAY_TRY(zoo_build(&m.zoo, ctx, name, &config));
    ASSAY_TRY(nn_weights_create(&m.weights, ctx, m.zoo.graph, 0));
    ASSAY_TRY(mem_new(ctx, &pixels.data, pixels.bytes, 1));
    ASSAY_TRY(mem_new(ctx, &labels, (size_t)n, sizeof *labels));
    rng r = rng_at(0, RNG_TEST, 0, 0);
    for (size_t i = 0; i < pixels.bytes; i++)
        pixels.data[i] = (uint8_t)rng_u32(&r);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int32_t)(i % CLASSES);
    for (int dim = 512; dim <= 1024; dim *= 2) {
        const att_sketch sketch = {dim, 1};
        snprintf(path, sizeof path, "%s/features", work);
        clocks c = start();
        ASSAY_TRY(att_features(&store, ctx, &m, "", &pixels, labels, &sketch, path));
        printf("%s, %zu parameters, dim %d: %.3f processor ms per example, %.3f ms\n",
               name, nn_graph_param_floats(m.zoo.graph), dim,
               (double)(os_cpu_ns() - c.cpu) * 1e-6 / (double)n,
               (double)(os_now_ns() - c.wall) * 1e-6 / (double)n);
        store_destroy(store);
        store = NULL;
    }
done:
    mem_free(ctx, pixels.data);
    mem_free(ctx, labels);
    nn_weights_destroy(&m.weights, ctx);
    zoo_destroy(&m.zoo);
    return status;
}

/* A store of random rows, sealed. */
static assay_status random_store(
    row_store **out, assay_ctx *ctx, const char *work, int m, int64_t rows, int64_t dim) {
    assay_status status = ASSAY_OK;
    char path[4096];
    snprintf(path, sizeof path, "%s/random-%d", work, m);
    ASSAY_TRY(store_open(out, ctx, path, "random", rows, dim, BLOCK));
    for (int64_t b = 0; b < store_blocks(*out); b++) {
        if (store_block_done(*out, b))
            continue;
        for (int64_t i = b * BLOCK; i < (b + 1) * BLOCK && i < rows; i++) {
            rng r = rng_at((uint64_t)m, RNG_TEST, 1, (uint64_t)i);
            for (int64_t j = 0; j < dim; j++)
                store_row(*out, i)[j] = (float)rng_uniform(&r) - 0.5f;
        }
        ASSAY_TRY(store_block_seal(*out, b));
    }
done:
    return status;
}

static assay_status kernels(assay_ctx *ctx,
                            const char *work,
                            uint64_t rows,
                            int members,
                            int64_t dim,
                            size_t targets) {
    assay_status status = ASSAY_OK;
    row_store *store[MOST_MEMBERS] = {NULL};
    size_t tests = targets > TRUST ? targets : TRUST;
    att_trak *t = NULL;
    att_top *top = NULL;
    att_trust trust;
    float *q = NULL, *out = NULL, *weight = NULL, *margin = NULL;
    uint64_t *target = NULL;
    uint8_t *seen = NULL;
    for (int m = 0; m < members; m++)
        ASSAY_TRY(random_store(&store[m], ctx, work, m, (int64_t)(rows + tests), dim));
    ASSAY_TRY(mem_new(ctx, &q, rows, sizeof *q));
    ASSAY_TRY(mem_new(ctx, &out, rows, sizeof *out));
    ASSAY_TRY(mem_new(ctx, &weight, tests, sizeof *weight));
    ASSAY_TRY(mem_new(ctx, &target, tests, sizeof *target));
    ASSAY_TRY(mem_new(ctx, &top, targets * 2 * TOP, sizeof *top));
    ASSAY_TRY(mem_new(ctx, &margin, tests * (size_t)members, sizeof *margin));
    ASSAY_TRY(mem_new(ctx, &seen, rows * (size_t)members, 1));
    for (uint64_t i = 0; i < rows; i++)
        q[i] = (float)(i % 100) / 100;
    for (size_t i = 0; i < tests; i++) {
        target[i] = rows + i;
        weight[i] = 1;
    }
    for (size_t i = 0; i < rows * (size_t)members; i++)
        seen[i] = i % 3 > 0;
    for (size_t i = 0; i < tests * (size_t)members; i++)
        margin[i] = (float)(i * 37 % 101);
    clocks c = start();
    ASSAY_TRY(att_trak_create(&t, ctx, store, members, rows, NULL, q, NULL));
    lap(&c, "kernels");
    ASSAY_TRY(att_trak_top(t, target, targets, TOP, top));
    lap(&c, "strongest rows");
    ASSAY_TRY(att_trak_self(t, out));
    lap(&c, "self-influence");
    ASSAY_TRY(att_trak_mean(t, target, weight, tests, out));
    lap(&c, "weighted mean");
    ASSAY_TRY(att_trak_trust(t, seen, target, TRUST, margin, 0, &trust));
    lap(&c, "trust");
    printf("peak %.0f MB\n", (double)assay_peak_bytes() * 1e-6);
done:
    att_trak_destroy(t);
    for (int m = 0; m < members; m++)
        store_destroy(store[m]);
    mem_free(ctx, q);
    mem_free(ctx, out);
    mem_free(ctx, weight);
    mem_free(ctx, target);
    mem_free(ctx, top);
    mem_free(ctx, margin);
    mem_free(ctx, seen);
    return status;
}

static uint64_t number(int argc, char **argv, int i, uint64_t usual) {
    return argc > i ? strtoull(argv[i], NULL, 10) : usual;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = NULL;
    uint64_t members = number(argc, argv, 5, 6);
    if (argc < 2 || members < 1 || members > MOST_MEMBERS) {
        fprintf(stderr, "attribution WORKDIR [model=cnn] [examples=4096] [rows=60000] "
                        "[members=6] [dim=512] [targets=770]\n");
        return 2;
    }
    ASSAY_TRY(assay_ctx_create(&ctx, NULL));
    ASSAY_TRY(os_mkdirs(argv[1]));
    ASSAY_TRY(features(ctx, argv[1], argc > 2 ? argv[2] : "cnn",
                       (int64_t)number(argc, argv, 3, 4096)));
    ASSAY_TRY(kernels(ctx, argv[1], number(argc, argv, 4, 60000), (int)members,
                      (int64_t)number(argc, argv, 6, 512), number(argc, argv, 7, 770)));
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "error: %s\n  --> %s\n", assay_last_error()->message,
                assay_last_error()->where);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 1;
}
