/* .npy files as tensors, for programs outside. */
#include "file/npy.h"

#include <assay/file.h>

#include <string.h>

assay_status assay_npy_read(assay_tensor **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    assay_tensor *t = NULL;
    *out = NULL;
    ASSAY_TRY(npy_open(&a, ctx, path, false));
    ASSAY_TRY(assay_tensor_create(&t, ctx, a.dtype, a.ndim, a.dim, ASSAY_ROW_MAJOR));
    if (a.bytes)
        memcpy(assay_tensor_data(t), a.data, a.bytes);
    *out = t;
    t = NULL;
done:
    assay_tensor_unref(t);
    npy_close(&a);
    return status;
}

assay_status assay_npy_write(assay_ctx *ctx, const char *path, const assay_tensor *t) {
    assay_status status = ASSAY_OK;
    uint8_t *dense = NULL;
    const uint8_t *data = assay_tensor_data(t);
    int ndim = assay_tensor_ndim(t);
    const int64_t *dim = assay_tensor_dims(t), *stride = assay_tensor_strides(t);
    size_t size = assay_dtype_size(assay_tensor_dtype(t));
    if (!assay_tensor_is_dense(t, ASSAY_ROW_MAJOR)) {
        int64_t count = assay_tensor_count(t);
        ASSAY_TRY(mem_new(ctx, &dense, (size_t)count + 1, size));
        for (int64_t i = 0; i < count; i++) {
            int64_t rest = i, from = 0;
            for (int d = ndim; d-- > 0; rest /= dim[d])
                from += rest % dim[d] * stride[d];
            memcpy(dense + (size_t)i * size, data + (size_t)from * size, size);
        }
        data = dense;
    }
    ASSAY_TRY(npy_put(ctx, path, assay_tensor_dtype(t), ndim, dim, data));
done:
    mem_free(ctx, dense);
    return status;
}
