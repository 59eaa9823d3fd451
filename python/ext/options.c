/* Dicts of Python into structs of the library, and back. */
#include "ext.h"

#include <string.h>

static int keep(PyObject **list, PyObject *object) {
    if (!*list)
        *list = PyList_New(0);
    return *list ? PyList_Append(*list, object) : -1;
}

const char *keep_text(PyObject *text, PyObject **list) {
    PyObject *path = PyUnicode_Check(text) || PyBytes_Check(text) ? (share(text), text)
                                                                  : PyOS_FSPath(text);
    PyObject *bytes = NULL;
    const char *out = NULL;
    if (path && PyUnicode_FSConverter(path, &bytes) && keep(list, bytes) == 0)
        out = PyBytes_AsString(bytes);
    drop(bytes);
    drop(path);
    return out;
}

const char **keep_texts(PyObject *sequence, PyObject **list, size_t *count) {
    Py_ssize_t n = PySequence_Size(sequence);
    const char **out = n < 0 ? NULL : PyMem_Calloc((size_t)n + 1, sizeof *out);
    if (n >= 0 && !out)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; out && i < n; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        out[i] = item ? keep_text(item, list) : NULL;
        drop(item);
        if (!out[i]) {
            PyMem_Free(out);
            return NULL;
        }
    }
    *count = out ? (size_t)n : 0;
    return out;
}

/* Texts whose array lives as long as the list. */
static void free_texts(PyObject *capsule) {
    PyMem_Free(PyCapsule_GetPointer(capsule, NULL));
}

static const char **texts(PyObject *value, PyObject **list) {
    size_t count = 0;
    if (PyUnicode_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a sequence of str is wanted, not a str");
        return NULL;
    }
    const char **out = keep_texts(value, list, &count);
    PyObject *capsule = out ? PyCapsule_New(out, NULL, free_texts) : NULL;
    if (out && !capsule)
        PyMem_Free(out);
    int failed = capsule ? keep(list, capsule) : -1;
    drop(capsule);
    return failed ? NULL : out;
}

static int too_large(const member *m) {
    PyErr_Format(PyExc_OverflowError, "%s is out of range", m->name);
    return -1;
}

static int fill_one(char *at, const member *m, PyObject *value, PyObject **list) {
    const char *text;
    const char **some;
    long number;
    switch (m->kind) {
    case 'i':
        number = PyLong_AsLong(value);
        if (!PyErr_Occurred() && (number < INT32_MIN || number > INT32_MAX))
            return too_large(m);
        *(int *)at = (int)number;
        break;
    case 'b':
        *(int *)at = PyObject_IsTrue(value);
        break;
    case 'u':
        *(uint64_t *)at = PyLong_AsUnsignedLongLong(value);
        break;
    case 'l':
        *(int64_t *)at = PyLong_AsLongLong(value);
        break;
    case 'd':
        *(double *)at = PyFloat_AsDouble(value);
        break;
    case 'S':
        some = texts(value, list);
        memcpy(at, &some, sizeof some);
        break;
    default:
        text = keep_text(value, list);
        memcpy(at, &text, sizeof text);
        break;
    }
    return PyErr_Occurred() ? -1 : 0;
}

int options_fill(void *options, const member *table, PyObject *dict, PyObject **list) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (!dict || dict == Py_None)
        return 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        const member *m = table;
        const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
        if (!name)
            return -1;
        while (m->name && strcmp(m->name, name) != 0)
            m++;
        if (!m->name) {
            PyErr_Format(PyExc_TypeError, "there is no option '%s'", name);
            return -1;
        }
        if (value != Py_None && fill_one((char *)options + m->at, m, value, list) < 0)
            return -1;
    }
    return 0;
}

static PyObject *value_of(const char *at, const member *m) {
    switch (m->kind) {
    case 'i':
        return PyLong_FromLong(*(const int *)at);
    case 'u':
        return PyLong_FromUnsignedLongLong(*(const uint64_t *)at);
    case 'l':
        return PyLong_FromLongLong(*(const int64_t *)at);
    case 'd':
        return PyFloat_FromDouble(*(const double *)at);
    default:
        return PyUnicode_FromString(at);
    }
}

PyObject *result_dict(const void *result, const member *table) {
    PyObject *dict = PyDict_New();
    for (const member *m = table; dict && m->name; m++) {
        PyObject *value = value_of((const char *)result + m->at, m);
        if (!value || PyDict_SetItemString(dict, m->name, value) < 0)
            Py_CLEAR(dict);
        drop(value);
    }
    return dict;
}

PyObject *take_string(assay_ctx *ctx, char *text) {
    PyObject *out = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    assay_string_free(ctx, text);
    return out;
}
