/* What dropout promises: the same elements go however the batch is cut into shards,
 * others at another step, seed or node, and as many as were asked for. */
#include "nn/op.h"

#include "base/testing.h"

#include <math.h>

enum { BATCH = 8, EACH = 1003, COUNT = BATCH * EACH };

static nn_node node_of(int index, double p) {
    nn_node node = {.op = nn_op_find("dropout"),
                    .index = index,
                    .n_in = 1,
                    .n_attr = 1,
                    .in_shape = {{2, {0, EACH}}},
                    .out_shape = {2, {0, EACH}},
                    .attr = {{.name = "p", .f = p}}};
    return node;
}

/* Examples [first, first + n) of ones. */
static void
run(const nn_node *node, uint64_t seed, uint64_t step, int first, int n, float *y) {
    static float ones[COUNT];
    static uint8_t mask[COUNT];
    for (int i = 0; i < COUNT; i++)
        ones[i] = 1;
    nn_io io = {.node = node,
                .mode = NN_TRAIN,
                .n = n,
                .first = first,
                .total = BATCH,
                .seed = seed,
                .step = step,
                .in = {ones},
                .out = y + (size_t)first * EACH,
                .save = mask};
    assert_ok(node->op->forward(&io));
}

static int differences(const float *a, const float *b) {
    int n = 0;
    for (int i = 0; i < COUNT; i++)
        n += a[i] != b[i];
    return n;
}

static void shards_change_nothing(void **state) {
    (void)state;
    static float whole[COUNT], parts[COUNT];
    nn_node node = node_of(3, 0.3);
    run(&node, 5, 9, 0, BATCH, whole);
    for (int first = 0; first < BATCH; first += 2)
        run(&node, 5, 9, first, 2, parts);
    assert_memory_equal(whole, parts, sizeof whole);
}

static void every_key_counts(void **state) {
    (void)state;
    static float y[5][COUNT];
    nn_node node = node_of(3, 0.5), other = node_of(4, 0.5);
    run(&node, 5, 9, 0, BATCH, y[0]);
    run(&node, 5, 10, 0, BATCH, y[1]);
    run(&node, 6, 9, 0, BATCH, y[2]);
    run(&other, 5, 9, 0, BATCH, y[3]);
    run(&node, 5, 9 + ((uint64_t)1 << 32), 0, BATCH, y[4]);
    for (int i = 1; i < 5; i++) {
        int n = differences(y[0], y[i]);
        assert_true(n > COUNT * 45 / 100 && n < COUNT * 55 / 100);
    }
    assert_true(memcmp(y[0], y[0] + EACH, EACH * sizeof **y) != 0); /* and the example */
}

static void as_many_go_as_asked_for(void **state) {
    (void)state;
    static const double p[] = {0, 0.1, 0.5, 0.9, 1};
    static float y[COUNT];
    for (size_t k = 0; k < sizeof p / sizeof *p; k++) {
        nn_node node = node_of(0, p[k]);
        run(&node, 1, 1, 0, BATCH, y);
        double gone = 0;
        for (int i = 0; i < COUNT; i++) {
            assert_true(y[i] == 0 || fabs((double)y[i] * (1 - p[k]) - 1) < 1e-6);
            gone += y[i] == 0;
        }
        double sd = sqrt(p[k] * (1 - p[k]) / COUNT);
        assert_true(fabs(gone / COUNT - p[k]) <= 4 * sd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_change_nothing),
        cmocka_unit_test(every_key_counts),
        cmocka_unit_test(as_many_go_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
