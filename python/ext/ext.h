/* What the files of the extension module share. It is a face: arguments in, results out;
 * all work is done by the library behind <assay/...>. Only the limited API of Python is
 * used, so that one binary serves CPython 3.11 and later. */
#ifndef ASSAY_EXT_H
#define ASSAY_EXT_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <assay/attribute.h>
#include <assay/audit.h>
#include <assay/bench.h>
#include <assay/data.h>
#include <assay/detect.h>
#include <assay/file.h>
#include <assay/load.h>
#include <assay/model.h>
#include <assay/read.h>
#include <assay/report.h>
#include <assay/tensor.h>
#include <assay/trace.h>
#include <assay/train.h>
#include <assay/write.h>

#include <stdbool.h>
#include <sys/types.h>

/* Of the module: its types and exceptions. */
typedef struct ext_state {
    PyObject *error[16]; /* by -status; [0]: the base of all */
    PyTypeObject *context, *memory, *array, *batch, *loader, *writer, *model, *reader;
} ext_state;
ext_state *ext_get(void);

/* One reference more or less of any object; drop accepts NULL. */
static inline void share(void *object) {
    Py_INCREF((PyObject *)object);
}
static inline void drop(void *object) {
    Py_XDECREF((PyObject *)object);
}

/* ---- error.c ---- */

/* A failure of the library's, as told on the thread where it happened. */
typedef struct failure {
    assay_status status;
    char message[512], where[512], help[512];
} failure;
/* What this thread's last failing call said. */
void failure_take(failure *f, assay_status status);
/* Raises it; returns NULL. */
PyObject *failure_raise(const failure *f);
/* Raises what this thread's last failing call said. */
PyObject *raise_last(assay_status status);
/* Raises a failure of the extension's own. */
PyObject *raise_made(assay_status status, const char *message, const char *help);
int errors_make(PyObject *module, ext_state *state);

/* ---- context.c ---- */

typedef struct context {
    PyObject_HEAD assay_ctx *ctx;
    pid_t pid; /* a child of fork has none of the threads */
    int threads;
    PyObject *progress; /* callable or NULL */
    struct job *jobs;   /* that run now; the GIL guards them */
} context;
int context_make(PyObject *module, ext_state *state);
/* A new reference: the one given, or one of its own for None. NULL with an exception. */
context *context_for(PyObject *given);
/* Raises when the object came over a fork; 0: all is well. */
int context_check(const context *c, const char *what);

typedef assay_status work_fn(assay_ctx *ctx, void *arg);
/* Does work on a thread of its own, so that this one can look after signals: within 100
 * ms of a KeyboardInterrupt the work is asked to end. `own`: on a context of its own,
 * whose progress is told to `progress` (NULL: the context's). 0, or -1 with an exception.
 */
int context_work(context *c, bool own, PyObject *progress, work_fn *work, void *arg);

/* ---- options.c ---- */

/* One member of an option or result struct. */
typedef struct member {
    const char *name;
    char kind; /* i int, u uint64_t, l int64_t, d double, s text, S texts, t text inside,
                  b truth (int) */
    size_t at;
} member;
/* Fills a struct from a dict (NULL, None: nothing). `*keep` (a list) holds what it points
 * to. -1 with an exception. */
int options_fill(void *options, const member *table, PyObject *dict, PyObject **keep);
/* A dict of a struct's members. */
PyObject *result_dict(const void *result, const member *table);
/* UTF-8 of a str or path, held by `*keep` (a list; made when NULL). */
const char *keep_text(PyObject *text, PyObject **keep);
/* Texts of a sequence, NULL behind the last; freed with PyMem_Free. */
const char **keep_texts(PyObject *sequence, PyObject **keep, size_t *count);
/* A string of the library's as str; it is freed. */
PyObject *take_string(assay_ctx *ctx, char *text);

/* ---- array.c ---- */

/* Holds memory of the library's until the last array on it is gone. */
typedef struct memory {
    PyObject_HEAD void *handle;
    void (*release)(void *handle);
    context *context;
} memory;
memory *memory_new(void *handle, void (*release)(void *), context *c);

/* An array on a memory. */
typedef struct array {
    PyObject_HEAD PyObject *owner;
    void *data;
    assay_dtype dtype;
    int ndim;
    bool readonly;
    Py_ssize_t shape[ASSAY_MAX_DIMS], stride[ASSAY_MAX_DIMS]; /* strides in bytes */
    PyObject *lengths; /* of padded rows, or NULL */
} array;
array *array_new(PyObject *owner,
                 const void *data,
                 assay_dtype dtype,
                 int ndim,
                 const int64_t *dim,
                 const int64_t *stride);
/* An array on a tensor, whose reference it takes (also on failure). */
PyObject *array_of_tensor(assay_tensor *tensor, context *c);
int array_make(PyObject *module, ext_state *state);

/* ---- borrow.c ---- */

/* Someone's array: by the buffer protocol or DLPack. */
typedef struct borrowed {
    void *data;
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS], stride[ASSAY_MAX_DIMS]; /* in elements */
    size_t bytes;                                        /* count x size */
    bool dense;
    Py_buffer view;
    PyObject *capsule;
    void *copy;
} borrowed;
/* `dense`: copied when its elements are not in C order without gaps. -1: exception. */
int borrow(borrowed *b, PyObject *object, bool dense, const char *what);
void borrow_end(borrowed *b);

/* ---- batch.c ---- */

/* A batch of a loader's; takes `kept`, also on failure. Names: a tuple, one an output. */
PyObject *
batch_new(context *c, PyObject *names, const assay_batch *from, assay_kept *kept);
int batch_make(PyObject *module, ext_state *state);

/* ---- loader.c, writer.c, reader.c, model.c, jobs.c ---- */

int loader_make(PyObject *module, ext_state *state);
int writer_make(PyObject *module, ext_state *state);
int reader_make(PyObject *module, ext_state *state);
int model_make(PyObject *module, ext_state *state);
extern PyMethodDef jobs_methods[];
/* {name: what is said of it} of a list of the library's. */
PyObject *names_of(size_t n, const char *(*name)(size_t), const char *(*say)(size_t));

/* ---- attribution.c ---- */

extern PyMethodDef attribution_methods[];

/* Makes a type of the module's and puts it there. NULL with an exception. */
PyTypeObject *type_make(PyObject *module, PyType_Spec *spec);

#endif
