/* Numbers that are known while importing: sizes, axes, factors. */
#include "nn/onnx/import_inside.h"

#include "nn/onnx/half.h"

#include <math.h>
#include <string.h>

static bool is_float(assay_dtype d) {
    return d == ASSAY_F32 || d == ASSAY_F64 || d == ASSAY_F16 || d == ASSAY_BF16;
}

assay_status imp_known_make(
    imp *im, assay_dtype dtype, int ndim, const int64_t *dim, imp_known **out) {
    assay_status status = ASSAY_OK;
    imp_known *k;
    size_t bytes;
    int64_t count;
    *out = NULL;
    ASSAY_TRY(ten_measure(&count, &bytes, ASSAY_I64, ndim, dim));
    ASSAY_TRY(imp_take(im, &k, 1, sizeof *k));
    k->dtype = dtype;
    k->ndim = ndim;
    k->count = count;
    for (int i = 0; i < ndim; i++)
        k->dim[i] = dim[i];
    ASSAY_TRY(is_float(dtype) ? imp_take(im, &k->f, (size_t)count + 1, sizeof *k->f)
                              : imp_take(im, &k->i, (size_t)count + 1, sizeof *k->i));
    *out = k;
done:
    return status;
}

static int64_t integer_at(assay_dtype dtype, const void *data, int64_t i) {
    switch (dtype) {
    case ASSAY_I8:
        return ((const int8_t *)data)[i];
    case ASSAY_U8:
    case ASSAY_BOOL:
        return ((const uint8_t *)data)[i];
    case ASSAY_I16:
        return ((const int16_t *)data)[i];
    case ASSAY_U16:
        return ((const uint16_t *)data)[i];
    case ASSAY_I32:
        return ((const int32_t *)data)[i];
    case ASSAY_U32:
        return ((const uint32_t *)data)[i];
    default:
        return ((const int64_t *)data)[i];
    }
}

static double float_at(assay_dtype dtype, const void *data, int64_t i) {
    switch (dtype) {
    case ASSAY_F64:
        return ((const double *)data)[i];
    case ASSAY_F16:
        return half_to_float(((const uint16_t *)data)[i]);
    case ASSAY_BF16:
        return ten_from_bf16(((const uint16_t *)data)[i]);
    default:
        return ((const float *)data)[i];
    }
}

assay_status imp_known_from(imp *im, const onnx_array *a, imp_known **out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(imp_known_make(im, a->dtype, a->ndim, a->dim, out));
    for (int64_t i = 0; i < a->count; i++)
        if ((*out)->f)
            (*out)->f[i] = float_at(a->dtype, a->data, i);
        else
            (*out)->i[i] = integer_at(a->dtype, a->data, i);
done:
    return status;
}

void imp_fill(imp_known *k, const onnx_array *one) {
    for (int64_t i = 0; i < k->count; i++)
        if (k->f)
            k->f[i] = float_at(one->dtype, one->data, 0);
        else
            k->i[i] = integer_at(one->dtype, one->data, 0);
}

void imp_known_bytes(const imp_known *k, void *out) {
    size_t size = assay_dtype_size(k->dtype);
    for (int64_t n = 0; n < k->count; n++) {
        uint8_t *to = (uint8_t *)out + (size_t)n * size;
        float f = k->f ? (float)k->f[n] : 0.0f;
        uint16_t half = k->dtype == ASSAY_F16    ? half_from_float(f)
                        : k->dtype == ASSAY_BF16 ? ten_bf16(f)
                                                 : 0;
        uint64_t bits = k->i ? (uint64_t)k->i[n] : half;
        if (k->dtype == ASSAY_F32)
            memcpy(to, &f, size);
        else if (k->dtype == ASSAY_F64)
            memcpy(to, &k->f[n], size);
        else
            for (size_t b = 0; b < size; b++)
                to[b] = (uint8_t)(bits >> 8 * b);
    }
}

/* Reads a tensor of the file, if it is small enough. */
static assay_status known_tensor(imp *im, imp_value *v) {
    assay_status status = ASSAY_OK;
    onnx_array a = {0};
    int64_t most = is_float(v->dtype) ? IMP_KNOWN_FLOATS : IMP_KNOWN_MOST;
    ASSAY_TRY(onnx_array_head(&a, v->init));
    if (a.count > most)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' decides about shapes and has %lld numbers",
                   v->name, (long long)a.count);
    ASSAY_TRY_AT(onnx_array_read(&a, im->ctx, v->init, im->options->folder),
                 "tensor '%s'", v->name);
    ASSAY_TRY(imp_known_from(im, &a, &v->known));
