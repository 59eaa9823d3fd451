/* Every projector: its map is linear and the same for whole batches and single examples,
 * equals the dense matrix that it stands for, and keeps scalar products on average. */
#include "attribute/gradient/projector.h"

#include "attribute/gradient/project.h"
#include "attribute/study/testing.h"

#include <math.h>

enum { FLOATS = 90, DIM = 32, SEEDS = 300 };

/* Two numbers to each parameter, without a model: a factor that hands out gradients. */
typedef struct pair {
    float g[2][FLOATS];
    nn_factor factor;
} pair;

static void pair_make(pair *p) {
    for (int i = 0; i < FLOATS; i++) {
        rng r = rng_at(4, RNG_TEST, 0, (uint64_t)i);
        p->g[0][i] = (float)rng_normal(&r);
        p->g[1][i] = .5f * p->g[0][i] + (float)rng_normal(&r);
    }
    p->factor =
        (nn_factor){.kind = NN_FACTOR_DIAG, .n = 2, .weight_count = FLOATS, .d = p->g[0]};
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static float *scratch_of(const att_projection *p) {
    float *scratch = aligned_alloc(64, (p->scratch * sizeof(float) + 63) / 64 * 64);
    assert_non_null(scratch);
    return scratch;
}

static void scalar_products_on_average(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    pair x;
    pair_make(&x);
    double want = dot(x.g[0], x.g[1], FLOATS);
    for (size_t k = 0; k < att_projector_count(); k++) {
        double mean = 0, square = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            att_projection p;
            assert_ok(att_projection_create(&p, ctx, att_projector_at(k)->name, DIM, seed,
                                            FLOATS, &x.factor, 1));
            float *scratch = scratch_of(&p);
            float *out = calloc(2 * (size_t)p.dim, sizeof *out);
            assert_non_null(out);
            p.projector->run(out, &p, &x.factor, 1, 2, scratch);
            double got = dot(out, out + p.dim, (size_t)p.dim);
            mean += got / SEEDS;
            square += got * got / SEEDS;
            free(out);
            free(scratch);
            att_projection_free(&p);
        }
        double error = sqrt(fmax(square - mean * mean, 0) / SEEDS);
        if (!(fabs(mean - want) <= 4 * error + 1e-3 * fabs(want)))
            fail_msg("%s: %g, not %g; standard error %g", att_projector_at(k)->name, mean,
                     want, error);
        /* a map that loses nothing has no error; one that forgets the seed neither */
        assert_true(att_projector_at(k)->whole || error > 0);
    }
    assay_ctx_destroy(ctx);
}

/* The matrix, a row at a time, by projecting unit vectors; then gradients times it. */
static void maps_are_matrices(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    pair x;
    pair_make(&x);
    for (size_t k = 0; k < att_projector_count(); k++) {
        att_projection p;
        static float unit[FLOATS], matrix[FLOATS][FLOATS];
        nn_factor one = x.factor;
        one.n = 1;
        one.d = unit;
        assert_ok(att_projection_create(&p, ctx, att_projector_at(k)->name, DIM, 7,
                                        FLOATS, &x.factor, 1));
        float *scratch = scratch_of(&p);
        float out[2 * FLOATS];
        for (int i = 0; i < FLOATS; i++) {
            memset(unit, 0, sizeof unit);
            unit[i] = 1;
            p.projector->run(matrix[i], &p, &one, 1, 1, scratch);
        }
        p.projector->run(out, &p, &x.factor, 1, 2, scratch);
        for (int lane = 0; lane < 2; lane++)
            for (int j = 0; j < p.dim; j++) {
                double want = 0;
                for (int i = 0; i < FLOATS; i++)
                    want += (double)x.g[lane][i] * (double)matrix[i][j];
                assert_true(fabs((double)out[lane * p.dim + j] - want) < 1e-4);
            }
        free(scratch);
        att_projection_free(&p);
    }
    assay_ctx_destroy(ctx);
}

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* A model's factors: kernels of projections come near the exact one, the nearer the more
 * dimensions; unprojected they are it. */
static void come_near(const zoo_model_def *def) {
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, def, &recipe);
    const att_member m = little_member(x);
    size_t n = x->toy->n;
    att_features exact;
    att_settings whole = ATT_SETTINGS_INIT, settings = ATT_SETTINGS_INIT;
    whole.projector = "none";
    assert_ok(att_project_study(&exact, &m, &whole));
    assert_int_equal(exact.dim, nn_graph_param_floats(x->model.graph));
    for (size_t k = 0; k < att_projector_count(); k++) {
        double off[2];
        const char *name = att_projector_at(k)->name;
        for (int big = 0; big < 2; big++) {
            att_features f;
            double square = 0, size = 0;
            settings.projector = name;
            settings.dim = big ? 1024 : 64;
            assert_ok(att_project_study(&f, &m, &settings));
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    double want =
                        dot(exact.phi + i * (size_t)exact.dim,
                            exact.phi + j * (size_t)exact.dim, (size_t)exact.dim);
                    double got = dot(f.phi + i * (size_t)f.dim, f.phi + j * (size_t)f.dim,
                                     (size_t)f.dim);
                    square += (got - want) * (got - want);
                    size += want * want;
                }
            off[big] = sqrt(square / size);
            att_features_free(&f);
        }
        if (!(off[1] <= .2 && (off[1] < .6 * off[0] || att_projector_at(k)->whole)))
            fail_msg("%s: off by %g with 64, %g with 1024", name, off[0], off[1]);
    }
    att_features_free(&exact);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void kernels_come_near(void **state) {
    (void)state;
    come_near(NULL);
}

static assay_status conv_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv_of(m, &x, "conv1", &(zoo_conv_shape){6, 3, 1, 1, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_conv_of(m, &x, "conv2", &(zoo_conv_shape){10, 3, 2, 1, false}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static void and_of_convolutions(void **state) {
    (void)state;
    const zoo_model_def def = {.name = "conv", .build = conv_build};
    come_near(&def);
}

static void wrong_names_are_refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    pair x;
    att_projection p;
    pair_make(&x);
    assert_fails(ASSAY_E_NOTFOUND,
                 att_projection_create(&p, ctx, "prism", DIM, 0, FLOATS, &x.factor, 1));
    assert_non_null(strstr(assay_last_error()->help, "sjlt"));
    assert_fails(ASSAY_E_INVALID,
                 att_projection_create(&p, ctx, "sjlt", 0, 0, FLOATS, &x.factor, 1));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_products_on_average),
        cmocka_unit_test(maps_are_matrices),
        cmocka_unit_test(kernels_come_near),
        cmocka_unit_test(and_of_convolutions),
        cmocka_unit_test(wrong_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
