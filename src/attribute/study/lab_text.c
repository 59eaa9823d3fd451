/* A text's windows and passages. */
#include "attribute/study/lab_text.h"

#include <string.h>

enum { LEAST_TOKENS = 2 };

static assay_status windows_make(att_lab_text *t, const model_card *card, size_t rows) {
    assay_status status = ASSAY_OK;
    token_list *train = &t->data.train;
    size_t context = (size_t)card->context;
    if (train->count < LEAST_TOKENS || rows * context >= train->count)
        ASSAY_FAIL(ASSAY_E_SHAPE,
                   "%zu windows of %zu tokens are asked for; the text has "
                   "%zu tokens to train on",
                   rows ? rows : 1, context, train->count);
    if (rows)
        train->count = rows * context + 1;
    ASSAY_TRY(passages_add(&t->windows, card->tokens, train->token, train->count, 0, 0));
    t->rows = t->windows.count;
done:
    return status;
}

assay_status att_lab_text_open(att_lab_text *out, assay_ctx *ctx, const char *source) {
    *out = (att_lab_text){.ctx = ctx};
    assay_status status = corpus_read(&out->corpus, ctx, source);
    if (status != ASSAY_OK)
        att_lab_text_close(out);
    return status;
}

assay_status att_lab_text_cut(att_lab_text *t, const model_card *card, size_t rows) {
    assay_status status = ASSAY_OK;
    passages_make(&t->windows, t->ctx, (size_t)card->context);
    ASSAY_TRY(text_data_make(&t->data, &t->corpus, card->tokens, card->held_out));
    ASSAY_TRY(windows_make(t, card, rows));
done:
    return status;
}

void att_lab_text_close(att_lab_text *t) {
    if (!t->ctx)
        return;
    for (size_t i = 0; i < t->count; i++) {
        mem_free(t->ctx, t->passage[i].prompt);
        mem_free(t->ctx, t->passage[i].said);
    }
    mem_free(t->ctx, t->passage);
    passages_free(&t->windows);
    text_data_free(&t->data);
    corpus_free(&t->corpus);
    *t = (att_lab_text){0};
}

static assay_status text_copy(char **out, assay_ctx *ctx, const void *text, size_t n) {
    assay_status status = mem_new(ctx, out, n + 1, 1);
    if (status == ASSAY_OK && n)
        memcpy(*out, text, n);
    return status;
}

/* Notes the windows from `first` on as a passage. */
static assay_status passage_note(att_lab_text *t,
                                 const char *kind,
                                 size_t first,
                                 const char *prompt,
                                 const void *said,
                                 size_t bytes) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_grow(t->ctx, &t->passage, t->count, &t->cap, t->count + 1,
                       sizeof *t->passage));
    att_passage *p = &t->passage[t->count++];
    *p = (att_passage){
        .kind = kind, .first = first - t->rows, .count = t->windows.count - first};
    for (size_t w = first; w < t->windows.count; w++)
        p->tokens += passage_asked(&t->windows, w);
    ASSAY_TRY(text_copy(&p->prompt, t->ctx, prompt, strlen(prompt)));
    ASSAY_TRY(text_copy(&p->said, t->ctx, said, bytes));
done:
    return status;
}

assay_status att_lab_text_add(att_lab_text *t,
                              const model_card *card,
                              const char *kind,
                              const char *prompt,
                              const char *said,
                              size_t bytes) {
    assay_status status = ASSAY_OK;
    token_list l = {0};
    size_t first = t->windows.count;
    ASSAY_TRY_AT(
        tokenizer_encode(card->tokens, &l, (const uint8_t *)prompt, strlen(prompt)),
        "the prompt");
    size_t behind = l.count;
    ASSAY_TRY_AT(tokenizer_encode(card->tokens, &l, (const uint8_t *)said, bytes),
                 "the passage");
    ASSAY_TRY_AT(passages_add(&t->windows, card->tokens, l.token, l.count, behind,
                              (size_t)card->context / 2),
                 "the passage");
    ASSAY_TRY(passage_note(t, kind, first, prompt, said, bytes));
done:
    token_list_free(&l);
    return status;
}

assay_status att_lab_text_held(att_lab_text *t, const model_card *card, size_t n) {
    assay_status status = ASSAY_OK;
    const token_list *held = &t->data.held;
    size_t context = (size_t)card->context, first = t->windows.count;
    if (n * context >= held->count) {
        (void)err_set(ASSAY_E_SHAPE,
                      "%zu windows of %zu tokens are asked for; %zu "
                      "tokens are held out",
                      n, context, held->count);
        err_help("ask for fewer targets, or give a passage");
        return ASSAY_E_SHAPE;
    }
    ASSAY_TRY(
        passages_add(&t->windows, card->tokens, held->token, n * context + 1, 0, 0));
    const uint8_t *text = t->corpus.text + corpus_cut(&t->corpus, card->held_out);
    for (size_t i = 0; i < n; i++) {
        const passage_window *w = &t->windows.window[first + i];
        ASSAY_TRY(passage_note(t, "held-out", first + i, "", text + w->byte, w->bytes));
        att_passage *p = &t->passage[t->count - 1];
        p->count = 1;
        p->tokens = passage_asked(&t->windows, first + i);
        p->byte = (uint64_t)(text - t->corpus.text) + w->byte;
    }
done:
    return status;
}

void att_lab_text_mean(float *out, const att_lab_text *t, const float *x, size_t rows) {
    size_t windows = t->windows.count - t->rows;
    for (size_t i = 0; i < rows; i++, x += windows)
        for (size_t k = 0; k < t->count; k++) {
            const att_passage *p = &t->passage[k];
            double sum = 0;
            for (size_t w = p->first; w < p->first + p->count; w++)
                sum += (double)x[w] * (double)passage_asked(&t->windows, t->rows + w);
            *out++ = (float)(sum / (double)p->tokens);
        }
}

const uint8_t *
att_lab_text_row(const att_lab_text *t, size_t row, size_t *bytes, uint64_t *at) {
    const passage_window *w = &t->windows.window[row];
    *bytes = w->bytes;
    *at = w->byte;
    return t->corpus.text + w->byte;
}
