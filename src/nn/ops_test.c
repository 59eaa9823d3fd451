/* What the general ops give, by numbers written down by hand (ONNX's examples where there
 * is one), and what they refuse: at once when a graph is made, or, for indices and
 * divisors, when they are met. */
#include "nn/graph_inside.h"
#include "nn/numbers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct rig {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_value in[3], out;
    assay_dtype dtype[3];
    int64_t count[3];
    int n_in;
} rig;

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

static void rig_open(rig *r) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    memset(r, 0, sizeof *r);
    ok(assay_ctx_create(&r->ctx, &o));
    ok(nn_graph_create(&r->graph, r->ctx));
}

static void rig_close(rig *r) {
    nn_graph_destroy(r->graph);
    assay_ctx_destroy(r->ctx);
}

/* A static input. */
static void input(rig *r, assay_dtype dtype, nn_shape shape) {
    char name[8];
    int i = r->n_in++;
    snprintf(name, sizeof name, "in%d", i);
    r->dtype[i] = dtype;
    r->count[i] = nn_shape_count(&shape);
    ok(nn_graph_input(r->graph, name, dtype, shape, &r->in[i]));
}

static assay_status op(rig *r, const char *name, const nn_attr *attr, int n_attr) {
    return nn_graph_op(r->graph, name, r->in, r->n_in, attr, n_attr, &r->out);
}

/* Runs the op over these numbers, all inputs in one list; the output as doubles. */
static assay_status run(rig *r, const double *numbers, double *out) {
    assay_status status;
    nn_weights weights = {0};
    nn_exec *e = NULL;
    nn_exec_options o = {
        .mode = NN_EVAL, .batch = 1, .keep = &r->out, .n_keep = 1, .target = -1};
    ok(nn_weights_create(&weights, r->ctx, r->graph, 1));
    ok(nn_exec_create(&e, r->ctx, r->graph, &weights, &o));
    for (int i = 0; i < r->n_in; i++) {
        num_from_f64(nn_exec_input(e, r->in[i]), r->dtype[i], numbers,
                     (size_t)r->count[i]);
        numbers += r->count[i];
    }
    status = nn_exec_forward(e, 1);
    if (status == ASSAY_OK) {
        nn_shape s = nn_graph_shape(r->graph, r->out);
        num_to_f64(out, nn_exec_value(e, r->out), nn_graph_dtype(r->graph, r->out), 1,
                   (size_t)nn_shape_count(&s));
    }
    nn_exec_destroy(e);
    nn_weights_destroy(&weights, r->ctx);
    return status;
}

static void gives(const double *got, const double *want, int n) {
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-6 * (1 + fabs(want[i]))))
            fail_msg("[%d] is %.9g, not %.9g", i, got[i], want[i]);
}

#define ATTR(NAME, COUNT, ...)                                                           \
    { .name = NAME, .i = {__VA_ARGS__}, .count = COUNT }
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

static void slices(void **state) {
    (void)state;
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, far[] = {2, 3, 4},
                        back[] = {8, 6};
    double got[8];
    rig r;
    rig_open(&r);
    input(&r, ASSAY_F32, (nn_shape){2, {2, 4}});
    const nn_attr plain[] = {ATTR("starts", 2, 0, 1), ATTR("ends", 2, -1, 1000)};
    ok(op(&r, "slice", plain, 2));
    ok(run(&r, x, got));
    gives(got, far, 3);
    const nn_attr turned[] = {ATTR("starts", 2, INT64_MAX, 1),
                              ATTR("ends", 2, INT64_MIN, 2), ATTR("axes", 2, -1, 0),
                              ATTR("steps", 2, -2, 1)};
    ok(op(&r, "slice", turned, 4));
    ok(run(&r, x, got));
    gives(got, back, 2);
    assert_int_equal(nn_graph_shape(r.graph, r.out).dim[1], 2);
    const nn_attr none[] = {ATTR("starts", 1, 3), ATTR("ends", 1, 3)};
    assert_int_equal(op(&r, "slice", none, 2), ASSAY_E_SHAPE);
    const nn_attr still[] = {ATTR("starts", 1, 0), ATTR("ends", 1, 3), ATTR("axes", 1, 0),
                             ATTR("steps", 1, 0)};
    assert_int_equal(op(&r, "slice", still, 4), ASSAY_E_INVALID);
    const nn_attr off[] = {ATTR("starts", 1, 0), ATTR("ends", 1, 3), ATTR("axes", 1, 2)};
    assert_int_equal(op(&r, "slice", off, 3), ASSAY_E_INVALID);
    rig_close(&r);
}

