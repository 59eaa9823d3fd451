/* Array: what the library hands out. It owns nothing but a share of its memory, and goes
 * to NumPy, PyTorch and others without a copy, by the buffer protocol or DLPack. */
#include "ext.h"

#include "dlpack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of each element type: the letter of the buffer protocol (bf16 has none: its bits), and
 * DLPack's. */
typedef struct type_words {
    const char *format;
    uint8_t code, bits;
} type_words;

static const type_words words[] = {
    [ASSAY_F32] = {"f", DL_FLOAT, 32},   [ASSAY_F64] = {"d", DL_FLOAT, 64},
    [ASSAY_BF16] = {"H", DL_BFLOAT, 16}, [ASSAY_F16] = {"e", DL_FLOAT, 16},
    [ASSAY_I8] = {"b", DL_INT, 8},       [ASSAY_U8] = {"B", DL_UINT, 8},
    [ASSAY_I16] = {"h", DL_INT, 16},     [ASSAY_U16] = {"H", DL_UINT, 16},
    [ASSAY_I32] = {"i", DL_INT, 32},     [ASSAY_U32] = {"I", DL_UINT, 32},
    [ASSAY_I64] = {"q", DL_INT, 64},     [ASSAY_U64] = {"Q", DL_UINT, 64},
    [ASSAY_BOOL] = {"?", DL_BOOL, 8},
};

/* ---- memory ---- */

memory *memory_new(void *handle, void (*release)(void *), context *c) {
    PyTypeObject *type = ext_get()->memory;
    memory *m = (memory *)PyType_GenericAlloc(type, 0);
    if (!m)
        return NULL;
    m->handle = handle;
    m->release = release;
    m->context = c;
    share(c);
    return m;
}

static void memory_dealloc(PyObject *self) {
    memory *m = (memory *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (m->handle && m->context->pid == getpid())
        m->release(m->handle);
    drop(m->context);
    PyObject_Free(self);
    drop(type);
}

static PyType_Slot memory_slots[] = {
    {Py_tp_doc, "Memory of the library's."}, {Py_tp_dealloc, memory_dealloc}, {0, NULL}};
static PyType_Spec memory_spec = {.name = "assay._assay.Memory",
                                  .basicsize = sizeof(memory),
                                  .flags = Py_TPFLAGS_DEFAULT |
                                           Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  .slots = memory_slots};

/* ---- arrays ---- */

array *array_new(PyObject *owner,
                 const void *data,
                 assay_dtype dtype,
                 int ndim,
                 const int64_t *dim,
                 const int64_t *stride) {
    array *a = (array *)PyType_GenericAlloc(ext_get()->array, 0);
    if (!a)
        return NULL;
    Py_ssize_t item = (Py_ssize_t)assay_dtype_size(dtype), step = item;
    a->owner = owner;
    share(owner);
    a->data = (void *)(uintptr_t)data;
    a->dtype = dtype;
    a->ndim = ndim;
    for (int i = ndim; i-- > 0;) {
        a->shape[i] = (Py_ssize_t)dim[i];
        a->stride[i] = stride ? (Py_ssize_t)stride[i] * item : step;
        step *= a->shape[i];
    }
    return a;
}

static void unref_tensor(void *tensor) {
    assay_tensor_unref(tensor);
}

PyObject *array_of_tensor(assay_tensor *tensor, context *c) {
    memory *m = memory_new(tensor, unref_tensor, c);
    if (!m) {
        assay_tensor_unref(tensor);
        return NULL;
    }
    array *a = array_new((PyObject *)m, assay_tensor_data(tensor),
                         assay_tensor_dtype(tensor), assay_tensor_ndim(tensor),
                         assay_tensor_dims(tensor), assay_tensor_strides(tensor));
    drop(m);
    return (PyObject *)a;
}

static void array_dealloc(PyObject *self) {
    array *a = (array *)self;
    PyTypeObject *type = Py_TYPE(self);
    drop(a->owner);
    drop(a->lengths);
    PyObject_Free(self);
    drop(type);
}

static Py_ssize_t array_bytes(const array *a) {
    Py_ssize_t n = (Py_ssize_t)assay_dtype_size(a->dtype);
    for (int i = 0; i < a->ndim; i++)
        n *= a->shape[i];
    return n;
}

static bool is_dense(const array *a) {
    Py_ssize_t step = (Py_ssize_t)assay_dtype_size(a->dtype);
    for (int i = a->ndim; i-- > 0;) {
        if (a->shape[i] != 1 && a->stride[i] != step)
            return array_bytes(a) == 0;
        step *= a->shape[i];
    }
    return true;
}

/* ---- the buffer protocol ---- */

static int array_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    array *a = (array *)self;
    view->obj = NULL;
    if (a->readonly && (flags & PyBUF_WRITABLE) == PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "this array is read-only");
        return -1;
    }
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES && !is_dense(a)) {
        PyErr_SetString(PyExc_BufferError, "this array is not contiguous");
        return -1;
    }
    share(self);
    *view = (Py_buffer){.buf = a->data,
                        .obj = self,
                        .len = array_bytes(a),
                        .itemsize = (Py_ssize_t)assay_dtype_size(a->dtype),
                        .readonly = a->readonly,
                        .ndim = (flags & PyBUF_ND) == PyBUF_ND ? a->ndim : 1,
                        .format = (flags & PyBUF_FORMAT) == PyBUF_FORMAT
                                      ? (char *)(uintptr_t)words[a->dtype].format
                                      : NULL,
                        .shape = (flags & PyBUF_ND) == PyBUF_ND ? a->shape : NULL,
                        .strides =
                            (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? a->stride : NULL};
    return 0;
}

