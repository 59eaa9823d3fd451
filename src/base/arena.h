/* A bump allocator: one block, 64-byte aligned pieces, reset rather than freed. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/ctx.h"

typedef struct arena {
    assay_ctx *ctx;
    uint8_t *block;
    size_t used, cap;
} arena;

/* Makes an arena of a fixed size. */
ASSAY_MUST_CHECK assay_status arena_init(arena *a, assay_ctx *ctx, size_t bytes);
void arena_free(arena *a);
void arena_reset(arena *a);
/* NULL when it does not fit (a planning bug: assert on it). */
void *arena_take(arena *a, size_t bytes);

#endif
