/* Transforms of batches and labels: against the definition, images and labels together.
 */
#include "data/augment/kernels.h"
#include "data/augment/mixing.h"
#include "data/transform.h"

#include "base/testing.h"

#include <math.h>

enum { N = 7, H = 6, W = 5, CLASSES = 4, EACH = H * W * 3 };

static const data_transform *
make(assay_ctx *ctx, transform_plan *p, const char *name, const char *args) {
    const data_transform *t;
    p->ctx = ctx;
    p->in = p->image = (transform_shape){H, W, 3};
    p->classes = CLASSES;
    assert_ok(transform_find(&t, name));
    assert_ok(transform_args_parse(p, t, args, strlen(args)));
    assert_ok(t->plan(p));
    return t;
}

/* What labels=pair says about a batch: [N, 3]. */
static void
mix_pairs(assay_ctx *ctx, const char *name, const char *args, uint64_t batch, float *to) {
    transform_plan p = {.of_labels = true};
    char text[64];
    (void)snprintf(text, sizeof text, "%s, labels=pair", args);
    const data_transform *t = make(ctx, &p, name, text);
    assert_int_equal(t->label_width(&p), 3);
    for (int i = 0; i < N; i++)
        t->spread(&p, i % CLASSES, to + i * 3);
    uint8_t *scratch = malloc(p.scratch_bytes);
    transform_batch b = {.r = rng_at(2, RNG_TRANSFORM, 0, batch),
                         .n = N,
                         .labels = to,
                         .label_width = 3,
                         .scratch = scratch};
    assert_non_null(scratch);
    t->mix(&p, &b);
    free(scratch);
}

static void mix_soft(assay_ctx *ctx,
                     const char *name,
                     const char *args,
                     uint64_t batch,
                     int width_before,
                     float *to) {
    transform_plan p = {.of_labels = true, .label_width = width_before};
    const data_transform *t = make(ctx, &p, name, args);
    assert_int_equal(t->label_width(&p), CLASSES);
    for (int i = 0; i < N; i++)
        t->spread(&p, i % CLASSES, to + i * CLASSES);
    uint8_t *scratch = malloc(p.scratch_bytes);
    transform_batch b = {.r = rng_at(2, RNG_TRANSFORM, 0, batch),
                         .n = N,
                         .labels = to,
                         .label_width = CLASSES,
                         .scratch = scratch};
    assert_non_null(scratch);
    t->mix(&p, &b);
    free(scratch);
}

static void put_value(output_type type, void *to, size_t i, float v) {
    uint16_t *half = to;
    switch (type) {
    case OUTPUT_U8:
        ((uint8_t *)to)[i] = (uint8_t)v;
        return;
    case OUTPUT_F32:
        ((float *)to)[i] = v;
        return;
    default:
        output_write(&(image_output){.type = type, .channels = 1, .scale = {1}},
                     &(uint8_t){(uint8_t)v}, 1, 1, &half[i]);
    }
}

static double value_at(output_type type, const void *from, size_t i) {
    uint16_t half =
        type == OUTPUT_U8 || type == OUTPUT_F32 ? 0 : ((const uint16_t *)from)[i];
    uint32_t bits = (uint32_t)half << 16;
    float f;
    switch (type) {
    case OUTPUT_U8:
        return ((const uint8_t *)from)[i];
    case OUTPUT_F32:
        return (double)((const float *)from)[i];
    case OUTPUT_BF16:
        memcpy(&f, &bits, sizeof f);
        return (double)f;
    default: /* normal numbers and zero only */
        return half == 0 ? 0 : ldexp((half & 1023) + 1024, (half >> 10 & 31) - 25);
    }
}

/* A batch of known images, mixed. */
static void mix_images(assay_ctx *ctx,
                       const char *name,
                       const char *args,
                       uint64_t batch,
                       const image_output *o,
                       void *images) {
    transform_plan p = {.of_labels = false};
    const data_transform *t = make(ctx, &p, name, args);
    size_t each = EACH * output_type_bytes(o->type);
    for (size_t i = 0; i < N * EACH; i++)
        put_value(o->type, images, i, (float)(i * 37 % 251));
    assert_true(p.scratch_bytes >= each);
    uint8_t *scratch = malloc(p.scratch_bytes);
    assert_non_null(scratch);
    transform_batch b = {.r = rng_at(2, RNG_TRANSFORM, 0, batch),
                         .n = N,
                         .images = images,
                         .output = o,
                         .scratch = scratch,
                         .image_bytes = each};
    t->mix(&p, &b);
    free(scratch);
}

static double original(int i, size_t k) {
    return (double)(((size_t)i * EACH + k) * 37 % 251);
}

