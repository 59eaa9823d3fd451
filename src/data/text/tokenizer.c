/* Vocabularies of the three kinds, and texts as tokens of them. */
#include "data/text/tokenizer_inside.h"

#include "data/text/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"byte", "char", "bpe"};

assay_status tokenizer_wish_of(tokenizer_wish *out, const char *how) {
    *out = (tokenizer_wish){.kind = TOKENS_BYTE};
    if (strcmp(how, "byte") == 0)
        return ASSAY_OK;
    if (strcmp(how, "char") == 0) {
        out->kind = TOKENS_CHAR;
        return ASSAY_OK;
    }
    if (strncmp(how, "bpe:", 4) == 0 && how[4] >= '0' && how[4] <= '9') {
        char *end;
        long n = strtol(how + 4, &end, 10);
        if (!*end && n >= TOKENIZER_LEAST_BPE && n <= TOKENIZER_MOST) {
            *out = (tokenizer_wish){TOKENS_BPE, (int)n};
            return ASSAY_OK;
        }
    }
    (void)err_set(ASSAY_E_INVALID, "tokens can't be \"%.40s\"", how);
    err_help("choose from: byte, char, bpe:N with N from %d to %d", TOKENIZER_LEAST_BPE,
             TOKENIZER_MOST);
    return ASSAY_E_INVALID;
}

void tokenizer_destroy(tokenizer *t) {
    if (!t)
        return;
    mem_free(t->ctx, t->character);
    mem_free(t->ctx, t->merge);
    mem_free(t->ctx, t->slot);
    mem_free(t->ctx, t->begin);
    mem_free(t->ctx, t->bytes);
    mem_free(t->ctx, t);
}

static assay_status create(tokenizer **out, assay_ctx *ctx, tokenizer_wish wish) {
    assay_status status = mem_new(ctx, out, 1, sizeof **out);
    if (status != ASSAY_OK)
        return status;
    (*out)->ctx = ctx;
    (*out)->wish = wish;
    (*out)->count = wish.count;
    return mem_new(ctx, &(*out)->begin, (size_t)wish.count + 1, sizeof *(*out)->begin);
}

static assay_status bytes_begin(tokenizer *t, size_t total) {
    return mem_new(t->ctx, &t->bytes, total + 1, 1);
}

/* All bytes are tokens of themselves. */
static void bytes_single(tokenizer *t) {
    for (uint32_t i = 0; i < BYTES; i++) {
        t->bytes[i] = (uint8_t)i;
        t->begin[i] = i;
    }
    t->begin[BYTES] = BYTES;
}

assay_status tokenizer_of_bytes(tokenizer **out, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(create(out, ctx, (tokenizer_wish){TOKENS_BYTE, BYTES}));
    ASSAY_TRY(bytes_begin(*out, BYTES));
    bytes_single(*out);
done:
    if (status != ASSAY_OK) {
        tokenizer_destroy(*out);
        *out = NULL;
    }
    return status;
}

assay_status tokenizer_of_characters(tokenizer **out,
                                     assay_ctx *ctx,
                                     uint32_t *character,
                                     size_t count) {
    assay_status status = ASSAY_OK;
    tokenizer *t = NULL;
    *out = NULL;
    if (count < 1 || count > TOKENIZER_MOST) {
        mem_free(ctx, character);
        return err_set(ASSAY_E_FORMAT, "%zu characters are no vocabulary", count);
    }
    status = create(&t, ctx, (tokenizer_wish){TOKENS_CHAR, (int)count});
    if (!t) {
        mem_free(ctx, character);
        return status;
    }
    t->character = character;
    ASSAY_TRY(status);
    ASSAY_TRY(bytes_begin(t, count * UTF8_MOST));
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = t->bytes + t->begin[i];
        size_t n = utf8_put(to, character[i]);
        if (n == 0 || (i > 0 && character[i] <= character[i - 1]))
            ASSAY_FAIL(ASSAY_E_FORMAT, "character %zu of the vocabulary is %lu", i,
                       (unsigned long)character[i]);
        t->begin[i + 1] = t->begin[i] + (uint32_t)n;
    }
    *out = t;
