/* Loader: epochs of batches, made in its threads or in one that can be asked to stop. */
#include "ext.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_NS = 10000000 }; /* so often signals are looked after */

/* ---- loaders ---- */

typedef struct loader {
    PyObject_HEAD assay_loader *l;
    context *context;
    PyObject *names;  /* of the outputs; NULL before the first batch */
    PyObject *hooks;  /* a dict: they are called from the loader's threads */
    PyObject *raised; /* the exception of a hook or filter */
    PyObject *filter;
    bool busy;
} loader;

static void keep_raised(loader *self) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (value && trace)
        (void)PyException_SetTraceback(value, trace);
    if (!self->raised && value)
        self->raised = value;
    else
        drop(value);
    drop(type);
    drop(trace);
}

/* The exception of a callback takes the place of what came of it. */
static int raise_kept(loader *self) {
    if (!self->raised)
        return 0;
    PyObject *value = self->raised;
    self->raised = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(value), value);
    drop(value);
    return -1;
}

/* ---- callbacks ---- */

typedef struct hook_user {
    loader *self;
    PyObject *call; /* borrowed from the dict */
} hook_user;

static PyObject *view_of(const void *data, int64_t n, bool writable) {
    return PyMemoryView_FromMemory((char *)(uintptr_t)data, (Py_ssize_t)n,
                                   writable ? PyBUF_WRITE : PyBUF_READ);
}

static void call_hook(void *user,
                      const uint8_t *src,
                      uint8_t *dst,
                      int height,
                      int width,
                      int channels,
                      uint64_t random,
                      uint64_t sample,
                      uint32_t epoch) {
    hook_user *u = user;
    int64_t n = (int64_t)height * width * channels;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *from = view_of(src, n, false), *to = view_of(dst, n, true), *said = NULL;
    if (from && to && !u->self->raised)
        said = PyObject_CallFunction(u->call, "OO(iii)KKI", from, to, height, width,
                                     channels, (unsigned long long)random,
                                     (unsigned long long)sample, (unsigned)epoch);
    if (PyErr_Occurred())
        keep_raised(u->self);
    /* The memory is the loader's again: what still looks at it must not. */
    PyObject *ended = from ? PyObject_CallMethod(from, "release", NULL) : NULL;
    drop(ended);
    ended = to ? PyObject_CallMethod(to, "release", NULL) : NULL;
    drop(ended);
    PyErr_Clear();
    drop(from);
    drop(to);
    drop(said);
    PyGILState_Release(gil);
}

static int call_filter(void *user, int file, uint64_t row, int64_t label) {
    loader *self = user;
    int yes = 0;
    PyGILState_STATE gil = PyGILState_Ensure();
    if (!self->raised) {
        PyObject *said = PyObject_CallFunction(self->filter, "iKL", file,
                                               (unsigned long long)row, (long long)label);
        yes = said ? PyObject_IsTrue(said) : 0;
        drop(said);
        if (PyErr_Occurred())
            keep_raised(self);
    }
    PyGILState_Release(gil);
    return yes > 0;
}

static void free_users(PyObject *capsule) {
    PyMem_Free(PyCapsule_GetPointer(capsule, NULL));
}

/* The list of hooks, which `*keep` and the loader hold. */
static int
take_hooks(loader *self, PyObject *hooks, assay_load_options *o, PyObject **keep) {
    PyObject *key, *value;
    Py_ssize_t at = 0, n;
    if (hooks == Py_None)
        return 0;
    if (!PyDict_Check(hooks)) {
        PyErr_SetString(PyExc_TypeError, "hooks must be a dict of callables");
        return -1;
    }
    n = PyDict_Size(hooks);
    self->hooks = PyDict_Copy(hooks);
    size_t each_bytes = sizeof(hook_user) + sizeof(assay_hook);
    char *block = PyMem_Calloc((size_t)n + 1, each_bytes);
    if (!self->hooks || !block) {
        PyMem_Free(block);
        PyErr_NoMemory();
        return -1;
    }
    hook_user *user = (hook_user *)(void *)block;
    assay_hook *hook = (assay_hook *)(void *)(block + (size_t)n * sizeof *user);
    PyObject *capsule = PyCapsule_New(block, NULL, free_users);
    /* Users outlive this call: the dict holds the block under a key no hook can have. */
    if (!capsule) {
        PyMem_Free(block);
        return -1;
    }
    while (PyDict_Next(hooks, &at, &key, &value)) {
        if (!PyCallable_Check(value)) {
            PyErr_Format(PyExc_TypeError, "hook %R is not callable", key);
            drop(capsule);
            return -1;
        }
        user->self = self;
        user->call = value;
        hook->name = keep_text(key, keep);
        hook->fn = call_hook;
        hook->user = user++;
        if (!hook->name) {
            drop(capsule);
            return -1;
        }
        hook++;
    }
    o->hooks = hook - n;
    o->n_hooks = (size_t)n;
    int failed = PyDict_SetItem(self->hooks, Py_None, capsule);
    drop(capsule);
    return failed;
}

