/* Replay through tangent graphs: against finite differences of whole trainings in float64
 * (the graph node by node through its ops' references), and against the replay that is
 * written out for chains of linear layers. */
#include "attribute/influence/replay.h"

#include "attribute/study/testing.h"
#include "nn/reference.h"
#include "nn/tangent.h"

#include <math.h>

enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS, EACH = TOY_SIDE * TOY_SIDE };

/* Convolutions with ReLU and maxima, or smooth ones. */
static assay_status small_cnn(zoo_model *m, bool smooth) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv_of(m, &x, "conv1", &(zoo_conv_shape){4, 3, 1, 1, true}));
    ASSAY_TRY(smooth ? zoo_gelu(m, &x) : zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_conv_of(m, &x, "conv2", &(zoo_conv_shape){5, 3, 1, 1, false}));
    ASSAY_TRY(smooth ? zoo_gelu(m, &x) : zoo_relu(m, &x));
    ASSAY_TRY(smooth ? zoo_global_pool(m, &x) : zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static assay_status build_sharp(zoo_model *m) {
    return small_cnn(m, false);
}

static assay_status build_smooth(zoo_model *m) {
    return small_cnn(m, true);
}

static const zoo_model_def sharp = {.name = "sharp", .build = build_sharp},
                           smooth = {.name = "smooth", .build = build_smooth};

/* An image's rows as tokens, through a block of a transformer. */
static assay_status build_tokens(zoo_model *m) {
    assay_status status = ASSAY_OK;
    const nn_attr rows = {.name = "shape", .i = {0, TOY_SIDE, TOY_SIDE}, .count = 3};
    nn_value x = m->images, from;
    ASSAY_TRY(zoo_op(m, &x, "reshape", &rows, 1));
    ASSAY_TRY(zoo_linear(m, &x, "in", 6));
    ASSAY_TRY(zoo_positions(m, &x, "places"));
    from = x;
    ASSAY_TRY(zoo_layer_norm(m, &x, "norm", 1e-5));
    ASSAY_TRY(zoo_linear(m, &x, "qkv", 18));
    ASSAY_TRY(zoo_attention(m, &x, 2, false));
    ASSAY_TRY(zoo_add(m, &x, from));
    ASSAY_TRY(zoo_gelu(m, &x));
    ASSAY_TRY(zoo_token(m, &x, 3));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def tokens = {.name = "tokens", .build = build_tokens};

static const att_recipe momentum_recipe = {
    .epochs = 3, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};
static const att_recipe nesterov_recipe = {.epochs = 3,
                                           .batch = LITTLE_BATCH,
                                           .rate = .05,
                                           .momentum = .8,
                                           .weight_decay = .05,
                                           .nesterov = true,
                                           .hold = 0};

/* ---- trainings in float64 ---- */

typedef struct slow {
    const little *x;
    const nn_graph *g;
    nn_reference *step, *end; /* of a batch; of the targets */
    double *v;                /* velocity */
} slow;

static void slow_feed(const slow *s, nn_reference *r, size_t i, uint32_t row) {
    const toy *t = s->x->toy;
    const zoo_model *m = &s->x->model;
    float mean = 255.0f * t->card.mean[0], inv_std = 1 / (255.0f * t->card.std[0]);
    double *to = nn_reference_value(r, m->images) + i * EACH;
    for (size_t p = 0; p < EACH; p++)
        to[p] = (double)(((float)t->pixels.data[row * EACH + p] - mean) * inv_std);
    nn_reference_value(r, m->labels)[i] = (double)t->labels[row];
}

static void slow_step(slow *s, int64_t t, const double *weight) {
    const att_run *run = &s->x->run;
    const att_recipe *recipe = run->recipe;
    uint32_t place[LITTLE_BATCH];
    double seed[LITTLE_BATCH], rate = att_rate(recipe, t, run->steps);
    att_run_batch(run, t, place);
    for (size_t i = 0; i < LITTLE_BATCH; i++) {
        slow_feed(s, s->step, i, run->rows[place[i]]);
        seed[i] = weight[place[i]] / LITTLE_BATCH;
    }
    nn_reference_forward(s->step, s->x->model.loss);
    assert_ok(nn_reference_backward(s->step, s->x->model.loss, seed));
    for (size_t p = 0; p < nn_graph_param_count(s->g); p++) {
        nn_param_info info = nn_graph_param_at(s->g, p);
        nn_value v = nn_graph_find(s->g, info.name);
        const double *d = nn_reference_grad(s->step, v);
        double *w = nn_reference_value(s->step, v), *velocity = s->v + info.offset;
        for (size_t i = 0; i < info.count; i++) {
            double g = d[i] + (info.decay ? recipe->weight_decay * w[i] : 0);
            velocity[i] = recipe->momentum * velocity[i] + g;
            w[i] -= rate *
                    (recipe->nesterov ? g + recipe->momentum * velocity[i] : velocity[i]);
        }
    }
}

static void
slow_train(slow *s, const float *start, const double *weight, double *margins) {
    memset(s->v, 0, nn_graph_param_floats(s->g) * sizeof *s->v);
    for (size_t p = 0; p < nn_graph_param_count(s->g); p++) {
        nn_param_info info = nn_graph_param_at(s->g, p);
        double *w = nn_reference_value(s->step, nn_graph_find(s->g, info.name));
        for (size_t i = 0; i < info.count; i++)
            w[i] = (double)start[info.offset + i];
    }
    for (int64_t t = 0; t < s->x->run.steps; t++)
        slow_step(s, t, weight);
    for (size_t p = 0; p < nn_graph_param_count(s->g); p++) {
        nn_param_info info = nn_graph_param_at(s->g, p);
        nn_value v = nn_graph_find(s->g, info.name);
        memcpy(nn_reference_value(s->end, v), nn_reference_value(s->step, v),
               info.count * sizeof(double));
    }
    for (size_t t = 0; t < LITTLE_TARGETS; t++)
        slow_feed(s, s->end, t, s->x->targets[t]);
    nn_reference_forward(s->end, s->x->model.logits);
    const double *z = nn_reference_value(s->end, s->x->model.logits);
    for (int t = 0; t < LITTLE_TARGETS; t++, z += TOY_CLASSES) {
        int32_t y = s->x->toy->labels[s->x->targets[t]];
        double rest = 0; /* the op's reference loses digits where p is nearly 1 */
        for (int j = 0; j < TOY_CLASSES; j++)
            rest += j == y ? 0 : exp(z[j]);
        margins[t] = z[y] - log(rest);
    }
}

static double largest_of(const float *scores) {
    double largest = 0;
    for (int i = 0; i < CELLS; i++)
        largest = fmax(largest, fabs((double)scores[i]));
    assert_true(largest > 1e-4);
    return largest;
}

/* Across a kink of a ReLU the weights after training jump: where there are any, the step
 * is so small that none lies within it. */
static void check(const zoo_model_def *def, const att_recipe *recipe) {
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, def, recipe);
    const att_member m = little_member(x);
    static float scores[CELLS];
    slow s = {.x = x, .g = x->model.graph};
    nn_weights weights = {.params = x->params};
    size_t floats = nn_graph_param_floats(s.g);
    att_trainer *trainer;
    double weight[LITTLE_ROWS], up[LITTLE_TARGETS], down[LITTLE_TARGETS];
    const double h = 1e-9;
    memset(scores, 0, sizeof scores);
    assert_ok(att_replay(scores, &m, 0));
    double largest = largest_of(scores);
    assert_ok(nn_reference_create(&s.step, ctx, s.g, &weights, NN_TRAIN, LITTLE_BATCH));
    assert_ok(nn_reference_create(&s.end, ctx, s.g, &weights, NN_TRAIN, LITTLE_TARGETS));
    assert_ok(att_trainer_create(&trainer, ctx, x->study.data, x->study.model, recipe));
    float *start = calloc(floats, sizeof *start);
    s.v = calloc(floats, sizeof *s.v);
    assert_true(start && s.v);
    assert_ok(att_trainer_start(trainer, &x->run));
    att_trainer_store(trainer, start, NULL);
    for (int i = 0; i < LITTLE_ROWS; i += 13) {
        for (int j = 0; j < LITTLE_ROWS; j++)
            weight[j] = j == i ? 1 + h : 1;
        slow_train(&s, start, weight, up);
        weight[i] = 1 - h;
        slow_train(&s, start, weight, down);
        for (int t = 0; t < LITTLE_TARGETS; t++) {
            double want = (up[t] - down[t]) / (2 * h);
            double got = (double)scores[i * LITTLE_TARGETS + t];
            if (!(fabs(got - want) < 1e-3 * largest))
                fail_msg("row %d, target %d: %.8g, by differences %.8g", i, t, got, want);
        }
    }
    att_trainer_destroy(trainer);
    nn_reference_destroy(s.step);
    nn_reference_destroy(s.end);
    free(start);
    free(s.v);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void convolutions_with_kinks(void **state) {
    (void)state;
    check(&sharp, &momentum_recipe);
}

static void smooth_convolutions(void **state) {
    (void)state;
    check(&smooth, &nesterov_recipe);
}

static void blocks_of_transformers(void **state) {
    (void)state;
    check(&tokens, &nesterov_recipe);
}

/* Every op of these models has a tangent, as replay asks for. */
static void transformers_of_the_zoo(void **state) {
    (void)state;
    static const char *const names[] = {"gpt-tiny", "gpt-small", "bert-tiny", "vit-tiny"};
    assay_ctx *ctx = test_ctx(1);
    for (int i = 0; i < 4; i++) {
        const bool text = zoo_find(names[i])->tokens;
        const zoo_config pixels = {
            .classes = 10, .channels = 3, .height = 32, .width = 32};
        const zoo_config words = {.classes = 11, .context = 8, .vocabulary = 11};
        zoo_model m;
        nn_graph *g;
        nn_value r;
        assert_ok(zoo_build(&m, ctx, names[i], text ? &words : &pixels));
        assert_ok(nn_tangent_create(&g, &r, ctx, m.graph, m.loss));
        nn_graph_destroy(g);
        zoo_destroy(&m);
    }
    assay_ctx_destroy(ctx);
}

/* ---- the chain's replay, threads, refusals ---- */

static void as_for_chains(const att_recipe *recipe) {
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, NULL, recipe);
    const att_member m = little_member(x);
    static float chain[CELLS], graph[CELLS];
    memset(chain, 0, sizeof chain);
    memset(graph, 0, sizeof graph);
    assert_ok(att_replay(chain, &m, .25));
    assert_ok(replay_graph(graph, &m, .25));
    double largest = largest_of(chain);
    for (int i = 0; i < CELLS; i++)
        if (!(fabs((double)chain[i] - (double)graph[i]) < 1e-4 * largest))
            fail_msg("row %d, target %d: %.8g, of the chain %.8g", i / LITTLE_TARGETS,
                     i % LITTLE_TARGETS, (double)graph[i], (double)chain[i]);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void chains_get_the_same(void **state) {
    (void)state;
    as_for_chains(&momentum_recipe);
    as_for_chains(&nesterov_recipe);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    static float scores[2][CELLS];
    memset(scores, 0, sizeof scores);
    for (int threads = 1; threads <= 2; threads++) {
        assay_ctx *ctx = test_ctx(threads);
        little *x = little_make(ctx, &sharp, &momentum_recipe);
        const att_member m = little_member(x);
        assert_ok(att_replay(scores[threads - 1], &m, 0));
        little_free(x);
        assay_ctx_destroy(ctx);
    }
    (void)largest_of(scores[0]);
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
}

static void what_cannot_be_replayed_is_refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, &sharp, &momentum_recipe);
    static float scores[CELLS];
    att_member m = little_member(x);
    att_study study = x->study;
    zoo_model cnn;
    const zoo_config config = x->model.config;
    assert_ok(zoo_build(&cnn, ctx, "cnn", &config));
    study.model = &cnn;
    m.study = &study;
    assert_fails(ASSAY_E_UNSUPPORTED, att_replay(scores, &m, 0));
    assert_non_null(strstr(assay_last_error()->message, "batch_norm"));
    m = little_member(x);
    m.run = NULL;
    assert_fails(ASSAY_E_UNSUPPORTED, att_replay(scores, &m, 0));
    zoo_destroy(&cnn);
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_with_kinks),
        cmocka_unit_test(smooth_convolutions),
        cmocka_unit_test(blocks_of_transformers),
        cmocka_unit_test(transformers_of_the_zoo),
        cmocka_unit_test(chains_get_the_same),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(what_cannot_be_replayed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