done:
    if (status != ASSAY_OK)
        tokenizer_destroy(t);
    return status;
}

static assay_status merge_bytes(tokenizer *t, size_t m) {
    uint32_t token = (uint32_t)(BYTES + m);
    token_pair p = t->merge[m];
    if (p.a >= token || p.b >= token)
        return err_set(ASSAY_E_FORMAT, "merge %zu joins %u and %u, which come later", m,
                       (unsigned)p.a, (unsigned)p.b);
    uint32_t a = t->begin[p.a + 1] - t->begin[p.a], b = t->begin[p.b + 1] - t->begin[p.b];
    if (a + b > TOKENIZER_PIECE)
        return err_set(ASSAY_E_FORMAT, "merge %zu makes a token of %u bytes", m,
                       (unsigned)(a + b));
    uint8_t *to = t->bytes + t->begin[token];
    memcpy(to, t->bytes + t->begin[p.a], a);
    memcpy(to + a, t->bytes + t->begin[p.b], b);
    t->begin[token + 1] = t->begin[token] + a + b;
    return ASSAY_OK;
}

assay_status
tokenizer_of_merges(tokenizer **out, assay_ctx *ctx, token_pair *merge, size_t count) {
    assay_status status = ASSAY_OK;
    tokenizer *t = NULL;
    *out = NULL;
    if (count > TOKENIZER_MOST - BYTES) {
        mem_free(ctx, merge);
        return err_set(ASSAY_E_FORMAT, "%zu merges are too many", count);
    }
    status = create(&t, ctx, (tokenizer_wish){TOKENS_BPE, (int)(BYTES + count)});
    if (!t) {
        mem_free(ctx, merge);
        return status;
    }
    t->merge = merge;
    ASSAY_TRY(status);
    ASSAY_TRY(bytes_begin(t, BYTES + count * TOKENIZER_PIECE));
    bytes_single(t);
    for (size_t m = 0; m < count; m++)
        ASSAY_TRY(merge_bytes(t, m));
    ASSAY_TRY(bpe_index(t));
    *out = t;
done:
    if (status != ASSAY_OK)
        tokenizer_destroy(t);
    return status;
}

static assay_status not_utf8(size_t at) {
    (void)err_set(ASSAY_E_FORMAT, "the text is not UTF-8 at byte %zu", at);
    err_help("--tokens=byte takes any text");
    return ASSAY_E_FORMAT;
}

/* The characters of a text, by one bit each. */
static assay_status
of_text(tokenizer **out, assay_ctx *ctx, const uint8_t *text, size_t bytes) {
    enum { CHARACTERS = 0x110000 };
    assay_status status = ASSAY_OK;
    uint8_t *seen = NULL;
    uint32_t *character = NULL;
    size_t count = 0, n;
    ASSAY_TRY(mem_new(ctx, &seen, CHARACTERS, 1));
    for (size_t at = 0; at < bytes; at += n) {
        uint32_t c;
        n = utf8_get(&c, text + at, bytes - at);
        if (n == 0)
            ASSAY_TRY(not_utf8(at));
        count += !seen[c];
        seen[c] = 1;
    }
    if (count > TOKENIZER_MOST)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the text has %zu different characters", count);
    ASSAY_TRY(mem_new(ctx, &character, count + 1, sizeof *character));
    count = 0;
    for (uint32_t c = 0; c < CHARACTERS; c++)
        if (seen[c])
            character[count++] = c;
    ASSAY_TRY(tokenizer_of_characters(out, ctx, character, count));
done:
    mem_free(ctx, seen);
    return status;
}

assay_status tokenizer_train(tokenizer **out,
                             assay_ctx *ctx,
                             tokenizer_wish wish,
                             const uint8_t *text,
                             size_t bytes) {
    token_pair *merge;
    size_t merges;
    *out = NULL;
    if (wish.kind == TOKENS_BYTE)
        return tokenizer_of_bytes(out, ctx);
    if (wish.kind == TOKENS_CHAR)
        return of_text(out, ctx, text, bytes);
    assay_status status =
        bpe_learn(&merge, &merges, ctx, (size_t)wish.count - BYTES, text, bytes);
    return status == ASSAY_OK ? tokenizer_of_merges(out, ctx, merge, merges) : status;
}

