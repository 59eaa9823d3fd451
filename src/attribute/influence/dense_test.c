/* EK-FAC and TRAK against the same thing written out with dense matrices: every example's
 * gradient by the ops' float64 references, one example at a time; the Fisher matrix of
 * all parameters from them; eigenvectors by Jacobi's rotations, inverses by elimination.
 * Nothing is taken from factors, from captures or from kernels of the library. */
#include "attribute/study/testing.h"
#include "nn/graph_inside.h"
#include "nn/reference.h"

#include <math.h>

enum { ROWS = 30, TARGETS = 4, ALL = ROWS + TARGETS, LAYERS = 12 };

static const att_recipe recipe = {
    .epochs = 1, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* Brightness in nine places as tokens out of seven: a table, places, a norm, attention,
 * linear layers over tokens with and without a bias, and one answer. */
static assay_status tokens_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    const nn_attr four = {.name = "kernel", .i = {4}, .count = 1};
    const nn_attr bounds[] = {{.name = "min", .f = 0}, {.name = "max", .f = 6}};
    const nn_attr to = {.name = "to", .i = {ASSAY_I32}, .count = 1};
    const nn_attr mean[] = {{.name = "axes", .i = {1}, .count = 1},
                            {.name = "keepdims", .i = {0}, .count = 1}};
    nn_value x = m->images;
    ASSAY_TRY(zoo_op(m, &x, "avg_pool", &four, 1));
    ASSAY_TRY(zoo_op(m, &x, "flatten", NULL, 0));
    ASSAY_TRY(zoo_scale(m, &x, "spread", 9));
    ASSAY_TRY(zoo_op(m, &x, "abs", NULL, 0));
    ASSAY_TRY(zoo_op(m, &x, "clip", bounds, 2));
    ASSAY_TRY(zoo_op(m, &x, "cast", &to, 1));
    ASSAY_TRY(zoo_embedding(m, &x, "table", 7, 5));
    ASSAY_TRY(zoo_positions(m, &x, "places"));
    ASSAY_TRY(zoo_layer_norm(m, &x, "norm", 1e-5));
    ASSAY_TRY(zoo_linear(m, &x, "qkv", 18));
    ASSAY_TRY(zoo_attention(m, &x, 2, false));
    ASSAY_TRY(zoo_linear_plain(m, &x, "up", 8));
    ASSAY_TRY(zoo_op(m, &x, "gelu", NULL, 0));
    ASSAY_TRY(zoo_op(m, &x, "reduce_mean", mean, 2));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def tokens = {.name = "little-tokens", .build = tokens_build};

/* Convolutions of one channel and of several, with a bias and without, and a norm. */
static assay_status images_build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv_of(m, &x, "conv1", &(zoo_conv_shape){3, 3, 2, 1, true}));
    ASSAY_TRY(zoo_norm_relu(m, &x, "norm"));
    ASSAY_TRY(zoo_conv_of(m, &x, "conv2", &(zoo_conv_shape){4, 3, 1, 0, false}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def images = {.name = "little-images", .build = images_build};

/* ---- matrices ---- */

static double *doubles(size_t n) {
    double *p = calloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static void outer_add(double *m, const double *v, size_t n, double by) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; v[i] != 0 && j < n; j++)
            m[i * n + j] += by * v[i] * v[j];
}

/* Rows p and q of each of m's columns, or columns of its rows, turned. */
static void rotate(double *m, size_t from, size_t to, size_t step, size_t n, double s) {
    double c = sqrt(1 - s * s);
    for (size_t k = 0; k < n; k++) {
        double *x = m + from + k * step, *y = m + to + k * step;
        double a = *x, b = *y;
        *x = c * a - s * b;
        *y = s * a + c * b;
    }
}

/* Jacobi's method: rows of the answer are eigenvectors of m, which is spoiled. */
static double *eigenvectors(double *m, size_t n) {
    double *v = doubles(n * n), off = 1, all = 0;
    for (size_t i = 0; i < n; i++)
        v[i * n + i] = 1;
    for (size_t i = 0; i < n * n; i++)
        all += m[i] * m[i];
    for (int sweep = 0; sweep < 60 && off > 1e-28 * all; sweep++) {
        off = 0;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                double x = m[p * n + q];
                off += x * x;
                if (x * x <= 1e-34 * all)
                    continue;
                double angle = .5 * atan2(2 * x, m[q * n + q] - m[p * n + p]);
                if (angle > atan(1))
                    angle -= 2 * atan(1);
                if (angle < -atan(1))
                    angle += 2 * atan(1);
                rotate(m, p * n, q * n, 1, n, sin(angle));
                rotate(m, p, q, n, n, sin(angle));
                rotate(v, p * n, q * n, 1, n, sin(angle));
            }
    }
    assert_true(off <= 1e-28 * all);
    return v;
}

