/* Weights of others: what fits is taken, what does not is named and starts anew, from
 * .safetensors and .onnx alike; a run that starts so continues to the same bytes. */
#include "train/pretrained.h"

#include "train/testing.h"

#include "file/safetensors.h"

enum { ROWS = 64, OTHER_CLASSES = 7 };

typedef struct fixture {
    assay_ctx *ctx;
    char said[1024]; /* what was logged */
    test_scratch scratch;
    toy *t;
    trained_model m;
    test_path file, onnx;
} fixture;

static void hear(void *cookie, assay_log_level level, const char *line) {
    fixture *f = cookie;
    (void)level;
    size_t n = strlen(f->said);
    (void)snprintf(f->said + n, sizeof f->said - n, "%s\n", line);
}

static void begin(fixture *f) {
    static char *names[TOY_CLASSES] = {"a", "b", "c", "d"};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    memset(f, 0, sizeof *f);
    o.threads = 1;
    o.log = hear;
    o.log_cookie = f;
    assert_ok(assay_ctx_create(&f->ctx, &o));
    f->scratch = test_scratch_begin();
    f->t = toy_make(f->ctx, ROWS, "cnn");
    f->t->card.class_name = names;
    f->file = test_in(&f->scratch, "model.safetensors");
    f->onnx = test_in(&f->scratch, "model.onnx");
    train_job job = {.rows = f->t->rows, .n_rows = ROWS, .seed = 4, .result = &f->m};
    assert_ok(train_one(f->ctx, &f->t->data, &f->t->recipe, &job));
    assert_ok(model_save(&f->m, f->file.text));
    assert_ok(assay_export_onnx(f->ctx, f->file.text, f->onnx.text));
}

static void end(fixture *f) {
    model_free(&f->m);
    toy_free(f->t);
    test_scratch_end(&f->scratch);
    assay_ctx_destroy(f->ctx);
}

/* How many floats of a model with other classes are the file's. */
static void takes_all_but_the_head(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    const test_path files[] = {f.file, f.onnx};
    for (size_t k = 0; k < 2; k++) {
        zoo_config config = f.m.zoo.config;
        zoo_model z;
        nn_weights w, fresh;
        config.classes = OTHER_CLASSES;
        assert_ok(zoo_build(&z, f.ctx, "cnn", &config));
        assert_ok(nn_weights_create(&w, f.ctx, z.graph, 9));
        assert_ok(nn_weights_create(&fresh, f.ctx, z.graph, 9));
        f.said[0] = '\0';
        assert_ok(pretrained_take(f.ctx, files[k].text, z.graph, &w));
        size_t params = nn_graph_param_count(z.graph), heads = 0;
        assert_int_equal(params, nn_graph_param_count(f.m.zoo.graph));
        for (size_t i = 0; i < params; i++) {
            nn_param_info p = nn_graph_param_at(z.graph, i);
            nn_param_info q = nn_graph_param_at(f.m.zoo.graph, i);
            bool head = p.count != q.count;
            assert_memory_equal(w.params + p.offset,
                                head ? fresh.params + p.offset
                                     : f.m.weights.params + q.offset,
                                p.count * sizeof(float));
            assert_true(head == (strstr(f.said, p.name) != NULL));
            heads += head;
        }
        assert_int_equal(heads, 2); /* weight and bias */
        assert_memory_equal(w.buffers, f.m.weights.buffers,
                            nn_graph_buffer_floats(z.graph) * sizeof(float));
        nn_weights_destroy(&w, f.ctx);
        nn_weights_destroy(&fresh, f.ctx);
        zoo_destroy(&z);
    }
    end(&f);
}

/* Everything but the head is frozen: it stays as it was in the file. */
static void trains_from_there(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    char sha[65];
    trained_model m = {0}, anew = {0};
    assert_ok(settings_set(&f.t->recipe, "freeze=conv*;bn*"));
    assert_ok(pretrained_hash(sha, f.file.text));
    assert_int_equal(strlen(sha), 64);
    train_job job = {.rows = f.t->rows,
                     .n_rows = ROWS,
                     .seed = 8,
                     .init = f.file.text,
                     .init_sha256 = sha,
                     .result = &m};
    assert_ok(train_one(f.ctx, &f.t->data, &f.t->recipe, &job));
    job.init = NULL;
    job.result = &anew;
    assert_ok(train_one(f.ctx, &f.t->data, &f.t->recipe, &job));
    assert_string_not_equal(m.card.key, anew.card.key);
    size_t moved = 0;
    for (size_t i = 0; i < nn_graph_param_count(m.zoo.graph); i++) {
        nn_param_info p = nn_graph_param_at(m.zoo.graph, i);
        bool same = memcmp(m.weights.params + p.offset, f.m.weights.params + p.offset,
                           p.count * sizeof(float)) == 0;
        assert_int_equal(same, p.name[0] == 'c' || p.name[0] == 'b');
        moved += !same;
    }
    assert_int_equal(moved, 2);
    model_free(&m);
    model_free(&anew);
    end(&f);
}

static void refusals(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    zoo_model z;
    nn_weights w;
    char sha[65];
    assert_ok(zoo_build(&z, f.ctx, "mlp", &f.m.zoo.config));
    assert_ok(nn_weights_create(&w, f.ctx, z.graph, 9));
    test_path none = test_in(&f.scratch, "none.safetensors");
    assert_fails(ASSAY_E_NOTFOUND, pretrained_hash(sha, none.text));
    assert_fails(ASSAY_E_NOTFOUND, pretrained_take(f.ctx, none.text, z.graph, &w));
    test_path junk = test_in(&f.scratch, "junk.onnx");
    test_put(junk.text, "this is no model", 16);
    assert_fails(ASSAY_E_FORMAT, pretrained_take(f.ctx, junk.text, z.graph, &w));
    const float one = 1;
    const st_tensor t = {
        .name = "nobody", .ndim = 1, .dim = {1}, .data = &one, .bytes = 4};
    assert_ok(st_put(f.ctx, none.text, &t, 1, NULL, 0));
    assert_fails(ASSAY_E_INVALID, pretrained_take(f.ctx, none.text, z.graph, &w));
    assert_non_null(strstr(assay_last_error()->help, nn_graph_param_at(z.graph, 0).name));
    nn_weights_destroy(&w, f.ctx);
    zoo_destroy(&z);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_all_but_the_head),
        cmocka_unit_test(trains_from_there),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