assay_status tokenizer_copy(tokenizer **out, assay_ctx *ctx, const tokenizer *from) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    if (from->wish.kind == TOKENS_BYTE)
        return tokenizer_of_bytes(out, ctx);
    if (from->wish.kind == TOKENS_CHAR) {
        uint32_t *character;
        size_t n = (size_t)from->count;
        ASSAY_TRY(mem_new(ctx, &character, n, sizeof *character));
        memcpy(character, from->character, n * sizeof *character);
        return tokenizer_of_characters(out, ctx, character, n);
    }
    token_pair *merge;
    size_t n = (size_t)from->count - BYTES;
    ASSAY_TRY(mem_new(ctx, &merge, n + 1, sizeof *merge));
    memcpy(merge, from->merge, n * sizeof *merge);
    return tokenizer_of_merges(out, ctx, merge, n);
done:
    return status;
}

int tokenizer_count(const tokenizer *t) {
    return t->count;
}

const char *tokenizer_name(const tokenizer *t) {
    return names[t->wish.kind];
}

const uint8_t *tokenizer_bytes(const tokenizer *t, int token, size_t *n) {
    *n = t->begin[token + 1] - t->begin[token];
    return t->bytes + t->begin[token];
}

/* ---- encoding ---- */

void token_list_free(token_list *l) {
    if (l->ctx)
        mem_free(l->ctx, l->token);
    *l = (token_list){0};
}

size_t tokenizer_span(const tokenizer *t, const uint16_t *token, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t one;
        (void)tokenizer_bytes(t, token[i], &one);
        bytes += one;
    }
    return bytes;
}

static assay_status room(token_list *l, size_t more) {
    return mem_grow(l->ctx, &l->token, l->count, &l->cap, l->count + more,
                    sizeof *l->token);
}

assay_status token_list_add(token_list *l, const uint16_t *token, size_t n) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(room(l, n));
    memcpy(l->token + l->count, token, n * sizeof *token);
    l->count += n;
done:
    return status;
}

/* The character's token; -1 if it has none. */
static int token_of(const tokenizer *t, uint32_t character) {
    int low = 0, high = t->count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (t->character[middle] < character)
            low = middle + 1;
        else
            high = middle;
    }
    return t->character[low] == character ? low : -1;
}

static assay_status encode_characters(const tokenizer *t,
                                      token_list *out,
                                      const uint8_t *text,
                                      size_t bytes) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(room(out, bytes));
    for (size_t at = 0, n; at < bytes; at += n) {
        uint32_t c;
        n = utf8_get(&c, text + at, bytes - at);
        if (n == 0)
            ASSAY_TRY(not_utf8(at));
        int token = token_of(t, c);
        if (token < 0) {
            (void)err_set(ASSAY_E_FORMAT,
                          "the vocabulary has no character U+%04lX (byte %zu)",
                          (unsigned long)c, at);
            err_help("a model of --tokens=byte or bpe:N takes any text");
            return ASSAY_E_FORMAT;
        }
        out->token[out->count++] = (uint16_t)token;
    }
done:
    return status;
}

static assay_status
encode_pieces(const tokenizer *t, token_list *out, const uint8_t *text, size_t bytes) {
    assay_status status = ASSAY_OK;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = bpe_piece(text + at, bytes - at);
        ASSAY_TRY(room(out, n));
        out->count += bpe_encode(t, out->token + out->count, text + at, n);
    }
done:
    return status;
}

assay_status
tokenizer_encode(const tokenizer *t, token_list *out, const uint8_t *text, size_t bytes) {
    out->ctx = t->ctx;
    if (t->wish.kind == TOKENS_CHAR)
        return encode_characters(t, out, text, bytes);
    if (t->wish.kind == TOKENS_BPE)
        return encode_pieces(t, out, text, bytes);
    assay_status status = room(out, bytes);
    for (size_t i = 0; status == ASSAY_OK && i < bytes; i++)
        out->token[out->count++] = text[i];
    return status;
}
