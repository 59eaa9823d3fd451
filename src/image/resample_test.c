/* The resampler against its definition in float64, against Pillow, and every instruction
 * set against plain C, bit by bit. */
#include "base/rng.h"
#include "base/testing.h"
#include "image/output_kernels.h"
#include "image/resample_inside.h"

static const output_type types[] = {OUTPUT_U8, OUTPUT_F32, OUTPUT_F16, OUTPUT_BF16};

static size_t out_bytes(const resample_job *job) {
    return (size_t)job->out_width * (size_t)job->out_height *
           (size_t)job->output.channels * output_type_bytes(job->output.type);
}

/* Hands the rows of packed R, G, B to the sink, as a decoder would: offsets vary. */
static void feed(const row_sink *sink, const uint8_t *rgb, int width, int height) {
    for (int y = 0; y < height; y++) {
        size_t stride;
        uint8_t *to = sink->get(sink->to, y, &stride);
        int offset = y % 3 == 1;
        const uint8_t *row = rgb + (size_t)y * (size_t)width * 3;
        memset(to - (y ? 0 : ROWS_SLACK), 0xEE, y ? 0 : ROWS_SLACK);
        for (size_t c = 0; c < 3; c++) {
            for (int x = 0; x < width; x++)
                to[c * stride + (size_t)(x + offset)] = row[3 * x + (int)c];
            memset(to + c * stride + width + offset, 0xEE, ROWS_SLACK - 2);
        }
        sink->put(sink->to, y, offset);
    }
}

static void run(resampler *r, resample_job *job, const uint8_t *rgb, void *out) {
    job->out = out;
    assert_ok(resampler_begin(r, job));
    row_sink sink = resampler_sink(r);
    feed(&sink, rgb, job->in_width, job->in_height);
}

/* Pictures that are hard on a filter: noise, edges of full swing, and smooth ones. */
static uint8_t *picture(int width, int height, uint64_t k) {
    size_t n = (size_t)width * (size_t)height * 3;
    uint8_t *rgb = malloc(n);
    assert_non_null(rgb);
    rng r = rng_at(4, RNG_TEST, 0, k);
    for (size_t i = 0; i < n; i++) {
        if (k % 3 == 0)
            rgb[i] = (uint8_t)rng_below(&r, 256);
        else if (k % 3 == 1)
            rgb[i] = rng_below(&r, 4) ? (i ? rgb[i - 1] : 0)
                                      : (uint8_t)(rng_below(&r, 2) * 255);
        else
            rgb[i] =
                (uint8_t)(128 + 120 * sin((double)i / 50) + (double)rng_below(&r, 5));
    }
    return rgb;
}

static int side(rng *r, int most) {
    return 1 + (int)rng_below(r, (uint64_t)most);
}

static resample_job job_at(rng *r, uint64_t k) {
    resample_job job = {.filter = (resample_filter)(k % RESAMPLE_FILTERS),
                        .mirror_x = rng_below(r, 2) != 0,
                        .mirror_y = rng_below(r, 4) == 0,
                        .output = {.type = types[k / 5 % 4],
                                   .planar = k / 20 % 2 != 0,
                                   .channels = k / 40 % 4 == 3 ? 1 : 3,
                                   .scale = {1, 1, 1},
                                   .stream = k / 3 % 2 != 0}};
    int most = k % 4 ? 90 : 400;
    job.in_width = side(r, most);
    job.in_height = side(r, k % 7 ? most : 700);
    job.out_width = side(r, k % 3 ? 60 : 12);
    job.out_height = side(r, k % 3 ? 40 : 5);
    if (k % 11 == 0)
        job.out_width = job.in_width; /* nothing to do across */
    if (k % 6 == 0)
        job.out_width = (job.out_width + 15) / 16 * 16; /* rows that may be streamed */
    return job;
}

/* ---- against the definition ---- */

typedef struct errors {
    double worst, sum;
    size_t n;
} errors;

static void count(errors *e, double error) {
    error = fabs(error);
    e->worst = error > e->worst ? error : e->worst;
    e->sum += error;
    e->n++;
}

static void compare(errors *bytes,
                    errors *floats,
                    const resample_job *job,
                    const void *out,
                    const double *want) {
    size_t pixels = (size_t)job->out_width * (size_t)job->out_height;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++) {
            size_t at = job->output.planar ? c * pixels + i : 3 * i + c;
            if (job->output.type == OUTPUT_U8)
                count(bytes, ((const uint8_t *)out)[at] - floor(want[3 * i + c] + 0.5));
            else
                count(floats, (double)((const float *)out)[at] - want[3 * i + c]);
        }
}

