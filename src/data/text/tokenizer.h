/* Tokens of text. Three kinds, all lossless: decoding what was encoded gives the bytes.
 *   byte   256 tokens, one a byte
 *   char   the characters (UTF-8) that occur in a text, in ascending order
 *   bpe    bytes and pairs that were joined (Sennrich et al. 2016, arXiv 1508.07909, over
 *          bytes): token 256 + i is the i-th merge. Merges stay within a piece: a run of
 *          letters, of digits, of other signs, each with a blank before it, or of white
 *          space.
 * A vocabulary is a function of text and kind alone. */
#ifndef DATA_TEXT_TOKENIZER_H
#define DATA_TEXT_TOKENIZER_H

#include "base/buf.h"

enum {
    TOKENIZER_MOST = 65536,   /* tokens of a vocabulary */
    TOKENIZER_PIECE = 64,     /* bytes of a piece, and so of a token */
    TOKENIZER_LEAST_BPE = 257 /* all bytes and a merge */
};

typedef struct tokenizer tokenizer;

/* What "byte", "char" or "bpe:N" asks for. INVALID names what there is. */
typedef struct tokenizer_wish {
    enum { TOKENS_BYTE, TOKENS_CHAR, TOKENS_BPE } kind;
    int count; /* of bpe: tokens wanted */
} tokenizer_wish;
ASSAY_MUST_CHECK assay_status tokenizer_wish_of(tokenizer_wish *out, const char *how);

/* The vocabulary of a text. A text with little in it may give fewer merges than wanted.
 * FORMAT where characters are wanted and the text is not UTF-8, naming the place. */
ASSAY_MUST_CHECK assay_status tokenizer_train(tokenizer **out,
                                              assay_ctx *ctx,
                                              tokenizer_wish wish,
                                              const uint8_t *text,
                                              size_t bytes);
ASSAY_MUST_CHECK assay_status tokenizer_copy(tokenizer **out,
                                             assay_ctx *ctx,
                                             const tokenizer *from);
void tokenizer_destroy(tokenizer *t); /* accepts NULL */

/* As JSON on one line, and back. FORMAT: everything in it is checked. */
ASSAY_MUST_CHECK assay_status tokenizer_write(const tokenizer *t, buf *out);
ASSAY_MUST_CHECK assay_status tokenizer_read(tokenizer **out,
                                             assay_ctx *ctx,
                                             const char *json,
                                             size_t n);

int tokenizer_count(const tokenizer *t);
const char *tokenizer_name(const tokenizer *t); /* of its kind */
/* The bytes of a token (0 <= token < count), borrowed. */
const uint8_t *tokenizer_bytes(const tokenizer *t, int token, size_t *n);
/* How many bytes these tokens are. */
size_t tokenizer_span(const tokenizer *t, const uint16_t *token, size_t n);

/* Tokens of a text, in memory. */
typedef struct token_list {
    assay_ctx *ctx;
    uint16_t *token;
    size_t count, cap;
} token_list;
void token_list_free(token_list *l); /* accepts a zeroed one */
/* Appends; a list begins with its context and nothing else. NOMEM */
ASSAY_MUST_CHECK assay_status token_list_add(token_list *l,
                                             const uint16_t *token,
                                             size_t n);
/* Appends. FORMAT names the place of a character that the vocabulary has not. */
ASSAY_MUST_CHECK assay_status tokenizer_encode(const tokenizer *t,
                                               token_list *out,
                                               const uint8_t *text,
                                               size_t bytes);

#endif
