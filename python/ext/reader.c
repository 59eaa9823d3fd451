/* Reader: single samples of a .beton. */
#include "ext.h"

#include <unistd.h>

typedef struct reader {
    PyObject_HEAD assay_reader *r;
    context *context;
} reader;

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"path", "context", NULL};
    PyObject *path, *given = Py_None, *keep = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O", names, &path, &given))
        return NULL;
    reader *self = (reader *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    const char *file = keep_text(path, &keep);
    self->context = file ? context_for(given) : NULL;
    if (self->context) {
        assay_status status;
        assay_ctx *ctx = self->context->ctx;
        Py_BEGIN_ALLOW_THREADS status = assay_reader_open(&self->r, ctx, file);
        Py_END_ALLOW_THREADS if (status != ASSAY_OK) raise_last(status);
    }
    if (!self->r)
        Py_CLEAR(self);
    drop(keep);
    return (PyObject *)self;
}

static void reader_dealloc(PyObject *o) {
    reader *self = (reader *)o;
    PyTypeObject *type = Py_TYPE(o);
    assay_reader_close(self->r);
    drop(self->context);
    PyObject_Free(o);
    drop(type);
}

static PyObject *reader_samples(PyObject *o, void *none) {
    (void)none;
    return PyLong_FromUnsignedLongLong(assay_reader_samples(((reader *)o)->r));
}

static PyObject *reader_page_size(PyObject *o, void *none) {
    (void)none;
    return PyLong_FromUnsignedLongLong(assay_reader_page_size(((reader *)o)->r));
}

/* [(name, type, typestr, shape)] */
static PyObject *reader_fields(PyObject *o, PyObject *none) {
    reader *self = (reader *)o;
    int n = assay_reader_fields(self->r);
    PyObject *out = PyList_New(0);
    (void)none;
    for (int i = 0; out && i < n; i++) {
        assay_field f = assay_reader_field(self->r, i);
        PyObject *shape = PyTuple_New(f.ndim), *row = NULL;
        for (int k = 0; shape && k < f.ndim; k++)
            if (PyTuple_SetItem(shape, k, PyLong_FromLongLong(f.dim[k])) < 0)
                Py_CLEAR(shape);
        if (shape)
            row = Py_BuildValue("sisO", f.name, (int)f.type, f.typestr, shape);
        if (!row || PyList_Append(out, row) < 0)
            Py_CLEAR(out);
        drop(row);
        drop(shape);
    }
    return out;
}

static PyObject *reader_get(PyObject *o, PyObject *args) {
    reader *self = (reader *)o;
    unsigned long long sample;
    int field;
    assay_tensor *t;
    assay_status status;
    if (!PyArg_ParseTuple(args, "Ki", &sample, &field))
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = assay_reader_get(&t, self->r, sample, field);
    Py_END_ALLOW_THREADS return status == ASSAY_OK ? array_of_tensor(t, self->context)
                                                   : raise_last(status);
}

static PyObject *reader_stored(PyObject *o, PyObject *args) {
    unsigned long long sample;
    int field;
    const void *data;
    size_t n;
    if (!PyArg_ParseTuple(args, "Ki", &sample, &field))
        return NULL;
    assay_status status = assay_reader_stored(((reader *)o)->r, sample, field, &data, &n);
    if (status != ASSAY_OK)
        return raise_last(status);
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)n);
}

static PyMethodDef reader_methods[] = {
    {"fields", reader_fields, METH_NOARGS, "[(name, type, typestr, shape)]"},
    {"get", reader_get, METH_VARARGS, "get(sample, field)\n--\n\nOne value, decoded."},
    {"stored", reader_stored, METH_VARARGS,
     "stored(sample, field)\n--\n\nThe bytes of a value as they are stored."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef reader_members[] = {
    {"samples", reader_samples, NULL, "Number of samples.", NULL},
    {"page_size", reader_page_size, NULL, "Bytes of a page.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "A reader of the library's; assay.Dataset is made of it."},
    {Py_tp_new, reader_new},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_members},
    {0, NULL}};

static PyType_Spec reader_spec = {.name = "assay._assay.Reader",
                                  .basicsize = sizeof(reader),
                                  .flags = Py_TPFLAGS_DEFAULT,
                                  .slots = reader_slots};

int reader_make(PyObject *module, ext_state *state) {
    state->reader = type_make(module, &reader_spec);
    return state->reader ? 0 : -1;
}