static void pads(void **state) {
    (void)state;
    static const double x[] = {1, 2, 3}, mirrored[] = {3, 2, 1, 2, 3, 2},
                        edge[] = {1, 1, 1, 2, 3, 3}, filled[] = {9, 9, 1, 2, 3, 9};
    static const double *const want[] = {filled, mirrored, edge};
    double got[6];
    rig r;
    rig_open(&r);
    input(&r, ASSAY_F32, (nn_shape){1, {3}});
    for (int mode = 0; mode < 3; mode++) {
        const nn_attr attr[] = {ATTR("begins", 1, 2),
                                ATTR("ends", 1, 1),
                                ATTR("mode", 1, mode),
                                {.name = "value", .f = 9}};
        ok(op(&r, "pad", attr, 4));
        ok(run(&r, x, got));
        gives(got, want[mode], 6);
    }
    const nn_attr wide[] = {ATTR("begins", 1, 3), ATTR("ends", 1, 0), ATTR("mode", 1, 1)};
    assert_int_equal(op(&r, "pad", wide, 3), ASSAY_E_SHAPE);
    const nn_attr gone[] = {ATTR("begins", 1, -3), ATTR("ends", 1, 0)};
    assert_int_equal(op(&r, "pad", gone, 2), ASSAY_E_SHAPE);
    rig_close(&r);
}

static void places_outside_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"gather", "gather_elements", "gather_nd"};
    double numbers[] = {1, 2, 3, 0}, got[3];
    for (int i = 0; i < COUNT(names); i++) {
        rig r;
        rig_open(&r);
        input(&r, ASSAY_F32, (nn_shape){1, {3}});
        input(&r, ASSAY_I64, (nn_shape){1, {1}});
        ok(op(&r, names[i], NULL, 0));
        numbers[3] = -3;
        ok(run(&r, numbers, got));
        assert_true(got[0] == 1);
        numbers[3] = 3;
        assert_int_equal(run(&r, numbers, got), ASSAY_E_INVALID);
        assert_non_null(strstr(assay_last_error()->message, "index 3 is outside -3..2"));
        numbers[3] = -4;
        assert_int_equal(run(&r, numbers, got), ASSAY_E_INVALID);
        numbers[3] = 9e18;
        assert_int_equal(run(&r, numbers, got), ASSAY_E_INVALID);
        rig_close(&r);
    }
}

static void scattered(void **state) {
    (void)state;
    double numbers[] = {1, 2, 3, 4, 1, -1, 1, 10, 20, 30}, got[4];
    static const double want[][4] = {
        {1, 30, 3, 20}, {1, 42, 3, 24}, {1, 600, 3, 80}, {1, 30, 3, 20}, {1, 2, 3, 4}};
    for (int rule = 0; rule < 5; rule++)
        for (int form = 0; form < 2; form++) {
            const nn_attr attr = ATTR("reduction", 1, rule);
            rig r;
            rig_open(&r);
            input(&r, ASSAY_I32, (nn_shape){1, {4}});
            input(&r, ASSAY_I64, form ? (nn_shape){2, {3, 1}} : (nn_shape){1, {3}});
            input(&r, ASSAY_I32, (nn_shape){1, {3}});
            ok(op(&r, form ? "scatter_nd" : "scatter_elements", &attr, 1));
            numbers[6] = 1;
            ok(run(&r, numbers, got));
            gives(got, want[rule], 4);
            numbers[6] = 4;
            assert_int_equal(run(&r, numbers, got), ASSAY_E_INVALID);
            rig_close(&r);
        }
}

static void division_by_zero(void **state) {
    (void)state;
    static const char *const names[] = {"div", "mod", "fmod"};
    double numbers[] = {7, -7, 2, 0}, got[2];
    for (int i = 0; i < COUNT(names); i++) {
        rig r;
        rig_open(&r);
        input(&r, ASSAY_I32, (nn_shape){1, {2}});
        input(&r, ASSAY_I32, (nn_shape){1, {2}});
        ok(op(&r, names[i], NULL, 0));
        numbers[3] = 0;
        assert_int_equal(run(&r, numbers, got), ASSAY_E_NUMERIC);
        numbers[3] = 2;
        ok(run(&r, numbers, got));
        assert_true(got[1] == (i == 0 ? -3 : i == 1 ? 1 : -1));
        rig_close(&r);
    }
}

