/* Draws in proportion to weights, each in O(1), from a table of O(n) (Walker 1977; built
 * as in Vose, "A linear algorithm for generating random numbers with a given
 * distribution", 1991). */
#ifndef DATA_ALIAS_H
#define DATA_ALIAS_H

#include "base/ctx.h"
#include "base/rng.h"

typedef struct alias_table alias_table;

/* Weights [n]: finite, none below 0, not all 0. INVALID names the first wrong one; NOMEM.
 * 16 bytes each. */
ASSAY_MUST_CHECK assay_status alias_create(alias_table **out,
                                           assay_ctx *ctx,
                                           const double *weights,
                                           uint64_t n);
void alias_destroy(alias_table *t); /* accepts NULL */
/* In [0, n). A weight of 0 is never drawn. Takes the same numbers from `r` whatever the
 * weights. @threads safe */
uint64_t alias_draw(const alias_table *t, rng *r);

#endif