/* b <- m^-1 b for `count` right sides of b [count, n], by elimination; m is spoiled. */
static void solve(double *m, double *b, size_t n, size_t count) {
    for (size_t p = 0; p < n; p++) {
        double pivot = m[p * n + p];
        assert_true(fabs(pivot) > 1e-12);
        for (size_t i = 0; i < n; i++) {
            double by = m[i * n + p] / pivot;
            if (i == p || by == 0)
                continue;
            for (size_t k = p; k < n; k++)
                m[i * n + k] -= by * m[p * n + k];
            for (size_t t = 0; t < count; t++)
                b[t * n + i] -= by * b[t * n + p];
        }
    }
    for (size_t p = 0; p < n; p++)
        for (size_t t = 0; t < count; t++)
            b[t * n + p] /= m[p * n + p];
}

/* ---- examples, one by one ---- */

/* A layer's parameters as a matrix. */
typedef struct layer {
    const nn_node *node; /* NULL: only the diagonal of its Fisher matrix is taken */
    bool table, bias;
    size_t rows, columns;
    size_t *at;    /* [rows, columns] places in the flat vector */
    double *a, *b; /* second moments of what goes in, of what comes back */
} layer;

typedef struct rig {
    little *x;
    att_study few;
    nn_exec *feed; /* whose inputs are copied */
    nn_reference *r;
    size_t floats;
    int layers;
    layer layer[LAYERS];
    double *fisher; /* [floats, floats] */
    double *margin; /* [ALL, floats] gradients */
    double q[ALL];
} rig;

static const nn_param_info *info_of(nn_param_info *out, const nn_graph *g, nn_value v) {
    for (size_t i = 0; i < g->n_params; i++)
        if (g->param[i] == v) {
            *out = nn_graph_param_at(g, i);
            return out;
        }
    return NULL;
}

static void layer_add(rig *x, const nn_node *node, const nn_param_info *w, bool plain) {
    layer *l = &x->layer[x->layers++];
    nn_param_info bias = {0};
    assert_true(x->layers <= LAYERS);
    *l = (layer){.node = plain ? NULL : node, .rows = 1, .columns = w->count};
    if (!plain) {
        l->table = strcmp(node->op->name, "embedding") == 0;
        l->bias = node->n_in > 2 && info_of(&bias, x->x->model.graph, node->in[2]);
        l->rows = (size_t)w->shape.dim[0];
        l->columns = w->count / l->rows + l->bias;
        l->a = doubles(l->columns * l->columns);
        l->b = doubles(l->rows * l->rows);
    }
    l->at = calloc(l->rows * l->columns, sizeof *l->at);
    assert_non_null(l->at);
    size_t weights = l->columns - l->bias;
    for (size_t r = 0; r < l->rows; r++)
        for (size_t c = 0; c < l->columns; c++)
            l->at[r * l->columns + c] =
                c < weights ? w->offset + r * weights + c : bias.offset + r;
}

static void layers_find(rig *x) {
    const nn_graph *g = x->x->model.graph;
    size_t count = 0;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        const char *op = node->op->name;
        bool turned = strcmp(op, "linear") == 0 || strcmp(op, "conv2d") == 0 ||
                      strcmp(op, "embedding") == 0;
        nn_param_info p;
        for (int i = 1; i < (turned ? 2 : node->n_in); i++)
            if (info_of(&p, g, node->in[i]))
                layer_add(x, node, &p, !turned);
    }
    for (int l = 0; l < x->layers; l++)
        count += x->layer[l].rows * x->layer[l].columns;
    assert_int_equal(count, x->floats);
}

