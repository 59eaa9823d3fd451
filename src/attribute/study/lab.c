/* Opens the data of a study, images into a temporary folder, and fixes rows, targets and
 * model. */
#include "attribute/study/lab_inside.h"

#include "train/run_dir.h"

#include "base/os.h"

#include <string.h>

static void study_make(att_lab *lab, size_t targets) {
    lab->study = (att_study){.ctx = lab->ctx,
                             .data = &lab->train,
                             .model = &lab->model,
                             .recipe = lab->protocol->recipe,
                             .rows = lab->rows,
                             .n_rows = lab->n_rows,
                             .targets = lab->targets,
                             .n_targets = targets};
}

/* Rows from 0 on, targets from `behind` on. */
static assay_status numbers_make(att_lab *lab, size_t behind, size_t targets) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(lab->ctx, &lab->rows, lab->n_rows, sizeof *lab->rows));
    ASSAY_TRY(mem_new(lab->ctx, &lab->targets, targets, sizeof *lab->targets));
    for (size_t i = 0; i < lab->n_rows; i++)
        lab->rows[i] = (uint32_t)i;
    for (size_t i = 0; i < targets; i++)
        lab->targets[i] = (uint32_t)(behind + i);
done:
    return status;
}

static assay_status data_open(att_lab *lab, const char *source) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = lab->protocol;
    char *packed = NULL, *pixels = NULL;
    /* all of it: a limit would thin the rows out, and the first ones are wanted */
    const assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(dir_path(&packed, lab->ctx, lab->work, "data.beton"));
    ASSAY_TRY(dir_path(&pixels, lab->ctx, lab->work, "pixels.npy"));
    ASSAY_TRY(dataset_open_any(&lab->data, lab->ctx, source, packed, &pack));
    uint64_t train = dataset_train_rows(lab->data), rows = dataset_rows(lab->data);
    lab->n_rows = p->rows ? p->rows : (size_t)train;
    lab->size = p->size ? p->size : train_size_for(lab->data);
    if (train < lab->n_rows || rows - train < p->targets) {
        (void)err_set(ASSAY_E_SHAPE,
                      "%zu training and %zu test rows are asked for; there are %llu "
                      "and %llu",
                      p->rows, p->targets, (unsigned long long)train,
                      (unsigned long long)(rows - train));
        ASSAY_TRY_AT(ASSAY_E_SHAPE, "%s", source);
    }
    ASSAY_TRY(dataset_pixels(lab->data, lab->ctx, lab->size, dataset_channels(lab->data),
                             pixels, &lab->pixels));
    lab->n_all = (size_t)rows;
    ASSAY_TRY(mem_new(lab->ctx, &lab->labels, lab->n_all, sizeof *lab->labels));
    for (uint64_t i = 0; i < rows; i++)
        lab->labels[i] = dataset_label(lab->data, i);
    ASSAY_TRY(numbers_make(lab, (size_t)train, p->targets));
done:
    mem_free(lab->ctx, packed);
    mem_free(lab->ctx, pixels);
    return status;
}

static assay_status images_open(att_lab *lab, const char *source) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(data_open(lab, source));
    lab->card = (model_card){.size = lab->size,
                             .channels = dataset_channels(lab->data),
                             .classes = dataset_classes(lab->data)};
    memcpy(lab->card.dataset_sha256, dataset_sha256(lab->data), 65);
    dataset_statistics(&lab->pixels, lab->n_rows, lab->card.mean, lab->card.std);
    const zoo_config config = {.classes = lab->card.classes,
                               .channels = lab->card.channels,
                               .height = lab->size,
                               .width = lab->size};
    if (lab->protocol->net)
        lab->model = *lab->protocol->net;
    else
        ASSAY_TRY(zoo_build(&lab->model, lab->ctx, lab->protocol->model, &config));
    lab->train =
        (train_data){.pixels = &lab->pixels, .labels = lab->labels, .card = &lab->card};
done:
    return status;
}

assay_status att_lab_open(att_lab *out,
                          assay_ctx *ctx,
                          const char *source,
                          const att_protocol *protocol) {
    assay_status status = ASSAY_OK;
    *out = (att_lab){.ctx = ctx, .protocol = protocol};
    const zoo_model_def *def = zoo_find(protocol->model);
    ASSAY_TRY(work_dir_make(&out->work, ctx, "lab"));
    ASSAY_TRY(def && def->sequences ? att_lab_sentences_open(out, source)
                                    : images_open(out, source));
    study_make(out, protocol->targets);
done:
    if (status != ASSAY_OK)
        att_lab_close(out);
    return status;
}

assay_status att_lab_of_text(att_lab *out,
                             assay_ctx *ctx,
                             const att_lab_text *text,
                             const model_card *card,
                             const att_protocol *protocol) {
    assay_status status = ASSAY_OK;
    size_t targets = text->windows.count - text->rows;
    *out =
        (att_lab){.ctx = ctx, .protocol = protocol, .n_rows = text->rows, .text = text};
    out->card = (model_card){
        .classes = card->classes, .context = card->context, .held_out = card->held_out};
    memcpy(out->card.dataset_sha256, text->corpus.sha256, 65);
    const zoo_config config = {.classes = card->classes, .context = card->context};
    ASSAY_TRY(zoo_build(&out->model, ctx, card->name, &config));
    ASSAY_TRY(numbers_make(out, text->rows, targets));
    out->train = (train_data){.passages = &text->windows, .card = &out->card};
    study_make(out, targets);
done:
    if (status != ASSAY_OK)
        att_lab_close(out);
    return status;
}

const char *att_lab_class(const att_lab *lab, int c) {
    return lab->data ? dataset_class_name(lab->data, c) : lab->card.class_name[c];
}

size_t att_lab_targets(const att_lab *lab) {
    return lab->text ? lab->text->count : lab->study.n_targets;
}

void att_lab_keep_data(att_lab *lab) {
    if (lab->model.graph && !lab->protocol->net)
        zoo_destroy(&lab->model);
    lab->model = (zoo_model){0};
    mem_free(lab->ctx, lab->labels);
    mem_free(lab->ctx, lab->rows);
    mem_free(lab->ctx, lab->targets);
    lab->labels = NULL;
    lab->rows = lab->targets = NULL;
    npy_close(&lab->pixels);
    lab->study = (att_study){0};
    lab->train = (train_data){0};
}

void att_lab_close(att_lab *lab) {
    if (!lab->ctx)
        return;
    err_record record; /* cleaning up must not hide why we are here */
    err_save(&record);
    att_lab_keep_data(lab);
    sentences_free(&lab->sentences);
    model_card_free(&lab->card, lab->ctx);
    dataset_close(lab->data);
    if (lab->work && os_remove_tree(lab->work) != ASSAY_OK)
        log_line(lab->ctx, ASSAY_LOG_WARN, "work files are left in %s", lab->work);
    mem_free(lab->ctx, lab->work);
    err_restore(&record);
    *lab = (att_lab){0};
}
