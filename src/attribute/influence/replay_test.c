/* Replay against finite differences of whole trainings in float64. The step is some 1e-9:
 * across a kink of a ReLU the weights after training jump, and larger steps cross some.
 */
#include "attribute/influence/replay.h"

#include "attribute/study/testing.h"

#include <math.h>

enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };

/* A training in float64 with a weight per example, and the margins it ends with. */
typedef struct slow {
    const little *x;
    mlp net;
    double *w, *v, *g;
    double act[MLP_MOST_LAYERS][200], d[MLP_MOST_LAYERS][200], image[TOY_SIDE * TOY_SIDE];
} slow;

static void slow_forward(slow *s, uint32_t row) {
    const toy *t = s->x->toy;
    size_t each = TOY_SIDE * TOY_SIDE;
    float mean = 255.0f * t->card.mean[0], inv_std = 1 / (255.0f * t->card.std[0]);
    for (size_t p = 0; p < each; p++)
        s->image[p] = (double)(((float)t->pixels.data[row * each + p] - mean) * inv_std);
    const double *from = s->image;
    for (int l = 0; l < s->net.layers; l++) {
        const mlp_layer *w = &s->net.layer[l];
        for (size_t o = 0; o < w->out; o++) {
            double sum = s->w[w->bias + o];
            for (size_t i = 0; i < w->in; i++)
                sum += s->w[w->weight + o * w->in + i] * from[i];
            s->act[l][o] = l + 1 < s->net.layers && sum < 0 ? 0 : sum;
        }
        from = s->act[l];
    }
}

/* g += c times the gradient of the row's loss. */
static void slow_backward(slow *s, int32_t y, double c) {
    int last = s->net.layers - 1;
    double sum = 0;
    for (int j = 0; j < TOY_CLASSES; j++)
        sum += exp(s->act[last][j]);
    for (int j = 0; j < TOY_CLASSES; j++)
        s->d[last][j] = c * (exp(s->act[last][j]) / sum - (j == y));
    for (int l = last; l >= 0; l--) {
        const mlp_layer *w = &s->net.layer[l];
        const double *from = l ? s->act[l - 1] : s->image;
        for (size_t i = 0; l && i < w->in; i++)
            s->d[l - 1][i] = 0;
        for (size_t o = 0; o < w->out; o++) {
            s->g[w->bias + o] += s->d[l][o];
            for (size_t i = 0; i < w->in; i++) {
                s->g[w->weight + o * w->in + i] += s->d[l][o] * from[i];
                if (l && from[i] > 0)
                    s->d[l - 1][i] += s->d[l][o] * s->w[w->weight + o * w->in + i];
            }
        }
    }
}

static void slow_step(slow *s, int64_t t, const double *weight) {
    const att_run *run = &s->x->run;
    const att_recipe *r = run->recipe;
    uint32_t place[LITTLE_BATCH];
    double rate = att_rate(r, t, run->steps);
    att_run_batch(run, t, place);
    memset(s->g, 0, s->net.floats * sizeof *s->g);
    for (int i = 0; i < LITTLE_BATCH; i++) {
        slow_forward(s, run->rows[place[i]]);
        slow_backward(s, s->x->toy->labels[run->rows[place[i]]],
                      weight[place[i]] / LITTLE_BATCH);
    }
    for (int l = 0; l < s->net.layers; l++) {
        const mlp_layer *w = &s->net.layer[l];
        for (size_t i = 0; i < w->in * w->out; i++)
            s->g[w->weight + i] += r->weight_decay * s->w[w->weight + i];
    }
    for (size_t i = 0; i < s->net.floats; i++) {
        s->v[i] = r->momentum * s->v[i] + s->g[i];
        s->w[i] -= rate * (r->nesterov ? s->g[i] + r->momentum * s->v[i] : s->v[i]);
    }
}

