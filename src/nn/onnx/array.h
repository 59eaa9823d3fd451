/* An ONNX tensor's values as a plain array, wherever the file keeps them. */
#ifndef NN_ONNX_ARRAY_H
#define NN_ONNX_ARRAY_H

#include "nn/onnx/ir.h"

typedef struct onnx_array {
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS]; /* may be 0 */
    int64_t count;
    void *data; /* row by row, owned; never NULL after onnx_array_read */
} onnx_array;

/* Element type, sizes and count alone; `data` stays NULL.
 * UNSUPPORTED for strings and the like, FORMAT for sizes that make no sense. */
ASSAY_MUST_CHECK assay_status onnx_array_head(onnx_array *out, const onnx_tensor *t);
/* The same, and whether all values are there: what a few bytes claim is not to be
 * allocated. FORMAT. */
ASSAY_MUST_CHECK assay_status onnx_array_check(onnx_array *out,
                                               const onnx_tensor *t,
                                               const char *folder);
/* With the values. `folder` holds external data; NULL: none is read. FORMAT when there
 * are fewer or more values than the sizes say, or a path leads out of the folder. */
ASSAY_MUST_CHECK assay_status onnx_array_read(onnx_array *out,
                                              assay_ctx *ctx,
                                              const onnx_tensor *t,
                                              const char *folder);
void onnx_array_free(onnx_array *a, assay_ctx *ctx);

#endif
