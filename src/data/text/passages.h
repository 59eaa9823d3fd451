/* Passages: stretches of text as examples. Each is cut into windows of as many tokens as
 * a model's context; a window is asked for the token behind each of its own, but for
 * those at its beginning that are there to be read alone. */
#ifndef DATA_TEXT_PASSAGES_H
#define DATA_TEXT_PASSAGES_H

#include "data/text/tokenizer.h"

typedef struct passage_window {
    size_t at;            /* place in the list of its first token */
    uint32_t skip, count; /* token at + i + 1 is asked for, i from skip to count - 1 */
    uint64_t byte;        /* of the first token asked for, in the text that was added */
    uint32_t bytes;       /* of those that are */
} passage_window;

typedef struct passages {
    assay_ctx *ctx;
    size_t context;
    token_list text; /* of all, one behind the other */
    passage_window *window;
    size_t count, cap; /* windows */
} passages;

void passages_make(passages *out, assay_ctx *ctx, size_t context);
void passages_free(passages *p); /* accepts a zeroed one */

/** Adds a text's windows. Its first token is never asked for: nothing stands before it.
 *  @param prompt  tokens at the beginning that are not asked for either
 *  @param again  tokens before those asked for that a window shows again, below the
 *  context; a text that fits one window is shown whole
 *  @errors SHAPE where no token is left to ask for; NOMEM */
ASSAY_MUST_CHECK assay_status passages_add(passages *p,
                                           const tokenizer *t,
                                           const uint16_t *token,
                                           size_t n,
                                           size_t prompt,
                                           size_t again);

/* Tokens that a window is asked for. */
size_t passage_asked(const passages *p, size_t window);

/* Windows as a model of tokens takes them: in [n, context], labels [n, context], -1 where
 * nothing is asked. */
void passages_feed(
    int32_t *in, int32_t *labels, const passages *p, const uint32_t *window, size_t n);

#endif
