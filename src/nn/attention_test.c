/* What attention promises of padding: an example with `length` keys gives the bits that
 * it gives where nothing lies behind them, whatever does, and no gradient reaches that.
 */
#include "nn/attend.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>
#include <stdlib.h>

enum { HEADS = 2, WIDTH = 12, LONG = 40, SHORT = 37, ROOM = 1 << 16 };

static nn_node node_of(int64_t tokens, int inputs) {
    nn_node node = {.op = nn_op_find("attention"),
                    .n_in = inputs,
                    .n_attr = 1,
                    .in_dtype = {ASSAY_F32, ASSAY_F32, ASSAY_F32, ASSAY_I32},
                    .out_dtype = ASSAY_F32,
                    .in_shape = {{3, {0, tokens, WIDTH}},
                                 {3, {0, tokens, WIDTH}},
                                 {3, {0, tokens, WIDTH}},
                                 {1, {0}}},
                    .attr = {{.name = "heads", .i = {HEADS}, .count = 1}}};
    assert_ok(node.op->infer(&node));
    return node;
}

typedef struct numbers {
    float in[3][LONG * WIDTH], out[LONG * WIDTH], d_out[LONG * WIDTH];
    float d_in[3][LONG * WIDTH];
} numbers;

static void run(const nn_node *node, numbers *x, int32_t length) {
    float *scratch = aligned_alloc(64, ROOM * sizeof *scratch);
    float save[HEADS * LONG];
    assert_non_null(scratch);
    nn_io io = {.node = node,
                .mode = NN_TRAIN,
                .n = 1,
                .total = 1,
                .in = {x->in[0], x->in[1], x->in[2], &length},
                .out = x->out,
                .d_out = x->d_out,
                .d_in = {x->d_in[0], x->d_in[1], x->d_in[2]},
                .save = save,
                .scratch = scratch};
    attend_shape s = attend_shape_of(node);
    assert_true(attend_forward_scratch(&s) <= ROOM &&
                attend_backward_scratch(&s) <= ROOM);
    assert_ok(node->op->forward(&io));
    assert_ok(node->op->backward(&io));
    free(scratch);
}

static void fill(float *x, size_t n, uint32_t stream, float scale) {
    rng r = rng_at(3, RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (float)(2 * rng_uniform(&r) - 1);
}

static void padding_changes_nothing(void **state) {
    (void)state;
    static numbers padded, plain;
    const nn_node a = node_of(LONG, 4), b = node_of(SHORT, 3);
    for (uint32_t i = 0; i < 3; i++) {
        fill(padded.in[i], (size_t)LONG * WIDTH, i, 1);
        memcpy(plain.in[i], padded.in[i], sizeof(float) * SHORT * WIDTH);
        fill(padded.in[i] + SHORT * WIDTH, (LONG - SHORT) * WIDTH, 9, 50);
    }
    fill(padded.d_out, (size_t)SHORT * WIDTH, 4, 1); /* nobody asks padding anything */
    memcpy(plain.d_out, padded.d_out, sizeof(float) * SHORT * WIDTH);
    run(&a, &padded, SHORT);
    run(&b, &plain, SHORT);
    assert_memory_equal(padded.out, plain.out, sizeof(float) * SHORT * WIDTH);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(padded.d_in[i], plain.d_in[i], sizeof(float) * SHORT * WIDTH);
        for (size_t k = (size_t)SHORT * WIDTH; k < (size_t)LONG * WIDTH; k++)
            assert_true(padded.d_in[i][k] == 0);
    }
}

/* No key at all, and more than there are. */
static void lengths_are_held_in_bounds(void **state) {
    (void)state;
    static numbers none, one, many, all;
    const nn_node node = node_of(LONG, 4);
    for (uint32_t i = 0; i < 3; i++)
        fill(none.in[i], (size_t)LONG * WIDTH, i, 1);
    fill(none.d_out, (size_t)LONG * WIDTH, 4, 1);
    one = many = all = none;
    run(&node, &none, -3);
    run(&node, &one, 1);
    run(&node, &many, LONG + 7);
    run(&node, &all, LONG);
    assert_memory_equal(none.out, one.out, sizeof none.out);
    assert_memory_equal(many.out, all.out, sizeof many.out);
    assert_memory_equal(one.out, one.in[2], sizeof(float) * WIDTH); /* the only value */
}

static void lengths_are_whole_numbers(void **state) {
    (void)state;
    nn_node node = node_of(LONG, 4);
    node.in_dtype[3] = ASSAY_F32;
    assert_int_equal(node.op->infer(&node), ASSAY_E_SHAPE);
    node = node_of(LONG, 4);
    node.in_shape[3] = (nn_shape){2, {0, LONG}};
    assert_int_equal(node.op->infer(&node), ASSAY_E_SHAPE);
    node = node_of(LONG, 4);
    node.in_dtype[1] = ASSAY_I32;
    assert_int_equal(node.op->infer(&node), ASSAY_E_SHAPE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_changes_nothing),
        cmocka_unit_test(lengths_are_held_in_bounds),
        cmocka_unit_test(lengths_are_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
