/* What all window transforms share: their size and filter arguments, and boxes. */
#ifndef DATA_WINDOWS_H
#define DATA_WINDOWS_H

#include "data/transform.h"

/* The first argument of those that resize: height:width, or one number for both. */
#define WINDOW_SIZE_ARG                                                                  \
    {                                                                                    \
        .name = "size", .count = 2, .least = 1, .most = 16384, .whole = true,            \
        .needed = true                                                                   \
    }

/* Words of a filter argument, in resample_filter's order. */
extern const char *const window_filters[];

/* Sets p->out from the size, which is the first argument. */
void window_set_out(transform_plan *p);
/* The largest box of the output's shape in the middle, its sides shrunk to `ratio`. */
void window_central(
    const transform_plan *p, int width, int height, double ratio, image_box *box);

#endif
