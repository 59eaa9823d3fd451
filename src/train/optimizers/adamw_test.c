/* Twenty steps end where PyTorch's torch.optim.AdamW ends (tests/torch_golden.py). */
#include "base/testing.h"
#include "train/optimizer.h"

#include <math.h>

static float number(uint64_t stream, uint64_t i) {
    uint32_t word = (uint32_t)((i + 1000 * stream + 1) * 2654435761U);
    return (float)(word >> 16) / 65536.0F - 0.5F;
}

static void ends_where_pytorch_does(void **state) {
    (void)state;
    static const double golden[8] = {0.143935308,   -0.332952678, 0.406520069,
                                     -0.0470512733, -0.427172005, 0.275749147,
                                     0.177631781,   -0.284984499};
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g;
    nn_value v;
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_param(g, "weight", (nn_shape){2, {2, 3}}, NN_INIT_ZERO, true, &v));
    assert_ok(nn_graph_param(g, "bias", (nn_shape){1, {2}}, NN_INIT_ZERO, false, &v));
    optimizer a;
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.name = "adamw";
    o.beta2 = 0.95;
    o.weight_decay = 0.1;
    assert_ok(optimizer_create(&a, ctx, g, &o));
    float w[8], grads[8];
    for (uint64_t i = 0; i < 8; i++)
        w[i] = number(i / 6, i % 6);
    for (uint64_t step = 0; step < 20; step++) {
        for (uint64_t i = 0; i < 8; i++)
            grads[i] = number(10 + 2 * step + i / 6, i % 6);
        optimizer_step(&a, w, grads, (train_pace){.rate = 0.01});
    }
    for (size_t i = 0; i < 8; i++)
        assert_true(fabs((double)w[i] - golden[i]) < 2e-7);
    optimizer_destroy(&a);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_where_pytorch_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
