/* A bump allocator over one block. */
#include "base/arena.h"

#define ARENA_ALIGN ((size_t)64)

assay_status arena_init(arena *a, assay_ctx *ctx, size_t bytes) {
    *a = (arena){.ctx = ctx};
    if (bytes > SIZE_MAX - ARENA_ALIGN)
        return err_set(ASSAY_E_NOMEM, "an arena of %zu bytes can't be had", bytes);
    size_t cap = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    a->block = mem_alloc(ctx, cap);
    if (!a->block)
        return err_set(ASSAY_E_NOMEM, "an arena of %zu bytes can't be had", bytes);
    a->cap = cap;
    return ASSAY_OK;
}

void arena_free(arena *a) {
    if (a->ctx)
        mem_free(a->ctx, a->block);
    *a = (arena){0};
}

void arena_reset(arena *a) {
    a->used = 0;
}

void *arena_take(arena *a, size_t bytes) {
    size_t left = a->cap - a->used;
    if (!a->block || bytes > left) /* `left` is a multiple of the alignment */
        return NULL;
    uint8_t *piece = a->block + a->used;
    a->used += (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    return piece;
}
