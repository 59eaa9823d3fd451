/* What each transform takes: microseconds of one thread's processor time per image of
 * 32 x 32 x 3 and 224 x 224 x 3 bytes, with the arguments of its first case, and copying
 * such an image beside it. Those that fold are measured folded too, with the last pass to
 * bytes; mixing is measured on f32.
 *
 *   transforms [NAME]
 */
#include "base/os.h"
#include "data/augment/placement.h"
#include "data/transform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 16, LARGE = 224, BATCH = 16, FLOAT = 4 };
static const double LEAST_S = 0.05; /* of each measurement */

typedef struct bench {
    assay_ctx *ctx;
    int side;
    size_t bytes;
    uint8_t *src, *dst, *scratch; /* src: IMAGES; dst: BATCH images of floats */
} bench;

static void negate(void *user,
                   const uint8_t *src,
                   uint8_t *dst,
                   int height,
                   int width,
                   int channels,
                   uint64_t random,
                   uint64_t sample,
                   uint32_t epoch) {
    (void)user;
    (void)random;
    (void)sample;
    (void)epoch;
    for (int i = 0; i < height * width * channels; i++)
        dst[i] = (uint8_t)(255 - src[i]);
}
static const assay_hook hooks[] = {{"negate", negate, NULL}};

typedef enum what { COPY, APPLY, FOLD, BOX, WRITE, MIX } what;

static void once(const bench *b,
                 what w,
                 const data_transform *t,
                 const transform_plan *p,
                 uint64_t i) {
    transform_sample s = {
        .r = rng_at(1, RNG_TRANSFORM, 0, i), .sample = i % IMAGES, .scratch = b->scratch};
    const uint8_t *src = b->src + i % IMAGES * b->bytes;
    image_output o = {.channels = 3};
    image_placement at = placement_whole(b->side, b->side);
    image_box box;
    switch (w) {
    case COPY:
        memcpy(b->dst, src, b->bytes);
        return;
    case APPLY:
        (void)t->apply(p, &s, src, b->dst);
        return;
    case FOLD:
        if (t->fold(p, &s, &at))
            output_place(&o, &at, src, b->dst);
        return;
    case BOX:
        t->window(p, &s, 500, 375, &box);
        return;
    case WRITE:
        o.scale[0] = o.scale[1] = o.scale[2] = 1;
        t->output(p, &o);
        output_write(&o, src, b->side, b->side, b->dst);
        return;
    case MIX: {
        o.type = OUTPUT_F32;
        transform_batch batch = {.r = s.r,
                                 .n = BATCH,
                                 .images = b->dst,
                                 .output = &o,
                                 .scratch = b->scratch,
                                 .image_bytes = b->bytes * FLOAT};
        t->mix(p, &batch);
    }
    }
}

/* Microseconds for one image. */
static double
measure(const bench *b, what w, const data_transform *t, const transform_plan *p) {
    uint64_t done = 0, rounds = 1;
    for (;;) {
        uint64_t from = os_thread_cpu_ns();
        for (uint64_t i = 0; i < rounds; i++)
            once(b, w, t, p, done + i);
        double s = (double)(os_thread_cpu_ns() - from) / 1e9;
        done += rounds;
        if (s >= LEAST_S)
            return s * 1e6 / (double)rounds / (w == MIX ? BATCH : 1);
        rounds *= s < LEAST_S / 8 ? 8 : 2;
    }
}

static assay_status run_one(bench *b, const data_transform *t, double us[2]) {
    static const what first[] = {BOX, APPLY, WRITE, MIX, COPY};
    assay_status status = ASSAY_OK;
    const char *args = t->cases[0].args;
    transform_plan p = {
        .ctx = b->ctx, .in = {b->side, b->side, 3}, .hooks = hooks, .n_hooks = 1};
    ASSAY_TRY(transform_args_parse(&p, t, args, strlen(args)));
    ASSAY_TRY_AT(t->plan(&p), "%s", t->name);
    ASSAY_TRY(mem_new(b->ctx, &b->scratch, p.scratch_bytes, 1));
    us[0] = measure(b, first[t->stage], t, &p);
    us[1] = t->fold != NULL ? measure(b, FOLD, t, &p) : 0;
done:
    mem_free(b->ctx, b->scratch);
    b->scratch = NULL;
    if (t->unplan != NULL)
        t->unplan(&p);
    transform_args_free(&p);
    return status;
}

static assay_status prepare(bench *b, assay_ctx *ctx, int side) {
    assay_status status = ASSAY_OK;
    *b = (bench){.ctx = ctx, .side = side, .bytes = (size_t)side * (size_t)side * 3};
    ASSAY_TRY(mem_new(ctx, &b->src, IMAGES * b->bytes, 1));
    ASSAY_TRY(mem_new(ctx, &b->dst, BATCH * b->bytes, FLOAT));
    rng r = rng_at(1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < IMAGES * b->bytes; i++) /* smooth, with noise */
        b->src[i] = (uint8_t)(i / 700 % 200 + rng_below(&r, 40));
done:
    return status;
}

static assay_status run(assay_ctx *ctx, const char *only) {
    static const int sides[2] = {32, LARGE};
    assay_status status = ASSAY_OK;
    bench b[2] = {0};
    for (int i = 0; i < 2; i++)
        ASSAY_TRY(prepare(&b[i], ctx, sides[i]));
    (void)printf(
        "us per image; stage window: per box     32 x 32   folded   224 x 224     "
        "folded\n");
    (void)printf("%-38s %8.3f %8s  %10.2f\n", "(copying it)",
                 measure(&b[0], COPY, NULL, NULL), "", measure(&b[1], COPY, NULL, NULL));
    for (size_t k = 0; k < transform_count(); k++) {
        const data_transform *t = transform_at(k);
        double us[2][2];
        char line[64], folded[2][32] = {"", ""};
        if (t->stage == TRANSFORM_LABEL || (only != NULL && strcmp(only, t->name) != 0))
            continue;
        for (int i = 0; i < 2; i++) {
            ASSAY_TRY(run_one(&b[i], t, us[i]));
            if (us[i][1] > 0)
                (void)snprintf(folded[i], sizeof folded[i], "%.3f", us[i][1]);
        }
        (void)snprintf(line, sizeof line, "%s(%s)", t->name, t->cases[0].args);
        (void)printf("%-38.38s %8.3f %8s  %10.2f %10s\n", line, us[0][0], folded[0],
                     us[1][0], folded[1]);
    }
done:
    for (int i = 0; i < 2; i++) {
        mem_free(ctx, b[i].src);
        mem_free(ctx, b[i].dst);
    }
    return status;
}

int main(int argc, char **argv) {
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    assay_ctx *ctx = NULL;
    options.threads = 1;
    assay_status status = assay_ctx_create(&ctx, &options);
    if (status == ASSAY_OK)
        status = run(ctx, argc > 1 ? argv[1] : NULL);
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "%s\n", assay_last_error()->message);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 1;
}
