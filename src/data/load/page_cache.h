/* The cache of "read": pieces of the file, the slots they lie in, and the uses that are
 * planned for them. No I/O and no lock: pages.c holds its own while it calls. */
#ifndef DATA_PAGE_CACHE_H
#define DATA_PAGE_CACHE_H

#include "base/ctx.h"

#define PAGE_NONE UINT64_MAX

typedef enum page_state { PAGE_FREE, PAGE_READING, PAGE_READY } page_state;

/* A place in memory. Those that nobody holds and no planned use wants wait in a list,
 * longest idle first, to be taken. */
typedef struct page_slot {
    uint8_t *data; /* allocated when first taken */
    page_state state;
    uint64_t piece;
    int pins;
    int before, after; /* in the list of idle ones; -1: an end */
    bool idle;
} page_slot;

/* A piece that has a slot, or planned uses, or both. */
typedef struct page_piece {
    uint64_t piece;
    uint64_t first, last; /* of its planned uses; PAGE_NONE */
    int slot;             /* -1: none */
    int chain;            /* next of the same hash, or next free */
} page_piece;

/* A planned use, in a ring by its number. */
typedef struct page_use {
    uint64_t piece, turn, next; /* next use of the same piece */
    bool done;
} page_use;

typedef struct page_cache {
    assay_ctx *ctx;
    uint64_t piece_bytes;
    page_slot *slot;
    int slots, allocated;
    int idle_first, idle_last;
    page_piece *piece;
    int *hash; /* heads of chains; -1: empty */
    int pieces, hash_mask, free_piece;
    page_use *use;
    uint64_t ring;               /* a power of two */
    uint64_t head, tail, unread; /* uses [head, tail); those before `unread` were read */
} page_cache;

/* No more than `bytes` of slots; at least one slot. */
ASSAY_MUST_CHECK assay_status page_cache_make(
    page_cache *c, assay_ctx *ctx, uint64_t bytes, uint64_t piece_bytes, uint64_t ring);
void page_cache_free(page_cache *c); /* accepts a zeroed one */

/* The slot that holds a piece or that it is being read into, or -1. */
int page_cache_find(const page_cache *c, uint64_t piece);
/* A slot for a piece that has none, in state PAGE_READING. An idle one; with `force`, if
 * there is none, that of the piece whose next use is furthest away. -1: none can be had;
 * -2: no memory. */
int page_cache_take(page_cache *c, uint64_t piece, bool force);
/* After reading: the piece is there, or reading failed and the slot is free again. */
void page_cache_filled(page_cache *c, int slot, bool ok);
void page_cache_pin(page_cache *c, int slot);
void page_cache_unpin(page_cache *c, int slot);

/* ---- planned uses ---- */
uint64_t page_cache_room(const page_cache *c);
/* Turns never fall. There must be room. */
void page_cache_plan(page_cache *c, uint64_t piece, uint64_t turn);
/* The first planned use of a piece, if there is one, has come. */
void page_cache_used(page_cache *c, uint64_t piece);
/* Forgets uses at the head that have come or are of turns before `turn`. */
void page_cache_trim(page_cache *c, uint64_t turn);
/* A slot for the next piece to read ahead, as page_cache_take without force; -1: there is
 * nothing to read, or no slot for it. A use is tried once: a piece that can't be read is
 * left to who needs it. */
int page_cache_take_next(page_cache *c);
void page_cache_forget_plan(page_cache *c);

#endif
