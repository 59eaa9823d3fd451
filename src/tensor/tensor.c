/* The tensor: counted references to a shape over memory that is its own, another's or a
 * caller's. */
#include "tensor/tensor.h"

#include <stdatomic.h>
#include <string.h>

struct assay_tensor {
    assay_ctx *ctx;
    atomic_int refs;
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS], stride[ASSAY_MAX_DIMS];
    int64_t count;
    uint8_t *data;
    int64_t reach;       /* elements of memory from `data` on that belong to it */
    void *own;           /* freed with it, or NULL */
    assay_tensor *under; /* the tensor whose memory this looks at, or NULL */
};

assay_status ten_measure(
    int64_t *count, size_t *bytes, assay_dtype dtype, int ndim, const int64_t *dim) {
    const int64_t most = INT64_C(1) << 62;
    int64_t size = (int64_t)assay_dtype_size(dtype);
    *count = 0;
    *bytes = 0;
    if (size == 0)
        return err_set(ASSAY_E_DTYPE, "there is no element type %d", (int)dtype);
    if (ndim < 0 || ndim > ASSAY_MAX_DIMS)
        return err_set(ASSAY_E_SHAPE, "%d dimensions; from 0 to %d are possible", ndim,
                       ASSAY_MAX_DIMS);
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 0)
            return err_set(ASSAY_E_SHAPE, "dimension %d is %lld", i, (long long)dim[i]);
        empty = empty || dim[i] == 0;
    }
    for (int i = 0; i < ndim && !empty; i++) {
        if (dim[i] > most / size / n)
            return err_set(ASSAY_E_SHAPE,
                           "the sizes multiply to more than memory can be");
        n *= dim[i];
    }
    *count = empty ? 0 : n;
    *bytes = (size_t)(*count * size);
    return ASSAY_OK;
}

static void
dense_strides(int64_t *stride, int ndim, const int64_t *dim, assay_layout layout) {
    static const int rows[ASSAY_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int channels_last[4] = {0, 2, 3, 1};
    const int *order = layout == ASSAY_CHANNELS_LAST ? channels_last : rows;
    int64_t step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        stride[order[i]] = step;
        step *= dim[order[i]] > 0 ? dim[order[i]] : 1;
    }
}

/* Index of the last element plus one. SHAPE when it passes `most`. */
static assay_status measure_reach(int64_t *out, const assay_tensor *t, int64_t most) {
    *out = 0;
    if (t->count == 0)
        return ASSAY_OK;
    int64_t last = 0;
    for (int i = 0; i < t->ndim; i++) {
        if (t->stride[i] < 0)
            return err_set(ASSAY_E_INVALID, "stride %d is %lld", i,
                           (long long)t->stride[i]);
        int64_t steps = t->dim[i] - 1;
        if (steps > 0 && t->stride[i] > (most - 1 - last) / steps)
            return err_set(ASSAY_E_SHAPE, "dimension %d reaches outside the memory", i);
        last += steps * t->stride[i];
    }
    *out = last + 1;
    return last < most ? ASSAY_OK
                       : err_set(ASSAY_E_SHAPE, "it begins outside the memory");
}

/* A tensor without memory, its strides set. */
static assay_status make(assay_tensor **out,
                         assay_ctx *ctx,
                         assay_dtype dtype,
                         int ndim,
                         const int64_t *dim,
                         const int64_t *stride,
                         assay_layout layout) {
    int64_t count;
    size_t bytes;
    *out = NULL;
    assay_status status = ten_measure(&count, &bytes, dtype, ndim, dim);
    if (status != ASSAY_OK)
        return status;
    if (layout == ASSAY_CHANNELS_LAST && ndim != 4)
        return err_set(ASSAY_E_SHAPE, "channels-last wants 4 dimensions, not %d", ndim);
    assay_tensor *t;
    status = mem_new(ctx, &t, 1, sizeof *t);
    if (status != ASSAY_OK)
        return status;
    t->ctx = ctx;
    atomic_init(&t->refs, 1);
    t->dtype = dtype;
    t->ndim = ndim;
    t->count = count;
    for (int i = 0; i < ndim; i++)
        t->dim[i] = dim[i];
    if (stride)
        memcpy(t->stride, stride, (size_t)ndim * sizeof *stride);
    else
        dense_strides(t->stride, ndim, dim, layout);
    *out = t;
    return ASSAY_OK;
}