/* ---- making ---- */

#define MEMBER(name, kind)                                                               \
    { #name, kind, offsetof(assay_load_options, name) }
static const member load_members[] = {
    MEMBER(batch, 'i'),        MEMBER(order, 's'),      MEMBER(seed, 'u'),
    MEMBER(threads, 'i'),      MEMBER(ahead, 'i'),      MEMBER(drop_last, 'b'),
    MEMBER(split, 's'),        MEMBER(epoch_rows, 'u'), MEMBER(cache, 's'),
    MEMBER(cache_bytes, 'u'),  MEMBER(rank, 'i'),       MEMBER(world, 'i'),
    MEMBER(skip_damaged, 'b'), MEMBER(index, 's'),      {NULL, 0, 0}};

typedef struct making {
    loader *self;
    const char **paths;
    size_t n_paths;
    const char *pipelines;
    assay_load_options options;
    borrowed rows, weights, file_weights;
    assay_custom_field *custom;
    PyObject *keep;
} making;

static assay_status make_work(assay_ctx *ctx, void *arg) {
    making *m = arg;
    return assay_loader_create(&m->self->l, ctx, m->paths, m->n_paths, m->pipelines,
                               &m->options);
}

static int take_numbers(borrowed *b,
                        PyObject *given,
                        const char *what,
                        assay_dtype dtype,
                        assay_dtype also,
                        const void **data,
                        size_t *n) {
    if (given == Py_None)
        return 0;
    if (borrow(b, given, true, what) < 0)
        return -1;
    if (b->ndim != 1 || (b->dtype != dtype && b->dtype != also)) {
        PyErr_Format(PyExc_TypeError, "%s: one dimension of %s is wanted", what,
                     assay_dtype_name(dtype));
        return -1;
    }
    *data = b->data;
    if (n)
        *n = (size_t)b->dim[0];
    return 0;
}

static int take_custom(making *m, PyObject *custom) {
    if (custom == Py_None)
        return 0;
    Py_ssize_t n = PySequence_Size(custom);
    m->custom = n < 0 ? NULL : PyMem_Calloc((size_t)n + 1, sizeof *m->custom);
    for (Py_ssize_t i = 0; m->custom && i < n; i++) {
        PyObject *name, *item = PySequence_GetItem(custom, i);
        unsigned bytes, align;
        bool good = item && PyTuple_Check(item) &&
                    PyArg_ParseTuple(item, "OII", &name, &bytes, &align);
        if (good)
            m->custom[i] = (assay_custom_field){keep_text(name, &m->keep), bytes, align};
        drop(item);
        if (!good || !m->custom[i].name) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError,
                                "custom: tuples (name, cell_bytes, cell_align)");
            return -1;
        }
    }
    m->options.custom = m->custom;
    m->options.n_custom = n < 0 ? 0 : (size_t)n;
    return m->custom ? 0 : -1;
}

static int
make_loader(making *m, PyObject *paths, PyObject *pipelines, PyObject *filter) {
    const void *rows = NULL, *weights = NULL, *files = NULL;
    m->paths = keep_texts(paths, &m->keep, &m->n_paths);
    if (!m->paths)
        return -1;
    if (pipelines != Py_None) {
        m->pipelines = PyUnicode_AsUTF8AndSize(pipelines, NULL);
        if (!m->pipelines)
            return -1;
    }
    rows = m->rows.data;
    weights = m->weights.data;
    files = m->file_weights.data;
    m->options.rows = rows;
    m->options.weights = weights;
    m->options.file_weights = files;
    if (filter != Py_None) {
        m->self->filter = filter;
        share(filter);
        m->options.filter = call_filter;
        m->options.filter_user = m->self;
    }
    int failed = context_work(m->self->context, false, NULL, make_work, m);
    if (m->self->raised) {
        PyErr_Clear();
        return raise_kept(m->self);
    }
    return failed;
}