/* The input of a place, 1 behind it for a bias; a convolution's is a patch in the order
 * of its weights. */
static void input_at(double *to, const rig *x, const layer *l, int64_t place) {
    const nn_node *node = l->node;
    const double *in = nn_reference_value(x->r, node->in[0]);
    const nn_shape *s = &node->in_shape[0], *w = &node->in_shape[1];
    int64_t stride[2], pad[4], channels = s->dim[1];
    size_t n = l->columns - l->bias;
    if (l->bias)
        to[n] = 1;
    if (strcmp(node->op->name, "linear") == 0) {
        memcpy(to, in + (size_t)place * n, n * sizeof *to);
        return;
    }
    assert_ok(nn_attr_pair(node, "stride", 1, stride));
    assert_ok(nn_attr_pad(node, pad));
    for (int64_t i = 0; i < channels; i++)
        for (int64_t u = 0; u < w->dim[2]; u++)
            for (int64_t v = 0; v < w->dim[3]; v++) {
                int64_t r = place / node->out_shape.dim[3] * stride[0] - pad[0] + u;
                int64_t c = place % node->out_shape.dim[3] * stride[1] - pad[1] + v;
                bool within = r >= 0 && r < s->dim[2] && c >= 0 && c < s->dim[3];
                *to++ = within ? in[(r * s->dim[3] + c) * channels + i] : 0;
            }
}

static void moments_add(rig *x, bool inputs) {
    for (int k = 0; k < x->layers; k++) {
        layer *l = &x->layer[k];
        double v[256];
        if (!l->node)
            continue;
        size_t out = l->table ? l->columns : l->rows;
        const double *d = nn_reference_grad(x->r, l->node->out);
        size_t places = nn_reference_count(x->r, l->node->out) / out;
        assert_true(l->columns <= 256);
        for (size_t t = 0; t < places; t++) {
            outer_add(l->table ? l->a : l->b, d + t * out, out, 1. / ROWS);
            if (!inputs || l->table)
                continue;
            input_at(v, x, l, (int64_t)t);
            outer_add(l->a, v, l->columns, 1. / ROWS);
        }
    }
}

static void gradient(double *out, const rig *x) {
    const nn_graph *g = x->x->model.graph;
    for (size_t i = 0; i < g->n_params; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        const double *d = nn_reference_grad(x->r, g->param[i]);
        assert_non_null(d);
        memcpy(out + p.offset, d, p.count * sizeof *out);
    }
}

static void feed(rig *x, uint32_t row) {
    const zoo_model *m = &x->x->model;
    att_feed(&x->few, x->feed, &row, 1);
    const float *pixels = nn_exec_input(x->feed, m->images);
    double *in = nn_reference_value(x->r, m->images);
    for (size_t i = 0; i < nn_reference_count(x->r, m->images); i++)
        in[i] = (double)pixels[i];
    *nn_reference_value(x->r, m->labels) =
        *(const int32_t *)nn_exec_input(x->feed, m->labels);
}

/* The row's part of the Fisher matrix: the expectation over classes. */
static void fisher_add(rig *x) {
    const zoo_model *m = &x->x->model;
    double p[TOY_CLASSES], seed[TOY_CLASSES], sum = 0, *g = doubles(x->floats);
    nn_reference_forward(x->r, m->logits);
    for (int c = 0; c < TOY_CLASSES; c++)
        sum += p[c] = exp(nn_reference_value(x->r, m->logits)[c]);
    for (int c = 0; c < TOY_CLASSES; c++) {
        for (int j = 0; j < TOY_CLASSES; j++)
            seed[j] = sqrt(p[c] / sum) * (p[j] / sum - (j == c));
        assert_ok(nn_reference_backward(x->r, m->logits, seed));
        moments_add(x, c == 0);
        gradient(g, x);
        outer_add(x->fisher, g, x->floats, 1. / ROWS);
    }
    free(g);
}

