/* Slots, pieces and planned uses of the cache. */
#include "data/load/page_cache.h"

#include "base/rng.h"

#include <assert.h>

/* ---- life ---- */

static void idle_append(page_cache *c, int s);

assay_status page_cache_make(
    page_cache *c, assay_ctx *ctx, uint64_t bytes, uint64_t piece_bytes, uint64_t ring) {
    assay_status status = ASSAY_OK;
    uint64_t slots = bytes / piece_bytes > 0 ? bytes / piece_bytes : 1;
    *c = (page_cache){.ctx = ctx,
                      .piece_bytes = piece_bytes,
                      .ring = ring,
                      .idle_first = -1,
                      .idle_last = -1};
    if (slots > INT32_MAX / 4)
        ASSAY_FAIL(ASSAY_E_INVALID, "a cache of %llu bytes", (unsigned long long)bytes);
    c->slots = (int)slots;
    c->pieces = c->slots + (int)ring;
    int heads = 64;
    while (heads < c->pieces)
        heads *= 2;
    c->hash_mask = heads - 1;
    ASSAY_TRY(mem_new(ctx, &c->slot, (size_t)c->slots, sizeof *c->slot));
    ASSAY_TRY(mem_new(ctx, &c->piece, (size_t)c->pieces, sizeof *c->piece));
    ASSAY_TRY(mem_new(ctx, &c->hash, (size_t)heads, sizeof *c->hash));
    ASSAY_TRY(mem_new(ctx, &c->use, (size_t)ring, sizeof *c->use));
    for (int i = 0; i < heads; i++)
        c->hash[i] = -1;
    for (int i = 0; i < c->pieces; i++)
        c->piece[i].chain = i + 1 < c->pieces ? i + 1 : -1;
    for (int i = 0; i < c->slots; i++) {
        c->slot[i].piece = PAGE_NONE;
        idle_append(c, i);
    }
done:
    return status;
}

void page_cache_free(page_cache *c) {
    if (c->ctx == NULL)
        return;
    for (int i = 0; c->slot && i < c->slots; i++)
        mem_free(c->ctx, c->slot[i].data);
    mem_free(c->ctx, c->slot);
    mem_free(c->ctx, c->piece);
    mem_free(c->ctx, c->hash);
    mem_free(c->ctx, c->use);
    *c = (page_cache){0};
}

/* ---- pieces ---- */

static int *head_of(const page_cache *c, uint64_t piece) {
    return &c->hash[rng_mix64(piece) & (uint64_t)c->hash_mask];
}

static page_piece *piece_find(const page_cache *c, uint64_t piece) {
    int i = *head_of(c, piece);
    while (i >= 0 && c->piece[i].piece != piece)
        i = c->piece[i].chain;
    return i >= 0 ? &c->piece[i] : NULL;
}

/* There are as many as slots and planned uses together, so there is always one. */
static page_piece *piece_get(page_cache *c, uint64_t piece) {
    page_piece *p = piece_find(c, piece);
    if (p)
        return p;
    int *head = head_of(c, piece), i = c->free_piece;
    assert(i >= 0);
    p = &c->piece[i];
    c->free_piece = p->chain;
    *p = (page_piece){.piece = piece,
                      .first = PAGE_NONE,
                      .last = PAGE_NONE,
                      .slot = -1,
                      .chain = *head};
    *head = i;
    return p;
}

/* Gives it back when nothing is known of it any more. */
static void piece_drop(page_cache *c, page_piece *p) {
    if (p->slot >= 0 || p->first != PAGE_NONE)
        return;
    int i = (int)(p - c->piece), *link = head_of(c, p->piece);
    while (*link != i)
        link = &c->piece[*link].chain;
    *link = p->chain;
    p->chain = c->free_piece;
    c->free_piece = i;
}

/* ---- slots ---- */

static void idle_append(page_cache *c, int s) {
    page_slot *slot = &c->slot[s];
    slot->idle = true;
    slot->before = c->idle_last;
    slot->after = -1;
    if (c->idle_last >= 0)
        c->slot[c->idle_last].after = s;
    else
        c->idle_first = s;
    c->idle_last = s;
}

static void idle_remove(page_cache *c, int s) {
    page_slot *slot = &c->slot[s];
    if (slot->before >= 0)
        c->slot[slot->before].after = slot->after;
    else
        c->idle_first = slot->after;
    if (slot->after >= 0)
        c->slot[slot->after].before = slot->before;
    else
        c->idle_last = slot->before;
    slot->idle = false;
}

/* Into the list of idle ones or out of it, as things stand. */
static void idle_update(page_cache *c, int s) {
    const page_slot *slot = &c->slot[s];
    bool idle = slot->state == PAGE_FREE;
    if (slot->state == PAGE_READY && slot->pins == 0)
        idle = piece_find(c, slot->piece)->first == PAGE_NONE;
    if (idle && !slot->idle)
        idle_append(c, s);
    else if (!idle && slot->idle)
        idle_remove(c, s);
}