static void
slow_train(slow *s, const float *start, const double *weight, double *margins) {
    for (size_t i = 0; i < s->net.floats; i++) {
        s->w[i] = (double)start[i];
        s->v[i] = 0;
    }
    for (int64_t t = 0; t < s->x->run.steps; t++)
        slow_step(s, t, weight);
    for (int t = 0; t < LITTLE_TARGETS; t++) {
        const double *z = s->act[s->net.layers - 1];
        int32_t y = s->x->toy->labels[s->x->targets[t]];
        double rest = 0;
        slow_forward(s, s->x->targets[t]);
        for (int j = 0; j < TOY_CLASSES; j++)
            rest += j == y ? 0 : exp(z[j]);
        margins[t] = z[y] - log(rest);
    }
}

static void check(const att_recipe *recipe) {
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, NULL, recipe);
    const att_member m = little_member(x);
    static float scores[CELLS];
    slow s = {.x = x};
    att_trainer *trainer;
    double weight[LITTLE_ROWS], up[LITTLE_TARGETS], down[LITTLE_TARGETS], largest = 0;
    const double h = 1e-9;
    memset(scores, 0, sizeof scores);
    assert_ok(att_replay(scores, &m, 0));
    assert_ok(mlp_of(&s.net, &x->model));
    s.w = calloc(3 * s.net.floats, sizeof *s.w);
    assert_non_null(s.w);
    s.v = s.w + s.net.floats;
    s.g = s.v + s.net.floats;
    assert_ok(att_trainer_create(&trainer, ctx, x->study.data, x->study.model, recipe));
    float *start = calloc(s.net.floats, sizeof *start);
    assert_non_null(start);
    assert_ok(att_trainer_start(trainer, &x->run));
    att_trainer_store(trainer, start, NULL);
    for (int i = 0; i < CELLS; i++)
        largest = fmax(largest, fabs((double)scores[i]));
    assert_true(largest > 1e-4);
    for (int i = 0; i < LITTLE_ROWS; i += 7) {
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
    free(start);
    free(s.w);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void momentum(void **state) {
    (void)state;
    check(&(att_recipe){
        .epochs = 4, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5});
}

static void nesterov_with_decay(void **state) {
    (void)state;
    check(&(att_recipe){.epochs = 4,
                        .batch = LITTLE_BATCH,
                        .rate = .05,
                        .momentum = .8,
                        .weight_decay = .05,
                        .nesterov = true,
                        .hold = 0});
}

static void plain_with_decay(void **state) {
    (void)state;
    check(&(att_recipe){
        .epochs = 3, .batch = LITTLE_BATCH, .rate = .2, .weight_decay = .1, .hold = 1});
}

/* Leaving out the run's beginning leaves out what it adds: the end's part is the same. */
static void only_the_end(void **state) {
    (void)state;
    const att_recipe recipe = {
        .epochs = 4, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    const att_member m = little_member(x);
    static float last[CELLS];
    uint32_t place[LITTLE_BATCH];
    memset(last, 0, sizeof last);
    assert_ok(att_replay(last, &m, .96)); /* the last of 24 steps */
    att_run_batch(&x->run, x->run.steps - 1, place);
    for (uint32_t i = 0; i < LITTLE_ROWS; i++) {
        bool in = false;
        double size = 0;
        for (int j = 0; j < LITTLE_BATCH; j++)
            in = in || place[j] == i;
        for (int t = 0; t < LITTLE_TARGETS; t++)
            size += fabs((double)last[i * LITTLE_TARGETS + t]);
        assert_true(in ? size > 0 : size == 0);
    }
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void another_model_is_refused(void **state) {
    (void)state;
    const att_recipe recipe = {
        .epochs = 1, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    mlp net;
    zoo_model cnn;
    const zoo_config config = x->model.config;
    assert_ok(zoo_build(&cnn, ctx, "cnn", &config));
    assert_fails(ASSAY_E_UNSUPPORTED, mlp_of(&net, &cnn));
    zoo_destroy(&cnn);
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(momentum),
        cmocka_unit_test(nesterov_with_decay),
        cmocka_unit_test(plain_with_decay),
        cmocka_unit_test(only_the_end),
        cmocka_unit_test(another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
