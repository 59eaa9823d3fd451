/* The tokenizer's insides, shared by its files. */
#ifndef DATA_TEXT_TOKENIZER_INSIDE_H
#define DATA_TEXT_TOKENIZER_INSIDE_H

#include "data/text/tokenizer.h"

enum { BYTES = 256 };

/* Two tokens that became one. */
typedef struct token_pair {
    uint16_t a, b;
} token_pair;

/* From pairs to the tokens they became: open addressing, at most half full. */
typedef struct pair_slot {
    uint32_t key, token; /* token 0: empty, since what is joined is 256 or more */
} pair_slot;

struct tokenizer {
    assay_ctx *ctx;
    tokenizer_wish wish;
    int count;
    uint32_t *character; /* char: [count], ascending */
    token_pair *merge;   /* bpe: [count - BYTES] */
    pair_slot *slot;     /* bpe: [mask + 1] */
    uint32_t mask;
    uint32_t *begin; /* [count + 1] */
    uint8_t *bytes;  /* of token i: from begin[i] to begin[i + 1] */
};

static inline uint32_t pair_key(uint32_t a, uint32_t b) {
    return a << 16 | b;
}
static inline uint32_t pair_hash(uint32_t key) {
    uint32_t x = key * 0x9E3779B1u;
    return x ^ x >> 15;
}

ASSAY_MUST_CHECK assay_status tokenizer_of_bytes(tokenizer **out, assay_ctx *ctx);
/* Takes the arrays (also on failure). FORMAT if a merge joins tokens that do not exist
 * yet, repeats another, or grows too long. */
ASSAY_MUST_CHECK assay_status tokenizer_of_characters(tokenizer **out,
                                                      assay_ctx *ctx,
                                                      uint32_t *character,
                                                      size_t count);
ASSAY_MUST_CHECK assay_status tokenizer_of_merges(tokenizer **out,
                                                  assay_ctx *ctx,
                                                  token_pair *merge,
                                                  size_t count);

/* Bytes of the piece that a text begins with; n >= 1. */
size_t bpe_piece(const uint8_t *text, size_t n);
/* Fills the slots. FORMAT if a pair comes twice. */
ASSAY_MUST_CHECK assay_status bpe_index(tokenizer *t);
/* Tokens of a piece, in place of its bytes; returns how many. */
size_t bpe_encode(const tokenizer *t, uint16_t *token, const uint8_t *piece, size_t n);
/* At most `count` merges learnt from a text. */
ASSAY_MUST_CHECK assay_status bpe_learn(token_pair **out,
                                        size_t *n,
                                        assay_ctx *ctx,
                                        size_t count,
                                        const uint8_t *text,
                                        size_t bytes);

#endif
