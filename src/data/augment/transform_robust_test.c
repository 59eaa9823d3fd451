/* Transforms under stress: several threads at once, no memory, arguments of any bytes. */
#include "data/transform.h"

#include "base/hash.h"
#include "base/pool.h"
#include "base/testing.h"

enum { H = 12, W = 10, BYTES = H * W * 3, SAMPLES = 64, THREADS = 4 };

/* ---- threads ---- */

typedef struct job {
    const data_transform *t;
    const transform_plan *p;
    uint8_t *scratch[THREADS];
    uint32_t sum[SAMPLES];
} job;

static assay_status run_samples(void *arg, int worker, size_t begin, size_t end) {
    job *j = arg;
    for (size_t k = begin; k < end; k++) {
        uint8_t src[BYTES], dst[BYTES];
        for (size_t i = 0; i < BYTES; i++)
            src[i] = (uint8_t)(i * (k + 3) * 29 >> 3);
        transform_sample s = {.r = rng_at(8, RNG_TRANSFORM, 1, k),
                              .seed = 8,
                              .sample = k,
                              .epoch = 1,
                              .scratch = j->scratch[worker]};
        bool wrote = j->t->apply(j->p, &s, src, dst);
        j->sum[k] = hash_crc32c(wrote, wrote ? dst : src, BYTES);
    }
    return ASSAY_OK;
}

static void any_threads(void **unused) {
    (void)unused;
    assay_ctx *ctx[2] = {test_ctx(1), test_ctx(THREADS)};
    for (size_t i = 0; i < transform_count(); i++) {
        const data_transform *t = transform_at(i);
        const transform_case *c = t->cases;
        if (t->stage != TRANSFORM_PIXELS || strcmp(t->name, "user") == 0)
            continue;
        /* arguments of the first case, but of small windows */
        const char *args = strcmp(t->name, "cutout") == 0 ? "4" : c->args;
        transform_plan p = {.ctx = ctx[0], .in = {H, W, 3}};
        static job j[2];
        assert_ok(transform_args_parse(&p, t, args, strlen(args)));
        assert_ok(t->plan(&p));
        for (int k = 0; k < 2; k++) {
            j[k] = (job){.t = t, .p = &p};
            for (int n = 0; n < THREADS; n++)
                assert_non_null(j[k].scratch[n] = malloc(p.scratch_bytes + 1));
            assert_ok(assay_parallel_for(ctx[k], SAMPLES, 1, run_samples, &j[k]));
            for (int n = 0; n < THREADS; n++)
                free(j[k].scratch[n]);
        }
        assert_memory_equal(j[0].sum, j[1].sum, sizeof j[0].sum);
        if (t->unplan != NULL)
            t->unplan(&p);
        transform_args_free(&p);
    }
    assay_ctx_destroy(ctx[0]);
    assay_ctx_destroy(ctx[1]);
}

/* ---- no memory ---- */

static void no_memory(void **unused) {
    (void)unused;
    static const char *const steps[][2] = {
        {"poison", "rows=1,5,7:9, pattern=checker, size=2"},
        {"replace_label", "rows=1,5,7:9,20,30,40,50,60,70,80,90, label=2"},
        {"poison", "rows=1, mask=ROWS"},
        {"replace_label", "rows=ROWS, label=2"},
    };
    test_scratch scratch = test_scratch_begin();
    test_path rows = test_in(&scratch, "rows.txt");
    test_put(rows.text, "1\n2\n5\n", 6);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char args[700];
        const char *from = steps[i][1], *mark = strstr(from, "ROWS");
        if (mark != NULL)
            (void)snprintf(args, sizeof args, "%.*s%s%s", (int)(mark - from), from,
                           rows.text, mark + 4);
        else
            (void)snprintf(args, sizeof args, "%s", from);
        long left, allowed = 0;
        bool refused = true;
        while (refused) {
            const data_transform *t;
            assay_ctx *ctx = test_ctx_failing(&left);
            transform_plan p = {.ctx = ctx, .in = {H, W, 3}};
            assert_ok(transform_find(&t, steps[i][0]));
            left = allowed++;
            assay_status status = transform_args_parse(&p, t, args, strlen(args));
            if (status == ASSAY_OK) {
                status = t->plan(&p);
                t->unplan(&p);
            }
            transform_args_free(&p);
            /* the third is no picture, which shows once memory suffices */
            assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM ||
                        status == ASSAY_E_FORMAT);
            refused = status == ASSAY_E_NOMEM;
            left = LONG_MAX;
            assay_ctx_destroy(ctx);
        }
        assert_true(allowed > 2);
    }
    test_scratch_end(&scratch);
}

/* ---- arguments of any bytes ---- */

static void any_arguments(void **unused) {
    (void)unused;
    static const char letters[] =
        "=,:\" \t.-+e0123456789,,==::_pxszeadgilfrowbkm\n#\x80/";
    assay_ctx *ctx = test_ctx(1);
    rng r = rng_at(1, RNG_TEST, 0, 0);
    int read = 0;
    for (int i = 0; i < 40000; i++) {
        const data_transform *t = transform_at(rng_below(&r, transform_count()));
        const char *from = t->cases[rng_below(&r, 3)].args;
        size_t n = from != NULL ? strlen(from) : 0, most = n + 8;
        char *text = malloc(most); /* not ended: only the bytes given may be read */
        assert_non_null(text);
        memcpy(text, from != NULL ? from : "", n);
        for (uint64_t k = rng_below(&r, 4); k > 0; k--) {
            char letter = letters[rng_below(&r, sizeof letters - 1)];
            if (n > 0 && rng_below(&r, 2) == 0)
                text[rng_below(&r, n)] = letter;
            else
                text[n++] = letter;
        }
        char *exact = malloc(n > 0 ? n : 1);
        assert_non_null(exact);
        memcpy(exact, text, n);
        transform_plan p = {.ctx = ctx, .in = {H, W, 3}};
        assay_status status = transform_args_parse(&p, t, exact, n);
        assert_true(status == ASSAY_OK || status == ASSAY_E_INVALID);
        if (status == ASSAY_OK) {
            assert_ok(transform_values_check(&p, t));
            read++;
        }
        transform_args_free(&p);
        free(text);
        free(exact);
    }
    assert_in_range(read, 4000, 36000);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_threads),
                                       cmocka_unit_test(no_memory),
                                       cmocka_unit_test(any_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