static void near_definition(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    assert_ok(resampler_create(&r, ctx));
    errors bytes[RESAMPLE_FILTERS] = {{0}}, floats[RESAMPLE_FILTERS] = {{0}};
    for (uint64_t k = 0; k < 300; k++) {
        rng random = rng_at(5, RNG_TEST, 0, k);
        resample_job job = job_at(&random, k);
        job.output.channels = 3;
        job.output.type = k / 5 % 2 ? OUTPUT_U8 : OUTPUT_F32;
        uint8_t *rgb = picture(job.in_width, job.in_height, k);
        void *out = aligned_alloc(64, (out_bytes(&job) + 63) / 64 * 64);
        double *want =
            malloc((size_t)job.out_width * (size_t)job.out_height * 3 * sizeof *want);
        assert_non_null(out);
        assert_non_null(want);
        run(r, &job, rgb, out);
        assert_ok(resample_reference(ctx, &job, rgb, want));
        compare(&bytes[job.filter], &floats[job.filter], &job, out, want);
        free(want);
        free(out);
        free(rgb);
    }
    for (int f = 0; f < RESAMPLE_FILTERS; f++) {
        print_message("%-9s bytes: at most %.0f, mean %.4f; floats: at most %.3f, mean "
                      "%.4f\n",
                      resample_filter_name((resample_filter)f), bytes[f].worst,
                      bytes[f].sum / (double)bytes[f].n, floats[f].worst,
                      floats[f].sum / (double)floats[f].n);
        assert_true(bytes[f].n > 10000 && floats[f].n > 10000);
        assert_true(bytes[f].worst <= 1);
        assert_true(bytes[f].sum / (double)bytes[f].n < 0.12);
        assert_true(floats[f].worst < (f == RESAMPLE_CUBIC ? 0.3 : 0.6));
    }
    resampler_destroy(r);
    assay_ctx_destroy(ctx);
}

/* ---- every set, bit by bit ---- */

static void sets_agree(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    resampler *plain = NULL, *fast[CPU_ISA_COUNT] = {NULL};
    int sets = (int)cpu_detect() + 1;
    assert_ok(resampler_create_for(&plain, ctx, CPU_NONE));
    for (int i = 1; i < sets; i++)
        assert_ok(resampler_create_for(&fast[i], ctx, (cpu_isa)i));
    for (uint64_t k = 0; k < 640; k++) {
        rng random = rng_at(6, RNG_TEST, 0, k);
        resample_job job = job_at(&random, k);
        job.output.scale[1] = 1 / 57.0f;
        job.output.shift[1] = -2.1f;
        uint8_t *rgb = picture(job.in_width, job.in_height, k);
        size_t n = out_bytes(&job), room = (n + 127) / 64 * 64;
        uint8_t *want = aligned_alloc(64, room), *got = aligned_alloc(64, room);
        assert_non_null(want);
        assert_non_null(got);
        run(plain, &job, rgb, want);
        for (int i = 1; i < sets; i++) {
            size_t shift = k % 5 ? 0 : 4; /* not where streaming wants it */
            memset(got, 0x5A, room);
            run(fast[i], &job, rgb, got + shift);
            if (memcmp(got + shift, want, n) != 0)
                fail_msg("%s: case %d, %s %dx%d to %dx%d differs from plain C",
                         cpu_isa_word((cpu_isa)i), (int)k,
                         resample_filter_name(job.filter), job.in_width, job.in_height,
                         job.out_width, job.out_height);
            for (size_t j = n + shift; j < room; j++)
                assert_int_equal(got[j], 0x5A);
        }
        free(got);
        free(want);
        free(rgb);
    }
    for (int i = 1; i < sets; i++)
        resampler_destroy(fast[i]);
    resampler_destroy(plain);
    assay_ctx_destroy(ctx);
}

/* ---- outputs derive from one another ---- */

