/* assay_train on a text (models of sequences: train_sentences.c): reading, cutting into
 * tokens, and the test on what is held out.
 */
#include "train/train_run.h"

#include "train/run_dir.h"

#include "base/os.h"

#include <math.h>
#include <stdio.h>

static assay_status options_check(const run *r) {
    const assay_train_options *o = &r->o;
    const char *what = o->members   ? "an ensemble"
                       : o->exclude ? "a list of excluded rows"
                       : o->limit   ? "a limit of rows"
                       : o->size    ? "a size of images"
                                    : NULL;
    if (!what)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "%s is not for texts", what);
    err_help("leave that option out");
    return ASSAY_E_UNSUPPORTED;
}

assay_status run_text_open(run *r) {
    assay_status status = ASSAY_OK;
    corpus c = {0};
    char *work = NULL;
    ASSAY_TRY(train_recipe_make_text(&r->recipe, &r->o));
    if (zoo_find(r->recipe.model)->sequences)
        return run_sentences_open(r);
    ASSAY_TRY(options_check(r));
    if (!corpus_is(r->ctx, r->source) && os_is_dir(r->source)) {
        (void)err_set(ASSAY_E_FORMAT, "%s reads a text, there is none", r->recipe.model);
        err_help("give a text file, or a folder with .txt files");
        ASSAY_TRY_AT(ASSAY_E_FORMAT, "%s", r->source);
    }
    ASSAY_TRY(corpus_read(&c, r->ctx, r->source));
    ASSAY_TRY(dir_path(&work, r->ctx, r->out, "run"));
    ASSAY_TRY(os_mkdirs(work));
    ASSAY_TRY_AT(text_card_make(&r->card, r->ctx, &r->recipe, &c, r->o.seed), "%s",
                 r->source);
    ASSAY_TRY_AT(text_data_make(&r->text, &c, r->card.tokens, r->recipe.held_out), "%s",
                 r->source);
    r->n_train = text_windows(&r->text, r->card.context);
    r->n_test = r->text.held.count ? (r->text.held.count + (size_t)r->card.context - 2) /
                                         (size_t)r->card.context
                                   : 0;
done:
    corpus_free(&c);
    mem_free(r->ctx, work);
    return status;
}

assay_status run_text_test(run *r) {
    assay_train_result *out = &r->result;
    const token_list *held = &r->text.held;
    train_measure m;
    assay_status status =
        text_measure(r->ctx, &r->model[0], held->token, held->count, &m);
    out->train_tokens = r->text.train.count;
    out->test_tokens = held->count;
    out->accuracy = out->accuracy_single = isnan(m.loss) ? 0 : m.accuracy;
    out->loss = isnan(m.loss) ? 0 : m.loss;
    if (r->text.held_bytes)
        out->bits_per_byte = text_bits(out->loss, held->count - 1, r->text.held_bytes);
    return status;
}
