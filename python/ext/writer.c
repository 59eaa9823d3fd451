/* Writer: samples of Python's values into a .beton. */
#include "ext.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FIELDS = 256, MOST_DIMS = 32 };

typedef struct writer_field {
    assay_field field;
    int64_t dim[MOST_DIMS];
} writer_field;

typedef struct writer {
    PyObject_HEAD assay_writer *w;
    context *context;
    PyObject *keep; /* the fields' texts */
    writer_field *field;
    int fields;
    bool busy;
} writer;

/* ---- fields ---- */

static int take_shape(writer_field *f, PyObject *shape) {
    Py_ssize_t n = PySequence_Size(shape);
    if (n < 0)
        return -1;
    if (n > MOST_DIMS) {
        PyErr_Format(PyExc_ValueError, "at most %d dimensions", MOST_DIMS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(shape, i);
        f->dim[i] = item ? PyLong_AsLongLong(item) : -1;
        drop(item);
        if (PyErr_Occurred())
            return -1;
    }
    f->field.ndim = (int)n;
    return 0;
}

/* (name, type, typestr or None, shape, cell_bytes, cell_align, pointer or -1) */
static int take_field(writer *self, int i, PyObject *item) {
    writer_field *f = &self->field[i];
    PyObject *name, *typestr, *shape;
    int type, pointer;
    unsigned bytes, align;
    if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "UiOOIIi", &name, &type, &typestr,
                                                  &shape, &bytes, &align, &pointer))
        return -1;
    f->field = (assay_field){.type = (assay_field_type)type,
                             .name = keep_text(name, &self->keep),
                             .dim = f->dim,
                             .cell_bytes = bytes,
                             .cell_align = align,
                             .has_payload = pointer >= 0,
                             .ptr_offset = pointer >= 0 ? (uint32_t)pointer : 0};
    if (!f->field.name || take_shape(f, shape) < 0)
        return -1;
    if (typestr != Py_None)
        f->field.typestr = keep_text(typestr, &self->keep);
    return PyErr_Occurred() ? -1 : 0;
}

static int take_fields(writer *self, PyObject *fields) {
    Py_ssize_t n = PySequence_Size(fields);
    if (n < 0)
        return -1;
    if (n > MOST_FIELDS) {
        raise_made(ASSAY_E_INVALID, "a file has at most 256 fields", "");
        return -1;
    }
    self->field = PyMem_Calloc((size_t)n + 1, sizeof *self->field);
    if (!self->field) {
        PyErr_NoMemory();
        return -1;
    }
    self->fields = (int)n;
    for (int i = 0; i < self->fields; i++) {
        PyObject *item = PySequence_GetItem(fields, i);
        int failed = item ? take_field(self, i, item) : -1;
        drop(item);
        if (failed)
            return -1;
    }
    return 0;
}

/* ---- making ---- */

