/* Model files: what is saved is what is loaded, and hostile metadata is refused by name.
 */
#include "file/safetensors.h"
#include "train/testing.h"

#include <stddef.h>

static trained_model trained(assay_ctx *ctx, const char *model) {
    toy *t = toy_make(ctx, 64, model);
    char *names[TOY_CLASSES] = {"plain", "with \"quotes\"", "\xc3\xa9t\xc3\xa9",
                                "</script>"};
    t->card.class_name = names;
    t->recipe.epochs = 1;
    trained_model m = {0};
    train_job job = {
        .rows = t->rows, .n_rows = t->n, .seed = 11, .identity = "x", .result = &m};
    assert_ok(train_fleet(ctx, &t->data, &t->recipe, &job, 1));
    toy_free(t);
    return m;
}

static void same_model(const trained_model *a, const trained_model *b) {
    assert_string_equal(a->card.name, b->card.name);
    assert_string_equal(a->card.recipe, b->card.recipe);
    assert_string_equal(a->card.dataset_sha256, b->card.dataset_sha256);
    assert_string_equal(a->card.key, b->card.key);
    assert_int_equal(a->card.size, b->card.size);
    assert_int_equal(a->card.channels, b->card.channels);
    assert_int_equal(a->card.classes, b->card.classes);
    assert_true(a->card.seed == b->card.seed);
    assert_memory_equal(a->card.mean, b->card.mean, sizeof(float));
    assert_memory_equal(a->card.std, b->card.std, sizeof(float));
    for (int i = 0; i < a->card.classes; i++)
        assert_string_equal(a->card.class_name[i], b->card.class_name[i]);
    size_t params = nn_graph_param_floats(a->zoo.graph);
    size_t buffers = nn_graph_buffer_floats(a->zoo.graph);
    assert_int_equal(params, nn_graph_param_floats(b->zoo.graph));
    assert_memory_equal(a->weights.params, b->weights.params, params * sizeof(float));
    if (buffers)
        assert_memory_equal(a->weights.buffers, b->weights.buffers,
                            buffers * sizeof(float));
}

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path first = test_in(&s, "a.safetensors"), second = test_in(&s, "b.safetensors");
    for (size_t i = 0; i < TOY_MODELS; i++) {
        trained_model a = trained(ctx, toy_model(i)), b;
        assert_ok(model_save(&a, first.text));
        assert_ok(model_load(&b, ctx, first.text));
        same_model(&a, &b);
        assert_ok(model_save(&b, second.text));
        size_t n, m;
        uint8_t *x = test_get(ctx, first.text, &n), *y = test_get(ctx, second.text, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
        mem_free(ctx, x);
        mem_free(ctx, y);
        model_free(&a);
        model_free(&b);
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* The file again, with one metadata value or one tensor changed. */
typedef struct change {
    const char *key, *value; /* value NULL: the key is left out */
    const char *tensor;      /* this tensor's shape, type or content is spoiled */
    int how; /* 0 left out, 1 one number, 2 other type, 3 not finite, 4 renamed, 5 other
                shape */
    assay_status want;
    const char *word;
} change;

static void spoil(assay_ctx *ctx, const st_file *f, const char *path, const change *c) {
    static const char *const keys[] = {"format",
                                       "assay.model",
                                       "assay.size",
                                       "assay.channels",
                                       "assay.classes",
                                       "assay.mean",
                                       "assay.std",
                                       "assay.class_names",
                                       "assay.label_smoothing",
                                       "assay.dataset_sha256",
                                       "assay.recipe",
                                       "assay.seed",
                                       "assay.key"};
    st_pair pair[16];
    st_tensor tensor[64];
    float nan_here[64] = {0};
    size_t pairs = 0, tensors = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool mine = c->key && strcmp(keys[i], c->key) == 0;
        const char *value = mine ? c->value : st_metadata(f, keys[i]);
        if (value)
            pair[pairs++] = (st_pair){keys[i], value};
    }
    for (size_t i = 0; i < st_count(f); i++) {
        st_tensor t = st_at(f, i);
        if (c->tensor && strcmp(t.name, c->tensor) == 0) {
            if (c->how == 0)
                continue;
            if (c->how == 1) {
                t.dim[0] = 1;
                for (int d = 1; d < t.ndim; d++)
                    t.dim[d] = 1;
                t.bytes = sizeof(float);
            } else if (c->how == 4) {
                t.name = "another";
            } else if (c->how == 5) {
                t.dim[1] *= t.dim[0];
                t.dim[0] = 1;
            } else if (c->how == 2) {
                t.dtype = ASSAY_I32;
            } else {
                assert_true(t.bytes <= sizeof nan_here);
                memset(nan_here, 0xff, t.bytes);
                t.data = nan_here;
            }
        }
        tensor[tensors++] = t;
    }
    assert_ok(st_put(ctx, path, tensor, tensors, pair, pairs));
}

static void hostile_files(void **state) {
    (void)state;
    static const change changes[] = {
        {"assay.model", NULL, NULL, 0, ASSAY_E_FORMAT, "assay.model"},
        {"assay.model", "nothing", NULL, 0, ASSAY_E_NOTFOUND, "nothing"},
        {"assay.size", "0", NULL, 0, ASSAY_E_FORMAT, "assay.size"},
        {"assay.size", "12x", NULL, 0, ASSAY_E_FORMAT, "assay.size"},
        {"assay.size", "99999999999999999999", NULL, 0, ASSAY_E_FORMAT, "assay.size"},
        {"assay.size", "4", NULL, 0, ASSAY_E_SHAPE, ""},
        {"assay.channels", "4", NULL, 0, ASSAY_E_FORMAT, "assay.channels"},
        {"assay.channels", "", NULL, 0, ASSAY_E_FORMAT, "assay.channels"},
        {"assay.classes", "-4", NULL, 0, ASSAY_E_FORMAT, "assay.classes"},
        {"assay.classes", "5", NULL, 0, ASSAY_E_FORMAT, "class_names"},
        {"assay.mean", "", NULL, 0, ASSAY_E_FORMAT, "assay.mean"},
        {"assay.mean", "nan", NULL, 0, ASSAY_E_FORMAT, "assay.mean"},
        {"assay.std", "0", NULL, 0, ASSAY_E_FORMAT, "assay.std"},
        {"assay.std", "1e99", NULL, 0, ASSAY_E_FORMAT, "assay.std"},
        {"assay.class_names", "[", NULL, 0, ASSAY_E_FORMAT, ""},
        {"assay.class_names", "{}", NULL, 0, ASSAY_E_FORMAT, "class_names"},
        {"assay.label_smoothing", "1", NULL, 0, ASSAY_E_FORMAT, "label_smoothing"},
        {"assay.label_smoothing", "nan", NULL, 0, ASSAY_E_FORMAT, "label_smoothing"},
        {"assay.seed", "", NULL, 0, ASSAY_E_FORMAT, "assay.seed"},
        {"assay.key",
         "0123456789012345678901234567890123456789012345678901234567890123456789", NULL,
         0, ASSAY_E_FORMAT, "assay.key"},
        {NULL, NULL, "fc.weight", 0, ASSAY_E_SHAPE, "weights"},
        {NULL, NULL, "fc.weight", 1, ASSAY_E_SHAPE, "weights"},
        {NULL, NULL, "fc.weight", 4, ASSAY_E_NOTFOUND, "fc.weight"},
        {NULL, NULL, "fc.weight", 5, ASSAY_E_SHAPE, "fc.weight"},
        {NULL, NULL, "fc.bias", 2, ASSAY_E_DTYPE, "fc.bias"},
        {NULL, NULL, "fc.bias", 3, ASSAY_E_NUMERIC, "fc.bias"},
        {NULL, NULL, "bn1.running_var", 0, ASSAY_E_SHAPE, "weights"},
    };
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path good = test_in(&s, "good.safetensors"),
              bad = test_in(&s, "bad.safetensors");
    trained_model m = trained(ctx, "cnn");
    assert_ok(model_save(&m, good.text));
    st_file *f;
    assert_ok(st_open(&f, ctx, good.text));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        trained_model b;
        spoil(ctx, f, bad.text, &changes[i]);
        assay_status got = model_load(&b, ctx, bad.text);
        if (got != changes[i].want ||
            !strstr(assay_last_error()->message, changes[i].word))
            print_error("change %zu (%s): %s\n", i,
                        changes[i].key ? changes[i].key : changes[i].tensor,
                        assay_last_error()->message);
        assert_int_equal(got, changes[i].want);
        assert_non_null(strstr(assay_last_error()->message, changes[i].word));
        assert_non_null(strstr(assay_last_error()->where, "bad.safetensors"));
        assert_null(b.zoo.graph);
        model_free(&b);
    }
    st_close(f);
    model_free(&m);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void absent(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    trained_model m;
    assert_fails(ASSAY_E_NOTFOUND, model_load(&m, ctx, "/nonexistent/model.safetensors"));
    model_free(&m);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
