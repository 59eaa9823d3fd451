/* assay_attribute on a text: rows are windows of what was trained on, targets are
 * passages, which the caller gives, the model writes, or the held-out part has. */
#include "attribute/explain.h"

#include "train/text.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_SEED = 5, USUAL_MODELS = 1 };
#define USUAL_MODEL "gpt-tiny"

static assay_status only_text(bool asked, const char *what) {
    if (!asked)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "%s is for models of text", what);
    err_help("leave it out, or give a text: a .txt file, or a folder of them");
    return ASSAY_E_UNSUPPORTED;
}

bool explain_is_text(const explain *e, const char *source) {
    return e->given ? e->given[0].card.tokens && !e->given[0].zoo.def->sequences
                    : corpus_is(e->ctx, source);
}

assay_status explain_text_check(const explain *e, bool text) {
    assay_status status = ASSAY_OK;
    const assay_attribute_options *o = &e->o;
    ASSAY_TRY(only_text(!text && o->passages, "a passage"));
    ASSAY_TRY(only_text(!text && o->generate, "generating one"));
    if (o->generate < 0 || (o->prompt && !o->generate))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "a prompt stands before what is generated: say how "
                   "many tokens (%d)",
                   o->generate);
done:
    return status;
}

/* ---- models ---- */

/* Trained for the purpose: as `assay train` would. */
static assay_status train(explain *e, model_card *card) {
    assay_status status = ASSAY_OK;
    const assay_attribute_options *o = &e->o;
    assay_train_options t = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe recipe;
    train_job *jobs = NULL;
    char line[200];
    int n = snprintf(line, sizeof line, "model=%.40s", o->model ? o->model : USUAL_MODEL);
    if (o->epochs)
        n += snprintf(line + n, sizeof line - (size_t)n, " epochs=%d", o->epochs);
    if (o->batch)
        n += snprintf(line + n, sizeof line - (size_t)n, " batch=%d", o->batch);
    if (o->rate > 0)
        (void)snprintf(line + n, sizeof line - (size_t)n, " lr=%.17g", o->rate);
    t.settings = line;
    e->models = o->models ? o->models : USUAL_MODELS;
    ASSAY_TRY(train_recipe_make_text(&recipe, &t));
    if (zoo_find(recipe.model)->sequences) {
        (void)err_set(ASSAY_E_UNSUPPORTED,
                      "%s gives a sequence one label, a text has none", recipe.model);
        err_help("choose a model that predicts the next token, such as gpt-tiny");
        return ASSAY_E_UNSUPPORTED;
    }
    ASSAY_TRY(text_card_make(card, e->ctx, &recipe, &e->text.corpus, o->seed));
    ASSAY_TRY(att_lab_text_cut(&e->text, card, (size_t)o->rows));
    const train_data data = {.card = card, .text = &e->text.data};
    ASSAY_TRY(mem_new(e->ctx, &jobs, (size_t)e->models, sizeof *jobs));
    ASSAY_TRY(mem_new(e->ctx, &e->given, (size_t)e->models, sizeof *e->given));
    for (int m = 0; m < e->models; m++)
        jobs[m] = (train_job){.n_rows = text_windows(&e->text.data, card->context),
                              .seed = (o->seed << 24) + FIRST_SEED + (uint64_t)m,
                              .wide = e->models == 1,
                              .result = &e->given[m]};
    progress_begin(e->ctx, "training", train_images(&recipe, jobs[0].n_rows) * e->models,
                   "windows");
    ASSAY_TRY(train_fleet(e->ctx, &data, &recipe, jobs, (size_t)e->models));
    progress_end(e->ctx);
done:
    mem_free(e->ctx, jobs);
    return status;
}

/* ---- what is asked about ---- */

static assay_status passages_take(explain *e, const model_card *card) {
    assay_status status = ASSAY_OK;
    const assay_attribute_options *o = &e->o;
    const char *prompt = o->prompt ? o->prompt : "";
    char *said = NULL;
    for (const char *const *p = o->passages; p && *p; p++)
        ASSAY_TRY(att_lab_text_add(&e->text, card, "given", "", *p, strlen(*p)));
    if (o->generate) {
        assay_generate_options g = ASSAY_GENERATE_OPTIONS_INIT;
        size_t bytes, before = strlen(prompt);
        g.prompt = prompt;
        g.tokens = o->generate;
        g.temperature = o->temperature;
        g.seed = o->seed;
        ASSAY_TRY(text_generate(e->ctx, &e->given[0], &g, &said, &bytes));
        ASSAY_TRY(att_lab_text_add(&e->text, card, "generated", prompt, said + before,
                                   bytes - before));
    }
    if (e->text.count == 0)
        ASSAY_TRY(att_lab_text_held(&e->text, card, (size_t)o->targets));
    for (size_t k = 0; e->o.keep && k < e->text.count; k++)
        if (e->text.passage[k].count > 1) {
            (void)err_set(ASSAY_E_UNSUPPORTED,
                          "passage %zu fills %zu windows; scores that stream from a "
                          "folder are those of one",
                          k + 1, e->text.passage[k].count);
            err_help("give up to %d tokens at a time, or leave the folder out",
                     card->context);
            return ASSAY_E_UNSUPPORTED;
        }
done:
    mem_free(e->ctx, said);
    return status;
}

assay_status explain_text(explain *e, const char *source) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(att_lab_text_open(&e->text, e->ctx, source));
    if (e->given)
        ASSAY_TRY_AT(att_lab_text_cut(&e->text, &e->given[0].card, (size_t)e->o.rows),
                     "%s", source);
    else
        ASSAY_TRY_AT(train(e, &e->card), "%s", source);
    const model_card *card = &e->given[0].card;
    if (strcmp(card->dataset_sha256, e->text.corpus.sha256) != 0)
        log_line(e->ctx, ASSAY_LOG_WARN,
                 "%s is not the text that the model was trained on: rows may never have "
                 "been seen",
                 source);
    ASSAY_TRY(passages_take(e, card));
    ASSAY_TRY(att_lab_of_text(&e->lab, e->ctx, &e->text, card, &e->protocol));
done:
    return status;
}
