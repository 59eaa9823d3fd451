/* The models: parameter counts, names, the values everyone asks for, and refusals. */
#include "zoo/zoo.h"

#include "base/testing.h"

static zoo_model
build(assay_ctx *ctx, const char *name, int channels, int side, int classes) {
    const zoo_config config = {classes, channels, side, side, 0.1};
    zoo_model m;
    assert_ok(zoo_build(&m, ctx, name, &config));
    return m;
}

static void parameter_counts(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < zoo_count(); i++) {
        zoo_model m = build(ctx, zoo_at(i)->name, 1, 28, 10);
        assert_int_equal(nn_graph_param_floats(m.graph), zoo_at(i)->params_28x28x1x10);
        assert_true(m.flop > 0);
        zoo_destroy(&m);
    }
    assay_ctx_destroy(ctx);
}

static void shapes(void **state) {
    (void)state;
    static const struct {
        int channels, side, classes;
    } of[] = {{1, 28, 10}, {3, 32, 10}, {3, 64, 100}, {1, 8, 2}, {3, 41, 3}, {3, 224, 5}};
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < zoo_count(); i++) {
        for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
            zoo_model m =
                build(ctx, zoo_at(i)->name, of[k].channels, of[k].side, of[k].classes);
            nn_shape logits = nn_graph_shape(m.graph, m.logits);
            nn_shape penultimate = nn_graph_shape(m.graph, m.penultimate);
            assert_int_equal(logits.ndim, 2);
            assert_int_equal(logits.dim[1], of[k].classes);
            assert_int_equal(penultimate.ndim, 2);
            assert_true(penultimate.dim[1] >= 16);
            assert_int_equal(nn_graph_shape(m.graph, m.loss).ndim, 1);
            assert_int_equal(nn_graph_find(m.graph, "logits"), m.logits);
            assert_int_equal(nn_graph_find(m.graph, "margin"), m.margin);
            zoo_destroy(&m);
        }
    }
    assay_ctx_destroy(ctx);
}

static bool has_param(const nn_graph *g, const char *name, int ndim, int64_t first) {
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        if (strcmp(p.name, name) == 0)
            return p.shape.ndim == ndim && p.shape.dim[0] == first;
    }
    return false;
}

static void names_are_those_of_pytorch(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m = build(ctx, "mlp", 1, 28, 10);
    assert_true(has_param(m.graph, "fc1.weight", 2, 128));
    assert_true(has_param(m.graph, "fc1.bias", 1, 128));
    assert_true(has_param(m.graph, "fc3.weight", 2, 10));
    zoo_destroy(&m);
    m = build(ctx, "cnn", 3, 32, 7);
    assert_true(has_param(m.graph, "conv1.weight", 4,
                          nn_graph_param_at(m.graph, 0).shape.dim[0]));
    assert_true(
        has_param(m.graph, "bn1.weight", 1, nn_graph_param_at(m.graph, 0).shape.dim[0]));
    assert_true(has_param(m.graph, "fc.weight", 2, 7));
    assert_string_equal(nn_graph_buffer_at(m.graph, 0).name, "bn1.running_mean");
    assert_string_equal(nn_graph_buffer_at(m.graph, 1).name, "bn1.running_var");
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_config config = {10, 1, 28, 28, 0};
    zoo_model m;
    assert_fails(ASSAY_E_NOTFOUND, zoo_build(&m, ctx, "resnet-9000", &config));
    assert_non_null(strstr(assay_last_error()->help, "cnn, mlp"));
    config.height = config.width = 4;
    assert_fails(ASSAY_E_SHAPE, zoo_build(&m, ctx, "cnn", &config));
    assert_null(m.graph);
    config = (zoo_config){0, 1, 28, 28, 0};
    assert_fails(ASSAY_E_SHAPE, zoo_build(&m, ctx, "cnn", &config));
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(shapes),
        cmocka_unit_test(names_are_those_of_pytorch),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
