/* assay_eval: how good is a model file, or a run's ensemble, on a dataset? */
#include "train/run.h"

#include "train/models.h"
#include "train/run_dir.h"
#include "train/sentences.h"
#include "train/text.h"

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluation {
    assay_ctx *ctx;
    trained_model *model;
    int models;
    dataset *data;
    npy_array pixels;
    int32_t *labels;
    uint32_t *rows;
    size_t n_rows;
    char *work; /* a folder that goes again; NULL until made */
} evaluation;

static assay_status data_load(evaluation *e, const char *source) {
    assay_status status = ASSAY_OK;
    const model_card *c = &e->model[0].card;
    char *packed = NULL, *pixels = NULL;
    const assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(work_dir_make(&e->work, e->ctx, "eval"));
    ASSAY_TRY(dir_path(&packed, e->ctx, e->work, "data.beton"));
    ASSAY_TRY(dir_path(&pixels, e->ctx, e->work, "pixels.npy"));
    ASSAY_TRY(dataset_open_any(&e->data, e->ctx, source, packed, &pack));
    if (dataset_classes(e->data) != c->classes) {
        (void)err_set(ASSAY_E_SHAPE, "the model knows %d classes, the dataset has %d",
                      c->classes, dataset_classes(e->data));
        ASSAY_TRY_AT(ASSAY_E_SHAPE, "%s", source);
    }
    for (int i = 0; c->class_name && i < c->classes; i++)
        if (strcmp(c->class_name[i], dataset_class_name(e->data, i)) != 0)
            log_line(e->ctx, ASSAY_LOG_WARN,
                     "class %d is '%s' to the model and '%s' in the dataset", i,
                     c->class_name[i], dataset_class_name(e->data, i));
    ASSAY_TRY(dataset_pixels(e->data, e->ctx, c->size, c->channels, pixels, &e->pixels));
    uint64_t rows = dataset_rows(e->data);
    ASSAY_TRY(mem_new(e->ctx, &e->labels, (size_t)rows + 1, sizeof *e->labels));
    for (uint64_t i = 0; i < rows; i++)
        e->labels[i] = dataset_label(e->data, i);
done:
    mem_free(e->ctx, pixels);
    mem_free(e->ctx, packed);
    return status;
}

static assay_status rows_choose(evaluation *e, const char *split) {
    assay_status status = ASSAY_OK;
    uint64_t begin = 0, end = dataset_rows(e->data), train = dataset_train_rows(e->data);
    if (strcmp(split, "test") == 0)
        begin = train;
    else if (strcmp(split, "train") == 0)
        end = train;
    ASSAY_TRY(mem_new(e->ctx, &e->rows, (size_t)(end - begin) + 1, sizeof *e->rows));
    for (uint64_t i = begin; i < end; i++)
        e->rows[e->n_rows++] = (uint32_t)i;
    if (e->n_rows == 0)
        ASSAY_FAIL(ASSAY_E_NOTFOUND, "the dataset has no %s rows", split);
done:
    return status;
}

static void evaluation_free(evaluation *e) {
    models_free(e->model, e->models, e->ctx);
    mem_free(e->ctx, e->labels);
    mem_free(e->ctx, e->rows);
    npy_close(&e->pixels);
    dataset_close(e->data);
}

assay_status assay_eval(assay_ctx *ctx,
                        const char *model,
                        const char *source,
                        const char *split,
                        assay_eval_result *result) {
    assay_eval_options o = ASSAY_EVAL_OPTIONS_INIT;
    o.split = split;
    return assay_eval_with(ctx, model, source, &o, result);
}

assay_status assay_eval_with(assay_ctx *ctx,
                             const char *model,
                             const char *source,
                             const assay_eval_options *options,
                             assay_eval_result *result) {
    assay_status status = ASSAY_OK;
    assay_eval_options o = ASSAY_EVAL_OPTIONS_INIT;
    predict_views views = VIEWS_PLAIN;
    evaluation e = {.ctx = ctx};
    verdicts v = {0};
    double single;
    *result = (assay_eval_result){0};
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_eval_options"));
    const char *split = o.split ? o.split : "test";
    bool given = o.tta && strcmp(o.tta, "auto") != 0;
    if (strcmp(split, "test") != 0 && strcmp(split, "train") != 0 &&
        strcmp(split, "all") != 0) {
        (void)err_set(ASSAY_E_INVALID, "there is no split \"%s\"", split);
        err_help("splits are: test, train, all");
        return ASSAY_E_INVALID;
    }
    if (given && !predict_views_find(&views, o.tta)) {
        (void)err_set(ASSAY_E_INVALID, "there are no views \"%.80s\"", o.tta);
        err_help("choose from: auto, none, mirror, mirror-shift");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(models_load(&e.model, &e.models, ctx, model));
    if (e.model[0].zoo.def->sequences) {
        ASSAY_TRY(eval_sentences(ctx, e.model, e.models, source, split, result));
        goto done;
    }
    if (e.model[0].card.tokens) {
        ASSAY_TRY(eval_text(ctx, &e.model[0], source, split, result));
        goto done;
    }
    ASSAY_TRY(data_load(&e, source));
    ASSAY_TRY(rows_choose(&e, split));
    ASSAY_TRY(verdicts_init(&v, ctx, e.n_rows, (size_t)e.model[0].card.classes));
    const train_data data = {.pixels = &e.pixels, .labels = e.labels};
    progress_begin(ctx, "testing", (int64_t)e.n_rows * e.models, "images");
    for (int m = 0; m < e.models; m++)
        ASSAY_TRY(verdicts_add(&v, &e.model[m], &data, e.rows,
                               given ? views : predict_views_of(&e.model[m].card)));
    progress_end(ctx);
    verdicts_measure(&v, e.rows, e.labels, &result->accuracy, &single, &result->loss);
    result->rows = e.n_rows;
    result->members = e.models;
done:
    verdicts_free(&v);
    evaluation_free(&e);
    if (e.work) {
        err_record record; /* cleaning up must not hide why we are here */
        err_save(&record);
        assay_status cleaned = os_remove_tree(e.work);
        if (status == ASSAY_OK)
            status = cleaned;
        else
            err_restore(&record);
        mem_free(ctx, e.work);
    }
    return status;
}