static PyObject *loader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"paths",  "pipelines",    "options", "rows",   "weights",
                            "filter", "file_weights", "hooks",   "custom", "context",
                            NULL};
    PyObject *paths, *pipelines = Py_None, *options = Py_None, *rows = Py_None;
    PyObject *weights = Py_None, *filter = Py_None, *file_weights = Py_None;
    PyObject *hooks = Py_None, *custom = Py_None, *given = Py_None;
    making m = {.options = ASSAY_LOAD_OPTIONS_INIT};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO$OOOOOOO", names, &paths,
                                     &pipelines, &options, &rows, &weights, &filter,
                                     &file_weights, &hooks, &custom, &given))
        return NULL;
    loader *self = (loader *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    m.self = self;
    self->context = context_for(given);
    const void *at[3] = {NULL};
    size_t n_files;
    bool good = self->context &&
                options_fill(&m.options, load_members, options, &m.keep) == 0 &&
                take_hooks(self, hooks, &m.options, &m.keep) == 0 &&
                take_custom(&m, custom) == 0 &&
                take_numbers(&m.rows, rows, "rows", ASSAY_U64, ASSAY_I64, &at[0],
                             &m.options.n_rows) == 0 &&
                take_numbers(&m.weights, weights, "weights", ASSAY_F64, ASSAY_F64, &at[1],
                             &m.options.n_weights) == 0 &&
                take_numbers(&m.file_weights, file_weights, "file_weights", ASSAY_F64,
                             ASSAY_F64, &at[2], &n_files) == 0;
    if (good && m.file_weights.data && n_files != (size_t)PySequence_Size(paths)) {
        raise_made(ASSAY_E_INVALID, "file_weights: one for each file is wanted", "");
        good = false;
    }
    if (good && make_loader(&m, paths, pipelines, filter) < 0)
        good = false;
    borrow_end(&m.rows);
    borrow_end(&m.weights);
    borrow_end(&m.file_weights);
    PyMem_Free(m.paths);
    PyMem_Free(m.custom);
    drop(m.keep);
    if (!good)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void close_loader(loader *self) {
    assay_loader *l = self->l;
    self->l = NULL;
    if (!l || self->context->pid != getpid())
        return;
    Py_BEGIN_ALLOW_THREADS /* a hook may be waiting for the GIL */
        assay_loader_destroy(l);
    Py_END_ALLOW_THREADS
}

static int loader_traverse(PyObject *self, visitproc visit, void *arg) {
    loader *o = (loader *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(o->context);
    Py_VISIT(o->hooks);
    Py_VISIT(o->filter);
    Py_VISIT(o->raised);
    return 0;
}

static int loader_clear(PyObject *self) {
    loader *o = (loader *)self;
    close_loader(o);
    Py_CLEAR(o->hooks);
    Py_CLEAR(o->filter);
    Py_CLEAR(o->raised);
    Py_CLEAR(o->names);
    return 0;
}

static void loader_dealloc(PyObject *self) {
    loader *o = (loader *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)loader_clear(self);
    drop(o->context);
    PyObject_GC_Del(self);
    drop(type);
}

/* ---- using ---- */

/* Open, in this process, and nobody else is at it. */
static int enter(loader *self) {
    if (!self->l) {
        raise_made(ASSAY_E_INVALID, "the loader is closed", "");
        return -1;
    }
    if (context_check(self->context, "Loader") < 0)
        return -1;
    if (self->busy) {
        raise_made(ASSAY_E_INVALID, "the loader is in use by another thread",
                   "give each thread a loader of its own");
        return -1;
    }
    self->busy = true;
    return 0;
}

static PyObject *leave(loader *self, assay_status status) {
    self->busy = false;
    if (raise_kept(self) < 0)
        return NULL;
    if (status != ASSAY_OK)
        return raise_last(status);
    Py_RETURN_NONE;
}

static PyObject *loader_epoch(PyObject *o, PyObject *number) {
    loader *self = (loader *)o;
    unsigned long epoch = PyLong_AsUnsignedLong(number);
    assay_status status;
    if (PyErr_Occurred())
        return NULL;
    if (epoch > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "an epoch's number is below 2^32");
        return NULL;
    }
    if (enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status = assay_loader_epoch(self->l, (uint32_t)epoch);
    Py_END_ALLOW_THREADS return leave(self, status);
}

/* The outputs' names, once: those of the library go with the loader. */
static int take_names(loader *self, const assay_batch *b) {
    PyObject *names = PyTuple_New(b->columns);
    for (int i = 0; names && i < b->columns; i++) {
        PyObject *name = PyUnicode_FromString(b->column[i].name);
        if (!name || PyTuple_SetItem(names, i, name) < 0)
            Py_CLEAR(names);
    }
    self->names = names;
    return names ? 0 : -1;
}

/* Without threads of its own, the loader makes a batch here: in a thread that can be
 * asked to stop. */
typedef struct inline_next {
    assay_loader *l;
    assay_batch *out;
} inline_next;

static assay_status next_work(assay_ctx *ctx, void *arg) {
    inline_next *n = arg;
    (void)ctx;
    return assay_loader_next(n->l, n->out);
}

static int wait_for_batch(loader *self) {
    for (;;) {
        int ready;
        Py_BEGIN_ALLOW_THREADS ready = assay_loader_wait(self->l, WAIT_NS);
        Py_END_ALLOW_THREADS if (ready) return 0;
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
}

static PyObject *loader_next(PyObject *o, PyObject *in_thread) {
    loader *self = (loader *)o;
    assay_status status = ASSAY_OK;
    assay_batch b = {0};
    assay_kept *kept = NULL;
    if (enter(self) < 0)
        return NULL;
    if (in_thread == Py_True) {
        inline_next n = {self->l, &b};
        if (context_work(self->context, false, NULL, next_work, &n) < 0) {
            self->busy = false;
            return NULL;
        }
    } else if (wait_for_batch(self) < 0) {
        self->busy = false;
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS if (in_thread != Py_True) status =
        assay_loader_next(self->l, &b);
    if (status == ASSAY_OK && b.n > 0)
        status = assay_loader_keep(self->l, &kept);
    Py_END_ALLOW_THREADS PyObject *none = leave(self, status);
    if (!none || !kept) {
        assay_kept_release(kept);
        return none;
    }
    drop(none);
    if (!self->names && take_names(self, &b) < 0) {
        assay_kept_release(kept);
        return NULL;
    }
    return batch_new(self->context, self->names, &b, kept);
}

static PyObject *loader_batches(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    (void)none;
    if (!self->l)
        return raise_made(ASSAY_E_INVALID, "the loader is closed", "");
    return PyLong_FromUnsignedLongLong(assay_loader_batches(self->l));
}

static PyObject *loader_skipped(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    (void)none;
    if (!self->l)
        return raise_made(ASSAY_E_INVALID, "the loader is closed", "");
    return PyLong_FromUnsignedLongLong(assay_loader_skipped(self->l));
}

static PyObject *loader_set_size(PyObject *o, PyObject *args) {
    loader *self = (loader *)o;
    const char *output;
    int height, width;
    if (!PyArg_ParseTuple(args, "sii", &output, &height, &width) || enter(self) < 0)
        return NULL;
    return leave(self, assay_loader_set_size(self->l, output, height, width));
}

static PyObject *loader_state(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    uint8_t state[ASSAY_LOADER_STATE_BYTES];
    (void)none;
    if (enter(self) < 0)
        return NULL;
    assay_loader_state(self->l, state);
    self->busy = false;
    return PyBytes_FromStringAndSize((const char *)state, sizeof state);
}

static PyObject *loader_resume(PyObject *o, PyObject *state) {
    loader *self = (loader *)o;
    char *bytes;
    Py_ssize_t n;
    if (PyBytes_AsStringAndSize(state, &bytes, &n) < 0)
        return NULL;
    if (n != ASSAY_LOADER_STATE_BYTES)
        return raise_made(ASSAY_E_INVALID, "these bytes are no loader's state", "");
    if (enter(self) < 0)
        return NULL;
    assay_status status;
    Py_BEGIN_ALLOW_THREADS status = assay_loader_resume(self->l, (const uint8_t *)bytes);
    Py_END_ALLOW_THREADS return leave(self, status);
}

static PyObject *loader_number(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    (void)none;
    if (!self->l)
        return raise_made(ASSAY_E_INVALID, "the loader is closed", "");
    return PyLong_FromUnsignedLong(assay_loader_epoch_number(self->l));
}

static PyObject *loader_plan(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    char *text;
    (void)none;
    if (enter(self) < 0)
        return NULL;
    assay_status status = assay_loader_plan(self->l, &text);
    self->busy = false;
    return status == ASSAY_OK ? take_string(self->context->ctx, text)
                              : raise_last(status);
}

#undef MEMBER
#define MEMBER(name, kind)                                                               \
    { #name, kind, offsetof(assay_load_stats, name) }
static const member stats_members[] = {MEMBER(samples, 'u'),
                                       MEMBER(batches, 'u'),
                                       MEMBER(bytes_read, 'u'),
                                       MEMBER(read, 'd'),
                                       MEMBER(decode, 'd'),
                                       MEMBER(transform, 'd'),
                                       MEMBER(output, 'd'),
                                       MEMBER(mix, 'd'),
                                       MEMBER(wait_consumer, 'd'),
                                       MEMBER(wait_workers, 'd'),
                                       MEMBER(decoded_own, 'u'),
                                       MEMBER(decoded_indexed, 'u'),
                                       MEMBER(decoded_library, 'u'),
                                       MEMBER(decoded_whole, 'u'),
                                       {NULL, 0, 0}};

static PyObject *loader_stats(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    assay_load_stats s = {.struct_size = sizeof s};
    (void)none;
    if (enter(self) < 0)
        return NULL;
    assay_loader_stats(self->l, &s);
    self->busy = false;
    return result_dict(&s, stats_members);
}

static PyObject *loader_close(PyObject *o, PyObject *none) {
    loader *self = (loader *)o;
    (void)none;
    if (self->busy)
        return raise_made(ASSAY_E_INVALID, "the loader is in use by another thread", "");
    close_loader(self);
    Py_RETURN_NONE;
}

static PyMethodDef loader_methods[] = {
    {"epoch", loader_epoch, METH_O, "epoch(number)\n--\n\nBegins an epoch."},
    {"next", loader_next, METH_O,
     "next(in_thread)\n--\n\nThe next Batch; None at the epoch's end."},
    {"batches", loader_batches, METH_NOARGS, "Batches of an epoch."},
    {"skipped", loader_skipped, METH_NOARGS, "Damaged samples left out so far."},
    {"set_size", loader_set_size, METH_VARARGS,
     "set_size(output, height, width)\n--\n\n"
     "Another resolution for an output's images, from the next epoch on."},
    {"state", loader_state, METH_NOARGS, "Where the loader stands, as bytes."},
    {"resume", loader_resume, METH_O, "resume(state)\n--\n\nGoes on from a state."},
    {"epoch_number", loader_number, METH_NOARGS, "The epoch that was begun last."},
    {"plan", loader_plan, METH_NOARGS,
     "plan()\n--\n\nWhat the pipelines were compiled to, for people."},
    {"stats", loader_stats, METH_NOARGS,
     "stats()\n--\n\nWhere the time went, CPU seconds by stage, and counts."},
    {"close", loader_close, METH_NOARGS,
     "close()\n--\n\nStops the threads. Batches that were handed out stay valid."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot loader_slots[] = {
    {Py_tp_doc, "A loader of the library's; assay.Loader is made of it."},
    {Py_tp_new, loader_new},
    {Py_tp_traverse, loader_traverse},
    {Py_tp_clear, loader_clear},
    {Py_tp_dealloc, loader_dealloc},
    {Py_tp_methods, loader_methods},
    {0, NULL}};

static PyType_Spec loader_spec = {.name = "assay._assay.Loader",
                                  .basicsize = sizeof(loader),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                  .slots = loader_slots};

int loader_make(PyObject *module, ext_state *state) {
    state->loader = type_make(module, &loader_spec);
    return state->loader ? 0 : -1;
}