int page_cache_find(const page_cache *c, uint64_t piece) {
    const page_piece *p = piece_find(c, piece);
    return p ? p->slot : -1;
}

static void slot_empty(page_cache *c, int s) {
    page_slot *slot = &c->slot[s];
    if (slot->piece != PAGE_NONE) {
        page_piece *p = piece_find(c, slot->piece);
        p->slot = -1;
        if (p->first != PAGE_NONE && p->first < c->unread)
            c->unread = p->first; /* to be read once more */
        piece_drop(c, p);
    }
    slot->piece = PAGE_NONE;
    slot->state = PAGE_FREE;
}

/* Belady's choice among those that nobody holds. */
static int furthest(const page_cache *c) {
    int best = -1;
    uint64_t far = 0;
    for (int s = 0; s < c->slots; s++) {
        const page_slot *slot = &c->slot[s];
        if (slot->state != PAGE_READY || slot->pins > 0)
            continue;
        uint64_t first = piece_find(c, slot->piece)->first;
        if (best < 0 || first > far) {
            best = s;
            far = first;
        }
    }
    return best;
}

int page_cache_take(page_cache *c, uint64_t piece, bool force) {
    int s = c->idle_first;
    if (s < 0 && force)
        s = furthest(c);
    if (s < 0)
        return -1;
    page_slot *slot = &c->slot[s];
    if (slot->data == NULL) {
        slot->data = mem_alloc(c->ctx, c->piece_bytes);
        if (slot->data == NULL)
            return -2;
        c->allocated++;
    }
    slot_empty(c, s);
    if (slot->idle)
        idle_remove(c, s);
    slot->state = PAGE_READING;
    slot->piece = piece;
    piece_get(c, piece)->slot = s;
    return s;
}

void page_cache_filled(page_cache *c, int s, bool ok) {
    page_slot *slot = &c->slot[s];
    assert(slot->state == PAGE_READING);
    if (ok) {
        slot->state = PAGE_READY;
    } else {
        page_piece *p = piece_find(c, slot->piece);
        p->slot = -1;
        piece_drop(c, p);
        slot->piece = PAGE_NONE;
        slot->state = PAGE_FREE;
    }
    idle_update(c, s);
}

void page_cache_pin(page_cache *c, int s) {
    c->slot[s].pins++;
    idle_update(c, s);
}

void page_cache_unpin(page_cache *c, int s) {
    assert(c->slot[s].pins > 0);
    c->slot[s].pins--;
    idle_update(c, s);
}

/* ---- planned uses ---- */

static page_use *use_at(const page_cache *c, uint64_t i) {
    return &c->use[i & (c->ring - 1)];
}

uint64_t page_cache_room(const page_cache *c) {
    return c->ring - (c->tail - c->head);
}

void page_cache_plan(page_cache *c, uint64_t piece, uint64_t turn) {
    uint64_t i = c->tail++;
    page_piece *p = piece_get(c, piece);
    *use_at(c, i) = (page_use){.piece = piece, .turn = turn, .next = PAGE_NONE};
    if (p->first == PAGE_NONE)
        p->first = i;
    else
        use_at(c, p->last)->next = i;
    p->last = i;
    if (p->slot >= 0)
        idle_update(c, p->slot);
}

static void use_done(page_cache *c, page_piece *p) {
    page_use *u = use_at(c, p->first);
    u->done = true;
    p->first = u->next;
    if (p->slot >= 0)
        idle_update(c, p->slot);
    else
        piece_drop(c, p);
}

void page_cache_used(page_cache *c, uint64_t piece) {
    page_piece *p = piece_find(c, piece);
    if (p && p->first != PAGE_NONE)
        use_done(c, p);
}

void page_cache_trim(page_cache *c, uint64_t turn) {
    while (c->head < c->tail) {
        page_use *u = use_at(c, c->head);
        if (!u->done && u->turn >= turn)
            break;
        if (!u->done) /* the oldest of all, so the first of its piece */
            use_done(c, piece_find(c, u->piece));
        c->head++;
    }
    if (c->unread < c->head)
        c->unread = c->head;
}

int page_cache_take_next(page_cache *c) {
    for (; c->unread < c->tail; c->unread++) {
        const page_use *u = use_at(c, c->unread);
        if (u->done || page_cache_find(c, u->piece) >= 0)
            continue;
        int s = page_cache_take(c, u->piece, false);
        if (s >= 0)
            c->unread++;
        return s;
    }
    return -1;
}

void page_cache_forget_plan(page_cache *c) {
    page_cache_trim(c, PAGE_NONE);
}
