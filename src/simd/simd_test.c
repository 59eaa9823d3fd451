/* Every instruction set gives the bits of the plain one, and the plain one is what it
 * says. */
#include "simd/simd.h"

#include "base/rng.h"

#include <assay/base.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 1031 }; /* a prime: no vector length divides it */

static const size_t lengths[] = {0,  1,  2,  3,  7,   15,  16,  17,  31,
                                 33, 63, 64, 65, 191, 192, 193, 500, MAX};
#define LENGTHS (sizeof lengths / sizeof *lengths)

typedef struct inputs {
    float a[MAX * 16 + 1], b[MAX * 16 + 1], c[MAX * 16 + 1];
    uint8_t u[MAX * 16 + 1];
} inputs;

static inputs *make_inputs(uint64_t seed) {
    inputs *in = malloc(sizeof *in);
    assert_non_null(in);
    rng r = rng_at(seed, RNG_TEST, 0, 0);
    for (size_t i = 0; i < sizeof in->a / sizeof *in->a; i++) {
        in->a[i] = (float)rng_normal(&r);
        in->b[i] = (float)(rng_normal(&r) * exp(rng_normal(&r) * 4));
        in->c[i] = (float)rng_normal(&r);
        in->u[i] = (uint8_t)rng_u32(&r);
    }
    return in;
}

/* What one kernel makes of the inputs, at an odd address, in out. */
typedef void (*kernel_fn)(const simd_table *t, inputs *io, size_t n);

static void run_axpy(const simd_table *t, inputs *io, size_t n) {
    t->f32_axpy(io->a + 1, 0.37f, io->b + 1, n);
}
static void run_add(const simd_table *t, inputs *io, size_t n) {
    t->f32_add(io->a + 1, io->b, n);
}
static void run_towards(const simd_table *t, inputs *io, size_t n) {
    t->f32_lerp(io->a + 1, io->b + 1, 0.3f, n);
}
static void run_scale(const simd_table *t, inputs *io, size_t n) {
    t->f32_scale(io->a + 1, -1.7f, n);
}
static void run_sgd(const simd_table *t, inputs *io, size_t n) {
    t->f32_sgd(io->a + 1, io->b + 1, io->c, n, 0.1f, 0.9f, 5e-4f, false);
}
static void run_nesterov(const simd_table *t, inputs *io, size_t n) {
    t->f32_sgd(io->a + 1, io->b + 1, io->c, n, 0.1f, 0.9f, 5e-4f, true);
}
static void run_adamw(const simd_table *t, inputs *io, size_t n) {
    static const simd_adamw f = {0.9f, 0.1f, 0.95f, 0.05f, 0.999f, 0.01f, 3.0f, 1e-8f};
    for (size_t i = 0; i < n; i++)
        io->b[MAX + i] = fabsf(io->b[MAX + i]);
    t->f32_adamw(io->a + 1, io->a + 1 + MAX, io->b + MAX, io->c, n, &f);
}
static void run_normalize(const simd_table *t, inputs *io, size_t n) {
    static const float mean[7] = {1, 20.5f, 255, 0, 3.3f, 100, 7};
    static const float inv[7] = {0.1f, 0.013f, 2, -1, 1e-3f, 0.5f, 0.25f};
    for (size_t channels = 1; channels <= 7; channels++)
        t->u8_normalize(io->a + 1 + channels * MAX, io->u + 1, n / channels, channels,
                        mean, inv);
}
static void run_accumulate(const simd_table *t, inputs *io, size_t n) {
    t->f32_accumulate_row(io->a + 1, 0.173f, io->u + 1, n);
}
static void run_lerp(const simd_table *t, inputs *io, size_t n) {
    t->f32_lerp_rows(io->a + 1, io->b + 1, io->c + 1, 0.3f, n);
}
static void run_dot(const simd_table *t, inputs *io, size_t n) {
    double d = t->f32_dot64(io->a + 1, io->b, n);
    memcpy(io->c, &d, sizeof d);
}
static void run_sjlt(const simd_table *t, inputs *io, size_t n) {
    t->f32_sjlt16(io->a + 1, 37, io->b + 1, n, 0xFEED, 12345678901u);
}
static void run_sjlt_outer(const simd_table *t, inputs *io, size_t n) {
    t->f32_sjlt16_outer(io->a + 1, 37, io->b + 1, io->c, n, 0xFEED, 12345678901u);
}
static void run_u8_dot(const simd_table *t, inputs *io, size_t n) {
    uint32_t d = t->u8_dot(io->u + 1, io->u + MAX, n);
    memcpy(io->c, &d, sizeof d);
}
static void run_interleave(const simd_table *t, inputs *io, size_t n) {
    t->f32_interleave16(io->a + 1, io->b, n, n);
}
static void run_above(const simd_table *t, inputs *io, size_t n) {
    uint32_t at[MAX];
    size_t found = t->f32_above(at, io->a + 1, io->c, 1.5f, n);
    memcpy(io->b, &found, sizeof found);
    memcpy(io->b + 2, at, found * sizeof *at);
}

