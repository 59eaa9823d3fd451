/* Batch: the outputs of one step of a loader, on memory that they keep. */
#include "ext.h"

typedef struct batch {
    PyObject_HEAD PyObject *names, *arrays; /* tuples of the same length */
    PyObject *rows;
    unsigned long long place;
    int n;
} batch;

static void batch_dealloc(PyObject *self) {
    batch *b = (batch *)self;
    PyTypeObject *type = Py_TYPE(self);
    drop(b->names);
    drop(b->arrays);
    drop(b->rows);
    PyObject_Free(self);
    drop(type);
}

static Py_ssize_t batch_len(PyObject *self) {
    return PyTuple_Size(((batch *)self)->arrays);
}

static PyObject *batch_at(PyObject *self, Py_ssize_t i) {
    batch *b = (batch *)self;
    if (i < 0 || i >= PyTuple_Size(b->arrays)) {
        PyErr_SetString(PyExc_IndexError, "the batch has no such output");
        return NULL;
    }
    PyObject *a = PyTuple_GetItem(b->arrays, i);
    share(a);
    return a;
}

static PyObject *batch_item(PyObject *self, PyObject *key) {
    batch *b = (batch *)self;
    if (!PyUnicode_Check(key)) {
        Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if (i == -1 && PyErr_Occurred())
            return NULL;
        return batch_at(self, i < 0 ? i + PyTuple_Size(b->arrays) : i);
    }
    Py_ssize_t i = PySequence_Index(b->names, key);
    if (i < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_KeyError, "no output is called %R; there are %R", key,
                     b->names);
        return NULL;
    }
    return batch_at(self, i);
}

static PyObject *each(PyObject *self, const char *method) {
    batch *b = (batch *)self;
    Py_ssize_t n = PyTuple_Size(b->arrays);
    PyObject *out = PyTuple_New(n);
    for (Py_ssize_t i = 0; out && i < n; i++) {
        PyObject *made = PyObject_CallMethod(PyTuple_GetItem(b->arrays, i), method, NULL);
        if (!made || PyTuple_SetItem(out, i, made) < 0)
            Py_CLEAR(out);
    }
    return out;
}

static PyObject *batch_numpy(PyObject *self, PyObject *none) {
    (void)none;
    return each(self, "numpy");
}

static PyObject *batch_torch(PyObject *self, PyObject *none) {
    (void)none;
    return each(self, "torch");
}

static PyObject *another(PyObject *o) {
    share(o);
    return o;
}

static PyObject *batch_names(PyObject *self, void *none) {
    (void)none;
    return another(((batch *)self)->names);
}

static PyObject *batch_rows(PyObject *self, void *none) {
    (void)none;
    return another(((batch *)self)->rows);
}

static PyObject *batch_place(PyObject *self, void *none) {
    (void)none;
    return PyLong_FromUnsignedLongLong(((batch *)self)->place);
}

static PyObject *batch_n(PyObject *self, void *none) {
    (void)none;
    return PyLong_FromLong(((batch *)self)->n);
}

static PyObject *batch_repr(PyObject *self) {
    batch *b = (batch *)self;
    return PyUnicode_FromFormat("assay.Batch(n=%d, names=%R)", b->n, b->names);
}

static PyMethodDef batch_methods[] = {
    {"numpy", batch_numpy, METH_NOARGS,
     "numpy()\n--\n\nA tuple of numpy.ndarray, without a copy."},
    {"torch", batch_torch, METH_NOARGS,
     "torch()\n--\n\nA tuple of torch.Tensor, without a copy."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef batch_members[] = {
    {"names", batch_names, NULL, "Names of the outputs, in their order.", NULL},
    {"rows", batch_rows, NULL, "Rows of the samples [n], counted over all files.", NULL},
    {"place", batch_place, NULL, "Place of the first sample in the epoch's order.", NULL},
    {"n", batch_n, NULL, "Number of samples.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot batch_slots[] = {
    {Py_tp_doc,
     "The outputs of one batch, by number, by name, or unpacked like a tuple.\n\n"
     "Its arrays stay valid as long as they, or what was made of them, are referenced:\n"
     "the loader goes on in other memory and copies nothing."},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_repr, batch_repr},
    {Py_tp_methods, batch_methods},
    {Py_tp_getset, batch_members},
    {Py_sq_length, batch_len},
    {Py_sq_item, batch_at},
    {Py_mp_length, batch_len},
    {Py_mp_subscript, batch_item},
    {0, NULL}};

static PyType_Spec batch_spec = {.name = "assay.Batch",
                                 .basicsize = sizeof(batch),
                                 .flags = Py_TPFLAGS_DEFAULT |
                                          Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 .slots = batch_slots};

static PyObject *make_array(const assay_batch_column *c, memory *m) {
    array *a = array_new((PyObject *)m, c->data, c->dtype, c->ndim, c->dim, NULL);
    if (a && c->lengths) {
        a->lengths =
            (PyObject *)array_new((PyObject *)m, c->lengths, ASSAY_I64, 1, c->dim, NULL);
        if (!a->lengths)
            Py_CLEAR(a);
    }
    return (PyObject *)a;
}

static void release_kept(void *kept) {
    assay_kept_release(kept);
}

PyObject *
batch_new(context *c, PyObject *names, const assay_batch *from, assay_kept *kept) {
    memory *m = memory_new(kept, release_kept, c);
    if (!m) {
        assay_kept_release(kept);
        return NULL;
    }
    int64_t n = from->n;
    batch *b = (batch *)PyType_GenericAlloc(ext_get()->batch, 0);
    if (b) {
        b->names = another(names);
        b->place = from->place;
        b->n = from->n;
        b->rows =
            (PyObject *)array_new((PyObject *)m, from->rows, ASSAY_U64, 1, &n, NULL);
        b->arrays = PyTuple_New(from->columns);
        bool good = b->rows && b->arrays;
        for (int i = 0; good && i < from->columns; i++) {
            PyObject *a = make_array(&from->column[i], m);
            good = a && PyTuple_SetItem(b->arrays, i, a) == 0;
        }
        if (!good)
            Py_CLEAR(b);
    }
    drop(m);
    return (PyObject *)b;
}

int batch_make(PyObject *module, ext_state *state) {
    state->batch = type_make(module, &batch_spec);
    return state->batch ? 0 : -1;
}
