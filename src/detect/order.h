/* Places by what they are worth. */
#ifndef DETECT_ORDER_H
#define DETECT_ORDER_H

#include "base/ctx.h"

/* Places in order of falling values, ties by place: out [n] of values [n].
 * @errors NOMEM   @cost n log n */
ASSAY_MUST_CHECK assay_status detect_order(uint32_t *out,
                                           assay_ctx *ctx,
                                           const float *values,
                                           size_t n);

#endif