static const struct {
    const char *name;
    kernel_fn run;
} kernels[] = {
    {"axpy", run_axpy},
    {"add", run_add},
    {"towards", run_towards},
    {"scale", run_scale},
    {"sgd", run_sgd},
    {"nesterov", run_nesterov},
    {"adamw", run_adamw},
    {"normalize", run_normalize},
    {"accumulate", run_accumulate},
    {"lerp", run_lerp},
    {"dot64", run_dot},
    {"u8_dot", run_u8_dot},
    {"above", run_above},
    {"interleave16", run_interleave},
    {"sjlt16", run_sjlt},
    {"sjlt16_outer", run_sjlt_outer},
};

static void test_same_bits(void **state) {
    (void)state;
    inputs *fresh = make_inputs(1), *plain = make_inputs(1), *wide = make_inputs(1);
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        for (size_t l = 0; l < LENGTHS; l++) {
            memcpy(plain, fresh, sizeof *fresh);
            kernels[k].run(simd_for(CPU_NONE), plain, lengths[l]);
            for (int isa = CPU_AVX2; isa <= (int)cpu_detect(); isa++) {
                const char *word = cpu_isa_word((cpu_isa)isa);
                memcpy(wide, fresh, sizeof *fresh);
                kernels[k].run(simd_for((cpu_isa)isa), wide, lengths[l]);
                if (memcmp(plain, wide, sizeof *plain) != 0)
                    fail_msg("%s, %s, length %zu", kernels[k].name, word, lengths[l]);
            }
        }
    }
    free(fresh);
    free(plain);
    free(wide);
}

/* Nothing is written outside [0, n). */
static void test_stays_inside(void **state) {
    (void)state;
    for (size_t l = 0; l < LENGTHS; l++) {
        size_t n = lengths[l];
        inputs *before = make_inputs(7), *after = make_inputs(7);
        const simd_table *t = simd();
        t->f32_axpy(after->a + 1, 2, after->b, n);
        t->f32_sgd(after->c + 1, after->b + 1, after->a + 1, n, 1, 1, 1, true);
        assert_memory_equal(before->a, after->a, sizeof(float));
        assert_memory_equal(before->a + 1 + n, after->a + 1 + n, 64);
        assert_memory_equal(before->b + 1 + n, after->b + 1 + n, 64);
        assert_memory_equal(before->c + 1 + n, after->c + 1 + n, 64);
        free(before);
        free(after);
    }
}

/* The plain kernels against formulas in double. */
static void test_meaning(void **state) {
    (void)state;
    const simd_table *t = simd_for(CPU_NONE);
    inputs *was = make_inputs(3), *is = make_inputs(3);
    const double rate = 0.1f, momentum = 0.9f, decay = 0.05f;
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        memcpy(is, was, sizeof *is);
        t->f32_sgd(is->a, is->b, is->c, 100, 0.1f, 0.9f, 0.05f, nesterov == 1);
        for (int i = 0; i < 100; i++) {
            double d = (double)was->c[i] + decay * (double)was->a[i];
            double v = momentum * (double)was->b[i] + d;
            double w = (double)was->a[i] - rate * (nesterov ? d + momentum * v : v);
            double scale = fabs(v) + fabs(d) + fabs((double)was->a[i]);
            assert_true(fabs((double)is->b[i] - v) <= 4e-7 * scale);
            assert_true(fabs((double)is->a[i] - w) <= 4e-7 * scale);
        }
    }
    const simd_adamw f = {0.9f, 0.1f, 0.95f, 0.05f, 0.999f, 0.01f, 3.0f, 1e-8f};
    memcpy(is, was, sizeof *is);
    for (int i = 0; i < 100; i++)
        was->b[i] = is->b[i] = fabsf(is->b[i]);
    t->f32_adamw(is->a, is->a + 100, is->b, is->c, 100, &f);
    for (int i = 0; i < 100; i++) {
        double g = (double)was->c[i];
        double m = (double)f.beta1 * (double)was->a[100 + i] + (double)f.gain1 * g;
        double v = (double)f.beta2 * (double)was->b[i] + (double)f.gain2 * g * g;
        double w = (double)f.keep * (double)was->a[i] -
                   (double)f.rate * m / (sqrt(v) * (double)f.root + (double)f.epsilon);
        assert_true(fabs((double)is->a[100 + i] - m) <= 1e-6 * (fabs(m) + fabs(g)));
        assert_true(fabs((double)is->b[i] - v) <= 1e-6 * v);
        assert_true(fabs((double)is->a[i] - w) <= 1e-6 * (fabs(w) + 1));
    }
    memcpy(is, was, sizeof *is);
    double sum = 0, size = 0;
    for (int i = 0; i < MAX; i++) {
        sum += (double)was->a[i] * (double)was->b[i];
        size += fabs((double)was->a[i] * (double)was->b[i]);
    }
    assert_true(fabs(t->f32_dot64(was->a, was->b, MAX) - sum) <= 1e-14 * size);

    t->f32_interleave16(is->a, was->b, 50, 37);
    for (size_t i = 0; i < 37 * 16; i++)
        assert_true(is->a[i] == was->b[i % 16 * 50 + i / 16]);
    uint32_t at[MAX], dot = 0;
    size_t found = t->f32_above(at, was->a, was->c, 2, MAX), next = 0;
    for (uint32_t i = 0; i < MAX; i++) {
        dot += (uint32_t)was->u[i] * was->u[MAX + i];
        if (was->a[i] + fabsf(was->c[i]) > 2)
            assert_true(next < found && at[next++] == i);
    }
    assert_true(next == found && found > 0 && found < MAX);
    assert_int_equal(t->u8_dot(was->u, was->u + MAX, MAX), dot);
    const float mean[3] = {10, 20, 30}, inv[3] = {0.5f, 0.25f, 2};
    t->u8_normalize(is->a, was->u, 70, 3, mean, inv);
    for (int i = 0; i < 210; i++)
        assert_true(is->a[i] == ((float)was->u[i] - mean[i % 3]) * inv[i % 3]);
    free(was);
    free(is);
}