#define MEMBER(name, kind)                                                               \
    { #name, kind, offsetof(assay_writer_options, name) }
static const member writer_members[] = {MEMBER(page_size, 'u'),
                                        MEMBER(mode, 's'),
                                        MEMBER(quality, 'i'),
                                        MEMBER(max_resolution, 'i'),
                                        MEMBER(smart_threshold, 'u'),
                                        MEMBER(proportion, 'd'),
                                        MEMBER(seed, 'u'),
                                        MEMBER(force, 'b'),
                                        MEMBER(train_rows, 'u'),
                                        {NULL, 0, 0}};

static int create(writer *self,
                  PyObject *path,
                  PyObject *fields,
                  unsigned long long samples,
                  PyObject *options,
                  PyObject *classes) {
    assay_writer_options o = ASSAY_WRITER_OPTIONS_INIT;
    assay_field plain[MOST_FIELDS];
    const char *file = keep_text(path, &self->keep), **names = NULL;
    if (!file || take_fields(self, fields) < 0 ||
        options_fill(&o, writer_members, options, &self->keep) < 0)
        return -1;
    if (classes != Py_None) {
        names = keep_texts(classes, &self->keep, &o.n_classes);
        if (!names)
            return -1;
        o.classes = names;
    }
    for (int i = 0; i < self->fields; i++)
        plain[i] = self->field[i].field;
    assay_status status = assay_writer_create(&self->w, self->context->ctx, file, plain,
                                              self->fields, samples, &o);
    PyMem_Free(names);
    if (status != ASSAY_OK) {
        raise_last(status);
        return -1;
    }
    return 0;
}

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"path",    "fields",  "samples", "options",
                            "classes", "context", NULL};
    PyObject *path, *fields, *options = Py_None, *classes = Py_None, *given = Py_None;
    unsigned long long samples;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOK|O$OO", names, &path, &fields,
                                     &samples, &options, &classes, &given))
        return NULL;
    writer *self = (writer *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    self->context = context_for(given);
    if (!self->context || create(self, path, fields, samples, options, classes) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void close_writer(writer *self) {
    assay_writer *w = self->w;
    self->w = NULL;
    if (!w || self->context->pid != getpid())
        return;
    Py_BEGIN_ALLOW_THREADS assay_writer_destroy(w);
    Py_END_ALLOW_THREADS
}

static void writer_dealloc(PyObject *o) {
    writer *self = (writer *)o;
    PyTypeObject *type = Py_TYPE(o);
    close_writer(self);
    drop(self->context);
    drop(self->keep);
    PyMem_Free(self->field);
    PyObject_Free(o);
    drop(type);
}

/* ---- values ---- */

/* NumPy's words for an element type. */
static const char *typestr_of(assay_dtype dtype) {
    static const char *const words[] = {
        [ASSAY_F32] = "<f4", [ASSAY_F64] = "<f8", [ASSAY_BF16] = "<u2",
        [ASSAY_F16] = "<f2", [ASSAY_I8] = "|i1",  [ASSAY_U8] = "|u1",
        [ASSAY_I16] = "<i2", [ASSAY_U16] = "<u2", [ASSAY_I32] = "<i4",
        [ASSAY_U32] = "<u4", [ASSAY_I64] = "<i8", [ASSAY_U64] = "<u8",
        [ASSAY_BOOL] = "|b1"};
    return words[dtype];
}

static int wrong(const writer_field *f, assay_status status, const char *why) {
    char text[256];
    (void)PyOS_snprintf(text, sizeof text, "field '%s': %s", f->field.name, why);
    raise_made(status, text, "");
    return -1;
}

static int take_image(assay_value *v, const writer_field *f, const borrowed *b) {
    if (b->dtype != ASSAY_U8)
        return wrong(f, ASSAY_E_DTYPE, "pixels are u8");
    if (b->ndim == 1) { /* an encoded file */
        v->data = b->data;
        v->bytes = b->bytes;
        return 0;
    }
    if (b->ndim != 2 && b->ndim != 3)
        return wrong(f, ASSAY_E_SHAPE, "pixels are [H, W] or [H, W, channels]");
    if (b->dim[0] > 65535 || b->dim[1] > 65535 || (b->ndim == 3 && b->dim[2] > 4))
        return wrong(f, ASSAY_E_SHAPE,
                     "images have at most 65535 pixels a side, 4 channels");
    v->data = b->data;
    v->bytes = b->bytes;
    v->height = (int)b->dim[0];
    v->width = (int)b->dim[1];
    v->channels = b->ndim == 3 ? (int)b->dim[2] : 1;
    if (v->width == 0 || v->height == 0 || v->channels == 0)
        return wrong(f, ASSAY_E_SHAPE, "an image without pixels");
    return 0;
}

static int take_array(assay_value *v, const writer_field *f, const borrowed *b) {
    const char *has = typestr_of(b->dtype), *wants = f->field.typestr;
    bool same_kind = wants[1] == has[1] && strcmp(wants + 1, has + 1) == 0;
    if (!same_kind || wants[0] == '>')
        return wrong(f, ASSAY_E_DTYPE, "an array of another element type");
    bool same = b->ndim == f->field.ndim;
    for (int i = 0; same && i < b->ndim; i++)
        same = b->dim[i] == f->dim[i];
    if (!same)
        return wrong(f, ASSAY_E_SHAPE, "an array of another shape");
    v->data = b->data;
    v->bytes = b->bytes;
    return 0;
}

static int borrow_text(borrowed *b, PyObject *value) {
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(value, &n);
    if (!text)
        return -1;
    *b = (borrowed){
        .data = (void *)(uintptr_t)text, .dtype = ASSAY_U8, .bytes = (size_t)n};
    return 0;
}

static int
take_custom(assay_value *v, borrowed *b, const writer_field *f, PyObject *value) {
    PyObject *payload = Py_None;
    char *cell;
    Py_ssize_t n;
    if (!PyTuple_Check(value) || !PyArg_ParseTuple(value, "y#|O", &cell, &n, &payload))
        return -1;
    if (n != (Py_ssize_t)f->field.cell_bytes)
        return wrong(f, ASSAY_E_SHAPE, "a cell of another size");
    v->cell = cell;
    if (payload != Py_None) {
        if (borrow(b, payload, true, f->field.name) < 0)
            return -1;
        v->data = b->data;
        v->bytes = b->bytes;
    }
    return 0;
}

static int
take_value(assay_value *v, borrowed *b, const writer_field *f, PyObject *value) {
    switch (f->field.type) {
    case ASSAY_FIELD_INT:
        v->integer = PyLong_AsLongLong(value);
        return PyErr_Occurred() ? -1 : 0;
    case ASSAY_FIELD_FLOAT:
        v->number = PyFloat_AsDouble(value);
        return PyErr_Occurred() ? -1 : 0;
    case ASSAY_FIELD_CUSTOM:
        return take_custom(v, b, f, value);
    default:
        break;
    }
    bool text = PyUnicode_Check(value) && f->field.type == ASSAY_FIELD_JSON;
    if (text ? borrow_text(b, value) < 0 : borrow(b, value, true, f->field.name) < 0)
        return -1;
    if (f->field.type == ASSAY_FIELD_IMAGE)
        return take_image(v, f, b);
    if (f->field.type == ASSAY_FIELD_NDARRAY || f->field.type == ASSAY_FIELD_TENSOR)
        return take_array(v, f, b);
    v->data = b->data;
    v->bytes = b->bytes;
    return 0;
}

typedef struct adding {
    writer *self;
    assay_value value[MOST_FIELDS];
    borrowed lent[MOST_FIELDS];
    char *sha256;
} adding;

static assay_status add_work(assay_ctx *ctx, void *arg) {
    adding *a = arg;
    (void)ctx;
    return assay_writer_add(a->self->w, a->value);
}

static assay_status commit_work(assay_ctx *ctx, void *arg) {
    adding *a = arg;
    (void)ctx;
    return assay_writer_commit(a->self->w, a->sha256);
}

static int enter(writer *self) {
    if (!self->w) {
        raise_made(ASSAY_E_INVALID, "the writer is closed", "");
        return -1;
    }
    if (context_check(self->context, "Writer") < 0)
        return -1;
    if (self->busy) {
        raise_made(ASSAY_E_INVALID, "the writer is in use by another thread", "");
        return -1;
    }
    self->busy = true;
    return 0;
}

static PyObject *writer_add(PyObject *o, PyObject *values) {
    writer *self = (writer *)o;
    if (!PyTuple_Check(values) || PyTuple_Size(values) != self->fields) {
        PyErr_Format(PyExc_TypeError,
                     "a tuple of %d values is wanted, one for each field", self->fields);
        return NULL;
    }
    adding *a = PyMem_Calloc(1, sizeof *a);
    if (!a)
        return PyErr_NoMemory();
    a->self = self;
    int i, failed = 0;
    for (i = 0; i < self->fields && !failed; i++)
        failed = take_value(&a->value[i], &a->lent[i], &self->field[i],
                            PyTuple_GetItem(values, i));
    if (!failed && enter(self) == 0) {
        failed = context_work(self->context, false, NULL, add_work, a);
        self->busy = false;
    } else {
        failed = -1;
    }
    while (i-- > 0)
        borrow_end(&a->lent[i]);
    PyMem_Free(a);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *writer_commit(PyObject *o, PyObject *none) {
    writer *self = (writer *)o;
    char sha256[65] = "";
    adding a = {.self = self, .sha256 = sha256};
    (void)none;
    if (enter(self) < 0)
        return NULL;
    int failed = context_work(self->context, false, NULL, commit_work, &a);
    self->busy = false;
    close_writer(self);
    return failed ? NULL : PyUnicode_FromString(sha256);
}

static PyObject *writer_close(PyObject *o, PyObject *none) {
    (void)none;
    if (((writer *)o)->busy)
        return raise_made(ASSAY_E_INVALID, "the writer is in use by another thread", "");
    close_writer((writer *)o);
    Py_RETURN_NONE;
}

static PyMethodDef writer_methods[] = {
    {"add", writer_add, METH_O, "add(values)\n--\n\nThe next sample: a tuple of values."},
    {"commit", writer_commit, METH_NOARGS,
     "commit()\n--\n\nPuts the file under its name; returns its content's SHA-256."},
    {"close", writer_close, METH_NOARGS, "close()\n--\n\nGives the file up."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "A writer of the library's; assay.Writer is made of it."},
    {Py_tp_new, writer_new},
    {Py_tp_dealloc, writer_dealloc},
    {Py_tp_methods, writer_methods},
    {0, NULL}};

static PyType_Spec writer_spec = {.name = "assay._assay.Writer",
                                  .basicsize = sizeof(writer),
                                  .flags = Py_TPFLAGS_DEFAULT,
                                  .slots = writer_slots};

int writer_make(PyObject *module, ext_state *state) {
    state->writer = type_make(module, &writer_spec);
    return state->writer ? 0 : -1;
}
