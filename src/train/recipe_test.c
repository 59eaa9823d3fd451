/* Recipes: defaults by size, every option's override and refusal, and the line that names
 * them. */
#include "base/testing.h"
#include "train/optimizer.h"
#include "train/presets.h"
#include "train/schedule.h"
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
    char text[RECIPE_LINE];
    assert_ok(train_recipe_make(&r, &o, 1000, 28, true));
    train_recipe_text(&r, text);
    assert_string_equal(
        text, "model=mlp schedule=cosine epochs=3 batch=17 lr=0.25 momentum=0 "
              "weight_decay=0 label_smoothing=0 translate=0 flip=0 precision=f32");
    o.flip = 1;
    assert_ok(train_recipe_make(&r, &o, 1000, 28, false));
    assert_true(r.flip);
}

static void settings_as_words(void **state) {
    (void)state;
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe r;
    char text[RECIPE_LINE];
    o.lr = 0.3;
    o.settings = " optimizer=adamw  weight-decay=0.02 lr=0.004 flip=auto nesterov=off ";
    assert_ok(train_recipe_make(&r, &o, 40000, 28, true));
    assert_string_equal(r.optimizer, "adamw");
    assert_true(r.flip && !r.nesterov && !r.decoupled);
    assert_true(fabs(r.lr - 0.004) < 1e-12 && fabs(r.weight_decay - 0.02) < 1e-12);
    train_recipe_text(&r, text);
    assert_non_null(strstr(text, " optimizer=adamw nesterov=0"));
    assert_null(strstr(text, "decoupled"));
    o = (assay_train_options)ASSAY_TRAIN_OPTIONS_INIT;
    o.settings = "optimizer=adamw";
    assert_ok(train_recipe_make(&r, &o, 40000, 28, true));
    assert_true(r.lr < 0.01); /* the recipe's, for this optimizer */
}

/* What a line says, the parser reads back. */
static void a_line_reads_back(void **state) {
    (void)state;
    const assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe made, read;
    char line[RECIPE_LINE], again[RECIPE_LINE];
    assert_ok(train_recipe_make(&made, &o, 1000, 28, true));
    train_recipe_text(&made, line);
    settings_initial(&read);
    assert_ok(settings_set(&read, line));
    train_recipe_text(&read, again);
    assert_string_equal(line, again);
}

/* The choices in the table are the registries' names, and the other way round. */
static void choices_are_registered(void **state) {
    (void)state;
    const assay_setting *s;
    for (size_t i = 0; (s = assay_train_setting_at(i)) != NULL; i++) {
        bool schedule = strcmp(s->name, "schedule") == 0;
        if (!schedule && strcmp(s->name, "optimizer") != 0)
            continue;
        size_t n = schedule ? schedule_count() : optimizer_count(), known = 0;
        for (const char *p = s->choices; *p; p++)
            known += *p == '|';
        assert_int_equal(known + 1, n);
        for (size_t k = 0; k < n; k++) {
            const char *name = schedule ? schedule_at(k)->name : optimizer_name(k);
            train_recipe r;
            settings_initial(&r);
            assert_ok(setting_set(&r, s->name, name));
        }
    }
    assert_int_equal(assay_train_setting_count() > 10, 1);
    assert_null(assay_train_setting_at(assay_train_setting_count()));
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
    REFUSE(settings, "speed=3", "speed");
    REFUSE(settings, "momentum", "momentum");
    REFUSE(settings, "lr=", "lr");
    REFUSE(settings, "lr=0.1x", "lr");
    REFUSE(settings, "epochs=2.5", "epochs");
    REFUSE(settings, "nesterov=auto", "nesterov");
    REFUSE(settings, "mixup=1 cutmix=1", "mixup");
    REFUSE(settings, "patience=3", "patience");
    REFUSE(settings, "ema=0.9 lookahead=5", "lookahead");
    REFUSE(settings, "optimizer=newton", "newton");
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

/* Every preset is a choice of the setting and makes a recipe; options override it. */
static void presets(void **state) {
    (void)state;
    const assay_setting *s = NULL;
    char names[256] = "none";
    for (size_t i = 0; i < assay_train_setting_count(); i++)
        if (strcmp(assay_train_setting_at(i)->name, "recipe") == 0)
            s = assay_train_setting_at(i);
    assert_non_null(s);
    for (size_t i = 0; i < preset_count(); i++) {
        assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
        char settings[64], line[RECIPE_LINE];
        train_recipe r;
        (void)snprintf(names + strlen(names), 64, "|%s", preset_at(i)->name);
        (void)snprintf(settings, sizeof settings, "epochs=3 recipe=%s",
                       preset_at(i)->name);
        o.settings = settings;
        o.lr = 0.5;
        assert_ok(train_recipe_make(&r, &o, 10000, 32, false));
        assert_string_equal(r.model, "airbench");
        assert_true(r.flip && r.alternate && r.lookahead == 5);
        assert_true(r.epochs == 3 && r.lr == 0.5 && r.momentum == 0.85);
        train_recipe_text(&r, line);
        assert_non_null(strstr(line, preset_at(i)->name));
    }
    assert_string_equal(s->choices, names);
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe r;
    o.settings = "recipe=slowbench";
    assert_fails(ASSAY_E_INVALID, train_recipe_make(&r, &o, 10000, 32, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(overrides),
        cmocka_unit_test(settings_as_words),
        cmocka_unit_test(presets),
        cmocka_unit_test(a_line_reads_back),
        cmocka_unit_test(choices_are_registered),
        cmocka_unit_test(refusals),
        cmocka_unit_test(public_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
