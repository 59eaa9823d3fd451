/* Learning merges: the pair that occurs most becomes a token, again and again; of equals,
 * the pair of the smaller tokens. Counts are kept per distinct piece, and only pieces
 * that hold the pair are looked at: a heap hands out the largest count, and entries that
 * are out of date go back into it. */
#include "data/text/tokenizer_inside.h"

#include "base/rng.h"

#include <string.h>

/* A distinct piece. */
typedef struct word {
    uint64_t times;
    size_t begin; /* in tokens */
    uint32_t n;
    uint32_t next; /* of the same hash, + 1 */
} word;

typedef struct pair {
    uint32_t key;
    uint32_t last; /* use + 1, the newest first */
    uint64_t times;
} pair;

/* A pair lies in a word (or did). */
typedef struct use {
    uint32_t word, before; /* use + 1 */
} use;

typedef struct entry {
    uint64_t times;
    uint32_t key, pair;
} entry;

typedef struct learner {
    assay_ctx *ctx;
    uint16_t *token; /* of all words */
    size_t n_tokens, cap_tokens;
    word *word;
    size_t n_words, cap_words;
    uint32_t *bucket; /* of words: + 1 */
    size_t buckets;
    pair *pair;
    size_t n_pairs, cap_pairs;
    uint32_t *slot; /* of pairs: + 1 */
    size_t slots;
    use *use;
    size_t n_uses, cap_uses;
    entry *heap;
    size_t n_heap, cap_heap;
} learner;

/* ---- words ---- */

static uint64_t hash_of(const uint8_t *piece, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t part = 0;
        memcpy(&part, piece + i, n - i < 8 ? n - i : 8);
        h = rng_mix64(h ^ part);
    }
    return h;
}

static bool same(const learner *l, const word *w, const uint8_t *piece, size_t n) {
    if (w->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (l->token[w->begin + i] != piece[i])
            return false;
    return true;
}

static assay_status words_grow(learner *l) {
    assay_status status = ASSAY_OK;
    if (l->n_words < l->buckets)
        return ASSAY_OK;
    mem_free(l->ctx, l->bucket);
    l->bucket = NULL;
    l->buckets = l->buckets ? 2 * l->buckets : 1024;
    ASSAY_TRY(mem_new(l->ctx, &l->bucket, l->buckets, sizeof *l->bucket));
    for (size_t w = 0; w < l->n_words; w++) {
        uint8_t piece[TOKENIZER_PIECE];
        for (size_t i = 0; i < l->word[w].n; i++)
            piece[i] = (uint8_t)l->token[l->word[w].begin + i];
        uint32_t *at = &l->bucket[hash_of(piece, l->word[w].n) & (l->buckets - 1)];
        l->word[w].next = *at;
        *at = (uint32_t)w + 1;
    }
done:
    return status;
}

static assay_status word_add(learner *l, const uint8_t *piece, size_t n) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(words_grow(l));
    uint32_t *at = &l->bucket[hash_of(piece, n) & (l->buckets - 1)];
    for (uint32_t w = *at; w; w = l->word[w - 1].next)
        if (same(l, &l->word[w - 1], piece, n)) {
            l->word[w - 1].times++;
            return ASSAY_OK;
        }
    if (l->n_words == UINT32_MAX - 1)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the text has too many words");
    ASSAY_TRY(mem_grow(l->ctx, &l->word, l->n_words, &l->cap_words, l->n_words + 1,
                       sizeof *l->word));
    ASSAY_TRY(mem_grow(l->ctx, &l->token, l->n_tokens, &l->cap_tokens, l->n_tokens + n,
                       sizeof *l->token));
    l->word[l->n_words] = (word){1, l->n_tokens, (uint32_t)n, *at};
    *at = (uint32_t)++l->n_words;
    for (size_t i = 0; i < n; i++)
        l->token[l->n_tokens++] = piece[i];
done:
    return status;
}

/* ---- the heap ---- */

