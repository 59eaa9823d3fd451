/* Every model of the zoo learns: a few steps on one small batch lower its loss, in f32
 * and in bf16; and one model of each family has the gradients that the ops' float64
 * references give. */
#include "base/rng.h"
#include "base/testing.h"
#include "nn/exec.h"
#include "train/gradient_check.h"
#include "train/optimizer.h"

#include <math.h>

enum { BATCH = 4, CLASSES = 3, WORDS = 11, CONTEXT = 8, STEPS = 4 };

/* Above, drawing the initial weights is slow where every access is checked. */
#ifdef __SANITIZE_ADDRESS__
static const int64_t most_params = 3000000;
#else
static const int64_t most_params = INT64_MAX;
#endif

static zoo_config tiny(const zoo_model_def *def, bool smooth) {
    int side = def->least_side > 8 ? def->least_side : 8;
    return def->tokens ? (zoo_config){.classes = def->sequences ? CLASSES : WORDS,
                                      .context = CONTEXT,
                                      .vocabulary = WORDS,
                                      .smooth = smooth}
                       : (zoo_config){.classes = CLASSES,
                                      .channels = 3,
                                      .height = side,
                                      .width = side,
                                      .smooth = smooth};
}

static void feed(nn_exec *e, const zoo_model *m) {
    const zoo_config *c = &m->config;
    rng r = rng_at(7, RNG_BENCH, 0, 0);
    int32_t *labels = nn_exec_input(e, m->labels);
    void *input = nn_exec_input(e, m->images);
    if (c->context)
        for (int i = 0; i < BATCH * c->context; i++)
            ((int32_t *)input)[i] = (int32_t)rng_below(&r, WORDS);
    else
        for (int i = 0; i < BATCH * c->channels * c->height * c->width; i++)
            ((float *)input)[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < BATCH * zoo_labels_each(m); i++)
        labels[i] = (int32_t)rng_below(&r, (uint64_t)c->classes);
}

static double loss_now(nn_exec *e, const zoo_model *m) {
    double sum = 0;
    assert_ok(nn_exec_forward(e, BATCH));
    for (int i = 0; i < BATCH; i++)
        sum += (double)((const float *)nn_exec_value(e, m->loss))[i];
    return sum / BATCH;
}

static void learn(assay_ctx *ctx, const zoo_model_def *def, assay_dtype dtype) {
    const zoo_config config = tiny(def, false);
    const float back[BATCH] = {1.0F / BATCH, 1.0F / BATCH, 1.0F / BATCH, 1.0F / BATCH};
    zoo_model m;
    nn_weights w;
    nn_exec *e;
    optimizer o;
    optimizer_options how = OPTIMIZER_OPTIONS_INIT;
    how.name = "adamw"; /* one rate suits all */
    assert_ok(zoo_build(&m, ctx, def->name, &config));
    assert_ok(nn_weights_create(&w, ctx, m.graph, 1));
    assert_ok(optimizer_create(&o, ctx, m.graph, &how));
    const nn_exec_options run = {
        .mode = NN_TRAIN, .batch = BATCH, .target = m.loss, .dtype = dtype};
    assert_ok(nn_exec_create(&e, ctx, m.graph, &w, &run));
    feed(e, &m);
    double first = loss_now(e, &m), last;
    for (int i = 0; i < STEPS; i++) {
        assert_ok(nn_exec_backward(e, back));
        optimizer_step(&o, w.params, nn_exec_grads(e), (train_pace){1e-3, 0});
        last = loss_now(e, &m);
    }
    if (!(last < 0.95 * first))
        print_error("%s: loss %g, then %g\n", def->name, first, last);
    assert_true(isfinite(first) && last < 0.95 * first);
    nn_exec_destroy(e);
    optimizer_destroy(&o);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
}

static void models_learn(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < zoo_count(); i++) {
        if (zoo_at(i)->golden > most_params) {
            print_message("%s is left to builds without sanitizers\n", zoo_at(i)->name);
            continue;
        }
        learn(ctx, zoo_at(i), ASSAY_F32);
        learn(ctx, zoo_at(i), ASSAY_BF16);
    }
    assay_ctx_destroy(ctx);
}

static void gradients(void **state) {
    (void)state;
    /* At 8 pixels the last norms of mobilenet-v2 take statistics of four numbers. */
    static const struct {
        const char *name;
        double most;
    } nets[] = {{"lenet", 1e-4},        {"convnet", 1e-4},  {"cnn", 1e-4},
                {"resnet20", 1e-4},     {"resnet9", 1e-4},  {"airbench", 1e-4},
                {"mobilenet-v2", 2e-2}, {"resnet50", 1e-3}, {"vit-tiny", 1e-4},
                {"bert-tiny", 1e-4},    {"gpt-tiny", 1e-4}};
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        const zoo_model_def *def = zoo_find(nets[i].name);
        const zoo_config config = tiny(def, true);
        gradient_check c;
        if (def->golden > most_params)
            continue;
        assert_ok(gradient_check_zoo(&c, ctx, nets[i].name, &config, BATCH, 1));
        if (!(c.error < nets[i].most))
            print_error("%s: gradients off by %g\n", nets[i].name, c.error);
        assert_true(c.error > 0 && c.error < nets[i].most);
        gradient_check_free(&c);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_learn),
        cmocka_unit_test(gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