static void blocks_and_channels(void **state) {
    (void)state;
    /* ONNX's example of DepthToSpace, its first channels. */
    static const double x[] = {0, 1, 2, 9, 10, 11, 18, 19, 20, 27, 28, 29};
    static const double dcr[] = {0, 9, 1, 10, 2, 11, 18, 27, 19, 28, 20, 29};
    double got[12];
    const nn_attr block = ATTR("block", 1, 2), flat = ATTR("shape", 1, 12),
                  channels = ATTR("shape", 4, 1, 4, 1, 3);
    nn_value image, pixels, again;
    rig r;
    rig_open(&r);
    input(&r, ASSAY_F32, (nn_shape){2, {4, 3}});
    ok(nn_graph_op(r.graph, "reshape", r.in, 1, &channels, 1, &image));
    ok(nn_graph_op(r.graph, "depth_to_space", &image, 1, &block, 1, &pixels));
    ok(nn_graph_op(r.graph, "reshape", &pixels, 1, &flat, 1, &r.out));
    ok(run(&r, x, got));
    gives(got, dcr, 12);
    ok(nn_graph_op(r.graph, "space_to_depth", &pixels, 1, &block, 1, &again));
    ok(nn_graph_op(r.graph, "reshape", &again, 1, &flat, 1, &r.out));
    ok(run(&r, x, got));
    gives(got, x, 12);
    rig_close(&r);
}

static void numbers_at_the_ends(void **state) {
    (void)state;
    static const double big[] = {1000, 1000, -1000, NAN}, zeros[] = {0, 0, 3, 4};
    double got[4];
    rig r;
    rig_open(&r);
    input(&r, ASSAY_F32, (nn_shape){2, {2, 2}});
    const nn_attr rows = ATTR("axes", 1, 1);
    ok(op(&r, "reduce_log_sum_exp", &rows, 1));
    ok(run(&r, big, got));
    assert_true(fabs(got[0] - 1000.693147) < 1e-3 && isnan(got[1]));
    ok(op(&r, "reduce_max", &rows, 1));
    ok(run(&r, big, got));
    assert_true(got[0] == 1000 && isnan(got[1]));
    ok(op(&r, "argmax", NULL, 0));
    ok(run(&r, big, got));
    assert_true(got[0] == 0 && got[1] == 1);
    ok(op(&r, "reduce_l2", &rows, 1));
    ok(run(&r, zeros, got));
    assert_true(got[0] == 0 && got[1] == 5);
    const nn_attr off = ATTR("axes", 1, 2);
    assert_int_equal(op(&r, "reduce_sum", &off, 1), ASSAY_E_INVALID);
    rig_close(&r);
}

static void shapes_that_do_not_fit(void **state) {
    (void)state;
    nn_value in[2], out;
    rig r;
    rig_open(&r);
    ok(nn_graph_input(r.graph, "a", ASSAY_F32, (nn_shape){2, {0, 3}}, &in[0]));
    ok(nn_graph_input(r.graph, "b", ASSAY_F32, (nn_shape){2, {2, 3}}, &in[1]));
    assert_int_equal(nn_graph_op(r.graph, "mul", in, 2, NULL, 0, &out), ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(r.graph, "transpose", in, 1, NULL, 0, &out),
                     ASSAY_E_SHAPE);
    const nn_attr lost = ATTR("shape", 2, 0, 4), mixed = ATTR("shape", 1, -1);
    assert_int_equal(nn_graph_op(r.graph, "reshape", in, 1, &lost, 1, &out),
                     ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(r.graph, "reshape", in, 1, &mixed, 1, &out),
                     ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(r.graph, "concat", in, 2, NULL, 0, &out), ASSAY_E_SHAPE);
    const nn_attr cut[] = {ATTR("starts", 1, 0), ATTR("ends", 1, 1)};
    assert_int_equal(nn_graph_op(r.graph, "slice", in, 1, cut, 2, &out), ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(r.graph, "and", in, 2, NULL, 0, &out), ASSAY_E_DTYPE);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices),
        cmocka_unit_test(pads),
        cmocka_unit_test(places_outside_are_refused),
        cmocka_unit_test(scattered),
        cmocka_unit_test(division_by_zero),
        cmocka_unit_test(blocks_and_channels),
        cmocka_unit_test(numbers_at_the_ends),
        cmocka_unit_test(shapes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