static bool above(const entry *a, const entry *b) {
    return a->times != b->times ? a->times > b->times : a->key < b->key;
}

static assay_status heap_push(learner *l, entry e) {
    assay_status status = mem_grow(l->ctx, &l->heap, l->n_heap, &l->cap_heap,
                                   l->n_heap + 1, sizeof *l->heap);
    if (status != ASSAY_OK)
        return status;
    size_t i = l->n_heap++;
    for (; i > 0 && above(&e, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = e;
    return ASSAY_OK;
}

static entry heap_pop(learner *l) {
    entry top = l->heap[0], e = l->heap[--l->n_heap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < l->n_heap; i = k) {
        k += k + 1 < l->n_heap && above(&l->heap[k + 1], &l->heap[k]);
        if (!above(&l->heap[k], &e))
            break;
        l->heap[i] = l->heap[k];
    }
    l->heap[i] = e;
    return top;
}

/* ---- pairs ---- */

static size_t pair_place(const learner *l, uint32_t key) {
    size_t i = pair_hash(key) & (l->slots - 1);
    while (l->slot[i] && l->pair[l->slot[i] - 1].key != key)
        i = (i + 1) & (l->slots - 1);
    return i;
}

static assay_status pairs_grow(learner *l) {
    assay_status status = ASSAY_OK;
    if (2 * l->n_pairs < l->slots)
        return ASSAY_OK;
    mem_free(l->ctx, l->slot);
    l->slot = NULL;
    l->slots = l->slots ? 2 * l->slots : 1024;
    ASSAY_TRY(mem_new(l->ctx, &l->slot, l->slots, sizeof *l->slot));
    for (size_t p = 0; p < l->n_pairs; p++)
        l->slot[pair_place(l, l->pair[p].key)] = (uint32_t)p + 1;
done:
    return status;
}

/* One more pair of a word. Words are in the lists of pairs below `known` already. */
static assay_status pair_add(learner *l, uint32_t key, uint32_t in, size_t known) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(pairs_grow(l));
    size_t place = pair_place(l, key);
    if (!l->slot[place]) {
        ASSAY_TRY(mem_grow(l->ctx, &l->pair, l->n_pairs, &l->cap_pairs, l->n_pairs + 1,
                           sizeof *l->pair));
        l->pair[l->n_pairs] = (pair){.key = key};
        l->slot[place] = (uint32_t)++l->n_pairs;
    }
    pair *p = &l->pair[l->slot[place] - 1];
    p->times += l->word[in].times;
    if (l->slot[place] <= known || (p->last && l->use[p->last - 1].word == in))
        return ASSAY_OK;
    if (l->n_uses == UINT32_MAX - 1)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the text has too many words");
    ASSAY_TRY(mem_grow(l->ctx, &l->use, l->n_uses, &l->cap_uses, l->n_uses + 1,
                       sizeof *l->use));
    l->use[l->n_uses] = (use){in, p->last};
    p->last = (uint32_t)++l->n_uses;
done:
    return status;
}

static assay_status word_count(learner *l, uint32_t w, size_t known) {
    assay_status status = ASSAY_OK;
    const uint16_t *token = l->token + l->word[w].begin;
    for (uint32_t i = 0; i + 1 < l->word[w].n; i++)
        ASSAY_TRY(pair_add(l, pair_key(token[i], token[i + 1]), w, known));
done:
    return status;
}

static void word_discount(learner *l, const word *w) {
    const uint16_t *token = l->token + w->begin;
    for (uint32_t i = 0; i + 1 < w->n; i++) {
        size_t place = pair_place(l, pair_key(token[i], token[i + 1]));
        l->pair[l->slot[place] - 1].times -= w->times;
    }
}

/* False if the pair is not there any more. */
static bool word_merge(learner *l, word *w, uint32_t key, uint16_t joined) {
    uint16_t *token = l->token + w->begin;
    uint32_t to = 0, found = 0;
    for (uint32_t i = 0; i + 1 < w->n; i++)
        found += pair_key(token[i], token[i + 1]) == key;
    if (!found)
        return false;
    word_discount(l, w);
    for (uint32_t i = 0; i < w->n; i++, to++) {
        bool both = i + 1 < w->n && pair_key(token[i], token[i + 1]) == key;
        token[to] = both ? joined : token[i];
        i += both;
    }
    w->n = to;
    return true;
}

/* The pair becomes a token wherever it lies; counts of pairs that hold the new token are
 * the only ones to rise, and those pairs are new. */
static assay_status join(learner *l, uint32_t chosen, uint16_t joined) {
    assay_status status = ASSAY_OK;
    size_t known = l->n_pairs;
    uint32_t key = l->pair[chosen].key;
    for (uint32_t u = l->pair[chosen].last; u; u = l->use[u - 1].before) {
        uint32_t w = l->use[u - 1].word;
        if (word_merge(l, &l->word[w], key, joined))
            ASSAY_TRY(word_count(l, w, known));
    }
    for (size_t p = known; p < l->n_pairs; p++)
        ASSAY_TRY(heap_push(l, (entry){l->pair[p].times, l->pair[p].key, (uint32_t)p}));
done:
    return status;
}

/* The pair that occurs most, or none that occurs twice. */
static assay_status choose(learner *l, uint32_t *out, bool *found) {
    assay_status status = ASSAY_OK;
    *found = false;
    while (l->n_heap > 0 && !*found) {
        entry e = heap_pop(l);
        uint64_t times = l->pair[e.pair].times;
        *out = e.pair;
        *found = times == e.times && times > 1;
        if (times != e.times && times > 1)
            ASSAY_TRY(heap_push(l, (entry){times, e.key, e.pair}));
    }
done:
    return status;
}

static assay_status count_all(learner *l, const uint8_t *text, size_t bytes) {
    assay_status status = ASSAY_OK;
    enum { OFTEN = 1 << 20 };
    for (size_t at = 0, n, looked = 0; at < bytes; at += n) {
        n = bpe_piece(text + at, bytes - at);
        ASSAY_TRY(word_add(l, text + at, n));
        if (at - looked >= OFTEN) {
            looked = at;
            ASSAY_TRY(ctx_check(l->ctx));
        }
    }
    for (size_t w = 0; w < l->n_words; w++)
        ASSAY_TRY(word_count(l, (uint32_t)w, 0));
    for (size_t p = 0; p < l->n_pairs; p++)
        ASSAY_TRY(heap_push(l, (entry){l->pair[p].times, l->pair[p].key, (uint32_t)p}));
done:
    return status;
}

assay_status bpe_learn(token_pair **out,
                       size_t *n,
                       assay_ctx *ctx,
                       size_t count,
                       const uint8_t *text,
                       size_t bytes) {
    assay_status status = ASSAY_OK;
    learner l = {.ctx = ctx};
    *out = NULL;
    *n = 0;
    ASSAY_TRY(mem_new(ctx, out, count + 1, sizeof **out));
    ASSAY_TRY(count_all(&l, text, bytes));
    for (; *n < count; ++*n) {
        uint32_t p;
        bool found;
        ASSAY_TRY(ctx_check(ctx));
        ASSAY_TRY(choose(&l, &p, &found));
        if (!found)
            break;
        uint32_t key = l.pair[p].key;
        (*out)[*n] = (token_pair){(uint16_t)(key >> 16), (uint16_t)key};
        ASSAY_TRY(join(&l, p, (uint16_t)(BYTES + *n)));
    }
done:
    mem_free(ctx, l.token);
    mem_free(ctx, l.word);
    mem_free(ctx, l.bucket);
    mem_free(ctx, l.pair);
    mem_free(ctx, l.slot);
    mem_free(ctx, l.use);
    mem_free(ctx, l.heap);
    if (status != ASSAY_OK) {
        mem_free(ctx, *out);
        *out = NULL;
    }
    return status;
}