done:
    onnx_array_free(&a, im->ctx);
    return status;
}

const imp_known *imp_known_now(imp *im, imp_value *v) {
    if (v->known || !v->init || v->failed_known)
        return v->known;
    /* Floats that may be parameters stay what they are. */
    onnx_array head;
    bool fits = onnx_array_head(&head, v->init) == ASSAY_OK;
    if (fits && is_float(head.dtype))
        fits = head.count <= 1 || (v->constant && head.count <= IMP_KNOWN_FLOATS);
    if (!fits || head.count > IMP_KNOWN_MOST || known_tensor(im, v) != ASSAY_OK)
        v->failed_known = true;
    return v->known;
}

static assay_status known_bound(imp *im, imp_value *v) {
    assay_status status = ASSAY_OK;
    const onnx_bound *b = NULL;
    for (int i = 0; i < im->options->n_bound && !b; i++) {
        const onnx_bound *at = &im->options->bound[i];
        if (at->name ? strcmp(at->name, v->name) == 0 : i == v->input)
            b = at;
    }
    if (!b || !b->data) {
        status = err_set(ASSAY_E_UNSUPPORTED,
                         "input '%s' decides about shapes and must be known beforehand",
                         v->name);
        goto done;
    }
    onnx_array a = {.dtype = b->dtype, .ndim = b->ndim, .data = (void *)b->data};
    size_t bytes;
    memcpy(a.dim, b->dim, sizeof a.dim);
    ASSAY_TRY(ten_measure(&a.count, &bytes, a.dtype, a.ndim, a.dim));
    if (a.dtype != v->dtype || a.ndim != v->shape.ndim)
        ASSAY_FAIL(ASSAY_E_DTYPE,
                   "input '%s' is %s of %d dimensions, but was given as "
                   "%s of %d",
                   v->name, assay_dtype_name(v->dtype), v->shape.ndim,
                   assay_dtype_name(a.dtype), a.ndim);
    if (a.count > IMP_KNOWN_MOST)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' decides about shapes and has %lld numbers",
                   v->name, (long long)a.count);
    ASSAY_TRY(imp_known_from(im, &a, &v->known));
    im->out->in[v->input].bound = true;
    im->out->in[v->input].shape.ndim = a.ndim;
    memcpy(im->out->in[v->input].shape.dim, a.dim, sizeof a.dim);
    v->shape = im->out->in[v->input].shape;
    v->open = false;
    v->empty = im->out->in[v->input].empty = a.count == 0;
done:
    return status;
}

assay_status imp_known_of(imp *im, imp_value *v, const imp_known **out) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    if (!v->known && v->init)
        ASSAY_TRY(known_tensor(im, v));
    if (!v->known && v->input >= 0)
        ASSAY_TRY(known_bound(im, v));
    if (!v->known)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "'%s' decides about shapes, but is computed when the model runs",
                   v->name);
    *out = v->known;
done:
    return status;
}

assay_status
imp_ints(imp *im, imp_value *v, int most, int64_t *out, int *count, int *batch) {
    assay_status status = ASSAY_OK;
    const imp_known *k;
    *count = 0;
    if (batch)
        *batch = -1;
    ASSAY_TRY(imp_known_of(im, v, &k));
    if (!k->i || k->ndim > 1)
        ASSAY_FAIL(ASSAY_E_FORMAT, "'%s' must be a list of integers", v->name);
    if (k->count > most)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' has %lld numbers; up to %d are handled",
                   v->name, (long long)k->count, most);
    *count = (int)k->count;
    for (int i = 0; i < *count; i++) {
        out[i] = k->i[i];
        if (!k->batch || !k->batch[i])
            continue;
        if (!batch || *batch >= 0)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' holds the size of the batch", v->name);
        *batch = i;
    }
done:
    return status;
}

assay_status imp_number(imp *im, imp_value *v, double *out) {
    assay_status status = ASSAY_OK;
    const imp_known *k;
    *out = 0;
    ASSAY_TRY(imp_known_of(im, v, &k));
    if (k->count != 1 || (k->batch && k->batch[0]))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' must be one number", v->name);
    *out = k->f ? k->f[0] : (double)k->i[0];
done:
    return status;
}
