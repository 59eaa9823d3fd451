/* Recipes: defaults by size, every option's override and refusal, and the line that names
 * them. */
#include "base/testing.h"
#include "train/trainer.h"

#include <math.h>

static void sizes(void **state) {
    (void)state;
    const assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe large, small, tiny;
    assert_ok(train_recipe_make(&large, &o, 40000, 28, true));
    assert_ok(train_recipe_make(&small, &o, 1800, 28, false));
    assert_ok(train_recipe_make(&tiny, &o, 2, 8, false));
    assert_string_equal(large.model, "cnn");
    assert_string_equal(large.schedule, "one-cycle");
    assert_true(large.flip && !small.flip);
    assert_true(small.epochs > large.epochs && small.batch < large.batch);
    assert_true(tiny.epochs >= small.epochs && tiny.epochs <= 100 && tiny.batch >= 2);
    assert_true(large.lr > 0 && large.momentum < 1);
}

static void overrides(void **state) {
    (void)state;
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.model = "mlp";
    o.schedule = "cosine";
    o.epochs = 3;
    o.batch = 17;
    o.lr = 0.25;
    o.momentum = 0;
    o.weight_decay = 0;
    o.label_smoothing = 0;
    o.translate = 0;
    o.flip = 0;
    o.precision = "f32";
    train_recipe r;
    char text[512];
    assert_ok(train_recipe_make(&r, &o, 1000, 28, true));
    train_recipe_text(&r, text);
    assert_string_equal(
        text, "model=mlp schedule=cosine epochs=3 batch=17 lr=0.25 momentum=0 "
              "weight_decay=0 label_smoothing=0 translate=0 flip=0 precision=f32");
    o.flip = 1;
    assert_ok(train_recipe_make(&r, &o, 1000, 28, false));
    assert_true(r.flip);
}

static void refused(const assay_train_options *o, const char *word) {
    train_recipe r;
    assert_fails(ASSAY_E_INVALID, train_recipe_make(&r, o, 1000, 28, false));
    assert_non_null(strstr(assay_last_error()->message, word));
    assert_true(assay_last_error()->help[0] != '\0');
}

static void refusals(void **state) {
    (void)state;
#define REFUSE(field, value, word)                                                       \
    do {                                                                                 \
        assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;                                \
        o.field = value;                                                                 \
        refused(&o, word);                                                               \
    } while (0)
    REFUSE(epochs, -1, "epochs");
    REFUSE(epochs, 1000000, "epochs");
    REFUSE(batch, 1, "batch");
    REFUSE(batch, -5, "batch");
    REFUSE(lr, -0.1, "lr");
    REFUSE(lr, (double)NAN, "lr");
    REFUSE(lr, (double)INFINITY, "lr");
    REFUSE(momentum, 1.0, "momentum");
    REFUSE(momentum, (double)NAN, "momentum");
    REFUSE(weight_decay, 2.0, "weight-decay");
    REFUSE(label_smoothing, 1.0, "label-smoothing");
    REFUSE(flip, 2, "flip");
    REFUSE(translate, 28, "translate");
    REFUSE(translate, -2, "translate");
    REFUSE(schedule, "zigzag", "zigzag");
    REFUSE(precision, "f16", "f16");
    REFUSE(model, "", "model");
    REFUSE(model, "resnet-9-of-the-very-long-and-winding-name", "model");
#undef REFUSE
}

static void public_listing(void **state) {
    (void)state;
    assert_int_equal(assay_zoo_count(), zoo_count());
    for (size_t i = 0; i < assay_zoo_count(); i++) {
        assert_ptr_equal(zoo_find(assay_zoo_name(i)), zoo_at(i));
        assert_true(strlen(assay_zoo_summary(i)) > 10);
    }
    assert_string_equal(assay_zoo_name(999), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(overrides),
        cmocka_unit_test(refusals),
        cmocka_unit_test(public_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