static rig *rig_open(assay_ctx *ctx, const zoo_model_def *def) {
    rig *x = calloc(1, sizeof *x);
    const double one = 1;
    assert_non_null(x);
    x->x = little_make(ctx, def, &recipe);
    x->few = x->x->study;
    x->few.n_rows = ROWS;
    x->few.n_targets = TARGETS;
    const zoo_model *m = &x->x->model;
    nn_weights w = {x->x->params, x->x->buffers};
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = 1,
                               .target = m->margin,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    assert_ok(nn_exec_create(&x->feed, ctx, m->graph, &w, &o));
    assert_ok(nn_reference_create(&x->r, ctx, m->graph, &w, NN_CAPTURE, 1));
    x->floats = nn_graph_param_floats(m->graph);
    x->fisher = doubles(x->floats * x->floats);
    x->margin = doubles(ALL * x->floats);
    layers_find(x);
    for (size_t i = 0; i < ALL; i++) {
        feed(x, i < ROWS ? x->few.rows[i] : x->few.targets[i - ROWS]);
        if (i < ROWS)
            fisher_add(x);
        nn_reference_forward(x->r, m->margin);
        x->q[i] = 1 / (1 + exp(*nn_reference_value(x->r, m->margin)));
        assert_ok(nn_reference_backward(x->r, m->margin, &one));
        gradient(x->margin + i * x->floats, x);
    }
    return x;
}

static void rig_close(rig *x) {
    for (int l = 0; l < x->layers; l++) {
        free(x->layer[l].at);
        free(x->layer[l].a);
        free(x->layer[l].b);
    }
    free(x->fisher);
    free(x->margin);
    nn_reference_destroy(x->r);
    nn_exec_destroy(x->feed);
    little_free(x->x);
    free(x);
}

/* ---- what EK-FAC is ---- */

/* A layer's block of the Fisher matrix as EK-FAC has it, with delta on its diagonal:
 * U' diag(U F U') U, U the product of both eigenbases. */
static double *block_of(const rig *x, const layer *l, double delta) {
    size_t rows = l->rows, columns = l->columns, n = rows * columns;
    double *m = doubles(n * n), *u, *ua = NULL, *ub = NULL;
    if (!l->node) {
        for (size_t i = 0; i < n; i++)
            m[i * n + i] = x->fisher[l->at[i] * x->floats + l->at[i]] + delta;
        return m;
    }
    u = doubles(n);
    ua = eigenvectors(l->a, columns);
    ub = l->table ? NULL : eigenvectors(l->b, rows);
    for (size_t k = 0; k < n; k++) {
        double value = 0;
        for (size_t i = 0; i < n; i++) {
            size_t r = i / columns, c = i % columns;
            u[i] = (ub ? ub[k / columns * rows + r] : k / columns == r) *
                   ua[k % columns * columns + c];
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; u[i] != 0 && j < n; j++)
                value += u[i] * u[j] * x->fisher[l->at[i] * x->floats + l->at[j]];
        outer_add(m, u, n, value);
    }
    for (size_t i = 0; i < n; i++)
        m[i * n + i] += delta;
    free(u);
    free(ua);
    free(ub);
    return m;
}

static void near(const char *what, const float *got, const double *want, double least) {
    double most = 0;
    for (int i = 0; i < ROWS * TARGETS; i++)
        most = fmax(most, fabs(want[i]));
    if (!(most > least))
        fail_msg("%s: scores of %g", what, most);
    for (int i = 0; i < ROWS * TARGETS; i++)
        if (!(fabs((double)got[i] - want[i]) < 3e-4 * most))
            fail_msg("%s, row %d, target %d: %g, not %g (of %g)", what, i / TARGETS,
                     i % TARGETS, (double)got[i], want[i], most);
}

static void score(float *out, const rig *x, const char *method, const att_settings *o) {
    float weight[ROWS] = {0};
    const att_method *m = att_method_find(method);
    att_member member = little_member(x->x);
    att_sum sum = {out, weight};
    member.study = &x->few;
    memset(out, 0, ROWS * TARGETS * sizeof *out);
    assert_ok(m->score(&sum, &member, o));
    assert_ok(att_sum_finish(out, x->few.ctx, &sum, m, o, 1, ROWS, TARGETS));
}

