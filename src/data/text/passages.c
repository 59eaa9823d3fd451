/* Windows over a list of tokens. */
#include "data/text/passages.h"

void passages_make(passages *out, assay_ctx *ctx, size_t context) {
    *out = (passages){.ctx = ctx, .context = context, .text = {.ctx = ctx}};
}

void passages_free(passages *p) {
    if (!p->ctx)
        return;
    token_list_free(&p->text);
    mem_free(p->ctx, p->window);
    *p = (passages){0};
}

assay_status passages_add(passages *p,
                          const tokenizer *t,
                          const uint16_t *token,
                          size_t n,
                          size_t prompt,
                          size_t again) {
    assay_status status = ASSAY_OK;
    size_t base = p->text.count, asked = prompt > 1 ? prompt : 1;
    if (n <= asked) {
        (void)err_set(ASSAY_E_SHAPE,
                      "%zu tokens, %zu of them to be read only: none is "
                      "left to ask for",
                      n, asked);
        err_help("give a longer text");
        return ASSAY_E_SHAPE;
    }
    uint64_t byte = tokenizer_span(t, token, asked);
    ASSAY_TRY(token_list_add(&p->text, token, n));
    while (asked < n) {
        size_t shown = asked - 1 < again ? asked - 1 : again;
        size_t start = n - 1 <= p->context ? 0 : asked - 1 - shown;
        size_t count = n - 1 - start < p->context ? n - 1 - start : p->context;
        size_t bytes = tokenizer_span(t, token + asked, start + count + 1 - asked);
        ASSAY_TRY(mem_grow(p->ctx, &p->window, p->count, &p->cap, p->count + 1,
                           sizeof *p->window));
        p->window[p->count++] = (passage_window){.at = base + start,
                                                 .skip = (uint32_t)(asked - 1 - start),
                                                 .count = (uint32_t)count,
                                                 .byte = byte,
                                                 .bytes = (uint32_t)bytes};
        byte += bytes;
        asked = start + count + 1;
    }
done:
    return status;
}

size_t passage_asked(const passages *p, size_t window) {
    return p->window[window].count - p->window[window].skip;
}

void passages_feed(
    int32_t *in, int32_t *labels, const passages *p, const uint32_t *window, size_t n) {
    for (size_t k = 0; k < n; k++, in += p->context, labels += p->context) {
        const passage_window *w = &p->window[window[k]];
        const uint16_t *token = p->text.token + w->at;
        for (size_t i = 0; i < p->context; i++) {
            in[i] = i < w->count ? token[i] : 0;
            labels[i] = i >= w->skip && i < w->count ? token[i + 1] : -1;
        }
    }
}
