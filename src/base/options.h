/* The rule for option structures: they begin with `size_t struct_size` and only ever
 * grow. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/status.h"

/* Fills `out` (`size` bytes, holding the defaults) from the caller's `given`, which may
 * be shorter (an older caller: the rest keeps its default) or longer (a newer one:
 * refused unless the unknown rest is zero). `given` NULL: the defaults. `name` is for the
 * message. INVALID. */
ASSAY_MUST_CHECK assay_status options_take(void *out,
                                           size_t size,
                                           const void *given,
                                           const char *name);

#endif
