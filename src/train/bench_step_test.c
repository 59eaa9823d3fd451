/* Steps of the small networks are measured; what they tell adds up; bad options are
 * refused. */
#include <assay/bench.h>
#include <assay/data.h>

#include "base/json.h"
#include "base/testing.h"
#include "train/bench_nets.h"

static void counts_of_parameters(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m;
    assert_ok(bench_net_build(&m, ctx, "mlp", 0, false));
    assert_int_equal(nn_graph_param_floats(m.graph), 784 * 256 + 256 + 2560 + 10);
    assert_true(m.flop_input == 2.0 * 784 * 256);
    zoo_destroy(&m);
    assert_ok(bench_net_build(&m, ctx, "cnn", 0, false));
    assert_int_equal(nn_graph_param_floats(m.graph),
                     32 * 9 + 32 + 64 * 32 * 9 + 64 + 3136 * 10 + 10);
    zoo_destroy(&m);
    assert_ok(bench_net_build(&m, ctx, "resnet18", 224, false));
    assert_int_equal(m.config.classes, 1000);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

static void tells(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    assay_bench_step_options o = ASSAY_BENCH_STEP_OPTIONS_INIT;
    o.model = "cnn";
    o.batch = 4;
    o.seconds = 0;
    char *json;
    assert_ok(assay_bench_step(ctx, &o, &json));
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *all = json_root(doc);
    double ms = json_get_num(json_get(all, "ms_per_step"), 0);
    double rate = json_get_num(json_get(all, "images_per_second"), 0);
    assert_true(ms > 0);
    assert_true(rate * ms > 3999 && rate * ms < 4001);
    assert_int_equal(json_get_int(json_get(all, "steps"), 0), 5);
    double loss = json_get_num(json_get(all, "loss"), 0);
    assert_true(loss > 0 && loss < 6);
    json_doc_destroy(doc);
    assay_string_free(ctx, json);
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    char *json;
#define REFUSE(status, field, value)                                                     \
    do {                                                                                 \
        assay_bench_step_options o = ASSAY_BENCH_STEP_OPTIONS_INIT;                      \
        o.model = "mlp";                                                                 \
        o.field = value;                                                                 \
        assert_fails(status, assay_bench_step(ctx, &o, &json));                          \
        assert_null(json);                                                               \
    } while (0)
    REFUSE(ASSAY_E_NOTFOUND, model, "vgg");
    REFUSE(ASSAY_E_INVALID, batch, -1);
    REFUSE(ASSAY_E_INVALID, batch, 1 << 20);
    REFUSE(ASSAY_E_INVALID, size, -1);
    REFUSE(ASSAY_E_INVALID, seconds, -1);
    REFUSE(ASSAY_E_INVALID, precision, "f16");
#undef REFUSE
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_parameters),
        cmocka_unit_test(tells),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
