/* assay_train on a table of labelled sentences. */
#include "train/train_run.h"

#include "train/run_dir.h"

#include "base/os.h"

static assay_status options_check(const run *r) {
    const assay_train_options *o = &r->o;
    const char *what = o->exclude               ? "a list of excluded rows"
                       : o->limit               ? "a limit of rows"
                       : o->size                ? "a size of images"
                       : r->recipe.patience > 0 ? "patience"
                                                : NULL;
    if (!what)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "%s is not for sentences", what);
    err_help("leave that option out");
    return ASSAY_E_UNSUPPORTED;
}

static assay_status rows_split(run *r) {
    assay_status status = ASSAY_OK;
    const sentences *s = &r->sentences;
    ASSAY_TRY(mem_new(r->ctx, &r->train, s->rows, sizeof *r->train));
    ASSAY_TRY(mem_new(r->ctx, &r->test, s->rows, sizeof *r->test));
    for (size_t i = 0; i < s->rows; i++)
        if (sentences_held(r->recipe.held_out, i))
            r->test[r->n_test++] = (uint32_t)i;
        else
            r->train[r->n_train++] = (uint32_t)i;
    if (r->n_train < 2)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu training rows are too few", r->n_train);
done:
    return status;
}

assay_status run_sentences_open(run *r) {
    assay_status status = ASSAY_OK;
    char *work = NULL;
    sentences *s = &r->sentences;
    ASSAY_TRY(options_check(r));
    if (!sentences_is(r->source)) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s gives a sequence one label, this has none",
                      r->recipe.model);
        err_help("give a .tsv with a sentence and its label on each line, or choose a "
                 "model that predicts the next token, such as gpt-tiny");
        ASSAY_TRY_AT(ASSAY_E_UNSUPPORTED, "%s", r->source);
    }
    ASSAY_TRY(sentences_read(s, r->ctx, r->source));
    ASSAY_TRY(dir_path(&work, r->ctx, r->out, "run"));
    ASSAY_TRY(os_mkdirs(work));
    ASSAY_TRY_AT(rows_split(r), "%s", r->source);
    ASSAY_TRY_AT(sentences_card_make(&r->card, r->ctx, &r->recipe, s, r->train,
                                     r->n_train, r->o.seed),
                 "%s", r->source);
    ASSAY_TRY_AT(sentences_for(s, &r->card), "%s", r->source);
    if (s->longer)
        log_line(r->ctx, ASSAY_LOG_INFO,
                 "%zu of %zu sentences are longer than the context and cut off",
                 s->longer, s->rows);
    ASSAY_TRY(mem_new(r->ctx, &r->labels, s->rows, sizeof *r->labels));
    for (size_t i = 0; i < s->rows; i++)
        r->labels[i] = s->label[i];
done:
    mem_free(r->ctx, work);
    return status;
}