/* The sketch keeps inner products in expectation: E <Sx, Sy> = <x, y>, variance about
 * (|x|^2 |y|^2 + <x,y>^2) / buckets. */
static void test_sketch(void **state) {
    (void)state;
    enum { P = 2000, K = 256, TRIALS = 64 };
    float *g = calloc(P * 16, sizeof *g), *out = malloc(sizeof(float) * K * 16);
    assert_non_null(g);
    assert_non_null(out);
    rng r = rng_at(11, RNG_TEST, 0, 0);
    double xy = 0, xx = 0, yy = 0;
    for (size_t j = 0; j < P; j++) {
        double common = rng_normal(&r);
        g[j * 16] = (float)(common + 0.5 * rng_normal(&r));
        g[j * 16 + 15] = (float)(common + 0.5 * rng_normal(&r));
        xy += (double)g[j * 16] * (double)g[j * 16 + 15];
        xx += (double)g[j * 16] * (double)g[j * 16];
        yy += (double)g[j * 16 + 15] * (double)g[j * 16 + 15];
    }
    double mean = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        memset(out, 0, sizeof(float) * K * 16);
        /* in two pieces: coordinates are counted through */
        simd()->f32_sjlt16(out, K, g, 700, trial, 5);
        simd()->f32_sjlt16(out, K, g + (size_t)700 * 16, P - 700, trial, 705);
        double dot = 0;
        for (size_t b = 0; b < K; b++)
            dot += (double)out[b * 16] * (double)out[b * 16 + 15];
        mean += dot / TRIALS;
    }
    double deviation = sqrt((xx * yy + xy * xy) / K / TRIALS);
    assert_true(fabs(mean - xy) < 4 * deviation);

    /* Buckets are used evenly: chi-square with K - 1 degrees, five deviations. */
    double count[K] = {0}, chi = 0;
    int signs = 0;
    for (uint64_t j = 0; j < 64 * K; j++) {
        float sign;
        count[simd_sjlt_place(&sign, 99, j, K)]++;
        signs += sign > 0;
    }
    for (int b = 0; b < K; b++)
        chi += (count[b] - 64) * (count[b] - 64) / 64;
    assert_true(fabs(chi - (K - 1)) < 5 * sqrt(2.0 * K));
    assert_true(abs(signs - 32 * K) < 5 * 4 * 16); /* deviation: sqrt(64 K) / 2 = 64 */
    free(g);
    free(out);
}

static void test_dispatch(void **state) {
    (void)state;
    const char *cap = getenv("ASSAY_ISA");
    cpu_isa most;
    assert_ptr_equal(simd(), simd_for(cpu_isa_used()));
    assert_true(cpu_isa_used() <= cpu_detect());
    if (cap && cpu_isa_parse(&most, cap))
        assert_true(cpu_isa_used() <= most);
    assert_string_equal(assay_isa_name(), cpu_isa_word(cpu_isa_used()));
    print_message("in use: %s\n", assay_isa_name());
    assert_null(simd_for((cpu_isa)CPU_ISA_COUNT));
}

int main(int argc, char **argv) {
    /* Settled at first use, so the cap is tried in processes of its own. */
    const struct CMUnitTest dispatch[] = {cmocka_unit_test(test_dispatch)};
    if (argc == 2) {
        if (setenv("ASSAY_ISA", argv[1], 1) != 0)
            return 1;
        return cmocka_run_group_tests_name(argv[1], dispatch, NULL, NULL);
    }
    int failed = 0;
    for (int isa = CPU_NONE; isa < CPU_ISA_COUNT; isa++) {
        char command[4096];
        (void)snprintf(command, sizeof command, "'%s' %s", argv[0],
                       cpu_isa_word((cpu_isa)isa));
        failed += system(command) != 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_stays_inside),
        cmocka_unit_test(test_meaning),   cmocka_unit_test(test_sketch),
        cmocka_unit_test(test_dispatch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) + failed;
}