/* ---- DLPack ---- */

/* What an export needs to live, in one block: a struct of DLPack's, sizes, strides. */
typedef struct dl_export {
    union {
        dl_managed old;
        dl_versioned now;
    } as;
    int64_t shape[ASSAY_MAX_DIMS], stride[ASSAY_MAX_DIMS];
} dl_export;

/* From any thread, without the GIL. */
static void let_go(void *cookie, void *block) {
    if (Py_IsInitialized()) {
        PyGILState_STATE gil = PyGILState_Ensure();
        drop((PyObject *)cookie);
        PyGILState_Release(gil);
    }
    free(block);
}

static void delete_old(dl_managed *m) {
    let_go(m->cookie, m);
}

static void delete_versioned(dl_versioned *m) {
    let_go(m->cookie, m);
}

/* A capsule that nobody took. */
static void capsule_end(PyObject *capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        dl_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        m->deleter(m);
    } else if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dl_versioned *m = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        m->deleter(m);
    }
}

static void fill_tensor(dl_tensor *t, dl_export *e, const array *a) {
    Py_ssize_t item = (Py_ssize_t)assay_dtype_size(a->dtype);
    *t = (dl_tensor){.data = a->data,
                     .device = {DL_CPU, 0},
                     .ndim = a->ndim,
                     .dtype = {words[a->dtype].code, words[a->dtype].bits, 1},
                     .shape = e->shape,
                     .strides = e->stride};
    for (int i = 0; i < a->ndim; i++) {
        e->shape[i] = a->shape[i];
        e->stride[i] = a->stride[i] / item;
    }
}

