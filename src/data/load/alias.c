/* The alias table: n columns of equal height, each shared by at most two of the n. */
#include "data/load/alias.h"

#include <inttypes.h>
#include <math.h>

typedef struct column {
    double keep;    /* the share of the column that is its own */
    uint64_t other; /* whose the rest is */
} column;

struct alias_table {
    assay_ctx *ctx;
    uint64_t n;
    column *column;
};

/* Finds the largest weight; refuses what is no weight. */
static assay_status check(const double *weights, uint64_t n, uint64_t *largest) {
    *largest = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!isfinite(weights[i]) || weights[i] < 0)
            return err_set(ASSAY_E_INVALID,
                           "weight %" PRIu64 " is %g; weights are numbers from 0 on", i,
                           weights[i]);
        if (weights[i] > weights[*largest])
            *largest = i;
    }
    if (n == 0 || weights[*largest] == 0)
        return err_set(ASSAY_E_INVALID, "all weights are 0: nothing can be drawn");
    return ASSAY_OK;
}

/* Gives the rest of each low column to a high one. The stack holds the low ones from its
 * bottom and the high ones from its top. What rounding leaves over is full, but a zero
 * never is. */
static void
pair(column *c, const double *weights, uint64_t n, uint64_t largest, uint64_t *stack) {
    uint64_t low = 0, high = n;
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += weights[i] / weights[largest];
    for (uint64_t i = 0; i < n; i++) {
        c[i] = (column){weights[i] / weights[largest] / sum * (double)n, largest};
        if (c[i].keep < 1)
            stack[low++] = i;
        else
            stack[--high] = i;
    }
    while (low > 0 && high < n) {
        uint64_t from = stack[high], to = stack[--low];
        c[to].other = from;
        c[from].keep -= 1 - c[to].keep;
        if (c[from].keep < 1) {
            high++;
            stack[low++] = from;
        }
    }
    while (high < n)
        c[stack[high++]].keep = 1;
    while (low > 0) {
        uint64_t i = stack[--low];
        c[i].keep = weights[i] > 0 ? 1 : 0;
    }
}

assay_status
alias_create(alias_table **out, assay_ctx *ctx, const double *weights, uint64_t n) {
    assay_status status = ASSAY_OK;
    alias_table *t = NULL;
    uint64_t *stack = NULL, largest;
    *out = NULL;
    ASSAY_TRY(check(weights, n, &largest));
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    t->ctx = ctx;
    t->n = n;
    ASSAY_TRY(mem_new(ctx, &t->column, n, sizeof *t->column));
    ASSAY_TRY(mem_new(ctx, &stack, n, sizeof *stack));
    pair(t->column, weights, n, largest, stack);
    *out = t;
    t = NULL;
done:
    mem_free(ctx, stack);
    alias_destroy(t);
    return status;
}

void alias_destroy(alias_table *t) {
    if (t == NULL)
        return;
    mem_free(t->ctx, t->column);
    mem_free(t->ctx, t);
}

uint64_t alias_draw(const alias_table *t, rng *r) {
    double share = rng_uniform(r);
    const uint64_t i = rng_below(r, t->n);
    return share < t->column[i].keep ? i : t->column[i].other;
}
