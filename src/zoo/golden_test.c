/* Initial outputs of every model, so that no change of a builder, of the order of its
 * parameters or of an initialisation goes unseen: logits of a fixed seed on a fixed
 * input, in f32, evaluated. Rounding differs between instruction sets; the tolerance
 * holds for all. */
#include "zoo/zoo.h"

#include "base/testing.h"
#include "nn/exec.h"

#include <math.h>

enum { SEED = 1, BATCH = 2, SIDE = 28, CLASSES = 10, VOCABULARY = 65, CONTEXT = 128 };

/* Drawing many millions of normal numbers is slow where every access is checked. */
#ifdef __SANITIZE_ADDRESS__
static const int64_t most_params = 3000000;
#else
static const int64_t most_params = INT64_MAX;
#endif

static const struct {
    const char *name;
    double logit[3]; /* of the second example, or of its last token */
} goldens[] = {
    {"mlp", {-0.0807475746, -0.047864981, 0.142118454}},
    {"convnet", {-0.885876775, -0.222247213, -0.0970855355}},
    {"lenet", {-0.122767746, -0.194706976, -0.034771841}},
    {"cnn", {-0.430789679, -0.22344394, 0.0390655696}},
    {"resnet20", {4.91962099, -2.3238337, 4.13787508}},
    {"resnet56", {-2677.60669, -581.967957, -519.51532}},
    {"resnet9", {0.0126094939, -0.636750817, -0.0866013765}},
    {"airbench", {0.0010362739, -0.000817460881, -0.000954514486}},
    {"resnet18", {5.06040335, 0.157641828, -0.69334805}},
    {"resnet50", {44.3066292, -165.148911, -54.0026169}},
    {"mobilenet-v2", {0.387373179, -1.82943201, -1.36576581}},
    {"vit-tiny", {-0.139879763, -0.69962126, -0.239123598}},
    {"bert-tiny", {-0.374782473, -0.255320609, -0.0870946869}},
    {"gpt-tiny", {-0.0547360852, 0.316152066, -0.74859637}},
    {"gpt-small", {0.867833316, -0.182688162, -0.691726387}},
};

static uint32_t mixed(uint32_t i) {
    i = (i ^ i >> 16) * 0x7feb352du;
    i = (i ^ i >> 15) * 0x846ca68bu;
    return i ^ i >> 16;
}

static void feed(void *input, const zoo_model *m, bool tokens) {
    const zoo_config *c = &m->config;
    size_t n =
        BATCH * (tokens ? (size_t)c->context
                        : (size_t)c->channels * (size_t)c->height * (size_t)c->width);
    for (size_t i = 0; i < n; i++)
        if (tokens)
            ((int32_t *)input)[i] = (int32_t)(mixed((uint32_t)i) % VOCABULARY);
        else
            ((float *)input)[i] = (float)mixed((uint32_t)i) * 0x1p-31F - 1;
}

static void check(assay_ctx *ctx, const zoo_model_def *def, const double want[3]) {
    const zoo_config images = {
        .classes = CLASSES, .channels = 1, .height = SIDE, .width = SIDE};
    const zoo_config words = {.classes = def->sequences ? CLASSES : VOCABULARY,
                              .context = CONTEXT,
                              .vocabulary = VOCABULARY};
    zoo_model m;
    nn_weights w;
    nn_exec *e;
    assert_ok(zoo_build_def(&m, ctx, def, def->tokens ? &words : &images));
    assert_ok(nn_weights_create(&w, ctx, m.graph, SEED));
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = BATCH,
                               .keep = &m.logits,
                               .n_keep = 1,
                               .target = -1,
                               .dtype = ASSAY_F32};
    assert_ok(nn_exec_create(&e, ctx, m.graph, &w, &o));
    feed(nn_exec_input(e, m.images), &m, def->tokens);
    assert_ok(nn_exec_forward(e, BATCH));
    const float *logits = nn_exec_value(e, m.logits);
    size_t classes = (size_t)m.config.classes, rows = zoo_labels_each(&m) * BATCH;
    double largest = 0;
    for (size_t i = 0; i < rows * classes; i++)
        largest = fmax(largest, fabs((double)logits[i]));
    logits += (rows - 1) * classes;
    for (int k = 0; k < 3; k++)
        if (!(fabs((double)logits[k] - want[k]) <= 1e-4 * largest)) {
            print_error("{\"%s\", {%.9g, %.9g, %.9g}},\n", def->name, (double)logits[0],
                        (double)logits[1], (double)logits[2]);
            fail();
        }
    nn_exec_destroy(e);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
}

static void initial_outputs(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    assert_int_equal(zoo_count(), sizeof goldens / sizeof *goldens);
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_model_def *def = zoo_find(goldens[i].name);
        assert_non_null(def);
        if (def->golden > most_params) {
            print_message("%s is left to builds without sanitizers\n", def->name);
            continue;
        }
        check(ctx, def, goldens[i].logit);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
