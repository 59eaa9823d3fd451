/* EK-FAC where it is exact: a single example has a Gauss-Newton matrix whose layers'
 * blocks are Kronecker products, so eigenbases and eigenvalues give them back. */
#include "attribute/influence/ekfac.h"

#include "attribute/study/testing.h"

#include <math.h>

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* v' U' diag(L) U v for a layer, v [in, out]. */
static double quadratic(const ekfac_layer *l, const double *v) {
    double sum = 0;
    for (size_t i = 0; i < l->in; i++)
        for (size_t j = 0; j < l->out; j++) {
            double turned = 0;
            for (size_t a = 0; a < l->in; a++)
                for (size_t b = 0; b < l->out; b++)
                    turned += (double)l->in_vector[i * l->in + a] *
                              (double)l->out_vector[j * l->out + b] * v[a * l->out + b];
            sum += (double)l->value[i * l->out + j] * turned * turned;
        }
    return sum;
}

static void one_example_is_exact(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    att_study one = x->study;
    one.n_rows = 1;
    const att_member m = {.study = &one, .run = &x->run, .params = x->params};
    ekfac e;
    att_layers layers;
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture(&layers, &m, one.rows, 1, ATT_GAUSSNEWTON));
    assert_int_equal(e.count, 3);
    for (int l = 1; l < 3; l++) { /* the first layer's eigenvectors take long here */
        const att_layer *w = &layers.layer[l];
        double v[10 * 9], want = 0;
        for (size_t i = 0; i < w->in * w->out; i++) {
            rng r = rng_at(3, RNG_TEST, 0, i);
            v[i] = rng_normal(&r);
        }
        for (size_t pass = 0; pass < layers.passes; pass++) {
            double dot = 0;
            for (size_t i = 0; i < w->in; i++)
                for (size_t j = 0; j < w->out; j++)
                    dot += (double)w->a[i] * (double)w->d[pass * w->out + j] *
                           v[i * w->out + j];
            want += dot * dot;
        }
        assert_true(fabs(quadratic(&e.layer[l], v) - want) < 1e-4 * want);
    }
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* With a damping far above all eigenvalues it is grad-dot over delta. */
static void much_damping_is_grad_dot(void **state) {
    (void)state;
    enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, NULL, &recipe);
    const att_member m = little_member(x);
    static float scores[CELLS], dot[CELLS];
    float weight[LITTLE_ROWS] = {0};
    att_layers layers;
    ekfac e;
    memset(scores, 0, sizeof scores);
    memset(dot, 0, sizeof dot);
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture_study(&layers, &m));
    assert_ok(ekfac_turn(&layers, &e));
    assert_ok(ekfac_scores(scores, &e, &layers, LITTLE_ROWS, LITTLE_TARGETS, 1e6));
    att_sum sum = {dot, weight};
    const att_settings settings = ATT_SETTINGS_INIT;
    assert_ok(att_method_find("grad-dot")->score(&sum, &m, &settings));
    for (int i = 0; i < LITTLE_ROWS; i++)
        for (int t = 0; t < LITTLE_TARGETS; t++) {
            double want = (double)(weight[i] * dot[i * LITTLE_TARGETS + t]);
            double got = (double)scores[i * LITTLE_TARGETS + t] * 1e6 * e.mean;
            double scale = (double)weight[i] * 200;
            assert_true(fabs(got - want) < 1e-3 * (scale + fabs(want)));
        }
    assert_fails(ASSAY_E_NUMERIC,
                 ekfac_scores(scores, &e, &layers, LITTLE_ROWS, LITTLE_TARGETS, 0));
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* ---- convolutions, by hand ---- */

enum { CLASSES = TOY_CLASSES };

/* An executor of single examples: factors with `mode` NN_CAPTURE, flat gradients with
 * NN_TRAIN. */