static void mixup(void **unused) {
    (void)unused;
    static const char *const args[] = {"0.4", "1, same_lambda=no"};
    static const double error[] = {0.5001, 3e-5, 0.07, 0.6};
    assay_ctx *ctx = test_ctx(1);
    for (size_t a = 0; a < 2; a++)
        for (uint64_t batch = 0; batch < 20; batch++)
            for (int type = OUTPUT_U8; type <= OUTPUT_BF16; type++) {
                const image_output o = {.type = (output_type)type, .channels = 3};
                static float images[N * EACH];
                float pairs[N * 3];
                mix_pairs(ctx, "mixup", args[a], batch, pairs);
                mix_images(ctx, "mixup", args[a], batch, &o, images);
                for (int i = 0; i < N; i++) {
                    int before = i > 0 ? i - 1 : N - 1;
                    double share = (double)pairs[i * 3 + 2];
                    assert_true(pairs[i * 3] == (float)(i % CLASSES));
                    assert_true(pairs[i * 3 + 1] == (float)(before % CLASSES));
                    assert_true(share >= 0 && share <= 1);
                    assert_int_equal(a == 0 || i == 0, pairs[2] == pairs[i * 3 + 2]);
                    for (size_t k = 0; k < EACH; k++) {
                        double want =
                            share * original(i, k) + (1 - share) * original(before, k);
                        double got = value_at(o.type, images, (size_t)i * EACH + k);
                        if (fabs(got - want) > error[type])
                            fail_msg("type %d, image %d: %g, not %g", type, i, got, want);
                    }
                }
            }
    assay_ctx_destroy(ctx);
}

static void cutmix(void **unused) {
    (void)unused;
    static const char *const args[] = {"1", "1, same_lambda=no"};
    assay_ctx *ctx = test_ctx(1);
    for (size_t a = 0; a < 2; a++)
        for (uint64_t batch = 0; batch < 40; batch++)
            for (int form = 0; form < 8; form++) {
                const image_output o = {.type = (output_type)(form / 2),
                                        .planar = form % 2 == 1,
                                        .channels = 3};
                static float images[N * EACH];
                float pairs[N * 3];
                mix_pairs(ctx, "cutmix", args[a], batch, pairs);
                mix_images(ctx, "cutmix", args[a], batch, &o, images);
                for (int i = 0; i < N; i++) {
                    int before = i > 0 ? i - 1 : N - 1, pasted = 0;
                    int left = W, right = -1, top = H, bottom = -1;
                    for (int at = 0; at < H * W; at++)
                        for (int c = 0; c < 3; c++) {
                            size_t k = o.planar ? (size_t)(c * H * W + at)
                                                : (size_t)(at * 3 + c);
                            double v = value_at(o.type, images, (size_t)i * EACH + k);
                            bool other =
                                v == original(before, k) ||
                                fabs(v - original(before, k)) < fabs(v - original(i, k));
                            pasted += other;
                            if (!other)
                                continue;
                            left = at % W < left ? at % W : left;
                            right = at % W > right ? at % W : right;
                            top = at / W < top ? at / W : top;
                            bottom = at / W > bottom ? at / W : bottom;
                        }
                    /* one full box, and the label knows its area */
                    if (pasted > 0)
                        assert_int_equal(pasted,
                                         3 * (right - left + 1) * (bottom - top + 1));
                    assert_true(fabs(1 - pasted / (double)EACH -
                                     (double)pairs[i * 3 + 2]) < 1e-6);
                }
            }
    assay_ctx_destroy(ctx);
}

/* gray stores one channel of an image that still has three in the plan. */
static void one_channel(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    for (uint64_t batch = 0; batch < 20; batch++)
        for (int planar = 0; planar < 2; planar++) {
            const image_output o = {
                .type = OUTPUT_F32, .planar = planar == 1, .channels = 1};
            transform_plan p = {.of_labels = false};
            const data_transform *t = make(ctx, &p, "cutmix", "1, same_lambda=no");
            float *images = malloc(N * H * W * sizeof *images), pairs[N * 3];
            uint8_t *scratch = malloc(p.scratch_bytes);
            assert_true(images && scratch);
            for (int i = 0; i < N * H * W; i++)
                images[i] = (float)(i / (H * W));
            transform_batch b = {.r = rng_at(2, RNG_TRANSFORM, 0, batch),
                                 .n = N,
                                 .images = images,
                                 .output = &o,
                                 .scratch = scratch,
                                 .image_bytes = H * W * sizeof *images};
            t->mix(&p, &b);
            mix_pairs(ctx, "cutmix", "1, same_lambda=no", batch, pairs);
            for (int i = 0; i < N; i++) {
                int own = 0;
                for (int k = 0; k < H * W; k++)
                    own += images[i * H * W + k] == (float)i;
                assert_true(fabs((double)pairs[i * 3 + 2] - own / (double)(H * W)) <
                            1e-6);
            }
            free(images);
            free(scratch);
        }
    assay_ctx_destroy(ctx);
}

