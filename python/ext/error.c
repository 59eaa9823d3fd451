/* Failures of the library as exceptions: one class for each status, each also one of
 * Python's own where there is one that says the same. */
#include "ext.h"

#include <stdio.h>
#include <string.h>

typedef struct error_class {
    assay_status status;
    const char *name;
    const char *also; /* a built-in class, or NULL */
    const char *doc;
} error_class;

static const error_class classes[] = {
    {ASSAY_E_NOMEM, "OutOfMemory", "MemoryError", "Memory could not be had."},
    {ASSAY_E_NOSPC, "DiskFull", "OSError", "The disk is full."},
    {ASSAY_E_INVALID, "InvalidArgument", "ValueError",
     "A wrong argument or option; an output that can't be written."},
    {ASSAY_E_SHAPE, "ShapeError", "ValueError", "Sizes that do not fit together."},
    {ASSAY_E_DTYPE, "DTypeError", "TypeError",
     "An element type that is not accepted here."},
    {ASSAY_E_IO, "ReadError", "OSError", "Reading failed below the library."},
    {ASSAY_E_FORMAT, "FormatError", "ValueError",
     "Bytes that are not what they should be: a damaged or foreign file."},
    {ASSAY_E_VERSION, "VersionError", "ValueError", "A file of another version."},
    {ASSAY_E_NOTFOUND, "NotFound", "FileNotFoundError", "A named thing does not exist."},
    {ASSAY_E_UNSUPPORTED, "Unsupported", "NotImplementedError",
     "Legal, but not done here."},
    {ASSAY_E_CANCELLED, "Cancelled", NULL, "The work was cancelled by the program."},
    {ASSAY_E_NUMERIC, "NumericError", "ArithmeticError",
     "NaN, infinity, a singular matrix."},
    {ASSAY_E_INTERNAL, "InternalError", "RuntimeError", "A bug of assay's own."},
};

enum { CLASSES = sizeof classes / sizeof classes[0] };

static PyObject *make_class(const error_class *c, PyObject *base) {
    char name[64];
    PyObject *also = NULL, *bases = NULL, *made = NULL;
    (void)snprintf(name, sizeof name, "assay.%s", c->name);
    if (c->also) {
        PyObject *builtins = PyImport_ImportModule("builtins");
        also = builtins ? PyObject_GetAttrString(builtins, c->also) : NULL;
        drop(builtins);
        bases = also ? PyTuple_Pack(2, base, also) : NULL;
    } else {
        bases = PyTuple_Pack(1, base);
    }
    if (bases)
        made = PyErr_NewExceptionWithDoc(name, c->doc, bases, NULL);
    drop(also);
    drop(bases);
    return made;
}

int errors_make(PyObject *module, ext_state *state) {
    state->error[0] = PyErr_NewExceptionWithDoc(
        "assay.Error",
        "What the library could not do.\n\n"
        "message: what went wrong. where: file, offset, sample, field; may be empty.\n"
        "help: the next step; may be empty. status: the library's short name of the\n"
        "reason, such as 'FORMAT'.",
        PyExc_Exception, NULL);
    if (!state->error[0] || PyModule_AddObjectRef(module, "Error", state->error[0]) < 0)
        return -1;
    for (int i = 0; i < CLASSES; i++) {
        PyObject *made = make_class(&classes[i], state->error[0]);
        state->error[-classes[i].status] = made;
        if (!made || PyModule_AddObjectRef(module, classes[i].name, made) < 0)
            return -1;
    }
    return 0;
}

void failure_take(failure *f, assay_status status) {
    const assay_error *e = assay_last_error();
    *f = (failure){.status = status};
    if (e->status != status)
        return;
    (void)snprintf(f->message, sizeof f->message, "%s", e->message);
    (void)snprintf(f->where, sizeof f->where, "%s", e->where);
    (void)snprintf(f->help, sizeof f->help, "%s", e->help);
}

/* Text of ours that may hold bytes of a damaged file. */
static PyObject *text_of(const char *text) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static int set_text(PyObject *object, const char *name, const char *text) {
    PyObject *value = text_of(text);
    int failed = value ? PyObject_SetAttrString(object, name, value) : -1;
    drop(value);
    return failed;
}

PyObject *failure_raise(const failure *f) {
    char text[1600];
    int i = f->status < 0 && f->status > -16 ? -f->status : 0;
    PyObject *class = ext_get()->error[i] ? ext_get()->error[i] : ext_get()->error[0];
    const char *message = f->message[0] ? f->message : assay_status_name(f->status);
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", message,
                   f->where[0] ? "\n  where: " : "", f->where,
                   f->help[0] ? "\n  help: " : "", f->help);
    PyObject *words = text_of(text);
    PyObject *error = words ? PyObject_CallFunctionObjArgs(class, words, NULL) : NULL;
    if (error && set_text(error, "message", message) == 0 &&
        set_text(error, "where", f->where) == 0 &&
        set_text(error, "help", f->help) == 0 &&
        set_text(error, "status", assay_status_name(f->status)) == 0)
        PyErr_SetObject(class, error);
    drop(words);
    drop(error);
    return NULL;
}

PyObject *raise_last(assay_status status) {
    failure f;
    failure_take(&f, status);
    return failure_raise(&f);
}

PyObject *raise_made(assay_status status, const char *message, const char *help) {
    failure f = {.status = status};
    (void)snprintf(f.message, sizeof f.message, "%s", message);
    (void)snprintf(f.help, sizeof f.help, "%s", help);
    return failure_raise(&f);
}