assay_status assay_tensor_create(assay_tensor **out,
                                 assay_ctx *ctx,
                                 assay_dtype dtype,
                                 int ndim,
                                 const int64_t *dim,
                                 assay_layout layout) {
    assay_status status = ASSAY_OK;
    assay_tensor *t = NULL;
    *out = NULL;
    if (layout != ASSAY_ROW_MAJOR && layout != ASSAY_CHANNELS_LAST)
        ASSAY_FAIL(ASSAY_E_INVALID, "there is no layout %d", (int)layout);
    ASSAY_TRY(make(&t, ctx, dtype, ndim, dim, NULL, layout));
    ASSAY_TRY(mem_new(ctx, &t->own, (size_t)t->count, assay_dtype_size(dtype)));
    t->data = t->own;
    t->reach = t->count;
    *out = t;
    t = NULL;
done:
    assay_tensor_unref(t);
    return status;
}

assay_status assay_tensor_wrap(assay_tensor **out,
                               assay_ctx *ctx,
                               void *data,
                               assay_dtype dtype,
                               int ndim,
                               const int64_t *dim,
                               const int64_t *stride) {
    assay_status status = ASSAY_OK;
    assay_tensor *t = NULL;
    *out = NULL;
    ASSAY_TRY(make(&t, ctx, dtype, ndim, dim, stride, ASSAY_ROW_MAJOR));
    if (!data && t->count > 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "no memory was given");
    ASSAY_TRY(measure_reach(&t->reach, t, INT64_C(1) << 59));
    t->data = data;
    *out = t;
    t = NULL;
done:
    assay_tensor_unref(t);
    return status;
}

assay_status assay_tensor_view(assay_tensor **out,
                               assay_tensor *tensor,
                               int64_t first,
                               int ndim,
                               const int64_t *dim,
                               const int64_t *stride) {
    assay_status status = ASSAY_OK;
    assay_tensor *t = NULL;
    *out = NULL;
    if (first < 0 || first > tensor->reach)
        ASSAY_FAIL(ASSAY_E_SHAPE, "it begins outside the memory");
    ASSAY_TRY(make(&t, tensor->ctx, tensor->dtype, ndim, dim, stride, ASSAY_ROW_MAJOR));
    ASSAY_TRY(measure_reach(&t->reach, t, tensor->reach - first));
    if (tensor->data)
        t->data = tensor->data + (size_t)first * assay_dtype_size(tensor->dtype);
    t->under = assay_tensor_ref(tensor);
    *out = t;
    t = NULL;
done:
    assay_tensor_unref(t);
    return status;
}

assay_tensor *assay_tensor_ref(assay_tensor *tensor) {
    atomic_fetch_add_explicit(&tensor->refs, 1, memory_order_relaxed);
    return tensor;
}

void assay_tensor_unref(assay_tensor *tensor) {
    while (tensor &&
           atomic_fetch_sub_explicit(&tensor->refs, 1, memory_order_acq_rel) == 1) {
        assay_tensor *under =
            tensor->under; /* a view's going takes a reference with it */
        mem_free(tensor->ctx, tensor->own);
        mem_free(tensor->ctx, tensor);
        tensor = under;
    }
}

assay_dtype assay_tensor_dtype(const assay_tensor *tensor) {
    return tensor->dtype;
}
int assay_tensor_ndim(const assay_tensor *tensor) {
    return tensor->ndim;
}
const int64_t *assay_tensor_dims(const assay_tensor *tensor) {
    return tensor->dim;
}
const int64_t *assay_tensor_strides(const assay_tensor *tensor) {
    return tensor->stride;
}
int64_t assay_tensor_count(const assay_tensor *tensor) {
    return tensor->count;
}
void *assay_tensor_data(const assay_tensor *tensor) {
    return tensor->data;
}

int assay_tensor_is_dense(const assay_tensor *tensor, assay_layout layout) {
    int64_t dense[ASSAY_MAX_DIMS];
    if (layout == ASSAY_CHANNELS_LAST && tensor->ndim != 4)
        return 0;
    dense_strides(dense, tensor->ndim, tensor->dim, layout);
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->count > 0 && tensor->dim[i] > 1 && tensor->stride[i] != dense[i])
            return 0;
    return 1;
}
