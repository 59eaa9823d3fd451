/* Sorting by value. */
#include "detect/order.h"

#include <stdlib.h>

typedef struct placed {
    float value;
    uint32_t place;
} placed;

static int highest_first(const void *x, const void *y) {
    const placed *a = x, *b = y;
    if (a->value != b->value)
        return a->value > b->value ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

assay_status detect_order(uint32_t *out, assay_ctx *ctx, const float *values, size_t n) {
    placed *at = NULL;
    assay_status status = mem_new(ctx, &at, n, sizeof *at);
    if (status != ASSAY_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        at[i] = (placed){values[i], (uint32_t)i};
    qsort(at, n, sizeof *at, highest_first);
    for (size_t i = 0; i < n; i++)
        out[i] = at[i].place;
    mem_free(ctx, at);
    return status;
}
