/* What holds for every optimizer of the registry: the state starts at nought, a reset
 * forgets everything, the same steps give the same bits, and unknown names are told. */
#include "train/optimizer.h"

#include "base/rng.h"
#include "base/testing.h"
#include "zoo/zoo.h"

enum { STEPS = 4 };

typedef struct model {
    assay_ctx *ctx;
    zoo_model zoo;
    nn_weights weights;
    float *grads;
    size_t n;
} model;

static void model_make(model *m) {
    static const zoo_config config = {
        .classes = 10, .channels = 1, .height = 12, .width = 12, .smoothing = 0.1};
    m->ctx = test_ctx(1);
    assert_ok(zoo_build(&m->zoo, m->ctx, "cnn", &config));
    assert_ok(nn_weights_create(&m->weights, m->ctx, m->zoo.graph, 3));
    m->n = nn_graph_param_floats(m->zoo.graph);
    m->grads = calloc(m->n, sizeof *m->grads);
    assert_non_null(m->grads);
}

static void model_end(model *m) {
    free(m->grads);
    nn_weights_destroy(&m->weights, m->ctx);
    zoo_destroy(&m->zoo);
    assay_ctx_destroy(m->ctx);
}

static void steps(model *m, optimizer *o) {
    for (uint32_t s = 0; s < STEPS; s++) {
        for (size_t i = 0; i < m->n; i++) {
            rng r = rng_at(5, RNG_TEST, s, i);
            m->grads[i] = (float)(rng_uniform(&r) - 0.5);
        }
        optimizer_step(o, m->weights.params, m->grads, (train_pace){0.05, 0.9});
    }
}

static void a_reset_forgets_all(void **state) {
    (void)state;
    model m;
    model_make(&m);
    size_t bytes = m.n * sizeof(float);
    float *began = malloc(bytes), *ended = malloc(bytes);
    assert_true(began && ended);
    memcpy(began, m.weights.params, bytes);
    for (size_t k = 0; k < optimizer_count(); k++) {
        optimizer o;
        optimizer_options how = OPTIMIZER_OPTIONS_INIT;
        how.name = optimizer_name(k);
        how.weight_decay = 0.01;
        assert_true(strlen(optimizer_summary(k)) > 5);
        assert_ok(optimizer_create(&o, m.ctx, m.zoo.graph, &how));
        assert_true(optimizer_states(&o) >= 1);
        memcpy(m.weights.params, began, bytes);
        steps(&m, &o);
        assert_int_equal(o.steps, STEPS);
        assert_memory_not_equal(m.weights.params, began, bytes);
        memcpy(ended, m.weights.params, bytes);
        optimizer_reset(&o);
        assert_int_equal(o.steps, 0);
        memcpy(m.weights.params, began, bytes);
        steps(&m, &o);
        assert_memory_equal(m.weights.params, ended, bytes);
        optimizer_destroy(&o);
    }
    free(began);
    free(ended);
    model_end(&m);
}

static void unknown_names_are_told(void **state) {
    (void)state;
    model m;
    model_make(&m);
    optimizer o;
    optimizer_options how = OPTIMIZER_OPTIONS_INIT;
    how.name = "newton";
    assert_fails(ASSAY_E_NOTFOUND, optimizer_create(&o, m.ctx, m.zoo.graph, &how));
    assert_non_null(strstr(assay_last_error()->message, "newton"));
    assert_non_null(strstr(assay_last_error()->help, "adamw"));
    optimizer_destroy(&o);
    model_end(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_forgets_all),
        cmocka_unit_test(unknown_names_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
