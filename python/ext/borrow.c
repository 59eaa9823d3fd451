/* Other people's arrays, by the buffer protocol or DLPack, without a copy where their
 * elements lie as they are needed. */
#include "ext.h"

#include "dlpack.h"

#include <stdlib.h>
#include <string.h>

static bool dtype_of_letter(assay_dtype *out, char letter, Py_ssize_t size) {
    const char *reals = "fde", *ints = "bhilqn", *naturals = "BHILQN";
    if (letter == '?')
        *out = ASSAY_BOOL;
    else if (strchr(reals, letter))
        *out = size == 4 ? ASSAY_F32 : size == 8 ? ASSAY_F64 : ASSAY_F16;
    else if (strchr(ints, letter))
        *out = size == 1   ? ASSAY_I8
               : size == 2 ? ASSAY_I16
               : size == 4 ? ASSAY_I32
                           : ASSAY_I64;
    else if (letter == 'c' || strchr(naturals, letter))
        *out = size == 1   ? ASSAY_U8
               : size == 2 ? ASSAY_U16
               : size == 4 ? ASSAY_U32
                           : ASSAY_U64;
    else
        return false;
    return (Py_ssize_t)assay_dtype_size(*out) == size;
}

static int refuse(const char *what, const char *why) {
    PyErr_Format(PyExc_TypeError, "%s: %s", what, why);
    return -1;
}

/* Whether this is C order without gaps; and the bytes. */
static void measure(borrowed *b) {
    int64_t step = 1, count = 1;
    b->dense = true;
    for (int i = b->ndim; i-- > 0;) {
        if (b->dim[i] != 1 && b->stride[i] != step)
            b->dense = false;
        step *= b->dim[i];
        count *= b->dim[i];
    }
    b->dense = b->dense || count == 0;
    b->bytes = (size_t)count * assay_dtype_size(b->dtype);
}

static int by_buffer(borrowed *b, PyObject *object, const char *what) {
    if (PyObject_GetBuffer(object, &b->view, PyBUF_STRIDES | PyBUF_FORMAT) < 0)
        return -1;
    const char *format = b->view.format ? b->view.format : "B";
    if (strchr("@=<|", format[0]) && format[0])
        format++;
    if (format[0] == '>' || !format[0] || format[1] ||
        !dtype_of_letter(&b->dtype, format[0], b->view.itemsize))
        return refuse(what,
                      "elements must be plain numbers in this machine's byte order");
    if (b->view.ndim > ASSAY_MAX_DIMS)
        return refuse(what, "too many dimensions");
    b->ndim = b->view.ndim;
    b->data = b->view.buf;
    for (int i = 0; i < b->ndim; i++) {
        b->dim[i] = b->view.shape[i];
        b->stride[i] = b->view.strides[i] / b->view.itemsize;
        if (b->view.strides[i] % b->view.itemsize != 0)
            b->stride[i] = -1; /* will be copied */
    }
    return 0;
}

static bool dtype_of_dl(assay_dtype *out, int code, int bits) {
    const assay_dtype ints[] = {ASSAY_I8, ASSAY_I16, ASSAY_I32, ASSAY_I64};
    const assay_dtype naturals[] = {ASSAY_U8, ASSAY_U16, ASSAY_U32, ASSAY_U64};
    int at = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
    if (code == DL_BOOL)
        *out = ASSAY_BOOL;
    else if (code == DL_BFLOAT)
        *out = ASSAY_BF16;
    else if (code == DL_FLOAT)
        *out = bits == 16 ? ASSAY_F16 : bits == 32 ? ASSAY_F32 : ASSAY_F64;
    else if (code == DL_INT || code == DL_UINT)
        *out = code == DL_INT ? ints[at] : naturals[at];
    else
        return false;
    return assay_dtype_size(*out) * 8 == (size_t)bits;
}

static int by_dlpack(borrowed *b, PyObject *object, const char *what) {
    b->capsule = PyObject_CallMethod(object, "__dlpack__", NULL);
    if (!b->capsule)
        return -1;
    dl_managed *m = PyCapsule_GetPointer(b->capsule, "dltensor");
    if (!m)
        return -1;
    const dl_tensor *t = &m->tensor;
    if (t->device.type != DL_CPU)
        return refuse(what, "the array is not in the processor's memory");
    if (t->dtype.lanes != 1 || !dtype_of_dl(&b->dtype, t->dtype.code, t->dtype.bits))
        return refuse(what, "elements of this type are not taken");
    if (t->ndim > ASSAY_MAX_DIMS)
        return refuse(what, "too many dimensions");
    b->ndim = t->ndim;
    b->data = (char *)t->data + t->byte_offset;
    int64_t step = 1;
    for (int i = b->ndim; i-- > 0;) {
        b->dim[i] = t->shape[i];
        b->stride[i] = t->strides ? t->strides[i] : step;
        step *= t->shape[i];
    }
    return 0;
}

/* C order in memory of our own. */
static int make_dense(borrowed *b) {
    int64_t at[ASSAY_MAX_DIMS] = {0}, count = 1;
    size_t item = assay_dtype_size(b->dtype);
    b->copy = malloc(b->bytes);
    if (!b->copy) {
        PyErr_NoMemory();
        return -1;
    }
    if (b->view.obj) {
        if (PyBuffer_ToContiguous(b->copy, &b->view, b->view.len, 'C') < 0)
            return -1;
    } else {
        for (int i = 0; i < b->ndim; i++)
            count *= b->dim[i];
        for (int64_t k = 0; k < count; k++) {
            int64_t from = 0;
            for (int i = 0; i < b->ndim; i++)
                from += at[i] * b->stride[i];
            memcpy((char *)b->copy + (size_t)k * item,
                   (const char *)b->data + from * (int64_t)item, item);
            for (int i = b->ndim; i-- > 0 && ++at[i] == b->dim[i];)
                at[i] = 0;
        }
    }
    b->data = b->copy;
    for (int64_t i = b->ndim, step = 1; i-- > 0; step *= b->dim[i])
        b->stride[i] = step;
    b->dense = true;
    return 0;
}

int borrow(borrowed *b, PyObject *object, bool dense, const char *what) {
    int failed;
    *b = (borrowed){0};
    if (PyObject_CheckBuffer(object)) {
        failed = by_buffer(b, object, what);
    } else if (PyObject_HasAttrString(object, "__dlpack__")) {
        failed = by_dlpack(b, object, what);
    } else {
        PyErr_Format(PyExc_TypeError,
                     "%s: an array is wanted (buffer protocol or DLPack), not %R", what,
                     (PyObject *)Py_TYPE(object));
        failed = -1;
    }
    if (!failed) {
        bool usable = true;
        measure(b);
        for (int i = 0; i < b->ndim; i++)
            usable = usable && b->stride[i] >= 0;
        if ((dense && !b->dense) || !usable)
            failed = make_dense(b);
    }
    if (failed)
        borrow_end(b);
    return failed;
}

void borrow_end(borrowed *b) {
    if (b->view.obj)
        PyBuffer_Release(&b->view);
    Py_CLEAR(b->capsule);
    free(b->copy);
    *b = (borrowed){0};
}