static nn_exec *single(const little *x, nn_weights *w, nn_mode mode, nn_value target) {
    nn_exec *e;
    const nn_value keep[] = {x->model.logits};
    const nn_exec_options o = {.mode = mode,
                               .batch = 1,
                               .keep = keep,
                               .n_keep = 1,
                               .target = target,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    assert_ok(nn_exec_create(&e, x->study.ctx, x->model.graph, w, &o));
    return e;
}

/* Forward and backward of a row for class c: sqrt(p_c) (p - e_c) at the logits. */
static void run_class(const little *x, nn_exec *e, uint32_t row, int c) {
    float seed[CLASSES];
    double p[CLASSES], sum = 0;
    att_feed(&x->study, e, &row, 1);
    assert_ok(nn_exec_forward(e, 1));
    for (int j = 0; j < CLASSES; j++)
        sum += p[j] = exp((double)nn_exec_value(e, x->model.logits)[j]);
    for (int j = 0; j < CLASSES; j++)
        seed[j] = (float)(sqrt(p[c] / sum) * (p[j] / sum - (j == c)));
    assert_ok(nn_exec_backward(e, seed));
}

/* The patch under an output pixel, in the weights' order, 1 behind it for a bias. */
static void patch_at(double *to, const nn_factor *f, int64_t place) {
    for (int64_t i = 0; i < f->in; i++)
        for (int64_t u = 0; u < f->kh; u++)
            for (int64_t v = 0; v < f->kw; v++) {
                int64_t r = place / f->ow * f->stride[0] - f->pad[0] + u;
                int64_t c = place % f->ow * f->stride[1] - f->pad[1] + v;
                bool in = r >= 0 && r < f->h && c >= 0 && c < f->w;
                *to++ = in ? (double)f->x[(r * f->w + c) * f->in + i] : 0;
            }
    if (f->bias_count)
        *to = 1;
}

static void outer_add(double *m, const double *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            m[i * n + j] += v[i] * v[j];
}

/* Rows of `vector` are orthonormal, and m is diagonal in them. */
static void assert_eigenvectors(const float *vector, const double *m, size_t n) {
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += m[i * n + i];
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            double same = 0, form = 0;
            for (size_t i = 0; i < n; i++) {
                same += (double)vector[a * n + i] * (double)vector[b * n + i];
                for (size_t j = 0; j < n; j++)
                    form += (double)vector[a * n + i] * m[i * n + j] *
                            (double)vector[b * n + j];
            }
            assert_true(fabs(same - (a == b)) < 1e-5);
            assert_true(a == b || fabs(form) < 1e-5 * trace);
        }
}

/* A wide layer's part of a flat gradient, [rows, columns], turned. */
static void turned_of(double *out,
                      const float *flat,
                      const nn_factor *f,
                      const ekfac_wide *e,
                      size_t rows) {
    size_t weights = f->weight_count / rows, columns = weights + (f->bias_count > 0);
    for (size_t a = 0; a < rows; a++)
        for (size_t b = 0; b < columns; b++) {
            double sum = 0;
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < columns; c++)
                    sum += (double)e->row_vector[a * rows + r] *
                           (double)e->column_vector[b * columns + c] *
                           (double)(c < weights ? flat[f->weight_offset + r * weights + c]
                                                : flat[f->bias_offset + r]);
            out[a * columns + b] = sum;
        }
}

/* Bases are eigenvectors of the patches' and derivatives' moments; eigenvalues are the
 * squares of turned gradients, class by class; scores are the formula written out. */
