/* Inside of the tensor room: what files need to know about element types and shapes. */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include "base/ctx.h"

#include <assay/tensor.h>

enum { DTYPE_COUNT = 13 };

/* NumPy's type string, "<f4", "|u1", "|b1"; NULL for bf16, which NumPy does not have. */
const char *dtype_typestr(assay_dtype dtype);
/* DTYPE for one not known here, big-endian ones included. */
ASSAY_MUST_CHECK assay_status dtype_from_typestr(assay_dtype *out, const char *typestr);
/* From assay_dtype_name's words. DTYPE. */
ASSAY_MUST_CHECK assay_status dtype_from_name(assay_dtype *out, const char *name);

/* Elements and bytes of a dense array. SHAPE on a negative size or when bytes pass 2^62.
 */
ASSAY_MUST_CHECK assay_status ten_measure(
    int64_t *count, size_t *bytes, assay_dtype dtype, int ndim, const int64_t *dim);

/* bf16 by rounding to nearest even (NaN stays NaN), and back. */
uint16_t ten_bf16(float v);
float ten_from_bf16(uint16_t v);

/* IEEE 754 binary16 by rounding to nearest even (65520 and more: infinity), and back. */
uint16_t ten_f16(float v);
float ten_from_f16(uint16_t v);

#endif
