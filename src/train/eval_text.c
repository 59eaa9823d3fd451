/* assay_eval on a text. */
#include "train/text.h"

#include "train/run.h"

#include <math.h>
#include <string.h>

assay_status eval_text(assay_ctx *ctx,
                       const trained_model *m,
                       const char *source,
                       const char *split,
                       assay_eval_result *result) {
    assay_status status = ASSAY_OK;
    corpus c = {0};
    token_list l = {0};
    train_measure said;
    const tokenizer *t = m->card.tokens;
    ASSAY_TRY(corpus_read(&c, ctx, source));
    size_t cut = corpus_cut(&c, m->card.held_out);
    size_t begin = strcmp(split, "test") == 0 ? cut : 0;
    size_t end = strcmp(split, "train") == 0 ? cut : c.bytes;
    ASSAY_TRY_AT(tokenizer_encode(t, &l, c.text + begin, end - begin), "%s", source);
    ASSAY_TRY(text_measure(ctx, m, l.token, l.count, &said));
    if (isnan(said.loss) && l.count < 2) {
        (void)err_set(ASSAY_E_NOTFOUND, "the text's %s part has %zu tokens", split,
                      l.count);
        err_help("--split=all takes all of a text");
        ASSAY_TRY_AT(ASSAY_E_NOTFOUND, "%s", source);
    }
    size_t context = (size_t)m->card.context;
    *result = (assay_eval_result){
        .accuracy = said.accuracy,
        .loss = said.loss,
        .rows = (l.count - 1 + context - 1) / context,
        .members = 1,
        .tokens = l.count - 1,
        .bits_per_byte = text_bits(said.loss, l.count - 1,
                                   tokenizer_span(t, l.token + 1, l.count - 1))};
done:
    corpus_free(&c);
    token_list_free(&l);
    return status;
}