static void soft_labels(void **unused) {
    (void)unused;
    static const char *const names[] = {"mixup", "cutmix"};
    assay_ctx *ctx = test_ctx(1);
    for (size_t k = 0; k < 2; k++)
        for (uint64_t batch = 0; batch < 20; batch++)
            for (int before = 0; before <= CLASSES; before += CLASSES) {
                float pairs[N * 3], soft[N * CLASSES];
                mix_pairs(ctx, names[k], "1, same_lambda=no", batch, pairs);
                mix_soft(ctx, names[k], "1, same_lambda=no", batch, before, soft);
                for (int i = 0; i < N; i++)
                    for (int c = 0; c < CLASSES; c++) {
                        const float *pair = pairs + i * 3;
                        double want = (c == (int)pair[0] ? (double)pair[2] : 0) +
                                      (c == (int)pair[1] ? 1 - (double)pair[2] : 0);
                        assert_true(fabs((double)soft[i * CLASSES + c] - want) < 1e-6);
                    }
            }
    /* what can't be */
    const data_transform *t;
    transform_plan p = {.ctx = ctx, .of_labels = true, .classes = 0};
    assert_ok(transform_find(&t, "mixup"));
    assert_ok(transform_args_parse(&p, t, "1", 1));
    assert_fails(ASSAY_E_INVALID, t->plan(&p)); /* how many classes? */
    assert_ok(transform_args_parse(&p, t, "1, labels=pair", 14));
    p.label_width = 4;
    assert_fails(ASSAY_E_INVALID, t->plan(&p));
    assert_ok(transform_find(&t, "cutmix"));
    assert_fails(ASSAY_E_INVALID, t->plan(&p)); /* no images */
    assay_ctx_destroy(ctx);
}

static void now_and_then(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    int mixed = 0;
    for (uint64_t batch = 0; batch < 400; batch++) {
        float pairs[N * 3];
        mix_pairs(ctx, "mixup", "1, p=0.25", batch, pairs);
        mixed += pairs[2] != 1;
    }
    assert_in_range(mixed, 65, 135);
    assay_ctx_destroy(ctx);
}

static void beta(void **unused) {
    (void)unused;
    static const double alphas[] = {0.01, 0.2, 1, 3};
    enum { DRAWS = 20000 };
    for (size_t a = 0; a < 4; a++) {
        double sum = 0, squares = 0, want = 0.25 / (2 * alphas[a] + 1);
        int low = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            rng r = rng_at(6, RNG_TEST, 0, i);
            double v = mixing_draw_beta(&r, alphas[a]);
            assert_true(v >= 0 && v <= 1);
            sum += v;
            squares += (v - 0.5) * (v - 0.5);
            low += v < 0.25;
        }
        assert_true(fabs(sum / DRAWS - 0.5) < 0.015);
        assert_true(fabs(squares / DRAWS / want - 1) < 0.04);
        if (alphas[a] == 1) /* Beta(1, 1) is even */
            assert_in_range(low, DRAWS / 4 - 250, DRAWS / 4 + 250);
    }
}

static void labels(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.of_labels = true};
    float to[CLASSES + 1];
    const data_transform *t = make(ctx, &p, "one_hot", "");
    assert_int_equal(t->label_width(&p), CLASSES);
    for (int64_t label = -1; label <= CLASSES; label++) {
        t->spread(&p, label, to);
        for (int i = 0; i < CLASSES; i++)
            assert_true(to[i] == (i == label ? 1.0f : 0.0f));
    }
    t = make(ctx, &p, "one_hot", "5");
    assert_int_equal(t->label_width(&p), 5);
    t = make(ctx, &p, "label_smoothing", "0.2");
    t->spread(&p, 1, to);
    for (int i = 0; i < CLASSES; i++)
        assert_true(fabs((double)to[i] - (i == 1 ? 0.85 : 0.05)) < 1e-7);
    p.label_width = CLASSES;
    assert_fails(ASSAY_E_INVALID, t->plan(&p));
    p.label_width = 0;
    t = make(ctx, &p, "replace_label", "rows=2,10:12, label=3");
    for (uint64_t row = 0; row < 15; row++) {
        transform_sample s = {.sample = row};
        int64_t label = 1;
        t->integer(&p, &s, &label);
        assert_int_equal(label, row == 2 || row == 10 || row == 11 ? 3 : 1);
    }
    t->unplan(&p);
    transform_args_free(&p);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixup),        cmocka_unit_test(cutmix),
        cmocka_unit_test(soft_labels),  cmocka_unit_test(one_channel),
        cmocka_unit_test(now_and_then), cmocka_unit_test(beta),
        cmocka_unit_test(labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