static PyObject *export_array(array *a, bool versioned, bool copied) {
    dl_export *e = calloc(1, sizeof *e);
    PyObject *capsule;
    if (!e)
        return PyErr_NoMemory();
    if (versioned) {
        e->as.now.version.major = 1;
        e->as.now.cookie = a;
        e->as.now.deleter = delete_versioned;
        e->as.now.flags = (a->readonly ? DL_READ_ONLY : 0) | (copied ? DL_COPIED : 0);
        fill_tensor(&e->as.now.tensor, e, a);
        capsule = PyCapsule_New(e, "dltensor_versioned", capsule_end);
    } else {
        e->as.old.cookie = a;
        e->as.old.deleter = delete_old;
        fill_tensor(&e->as.old.tensor, e, a);
        capsule = PyCapsule_New(e, "dltensor", capsule_end);
    }
    if (capsule)
        share(a);
    else
        free(e);
    return capsule;
}

static void free_memory(void *block) {
    free(block);
}

/* Row by row: the last dimension is copied at once where it is dense. */
static void copy_elements(char *to, const array *a, int d, const char *from) {
    Py_ssize_t item = (Py_ssize_t)assay_dtype_size(a->dtype), rest = item;
    if (d == a->ndim) {
        memcpy(to, from, (size_t)item);
        return;
    }
    for (int i = d + 1; i < a->ndim; i++)
        rest *= a->shape[i];
    if (d == a->ndim - 1 && a->stride[d] == item) {
        memcpy(to, from, (size_t)(item * a->shape[d]));
        return;
    }
    for (Py_ssize_t i = 0; i < a->shape[d]; i++)
        copy_elements(to + i * rest, a, d + 1, from + i * a->stride[d]);
}

static PyObject *array_copy(PyObject *self, PyObject *none) {
    array *a = (array *)self;
    int64_t dim[ASSAY_MAX_DIMS];
    size_t bytes = (size_t)array_bytes(a);
    void *block = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    (void)none;
    if (!block)
        return PyErr_NoMemory();
    context *c = ((memory *)a->owner)->context;
    memory *m = memory_new(block, free_memory, c);
    if (!m) {
        free(block);
        return NULL;
    }
    for (int i = 0; i < a->ndim; i++)
        dim[i] = a->shape[i];
    array *made = array_new((PyObject *)m, block, a->dtype, a->ndim, dim, NULL);
    drop(m);
    if (made && bytes > 0) {
        Py_BEGIN_ALLOW_THREADS if (is_dense(a)) memcpy(block, a->data, bytes);
        else copy_elements(block, a, 0, a->data);
        Py_END_ALLOW_THREADS
    }
    return (PyObject *)made;
}

/* Two numbers of a tuple; None leaves them. */
static int take_pair(PyObject *given, int *a, int *b) {
    if (given == Py_None)
        return 0;
    if (!PyTuple_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "a tuple of two int is wanted");
        return -1;
    }
    return PyArg_ParseTuple(given, "ii", a, b) ? 0 : -1;
}

static PyObject *array_dlpack(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO", names, &stream, &version,
                                     &device, &copy))
        return NULL;
    int major = 0, minor = 0, kind = DL_CPU, number = 0;
    if (take_pair(version, &major, &minor) < 0 || take_pair(device, &kind, &number) < 0)
        return NULL;
    if (stream != Py_None || kind != DL_CPU) {
        PyErr_SetString(PyExc_BufferError,
                        "the array is in the processor's memory: there is no stream and "
                        "no other device");
        return NULL;
    }
    array *a = (array *)self;
    if (a->readonly && major < 1) {
        PyErr_SetString(PyExc_BufferError, "a read-only array needs DLPack 1.0");
        return NULL;
    }
    if (copy != Py_True)
        return export_array(a, major >= 1, false);
    array *other = (array *)array_copy(self, NULL);
    PyObject *capsule = other ? export_array(other, major >= 1, true) : NULL;
    drop(other);
    return capsule;
}

static PyObject *array_device(PyObject *self, PyObject *none) {
    (void)self;
    (void)none;
    return Py_BuildValue("ii", DL_CPU, 0);
}

/* ---- plain Python ---- */

