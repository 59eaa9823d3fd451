/* Recipes: the settings that fit a dataset of some size, the options that override them,
 * and the one line that names them all. How the numbers were found is in
 * docs/training.md. */
#include "train/trainer.h"

#include "train/optimizer.h"
#include "train/presets.h"

#include "nn/exec.h"

#include <stdio.h>
#include <string.h>

/* A model needs some number of steps whatever the number of rows; large sets give them in
 * few epochs, small ones need more. */
enum { LEAST_STEPS = 1500, MOST_EPOCHS = 60, EPOCHS = 10, BATCH = 128, SMALL_BATCH = 32 };

static void sized(train_recipe *r, uint64_t rows) {
    r->batch = BATCH;
    while (r->batch > SMALL_BATCH && rows / (uint64_t)r->batch < 100)
        r->batch /= 2;
    uint64_t per_epoch = rows / (uint64_t)r->batch;
    uint64_t epochs = (LEAST_STEPS + per_epoch) / (per_epoch ? per_epoch : 1);
    r->epochs = epochs < EPOCHS        ? EPOCHS
                : epochs > MOST_EPOCHS ? MOST_EPOCHS
                                       : (int)epochs;
}

/* What a recipe starts from: by the data's size, and by the optimizer. */
static void defaults(train_recipe *r, const char *kind, uint64_t rows, int size) {
    settings_initial(r);
    (void)snprintf(r->model, sizeof r->model, "cnn");
    optimizer_usual(kind, &r->lr, &r->weight_decay);
    r->momentum = 0.9;
    r->label_smoothing = 0.1;
    r->translate = size >= 64 ? 2 : 1;
    sized(r, rows);
}

static assay_status set_number(train_recipe *r, const char *name, double v) {
    char words[40];
    (void)snprintf(words, sizeof words, "%.17g", v);
    return setting_set(r, name, words);
}

/* The members of the options; each has a value that means "the recipe's". */
static assay_status take_members(train_recipe *r, const assay_train_options *o) {
    assay_status status = ASSAY_OK;
    const struct {
        const char *name;
        double value;
        bool given;
    } numbers[] = {
        {"epochs", o->epochs, o->epochs != 0},
        {"batch", o->batch, o->batch != 0},
        {"lr", o->lr, !(o->lr >= 0 && o->lr <= 0)},
        {"momentum", o->momentum, !(o->momentum < 0)},
        {"weight-decay", o->weight_decay, !(o->weight_decay < 0)},
        {"label-smoothing", o->label_smoothing, !(o->label_smoothing < 0)},
        {"translate", o->translate, o->translate != -1},
        {"flip", o->flip, o->flip != -1},
    };
    const struct {
        const char *name, *value;
    } words[] = {
        {"model", o->model}, {"schedule", o->schedule}, {"precision", o->precision}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].given)
            ASSAY_TRY(set_number(r, numbers[i].name, numbers[i].value));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].value)
            ASSAY_TRY(setting_set(r, words[i].name, words[i].value));
done:
    return status;
}

static assay_status
take_all(train_recipe *r, const assay_train_options *o, bool flip_ok) {
    assay_status status = ASSAY_OK;
    train_recipe asked; /* which preset, if any: it comes before all that is said */
    settings_initial(&asked);
    r->flip = flip_ok;
    ASSAY_TRY(settings_set(&asked, o->settings));
    const train_preset *preset = preset_find(asked.recipe);
    if (preset)
        ASSAY_TRY(settings_set(r, preset->settings));
    ASSAY_TRY(take_members(r, o));
    ASSAY_TRY(settings_set(r, o->settings));
done:
    return status;
}

static assay_status model_check(const char *name, bool tokens) {
    char names[320] = "";
    size_t used = 0;
    zoo_name parsed;
    assay_status status = zoo_name_parse(&parsed, name);
    if (status == ASSAY_OK && parsed.def->tokens != tokens) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s reads %s", name,
                      tokens ? "images, the source is a text"
                             : "tokens, the dataset holds images");
        err_help("choose a model of %s",
                 tokens ? "tokens, such as gpt-tiny" : "images, such as cnn");
        return ASSAY_E_UNSUPPORTED;
    }
    if (status != ASSAY_E_NOTFOUND)
        return status;
    for (size_t i = 0; i < zoo_count() && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 zoo_at(i)->name);
    (void)err_set(ASSAY_E_INVALID, "there is no model \"%.80s\"", name);
    err_help("choose from: %s", names);
    return ASSAY_E_INVALID;
}