static void convolutions_by_hand(void **state) {
    (void)state;
    enum { ROWS = 6, TARGETS = 2, FACTORS = 2, MOST = 512 };
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, &little_conv, &recipe);
    att_study few = x->study;
    few.n_rows = ROWS;
    few.n_targets = TARGETS;
    const att_member m = {.study = &few, .run = &x->run, .params = x->params};
    nn_weights weights = {.params = x->params};
    nn_exec *capture = single(x, &weights, NN_CAPTURE, x->model.logits);
    nn_exec *train = single(x, &weights, NN_TRAIN, x->model.logits);
    nn_exec *margin = single(x, &weights, NN_TRAIN, x->model.margin);
    float scores[ROWS * TARGETS] = {0}, one = 1;
    double want[ROWS * TARGETS] = {0};
    ekfac e;
    att_layers layers;
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture_study(&layers, &m));
    assert_ok(ekfac_turn(&layers, &e));
    assert_int_equal(layers.wides, FACTORS);
    double delta = .5 * e.mean;
    for (int l = 0; l < FACTORS; l++) {
        const att_wide *w = &layers.wide[l];
        size_t rows = w->rows, columns = w->columns, size = rows * columns;
        static double a[64 * 64], b[64 * 64], value[MOST], g[ROWS + TARGETS][MOST];
        double v[64];
        nn_factor f;
        assert_true(size <= MOST && columns <= 64);
        memset(a, 0, sizeof a);
        memset(b, 0, sizeof b);
        memset(value, 0, sizeof value);
        for (uint32_t i = 0; i < ROWS; i++)
            for (int c = 0; c < CLASSES; c++) {
                run_class(x, capture, i, c);
                f = nn_exec_factor(capture, w->factor);
                for (int64_t t = 0; t < f.oh * f.ow; t++) {
                    patch_at(v, &f, t);
                    if (c == 0)
                        outer_add(a, v, columns);
                    for (size_t o = 0; o < rows; o++)
                        v[o] = (double)f.d[(size_t)t * rows + o];
                    outer_add(b, v, rows);
                }
                run_class(x, train, i, c);
                turned_of(g[0], nn_exec_grads(train), &f, &e.wide[l], rows);
                for (size_t k = 0; k < size; k++)
                    value[k] += g[0][k] * g[0][k] / ROWS;
            }
        assert_eigenvectors(e.wide[l].column_vector, a, columns);
        assert_eigenvectors(e.wide[l].row_vector, b, rows);
        for (size_t k = 0; k < size; k++)
            assert_true(fabs((double)e.wide_value[w->at + k] - value[k]) <
                        1e-4 * (e.mean + value[k]));
        for (uint32_t i = 0; i < ROWS + TARGETS; i++) {
            uint32_t row = i < ROWS ? few.rows[i] : few.targets[i - ROWS];
            att_feed(&few, margin, &row, 1);
            assert_ok(nn_exec_forward(margin, 1));
            assert_ok(nn_exec_backward(margin, &one));
            turned_of(g[i], nn_exec_grads(margin), &f, &e.wide[l], rows);
        }
        for (size_t i = 0; i < ROWS; i++)
            for (size_t t = 0; t < TARGETS; t++)
                for (size_t k = 0; k < size; k++)
                    want[i * TARGETS + t] += (double)layers.q[i] * g[i][k] *
                                             g[ROWS + t][k] / (value[k] + delta);
    }
    /* the linear layer's part, from its turned factors */
    for (size_t i = 0; i < ROWS; i++)
        for (size_t t = 0; t < TARGETS; t++) {
            const att_layer *w = &layers.layer[0];
            for (size_t r = 0; r < w->in; r++)
                for (size_t c = 0; c < w->out; c++)
                    want[i * TARGETS + t] +=
                        (double)layers.q[i] * (double)w->a[i * w->in + r] *
                        (double)w->d[i * w->out + c] *
                        (double)w->a[(ROWS + t) * w->in + r] *
                        (double)w->d[(ROWS + t) * w->out + c] /
                        ((double)e.layer[0].value[r * w->out + c] + delta);
        }
    assert_ok(ekfac_scores(scores, &e, &layers, ROWS, TARGETS, .5));
    double most = 0;
    for (int i = 0; i < ROWS * TARGETS; i++)
        most = fmax(most, fabs(want[i]));
    assert_true(most > 0);
    for (int i = 0; i < ROWS * TARGETS; i++)
        assert_true(fabs((double)scores[i] - want[i]) < 1e-4 * most);
    nn_exec_destroy(capture);
    nn_exec_destroy(train);
    nn_exec_destroy(margin);
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* Scores made a block of rows and of targets at a time are those of one block. */
static void blocks_give_the_same(void **state) {
    (void)state;
    enum { ROWS = 45, TARGETS = 27 };
    static float one[ROWS * TARGETS], several[ROWS * TARGETS];
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, &little_conv, &recipe);
    const att_member m = little_member(x);
    att_layers layers;
    ekfac e;
    memset(one, 0, sizeof one);
    memset(several, 0, sizeof several);
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture_study(&layers, &m));
    assert_ok(ekfac_turn(&layers, &e));
    assert_ok(ekfac_scores(one, &e, &layers, ROWS, TARGETS, .5));
    layers.most_bytes = 1;
    assert_int_equal(att_wide_block(&layers, SIZE_MAX), 20);
    assert_ok(ekfac_scores(several, &e, &layers, ROWS, TARGETS, .5));
    assert_memory_equal(one, several, sizeof one);
    assert_true(one[0] != 0);
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* ---- a layer spelt as linear, and as a product with the turned weight ---- */