static PyObject *sizes_tuple(const Py_ssize_t *size, int n) {
    PyObject *out = PyTuple_New(n);
    for (int i = 0; out && i < n; i++) {
        PyObject *number = PyLong_FromSsize_t(size[i]);
        if (!number || PyTuple_SetItem(out, i, number) < 0)
            Py_CLEAR(out);
    }
    return out;
}

static PyObject *array_shape(PyObject *self, void *none) {
    (void)none;
    return sizes_tuple(((array *)self)->shape, ((array *)self)->ndim);
}

static PyObject *array_dtype(PyObject *self, void *none) {
    (void)none;
    return PyUnicode_FromString(assay_dtype_name(((array *)self)->dtype));
}

static PyObject *array_ndim(PyObject *self, void *none) {
    (void)none;
    return PyLong_FromLong(((array *)self)->ndim);
}

static PyObject *array_nbytes(PyObject *self, void *none) {
    (void)none;
    return PyLong_FromSsize_t(array_bytes((array *)self));
}

static PyObject *array_lengths(PyObject *self, void *none) {
    PyObject *lengths = ((array *)self)->lengths;
    (void)none;
    if (!lengths)
        Py_RETURN_NONE;
    share(lengths);
    return lengths;
}

static Py_ssize_t array_len(PyObject *self) {
    array *a = (array *)self;
    if (a->ndim == 0) {
        PyErr_SetString(PyExc_TypeError, "len() of an array without dimensions");
        return -1;
    }
    return a->shape[0];
}

/* A number, or the nested lists that memoryview makes. */
static PyObject *array_tolist(PyObject *self, PyObject *none) {
    (void)none;
    PyObject *view = PyMemoryView_FromObject(self);
    PyObject *out = view ? PyObject_CallMethod(view, "tolist", NULL) : NULL;
    drop(view);
    return out;
}

static PyObject *array_tobytes(PyObject *self, PyObject *none) {
    (void)none;
    PyObject *view = PyMemoryView_FromObject(self);
    PyObject *out = view ? PyObject_CallMethod(view, "tobytes", NULL) : NULL;
    drop(view);
    return out;
}

static PyObject *array_numpy(PyObject *self, PyObject *none) {
    (void)none;
    PyObject *numpy = PyImport_ImportModule("numpy");
    PyObject *out = numpy ? PyObject_CallMethod(numpy, "asarray", "O", self) : NULL;
    drop(numpy);
    return out;
}

static PyObject *array_torch(PyObject *self, PyObject *none) {
    (void)none;
    PyObject *torch = PyImport_ImportModule("torch");
    PyObject *out = torch ? PyObject_CallMethod(torch, "from_dlpack", "O", self) : NULL;
    drop(torch);
    return out;
}

/* A part along the first dimension, on the same memory. */
static PyObject *array_item(PyObject *self, PyObject *key) {
    array *a = (array *)self;
    int64_t dim[ASSAY_MAX_DIMS], stride[ASSAY_MAX_DIMS];
    Py_ssize_t begin, end, step, n, item = (Py_ssize_t)assay_dtype_size(a->dtype);
    bool slice = PySlice_Check(key);
    if (a->ndim == 0) {
        PyErr_SetString(PyExc_IndexError, "the array has no dimensions");
        return NULL;
    }
    if (slice) {
        if (PySlice_Unpack(key, &begin, &end, &step) < 0)
            return NULL;
        n = PySlice_AdjustIndices(a->shape[0], &begin, &end, step);
        if (step < 0) {
            PyErr_SetString(PyExc_ValueError, "the step of a slice must be positive");
            return NULL;
        }
    } else {
        begin = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if (begin == -1 && PyErr_Occurred())
            return NULL;
        begin += begin < 0 ? a->shape[0] : 0;
        if (begin < 0 || begin >= a->shape[0]) {
            PyErr_Format(PyExc_IndexError, "index out of range, the array has %zd",
                         a->shape[0]);
            return NULL;
        }
        step = n = 1;
    }
    for (int i = 0; i < a->ndim; i++) {
        dim[i] = a->shape[i];
        stride[i] = a->stride[i] / item;
    }
    dim[0] = n;
    stride[0] *= step;
    const char *at = (const char *)a->data + begin * a->stride[0];
    array *part = array_new(a->owner, at, a->dtype, a->ndim - !slice, dim + !slice,
                            stride + !slice);
    if (part)
        part->readonly = a->readonly;
    if (part && part->ndim == 0) { /* a plain number, as in a list */
        PyObject *number = array_tolist((PyObject *)part, NULL);
        drop(part);
        return number;
    }
    return (PyObject *)part;
}