/* What does not go together. */
static assay_status together_check(const train_recipe *r) {
    if (r->mixup > 0 && r->cutmix > 0) {
        (void)err_set(ASSAY_E_INVALID, "mixup and cutmix both mix a batch");
        err_help("choose one of them");
        return ASSAY_E_INVALID;
    }
    if (r->ema > 0 && r->lookahead > 0) {
        (void)err_set(ASSAY_E_INVALID, "ema and lookahead both average the weights");
        err_help("choose one of them");
        return ASSAY_E_INVALID;
    }
    return ASSAY_OK;
}

/* Settled here, so that the recipe says what was done. */
static void precision_settle(train_recipe *r) {
    if (strcmp(r->precision, "auto") == 0)
        (void)snprintf(r->precision, sizeof r->precision, "%s",
                       nn_bf16_pays() && !zoo_find(r->model)->f32 ? "bf16" : "f32");
}

assay_status train_recipe_make(train_recipe *out,
                               const assay_train_options *options,
                               uint64_t train_rows,
                               int size,
                               bool flip_ok) {
    assay_status status = ASSAY_OK;
    train_recipe first; /* which optimizer it is decides what is usual */
    defaults(&first, optimizer_name(0), train_rows, size);
    ASSAY_TRY(take_all(&first, options, flip_ok));
    defaults(out, first.optimizer, train_rows, size);
    ASSAY_TRY(take_all(out, options, flip_ok));
    ASSAY_TRY(model_check(out->model, false));
    if (out->translate >= size) {
        (void)err_set(ASSAY_E_INVALID, "translate by %d pixels, of %d", out->translate,
                      size);
        err_help("give pixels, fewer than the training size");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(together_check(out));
    if (out->patience > 0 && !(out->validation > 0)) {
        (void)err_set(ASSAY_E_INVALID, "patience %d, but nothing is held out",
                      out->patience);
        err_help("hold out a share of the training rows: validation 0.1");
        return ASSAY_E_INVALID;
    }
    precision_settle(out);
done:
    return status;
}

/* As the small models of GPT's kind are trained. */
static void text_defaults(train_recipe *r, const char *kind) {
    settings_initial(r);
    (void)snprintf(r->model, sizeof r->model, "gpt-tiny");
    (void)snprintf(r->optimizer, sizeof r->optimizer, "%s", kind);
    (void)snprintf(r->schedule, sizeof r->schedule, "cosine");
    optimizer_usual(kind, &r->lr, &r->weight_decay);
    if (strcmp(kind, "adamw") == 0)
        r->weight_decay = 0.1;
    r->beta2 = 0.99;
    r->clip = 1;
    r->warmup = 0.05;
    r->momentum = 0.9;
    r->epochs = EPOCHS;
    r->batch = SMALL_BATCH;
}

/* Settings that say what happens to images. */
static assay_status no_images_check(const train_recipe *r) {
    const char *what = r->translate > 0    ? "translate"
                       : r->flip           ? "flip"
                       : r->validation > 0 ? "validation"
                                           : NULL;
    if (!what)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_INVALID, "%s is for images, the source is a text", what);
    err_help("held-out says how much of a text is kept apart");
    return ASSAY_E_INVALID;
}

assay_status train_recipe_make_text(train_recipe *out,
                                    const assay_train_options *options) {
    assay_status status = ASSAY_OK;
    train_recipe first;
    text_defaults(&first, "adamw");
    ASSAY_TRY(take_all(&first, options, false));
    text_defaults(out, first.optimizer);
    ASSAY_TRY(take_all(out, options, false));
    ASSAY_TRY(model_check(out->model, true));
    if (out->mixup > 0 || out->cutmix > 0) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "mixup and cutmix mix images, not tokens");
        err_help("leave them out");
        return ASSAY_E_UNSUPPORTED;
    }
    ASSAY_TRY(together_check(out));
    ASSAY_TRY(no_images_check(out));
    if (out->patience > 0 && !(out->held_out > 0)) {
        (void)err_set(ASSAY_E_INVALID, "patience %d, but nothing is held out",
                      out->patience);
        err_help("hold out a share of the text: held-out 0.1");
        return ASSAY_E_INVALID;
    }
    precision_settle(out);
done:
    return status;
}

assay_status train_recipe_is_text(bool *out, const assay_train_options *options) {
    train_recipe r;
    settings_initial(&r);
    assay_status status = take_all(&r, options, false);
    const zoo_model_def *def = status == ASSAY_OK ? zoo_find(r.model) : NULL;
    *out = def && def->tokens;
    return status;
}

int train_size_for(const dataset *d) {
    enum { LARGEST = 64, SMALL = 32, MANY = 100000, LEAST = 8 };
    int least, median, most;
    dataset_sizes(d, &least, &median, &most);
    if (median > LARGEST)
        return dataset_rows(d) >= MANY ? SMALL : LARGEST;
    return median < LEAST ? LEAST : median;
}