enum { INPUTS = TOY_SIDE * TOY_SIDE, HIDDEN = 6 };

static assay_status spelt(zoo_model *m, bool product) {
    assay_status status = ASSAY_OK;
    nn_value in[2], x = m->images;
    ASSAY_TRY(zoo_flatten(m, &x));
    if (product) {
        in[0] = x;
        ASSAY_TRY(nn_graph_param(m->graph, "fc1.weight", (nn_shape){2, {INPUTS, HIDDEN}},
                                 NN_INIT_NORMAL_SMALL, true, &in[1]));
        ASSAY_TRY(nn_graph_op(m->graph, "matmul", in, 2, NULL, 0, &x));
    } else {
        ASSAY_TRY(zoo_linear_plain(m, &x, "fc1", HIDDEN));
    }
    ASSAY_TRY(zoo_relu(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc2", m->config.classes));
    m->logits = x;
done:
    return status;
}

static assay_status as_linear(zoo_model *m) {
    return spelt(m, false);
}
static assay_status as_product(zoo_model *m) {
    return spelt(m, true);
}

static void spelling_does_not_matter(void **state) {
    (void)state;
    enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };
    static const zoo_model_def linear = {.name = "linear", .build = as_linear};
    static const zoo_model_def product = {.name = "product", .build = as_product};
    static float want[CELLS], got[CELLS];
    assay_ctx *ctx = test_ctx(2);
    little *a = little_make(ctx, &linear, &recipe),
           *b = little_make(ctx, &product, &recipe);
    size_t first = (size_t)INPUTS * HIDDEN, all = nn_graph_param_floats(a->model.graph);
    assert_int_equal(all, nn_graph_param_floats(b->model.graph));
    for (size_t i = 0; i < all; i++)
        b->params[i] =
            i < first ? a->params[i % HIDDEN * INPUTS + i / HIDDEN] : a->params[i];
    const little *of[] = {a, b};
    float *out[] = {want, got}, most = 0;
    for (int k = 0; k < 2; k++) {
        const att_member m = little_member(of[k]);
        const att_settings o = ATT_SETTINGS_INIT;
        att_sum sum = {out[k], NULL};
        memset(out[k], 0, sizeof want);
        assert_ok(att_method_find("ekfac")->score(&sum, &m, &o));
    }
    for (int i = 0; i < CELLS; i++)
        most = fmaxf(most, fabsf(want[i]));
    assert_true(most > 0);
    for (int i = 0; i < CELLS; i++)
        assert_true(fabsf(want[i] - got[i]) <= 1e-3F * most);
    little_free(a);
    little_free(b);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_example_is_exact),
        cmocka_unit_test(spelling_does_not_matter),
        cmocka_unit_test(much_damping_is_grad_dot),
        cmocka_unit_test(convolutions_by_hand),
        cmocka_unit_test(blocks_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
