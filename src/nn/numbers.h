/* Runs of numbers of any element type, to and from the three types that arithmetic is
 * done in: f32, f64, and 64-bit integers. */
#ifndef NN_NUMBERS_H
#define NN_NUMBERS_H

#include "tensor/tensor.h"

bool num_is_float(assay_dtype dtype);
bool num_is_unsigned(assay_dtype dtype); /* truth values too */

/* n numbers, `stride` elements apart. */
void num_to_f32(float *to, const void *from, assay_dtype dtype, int64_t stride, size_t n);
void num_to_f64(
    double *to, const void *from, assay_dtype dtype, int64_t stride, size_t n);
/* Integers; u64 by its bits. Floats are cut to what fits, NaN is 0. */
void num_to_i64(
    int64_t *to, const void *from, assay_dtype dtype, int64_t stride, size_t n);

/* The other way, densely. Floats become integers by cutting off the fraction and then to
 * the nearest that fits; integers keep their low bits; what is not 0 is true. */
void num_from_f32(void *to, assay_dtype dtype, const float *from, size_t n);
void num_from_f64(void *to, assay_dtype dtype, const double *from, size_t n);
void num_from_i64(void *to, assay_dtype dtype, const int64_t *from, size_t n);

#endif
