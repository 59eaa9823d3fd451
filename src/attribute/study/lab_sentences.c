/* A study's data where they are labelled sentences: rows are the first that are trained
 * on, targets the first that are held out. */
#include "attribute/study/lab_inside.h"

#include <stdio.h>
#include <string.h>

/* What a study's sentences are cut into where no model says it. */
#define TOKENS   "bpe:2000"
#define CONTEXT  40
#define HELD_OUT .1

static assay_status rows_choose(att_lab *lab, double held_out) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = lab->protocol;
    const sentences *s = &lab->sentences;
    size_t train = 0, targets = 0;
    for (size_t i = 0; i < s->rows; i++)
        train += !sentences_held(held_out, i);
    lab->n_rows = p->rows ? p->rows : train;
    if (train < lab->n_rows || s->rows - train < p->targets)
        ASSAY_FAIL(ASSAY_E_SHAPE,
                   "%zu training and %zu test rows are asked for; there are %zu and %zu",
                   lab->n_rows, p->targets, train, s->rows - train);
    ASSAY_TRY(mem_new(lab->ctx, &lab->rows, lab->n_rows, sizeof *lab->rows));
    ASSAY_TRY(mem_new(lab->ctx, &lab->targets, p->targets, sizeof *lab->targets));
    train = 0;
    for (size_t i = 0; i < s->rows; i++)
        if (sentences_held(held_out, i)) {
            if (targets < p->targets)
                lab->targets[targets++] = (uint32_t)i;
        } else if (train < lab->n_rows) {
            lab->rows[train++] = (uint32_t)i;
        }
done:
    return status;
}

/* A given model's card, or one whose tokens are learnt from the study's rows. */
static assay_status card_take(att_lab *lab) {
    assay_status status = ASSAY_OK;
    const model_card *given = lab->protocol->card;
    train_recipe recipe = {.context = CONTEXT, .held_out = HELD_OUT};
    (void)snprintf(recipe.tokens, sizeof recipe.tokens, "%s", TOKENS);
    if (given)
        ASSAY_TRY(model_card_copy(&lab->card, lab->ctx, given));
    else
        ASSAY_TRY(sentences_card_make(&lab->card, lab->ctx, &recipe, &lab->sentences,
                                      lab->rows, lab->n_rows, 0));
done:
    return status;
}

assay_status att_lab_sentences_open(att_lab *lab, const char *source) {
    assay_status status = ASSAY_OK;
    const model_card *given = lab->protocol->card;
    ASSAY_TRY(sentences_read(&lab->sentences, lab->ctx, source));
    ASSAY_TRY_AT(rows_choose(lab, given ? given->held_out : HELD_OUT), "%s", source);
    ASSAY_TRY_AT(card_take(lab), "%s", source);
    ASSAY_TRY_AT(sentences_labels(&lab->sentences, &lab->card), "%s", source);
    ASSAY_TRY_AT(sentences_for(&lab->sentences, &lab->card), "%s", source);
    const zoo_config config = model_card_config(&lab->card, 0);
    ASSAY_TRY(zoo_build(&lab->model, lab->ctx, lab->protocol->model, &config));
    lab->n_all = lab->sentences.rows;
    ASSAY_TRY(mem_new(lab->ctx, &lab->labels, lab->n_all, sizeof *lab->labels));
    memcpy(lab->labels, lab->sentences.label, lab->n_all * sizeof *lab->labels);
    lab->train = (train_data){
        .sentences = &lab->sentences, .labels = lab->labels, .card = &lab->card};
done:
    return status;
}
