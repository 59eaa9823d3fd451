/* The models: parameter counts, names, the values everyone asks for, and refusals. */
#include "zoo/zoo.h"

#include "base/testing.h"
#include "nn/exec.h"

#include <math.h>

static zoo_model
build(assay_ctx *ctx, const char *name, int channels, int side, int classes) {
    const zoo_config config = {.classes = classes,
                               .channels = channels,
                               .height = side,
                               .width = side,
                               .smoothing = 0.1};
    zoo_model m;
    assert_ok(zoo_build(&m, ctx, name, &config));
    return m;
}

static void parameter_counts(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < zoo_count(); i++) {
        const int classes = zoo_at(i)->sequences ? 10 : 65;
        const zoo_config words = {.classes = classes, .context = 128, .vocabulary = 65};
        zoo_model m;
        if (zoo_at(i)->tokens)
            assert_ok(zoo_build(&m, ctx, zoo_at(i)->name, &words));
        else
            m = build(ctx, zoo_at(i)->name, 1, 28, 10);
        assert_int_equal(nn_graph_param_floats(m.graph), zoo_at(i)->golden);
        assert_true(m.flop > m.flop_input && m.flop_input >= 0);
        zoo_destroy(&m);
    }
    assay_ctx_destroy(ctx);
}

static void shapes(void **state) {
    (void)state;
    static const struct {
        int channels, side, classes;
    } of[] = {{1, 28, 10}, {3, 32, 10}, {3, 64, 100}, {1, 8, 2},
              {1, 11, 2},  {3, 41, 3},  {3, 65, 2},   {3, 224, 5}};
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < zoo_count(); i++) {
        for (size_t k = 0; k < sizeof of / sizeof *of && !zoo_at(i)->tokens; k++) {
            if (of[k].side < zoo_at(i)->least_side)
                continue;
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
    m = build(ctx, "resnet9", 3, 32, 10);
    assert_true(has_param(m.graph, "0.0.weight", 4, 64));
    assert_true(has_param(m.graph, "5.module.1.1.bias", 1, 256));
    assert_true(has_param(m.graph, "9.weight", 2, 10));
    assert_false(has_param(m.graph, "9.bias", 1, 10));
    zoo_destroy(&m);
    m = build(ctx, "resnet18", 3, 224, 1000);
    assert_true(has_param(m.graph, "conv1.weight", 4, 64));
    assert_true(has_param(m.graph, "layer2.0.downsample.0.weight", 4, 128));
    assert_false(has_param(m.graph, "layer2.1.downsample.0.weight", 4, 128));
    assert_true(has_param(m.graph, "layer4.1.bn2.weight", 1, 512));
    zoo_destroy(&m);
    const zoo_config words = {.classes = 65, .context = 128};
    assert_ok(zoo_build(&m, ctx, "gpt-tiny", &words));
    assert_true(has_param(m.graph, "transformer.wte.weight", 2, 65));
    assert_true(has_param(m.graph, "transformer.h.3.attn.c_attn.weight", 2, 384));
    assert_true(has_param(m.graph, "lm_head.bias", 1, 65));
    const nn_shape logits = nn_graph_shape(m.graph, m.logits);
    assert_true(logits.ndim == 3 && logits.dim[1] == 128 && logits.dim[2] == 65);
    assert_int_equal(nn_graph_shape(m.graph, m.loss).ndim, 1);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

/* What others count: torchvision's model has 11,689,512 parameters and 1.81 billion
 * multiply-adds at 224 pixels a side. */
static void known_sizes(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m = build(ctx, "resnet18", 3, 224, 1000);
    assert_int_equal(nn_graph_param_floats(m.graph), 11689512);
    assert_true(fabs(m.flop / 2 / 1.814e9 - 1) < 1e-3);
    zoo_destroy(&m);
    m = build(ctx, "resnet9", 3, 32, 10);
    assert_int_equal(nn_graph_param_floats(m.graph), 2274880);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

/* Widths behind the name. */
static void families(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static const char *const wrong[] = {"mlp-",
                                        "mlp-0",
                                        "mlp--5",
                                        "mlp-12x",
                                        "mlp-99999999",
                                        "mlp-16385",
                                        "mlp-12-",
                                        "mlp-1-1-1-1-1-1-1-1-1",
                                        "mlp-18446744073709551617",
                                        "mlp- 5"};
    const zoo_config config = {.classes = 10, .channels = 1, .height = 28, .width = 28};
    zoo_model m = build(ctx, "mlp-128-64", 1, 28, 10);
    assert_int_equal(nn_graph_param_floats(m.graph), zoo_find("mlp")->golden);
    assert_true(has_param(m.graph, "fc2.weight", 2, 64));
    zoo_destroy(&m);
    m = build(ctx, "mlp-7", 1, 28, 10);
    assert_int_equal(nn_graph_param_floats(m.graph), 784 * 7 + 7 + 7 * 10 + 10);
    zoo_destroy(&m);
    m = build(ctx, "mlp-1-1-1-1-1-1-1-1", 1, 28, 10);
    zoo_destroy(&m);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_fails(ASSAY_E_INVALID, zoo_build(&m, ctx, wrong[i], &config));
        assert_non_null(strstr(assay_last_error()->help, "mlp-128-64"));
        assert_null(m.graph);
        assert_null(zoo_find(wrong[i]));
    }
    assert_fails(ASSAY_E_NOTFOUND, zoo_build(&m, ctx, "cnn-3", &config));
    assert_fails(ASSAY_E_NOTFOUND, zoo_build(&m, ctx, "mlpx", &config));
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_config config = {.classes = 10, .channels = 1, .height = 28, .width = 28};
    zoo_model m;
    assert_fails(ASSAY_E_NOTFOUND, zoo_build(&m, ctx, "resnet-9000", &config));
    assert_non_null(strstr(assay_last_error()->help, "cnn, "));
    config.height = config.width = 4;
    assert_fails(ASSAY_E_SHAPE, zoo_build(&m, ctx, "cnn", &config));
    assert_null(m.graph);
    for (size_t i = 0; i < zoo_count(); i++) {
        config.height = zoo_at(i)->least_side - 1; /* or no context */
        assert_fails(ASSAY_E_SHAPE, zoo_build(&m, ctx, zoo_at(i)->name, &config));
    }
    config.height = 28;
    config = (zoo_config){.channels = 1, .height = 28, .width = 28};
    assert_fails(ASSAY_E_SHAPE, zoo_build(&m, ctx, "cnn", &config));
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

/* Per-example gradients of a layer begin with its weight's: one that is not trained has
 * none, which is told rather than mistaken for the bias's. */
static void fixed_weights_have_no_factors(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m = build(ctx, "airbench", 3, 32, 10);
    nn_weights w;
    nn_exec *e;
    assert_true(has_param(m.graph, "whiten.bias", 1, 24));
    assert_false(has_param(m.graph, "whiten.weight", 4, 24));
    assert_ok(nn_weights_create(&w, ctx, m.graph, 1));
    const nn_exec_options o = {
        .mode = NN_CAPTURE, .batch = 2, .target = m.margin, .dtype = ASSAY_F32};
    assert_fails(ASSAY_E_UNSUPPORTED, nn_exec_create(&e, ctx, m.graph, &w, &o));
    assert_null(e);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(shapes),
        cmocka_unit_test(families),
        cmocka_unit_test(names_are_those_of_pytorch),
        cmocka_unit_test(known_sizes),
        cmocka_unit_test(fixed_weights_have_no_factors),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