/* Layer by layer, so that one that is wrong cannot hide behind another: scores are sums
 * over layers, and a layer's size among them is asserted. */
static void ekfac_of(const zoo_model_def *def, int layers) {
    assay_ctx *ctx = test_ctx(2);
    rig *x = rig_open(ctx, def);
    att_settings o = ATT_SETTINGS_INIT;
    double trace = 0, want[ROWS * TARGETS] = {0};
    float got[ROWS * TARGETS];
    assert_int_equal(x->layers, layers);
    o.damping = .3;
    for (size_t i = 0; i < x->floats; i++)
        trace += x->fisher[i * x->floats + i];
    for (int k = 0; k < x->layers; k++) {
        const layer *l = &x->layer[k];
        size_t n = l->rows * l->columns;
        double *m = block_of(x, l, o.damping * trace / (double)x->floats), size = 0;
        double *b = doubles(TARGETS * n);
        for (size_t t = 0; t < TARGETS; t++)
            for (size_t i = 0; i < n; i++)
                b[t * n + i] = x->margin[(ROWS + t) * x->floats + l->at[i]];
        solve(m, b, n, TARGETS);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t t = 0; t < TARGETS; t++) {
                double sum = 0;
                for (size_t j = 0; j < n; j++)
                    sum += x->margin[i * x->floats + l->at[j]] * b[t * n + j];
                want[i * TARGETS + t] += x->q[i] * sum;
                size = fmax(size, fabs(x->q[i] * sum));
            }
        if (!(size > 1e-3))
            fail_msg("layer %d is of no weight: %g", k, size);
        free(m);
        free(b);
    }
    score(got, x, "ekfac", &o);
    near("ekfac", got, want, 1e-4);
    rig_close(x);
    assay_ctx_destroy(ctx);
}

static void ekfac_of_tokens(void **state) {
    (void)state;
    ekfac_of(&tokens, 7); /* table, places, norm's two, qkv, up, fc */
}

static void ekfac_of_images(void **state) {
    (void)state;
    ekfac_of(&images, 5); /* conv1, norm's two, conv2, fc */
}

/* ---- what TRAK is, without a projection ---- */

static void trak_of(const zoo_model_def *def) {
    assay_ctx *ctx = test_ctx(2);
    rig *x = rig_open(ctx, def);
    att_settings o = ATT_SETTINGS_INIT;
    size_t n = x->floats;
    double *m = doubles(n * n), *b = doubles(TARGETS * n), want[ROWS * TARGETS] = {0};
    double trace = 0;
    float got[ROWS * TARGETS];
    o.projector = "none";
    o.ridge = .4;
    for (size_t i = 0; i < ROWS; i++)
        outer_add(m, x->margin + i * n, n, 1);
    for (size_t i = 0; i < n; i++)
        trace += m[i * n + i];
    for (size_t i = 0; i < n; i++)
        m[i * n + i] += o.ridge * trace / (double)n;
    memcpy(b, x->margin + ROWS * n, TARGETS * n * sizeof *b);
    solve(m, b, n, TARGETS);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t t = 0; t < TARGETS; t++) {
            for (size_t k = 0; k < n; k++)
                want[i * TARGETS + t] += x->margin[i * n + k] * b[t * n + k];
            want[i * TARGETS + t] *= x->q[i];
        }
    score(got, x, "trak", &o);
    near("trak", got, want, 1e-5);
    o.ridge *= (double)ROWS / (double)n; /* of the kernel: over its own side */
    score(got, x, "kernel", &o);
    near("kernel", got, want, 1e-5);
    free(m);
    free(b);
    rig_close(x);
    assay_ctx_destroy(ctx);
}

static void trak_of_tokens(void **state) {
    (void)state;
    trak_of(&tokens);
}

static void trak_of_images(void **state) {
    (void)state;
    trak_of(&images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ekfac_of_tokens),
        cmocka_unit_test(ekfac_of_images),
        cmocka_unit_test(trak_of_tokens),
        cmocka_unit_test(trak_of_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