/* Layouts, mirrors, luma and half floats are those of the plain result. */
static void outputs_agree(void **state) {
    (void)state;
    enum { IN_W = 61, IN_H = 47, W = 37, H = 29 };
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    assert_ok(resampler_create(&r, ctx));
    uint8_t *rgb = picture(IN_W, IN_H, 0);
    static uint8_t bytes[H][W][3], other[H * W * 3], luma[H * W], from_bytes[H * W];
    static float floats[H][W][3], planar[3][H][W];
    static uint16_t halves[H][W][3];
    for (int f = 0; f < RESAMPLE_FILTERS; f++) {
        resample_job job = {IN_W,
                            IN_H,
                            W,
                            H,
                            (resample_filter)f,
                            false,
                            false,
                            {.type = OUTPUT_U8, .channels = 3},
                            NULL};
        for (int c = 0; c < 3; c++) {
            job.output.scale[c] = 0.01f * (float)(c + 1);
            job.output.shift[c] = -0.5f;
        }
        run(r, &job, rgb, bytes);
        job.mirror_x = job.mirror_y = true;
        run(r, &job, rgb, other);
        for (int i = 0; i < H * W; i++)
            assert_memory_equal(other + 3 * i, &bytes[0][0][0] + 3 * (H * W - 1 - i), 3);
        job.mirror_x = job.mirror_y = false;
        job.output.channels = 1;
        run(r, &job, rgb, luma);
        output_luma(from_bytes, &bytes[0][0][0], H * W);
        assert_memory_equal(luma, from_bytes, sizeof luma);
        job.output.channels = 3;
        job.output.type = OUTPUT_F32;
        run(r, &job, rgb, floats);
        job.output.planar = true;
        run(r, &job, rgb, planar);
        job.output.planar = false;
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                for (int c = 0; c < 3; c++) {
                    float want = (float)bytes[y][x][c] * job.output.scale[c] - 0.5f;
                    assert_memory_equal(&floats[y][x][c], &planar[c][y][x], 4);
                    assert_true(fabsf(floats[y][x][c] - want) <=
                                0.501f * job.output.scale[c]);
                }
        job.output.type = OUTPUT_BF16;
        run(r, &job, rgb, halves);
        for (int i = 0; i < H * W * 3; i++)
            assert_int_equal((&halves[0][0][0])[i], output_bf16((&floats[0][0][0])[i]));
        job.output.type = OUTPUT_F16;
        run(r, &job, rgb, halves);
        for (int i = 0; i < H * W * 3; i++)
            assert_int_equal((&halves[0][0][0])[i], output_f16((&floats[0][0][0])[i]));
    }
    free(rgb);
    resampler_destroy(r);
    assay_ctx_destroy(ctx);
}

/* The same size in and out leaves every byte as it is; one colour stays one colour. */
static void keeps_what_it_must(void **state) {
    (void)state;
    enum { SIDE = 50 };
    assay_ctx *ctx = test_ctx(1);
    static uint8_t flat[SIDE * SIDE * 3], out[70 * 70 * 3];
    uint8_t *rgb = picture(SIDE, SIDE, 0);
    for (int isa = 0; isa <= (int)cpu_detect(); isa++) {
        resampler *r = NULL;
        assert_ok(resampler_create_for(&r, ctx, (cpu_isa)isa));
        for (int f = 0; f < RESAMPLE_FILTERS; f++) {
            resample_job job = {SIDE,
                                SIDE,
                                SIDE,
                                SIDE,
                                (resample_filter)f,
                                false,
                                false,
                                {.type = OUTPUT_U8, .channels = 3},
                                NULL};
            run(r, &job, rgb, out);
            assert_memory_equal(out, rgb, SIDE * SIDE * 3);
            for (int v = 0; v < 256; v += 15)
                for (int to = 1; to <= 70; to += 23) {
                    memset(flat, v, sizeof flat);
                    job.out_width = to;
                    job.out_height = 71 - to;
                    run(r, &job, flat, out);
                    for (int i = 0; i < to * (71 - to) * 3; i++)
                        assert_int_equal(out[i], v);
                }
        }
        resampler_destroy(r);
    }
    free(rgb);
    assay_ctx_destroy(ctx);
}