/* For loops. */
static PyObject *array_at(PyObject *self, Py_ssize_t i) {
    PyObject *key = PyLong_FromSsize_t(i);
    PyObject *out = key ? array_item(self, key) : NULL;
    drop(key);
    return out;
}

static PyObject *array_repr(PyObject *self) {
    array *a = (array *)self;
    PyObject *shape = sizes_tuple(a->shape, a->ndim);
    PyObject *out = shape ? PyUnicode_FromFormat("assay.Array(%s, shape=%R)",
                                                 assay_dtype_name(a->dtype), shape)
                          : NULL;
    drop(shape);
    return out;
}

static PyMethodDef array_methods[] = {
    {"__dlpack__", (PyCFunction)(void (*)(void))array_dlpack,
     METH_VARARGS | METH_KEYWORDS, NULL},
    {"__dlpack_device__", array_device, METH_NOARGS, NULL},
    {"numpy", array_numpy, METH_NOARGS,
     "numpy()\n--\n\nThe same memory as a numpy.ndarray (bf16: its bits, uint16)."},
    {"torch", array_torch, METH_NOARGS,
     "torch()\n--\n\nThe same memory as a torch.Tensor."},
    {"copy", array_copy, METH_NOARGS,
     "copy()\n--\n\nThe same numbers elsewhere, in C order."},
    {"tolist", array_tolist, METH_NOARGS,
     "tolist()\n--\n\nNested lists of Python's numbers; one number without dimensions."},
    {"tobytes", array_tobytes, METH_NOARGS, "tobytes()\n--\n\nThe elements in C order."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef array_members[] = {
    {"shape", array_shape, NULL, "Sizes.", NULL},
    {"dtype", array_dtype, NULL, "Element type: 'f32', 'u8', 'bf16', ...", NULL},
    {"ndim", array_ndim, NULL, "Number of dimensions.", NULL},
    {"nbytes", array_nbytes, NULL, "Bytes of all elements.", NULL},
    {"lengths", array_lengths, NULL,
     "True lengths [n] of rows that are padded with zeros (bytes, JSON), or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot array_slots[] = {
    {Py_tp_doc,
     "Numbers of the library's, valid as long as this, or anything made of it, lives.\n\n"
     "numpy.asarray(array), memoryview(array) and torch.from_dlpack(array) share its\n"
     "memory. array[i] and array[i:j] are parts along the first dimension."},
    {Py_tp_dealloc, array_dealloc},
    {Py_tp_repr, array_repr},
    {Py_tp_methods, array_methods},
    {Py_tp_getset, array_members},
    {Py_sq_length, array_len},
    {Py_sq_item, array_at},
    {Py_mp_length, array_len},
    {Py_mp_subscript, array_item},
    {Py_bf_getbuffer, array_getbuffer},
    {0, NULL}};

static PyType_Spec array_spec = {.name = "assay.Array",
                                 .basicsize = sizeof(array),
                                 .flags = Py_TPFLAGS_DEFAULT |
                                          Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 .slots = array_slots};

int array_make(PyObject *module, ext_state *state) {
    state->memory = (PyTypeObject *)PyType_FromSpec(&memory_spec);
    state->array = state->memory ? type_make(module, &array_spec) : NULL;
    return state->array ? 0 : -1;
}
