/* tensor: element types, and arrays that know their shape and how they lie in memory.
 * Arithmetic is elsewhere. */
#ifndef ASSAY_TENSOR_H
#define ASSAY_TENSOR_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Element types. Numbers are little-endian in files; bf16 and f16 are kept as uint16_t.
 */
typedef enum assay_dtype {
    ASSAY_F32 = 0,
    ASSAY_F64 = 1,
    ASSAY_BF16 = 2,
    ASSAY_F16 = 3,
    ASSAY_I8 = 4,
    ASSAY_U8 = 5,
    ASSAY_I16 = 6,
    ASSAY_U16 = 7,
    ASSAY_I32 = 8,
    ASSAY_U32 = 9,
    ASSAY_I64 = 10,
    ASSAY_U64 = 11,
    ASSAY_BOOL = 12 /**< one byte, 0 or 1 */
} assay_dtype;

#define ASSAY_MAX_DIMS 8

/** Bytes of one element; 0 for a number that is no dtype. @threads safe */
ASSAY_API size_t assay_dtype_size(assay_dtype dtype);

/** "f32", "bf16", "bool"; "unknown" for a number that is no dtype. @threads safe */
ASSAY_API const char *assay_dtype_name(assay_dtype dtype);

/** How elements follow each other in memory. Dimensions are N,C,H,W in both. */
typedef enum assay_layout {
    ASSAY_ROW_MAJOR = 0,    /**< the last dimension is densest */
    ASSAY_CHANNELS_LAST = 1 /**< four dimensions, C densest: N,H,W,C in memory */
} assay_layout;

/** An array with a shape; counted references. The strides are in elements. */
typedef struct assay_tensor assay_tensor;

/** Makes a zeroed tensor with memory of its own.
 *  @param out  one reference   @param dim  [ndim], each >= 0; ndim 0 is a scalar
 *  @errors INVALID, DTYPE, SHAPE (channels-last wants four dimensions), NOMEM   @threads
 * safe */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_tensor_create(assay_tensor **out,
                                                            assay_ctx *ctx,
                                                            assay_dtype dtype,
                                                            int ndim,
                                                            const int64_t *dim,
                                                            assay_layout layout);

/** Wraps memory of the caller's, which must outlive every reference and view.
 *  @param data  borrowed   @param stride  [ndim] in elements, each >= 0; NULL: row-major
 *  @errors INVALID, DTYPE, SHAPE, NOMEM   @threads safe */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_tensor_wrap(assay_tensor **out,
                                                          assay_ctx *ctx,
                                                          void *data,
                                                          assay_dtype dtype,
                                                          int ndim,
                                                          const int64_t *dim,
                                                          const int64_t *stride);

/** Makes another look at the same memory, which it keeps alive.
 *  @param first  index of the view's first element, counted from the tensor's first in
 * memory
 *  @param stride  [ndim] in elements, each >= 0; NULL: row-major
 *  @errors SHAPE when it would reach outside, INVALID, NOMEM   @threads safe */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_tensor_view(assay_tensor **out,
                                                          assay_tensor *tensor,
                                                          int64_t first,
                                                          int ndim,
                                                          const int64_t *dim,
                                                          const int64_t *stride);

/** One more reference; returns its argument. @threads safe */
ASSAY_API assay_tensor *assay_tensor_ref(assay_tensor *tensor);
/** One reference less; the last one frees. Accepts NULL. @threads safe */
ASSAY_API void assay_tensor_unref(assay_tensor *tensor);

ASSAY_API assay_dtype assay_tensor_dtype(const assay_tensor *tensor);
ASSAY_API int assay_tensor_ndim(const assay_tensor *tensor);
/** Sizes, [ndim], borrowed. */
ASSAY_API const int64_t *assay_tensor_dims(const assay_tensor *tensor);
/** Distances in elements, [ndim], borrowed. */
ASSAY_API const int64_t *assay_tensor_strides(const assay_tensor *tensor);
/** Number of elements. */
ASSAY_API int64_t assay_tensor_count(const assay_tensor *tensor);
/** The first element, borrowed; writable as far as the memory behind it is. */
ASSAY_API void *assay_tensor_data(const assay_tensor *tensor);
/** 1 when the elements fill count x size bytes in this order without gaps, else 0. */
ASSAY_API int assay_tensor_is_dense(const assay_tensor *tensor, assay_layout layout);

#ifdef __cplusplus
}
#endif
#endif