/* Windows as large as there are, a side at a time. */
static void largest_windows(void **state) {
    (void)state;
    enum { LONG = 65535 };
    static const int shapes[][4] = {
        {LONG, 1, 3, 2}, {1, LONG, 2, 3}, {LONG, 2, 4096, 1}, {2, LONG, 1, 4096}};
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    assert_ok(resampler_create(&r, ctx));
    uint8_t *rgb = picture(LONG, 2, 0);
    static uint8_t out[4096 * 3];
    static double want[4096 * 3];
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int f = 0; f < RESAMPLE_FILTERS; f++) {
            resample_job job = {shapes[k][0],
                                shapes[k][1],
                                shapes[k][2],
                                shapes[k][3],
                                (resample_filter)f,
                                false,
                                false,
                                {.type = OUTPUT_U8, .channels = 3},
                                NULL};
            run(r, &job, rgb, out);
            assert_ok(resample_reference(ctx, &job, rgb, want));
            for (int i = 0; i < job.out_width * job.out_height * 3; i++)
                assert_true(fabs(out[i] - want[i]) <= 1.5);
        }
    free(rgb);
    resampler_destroy(r);
    assay_ctx_destroy(ctx);
}

/* Rows that came before a restart leave no trace, with few inputs an output and with
 * many. */
static void starts_again(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    assert_ok(resampler_create(&r, ctx));
    static const int heights[] = {40, 900};
    for (int k = 0; k < 2; k++)
        for (int f = 0; f < RESAMPLE_FILTERS; f++) {
            resample_job job = {21,
                                heights[k],
                                9,
                                7,
                                (resample_filter)f,
                                false,
                                false,
                                {.type = OUTPUT_U8, .channels = 3},
                                NULL};
            uint8_t *rgb = picture(21, heights[k], 0),
                    *other = picture(21, heights[k], 1);
            uint8_t once[9 * 7 * 3], twice[9 * 7 * 3];
            run(r, &job, rgb, once);
            job.out = twice;
            assert_ok(resampler_begin(r, &job));
            row_sink sink = resampler_sink(r);
            feed(&sink, other, 21, heights[k] - 5);
            sink.restart(sink.to);
            feed(&sink, rgb, 21, heights[k]);
            assert_memory_equal(once, twice, sizeof once);
            free(rgb);
            free(other);
        }
    resampler_destroy(r);
    assay_ctx_destroy(ctx);
}

static void refuses(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    uint8_t out[12];
    const resample_job good = {
        2, 2, 2, 2, RESAMPLE_AREA, false, false, {.type = OUTPUT_U8, .channels = 3}, out};
    assert_ok(resampler_create(&r, ctx));
    assert_ok(resampler_begin(r, &good));
    resample_job bad = good;
    bad.in_width = 65536;
    assert_fails(ASSAY_E_SHAPE, resampler_begin(r, &bad));
    bad = good;
    bad.out_height = 0;
    assert_fails(ASSAY_E_SHAPE, resampler_begin(r, &bad));
    bad = good;
    bad.output.channels = 2;
    assert_fails(ASSAY_E_INVALID, resampler_begin(r, &bad));
    bad = good;
    bad.filter = RESAMPLE_FILTERS;
    assert_fails(ASSAY_E_INVALID, resampler_begin(r, &bad));
    resampler_destroy(r);
    resampler_destroy(NULL);
    assert_string_equal(resample_filter_name(RESAMPLE_CUBIC), "cubic");
    assay_ctx_destroy(ctx);
}

/* Every allocation fails once; afterwards the same resampler does its work. */
static void runs_out_of_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    uint8_t *rgb = picture(300, 900, 0);
    static uint8_t out[8 * 9];
    for (int f = 0; f < RESAMPLE_FILTERS; f++) {
        int failures = 0;
        for (long n = 0;; n++) {
            resampler *r = NULL;
            resample_job job = {300,
                                900,
                                8,
                                9,
                                (resample_filter)f,
                                true,
                                false,
                                {.type = OUTPUT_U8, .channels = 1},
                                out};
            left = n;
            assay_status status = resampler_create(&r, ctx);
            if (status == ASSAY_OK)
                status = resampler_begin(r, &job);
            left = LONG_MAX;
            if (status != ASSAY_OK) {
                failures++;
                assert_int_equal(status, ASSAY_E_NOMEM);
            }
            if (r)
                run(r, &job, rgb, out);
            resampler_destroy(r);
            if (status == ASSAY_OK)
                break;
        }
        assert_true(failures >= 5);
    }
    free(rgb);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_definition), cmocka_unit_test(sets_agree),
        cmocka_unit_test(outputs_agree),   cmocka_unit_test(keeps_what_it_must),
        cmocka_unit_test(largest_windows), cmocka_unit_test(starts_again),
        cmocka_unit_test(refuses),         cmocka_unit_test(runs_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
