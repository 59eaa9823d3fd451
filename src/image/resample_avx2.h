/* What the AVX-512V kernels borrow from the AVX2 ones. */
#ifndef IMAGE_RESAMPLE_AVX2_H
#define IMAGE_RESAMPLE_AVX2_H

#include "image/resample_inside.h"

/* The sums of a row by dot products, into a->sums. */
void resample_dots_avx2(const resample_across *a, const void *row);

#endif
