/* Byte pairs: how a text falls into pieces, and how a piece's bytes become tokens by
 * merging pairs in the order in which they were learnt. */
#include "data/text/tokenizer_inside.h"

#include <string.h>

enum class { SPACE, LETTER, DIGIT, OTHER };

static enum class class_of(uint8_t c) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) return SPACE;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80) return LETTER;
    return c >= '0' && c <= '9' ? DIGIT : OTHER;
}

size_t bpe_piece(const uint8_t *text, size_t n) {
    size_t begin = text[0] == ' ' && n > 1 && class_of(text[1]) != SPACE;
    size_t end = begin + 1, most = n < TOKENIZER_PIECE ? n : TOKENIZER_PIECE;
    enum class c = class_of(text[begin]);
    while (end < most && class_of(text[end]) == c)
        end++;
    /* The last blank of a gap belongs to what comes behind it. */
    if (c == SPACE && end > 1 && end < n && text[end - 1] == ' ' &&
        class_of(text[end]) != SPACE)
        end--;
    return end;
}

static uint32_t find(const tokenizer *t, uint32_t key) {
    uint32_t i = pair_hash(key) & t->mask;
    while (t->slot[i].token && t->slot[i].key != key)
        i = (i + 1) & t->mask;
    return i;
}

assay_status bpe_index(tokenizer *t) {
    assay_status status = ASSAY_OK;
    size_t merges = (size_t)t->count - BYTES, slots = 4;
    while (slots < 2 * merges)
        slots *= 2;
    t->mask = (uint32_t)slots - 1;
    ASSAY_TRY(mem_new(t->ctx, &t->slot, slots, sizeof *t->slot));
    for (size_t m = 0; m < merges; m++) {
        uint32_t key = pair_key(t->merge[m].a, t->merge[m].b);
        pair_slot *s = &t->slot[find(t, key)];
        if (s->token)
            ASSAY_FAIL(ASSAY_E_FORMAT, "merge %zu joins %u and %u once more", m,
                       (unsigned)t->merge[m].a, (unsigned)t->merge[m].b);
        *s = (pair_slot){key, (uint32_t)(BYTES + m)};
    }
done:
    return status;
}

/* The pair that was learnt first; 0: none is known. */
static uint32_t first_merge(const tokenizer *t, const uint16_t *token, size_t n) {
    uint32_t best = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        uint32_t joined = t->slot[find(t, pair_key(token[i], token[i + 1]))].token;
        if (joined && (!best || joined < best))
            best = joined;
    }
    return best;
}

size_t bpe_encode(const tokenizer *t, uint16_t *token, const uint8_t *piece, size_t n) {
    for (size_t i = 0; i < n; i++)
        token[i] = piece[i];
    for (uint32_t joined; (joined = first_merge(t, token, n)) != 0;) {
        const token_pair p = t->merge[joined - BYTES];
        size_t to = 0;
        for (size_t i = 0; i < n; i++, to++) {
            bool both = i + 1 < n && token[i] == p.a && token[i + 1] == p.b;
            token[to] = both ? (uint16_t)joined : token[i];
            i += both;
        }
        n = to;
    }
    return n;
}
