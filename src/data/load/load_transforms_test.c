/* Every transform in a loader's pipeline: the same batches inline and with threads. */
#include "data/testing.h"

#include "base/hash.h"
#include "data/transform.h"

#include <assay/data.h>
#include <assay/load.h>

enum { ROWS = 24 };

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

/* One epoch's bytes, in short. */
static uint32_t take(
    assay_ctx *ctx, const char *path, const char *pipeline, int threads, uint32_t epoch) {
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    assay_loader *l;
    assay_batch b;
    uint32_t sum = 0;
    uint64_t rows = 0;
    o.batch = 7;
    o.threads = threads;
    o.seed = 3;
    o.hooks = hooks;
    o.n_hooks = 1;
    if (assay_loader_create(&l, ctx, &path, 1, pipeline, &o) != ASSAY_OK)
        fail_msg("%s: %s, %s", pipeline, assay_last_error()->message,
                 assay_last_error()->where);
    assert_ok(assay_loader_epoch(l, epoch));
    for (;;) {
        assert_ok(assay_loader_next(l, &b));
        if (b.n == 0)
            break;
        rows += (uint64_t)b.n;
        for (int c = 0; c < b.columns; c++) {
            size_t n = assay_dtype_size(b.column[c].dtype);
            for (int d = 0; d < b.column[c].ndim; d++)
                n *= (size_t)b.column[c].dim[d];
            sum = hash_crc32c(sum, b.column[c].data, n);
        }
    }
    assert_int_equal(rows, ROWS);
    assay_loader_destroy(l);
    return sum;
}

/* The pipelines in which a transform stands, with the arguments of its first case. */
static void write_pipeline(char *to, size_t room, const data_transform *t) {
    const char *args = t->cases[0].args;
    switch (t->stage) {
    case TRANSFORM_WINDOW:
        (void)snprintf(to, room, "image: %s(%s) | flip; label", t->name, args);
        return;
    case TRANSFORM_PIXELS:
        (void)snprintf(to, room,
                       "image: resize(32) | flip | %s(%s) | translate(3) | "
                       "normalize(unit, type=f16); label",
                       t->name, args);
        return;
    case TRANSFORM_OUTPUT:
        (void)snprintf(to, room, "image: resize(32) | cutout(3) | %s(%s); label", t->name,
                       args);
        return;
    case TRANSFORM_BATCH:
        (void)snprintf(to, room,
                       "image: resize(9) | gray | normalize(layout=nchw) | "
                       "%s(%s); label: %s(%s, labels=pair)",
                       t->name, args, t->name, args);
        return;
    case TRANSFORM_LABEL:
        (void)snprintf(to, room, "label: %s(%s)", t->name, args);
    }
}

static void every_transform(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(3);
    test_scratch s = test_scratch_begin();
    test_path file = test_in(&s, "d.beton");
    put_idx_set(ctx, &s, ROWS, 0);
    assert_ok(assay_pack(ctx, s.folder, file.text, NULL, NULL));
    for (size_t i = 0; i < transform_count(); i++) {
        const data_transform *t = transform_at(i);
        char pipeline[256];
        write_pipeline(pipeline, sizeof pipeline, t);
        uint32_t inline_sum = take(ctx, file.text, pipeline, -1, 2);
        if (take(ctx, file.text, pipeline, 3, 2) != inline_sum)
            fail_msg("%s differs with threads", pipeline);
        /* another epoch is another one, at least by its order */
        assert_true(take(ctx, file.text, pipeline, 3, 3) != inline_sum);
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_transform)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
