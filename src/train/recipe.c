/* Recipes: the settings that fit a dataset of some size, the options that override them,
 * and the one line that names them all. How the numbers were found is in
 * docs/training.md. */
#include "train/trainer.h"

#include "train/schedule.h"

#include "nn/exec.h"

#include <stdio.h>
#include <string.h>

/* A model needs some number of steps whatever the number of rows; large sets give them in
 * few epochs, small ones need more. */
enum { LEAST_STEPS = 1500, MOST_EPOCHS = 60, EPOCHS = 10, BATCH = 128, SMALL_BATCH = 32 };

static assay_status bad(const char *option, const char *what, const char *help) {
    (void)err_set(ASSAY_E_INVALID, "%s %s", option, what);
    err_help("%s", help);
    return ASSAY_E_INVALID;
}

/* One of several names. */
static assay_status name_put(char *out,
                             size_t cap,
                             const char *option,
                             const char *name,
                             const char *(*at)(size_t),
                             size_t count) {
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(at(i), name) == 0 && strlen(name) < cap) {
            (void)snprintf(out, cap, "%s", name);
            return ASSAY_OK;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     i ? ", " : "", at(i));
    }
    (void)err_set(ASSAY_E_INVALID, "there is no %s \"%.80s\"", option, name);
    err_help("choose from: %s", names);
    return ASSAY_E_INVALID;
}

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

static const char *schedule_name(size_t i) {
    return schedule_at(i)->name;
}

static const char *precision_name(size_t i) {
    static const char *const names[] = {"auto", "f32", "bf16"};
    return names[i];
}

/* NaN is refused by all of these. */
static assay_status numbers(train_recipe *r, const assay_train_options *o, int size) {
    if (o->epochs < 0 || o->epochs > 10000)
        return bad("epochs", "are out of range",
                   "give 1 to 10000, or 0 for the recipe's");
    if (o->batch < 0 || o->batch == 1 || o->batch > 65536)
        return bad("batch", "is out of range", "give 2 to 65536, or 0 for the recipe's");
    if (!(o->lr >= 0 && o->lr <= 1000))
        return bad("lr", "is out of range",
                   "give a number above 0, or 0 for the recipe's");
    if (!(o->momentum < 1))
        return bad("momentum", "is out of range", "give a number from 0 to below 1");
    if (!(o->weight_decay <= 1))
        return bad("weight-decay", "is out of range", "give a number from 0 to 1");
    if (!(o->label_smoothing < 1))
        return bad("label-smoothing", "is out of range",
                   "give a number from 0 to below 1");
    if (o->flip < -1 || o->flip > 1)
        return bad("flip", "is neither on, off nor auto", "give 1, 0, or -1 for auto");
    if (o->translate < -1 || o->translate >= size)
        return bad("translate", "is out of range",
                   "give pixels, fewer than the training size");
    r->epochs = o->epochs ? o->epochs : r->epochs;
    r->batch = o->batch ? o->batch : r->batch;
    r->lr = o->lr > 0 ? o->lr : r->lr;
    r->momentum = o->momentum >= 0 ? o->momentum : r->momentum;
    r->weight_decay = o->weight_decay >= 0 ? o->weight_decay : r->weight_decay;
    r->label_smoothing =
        o->label_smoothing >= 0 ? o->label_smoothing : r->label_smoothing;
    r->translate = o->translate >= 0 ? o->translate : r->translate;
    r->flip = o->flip >= 0 ? o->flip != 0 : r->flip;
    return ASSAY_OK;
}

assay_status train_recipe_make(train_recipe *out,
                               const assay_train_options *options,
                               uint64_t train_rows,
                               int size,
                               bool flip_ok) {
    assay_status status = ASSAY_OK;
    const assay_train_options *o = options;
    *out = (train_recipe){.lr = 0.1,
                          .momentum = 0.9,
                          .weight_decay = 5e-4,
                          .label_smoothing = 0.1,
                          .translate = size >= 64 ? 2 : 1,
                          .flip = flip_ok};
    sized(out, train_rows);
    const char *model = o->model ? o->model : "cnn";
    const char *schedule = o->schedule ? o->schedule : "one-cycle";
    const char *precision = o->precision ? o->precision : "auto";
    ASSAY_TRY(name_put(out->model, sizeof out->model, "model", model, assay_zoo_name,
                       zoo_count()));
    if (zoo_find(model)->tokens) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s reads tokens, the dataset holds images",
                      model);
        err_help("choose a model of images, such as cnn");
        return ASSAY_E_UNSUPPORTED;
    }
    ASSAY_TRY(name_put(out->schedule, sizeof out->schedule, "schedule", schedule,
                       schedule_name, schedule_count()));
    ASSAY_TRY(name_put(out->precision, sizeof out->precision, "precision", precision,
                       precision_name, 3));
    if (strcmp(precision, "auto") ==
        0) /* settled here, so that the recipe says what was done */
        (void)snprintf(out->precision, sizeof out->precision, "%s",
                       nn_bf16_pays() ? "bf16" : "f32");
    ASSAY_TRY(numbers(out, o, size));
done:
    return status;
}

void train_recipe_text(const train_recipe *r, char out[512]) {
    (void)snprintf(
        out, 512,
        "model=%s schedule=%s epochs=%d batch=%d lr=%.9g momentum=%.9g weight_decay=%.9g "
        "label_smoothing=%.9g translate=%d flip=%d precision=%s",
        r->model, r->schedule, r->epochs, r->batch, r->lr, r->momentum, r->weight_decay,
        r->label_smoothing, r->translate, r->flip, r->precision);
}

int train_size_for(const dataset *d) {
    enum { LARGEST = 64, SMALL = 32, MANY = 100000, LEAST = 8 };
    int least, median, most;
    dataset_sizes(d, &least, &median, &most);
    if (median > LARGEST)
        return dataset_rows(d) >= MANY ? SMALL : LARGEST;
    return median < LEAST ? LEAST : median;
}
