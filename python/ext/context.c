/* Context: the threads that work may use; and how long work is done so that Python's
 * signals are heard meanwhile. */
#include "ext.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 10000000 }; /* so often signals are looked after */

typedef struct job {
    struct job *next;
    assay_ctx *ctx;
    PyObject *progress;
    PyObject *raised[3]; /* by progress or a signal: type, value, traceback */
    work_fn *work;
    void *arg;
    assay_status status;
    failure failed;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done; /* guarded by the lock */
} job;

/* ---- life ---- */

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"threads", "progress", NULL};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    PyObject *progress = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i$O", names, &o.threads, &progress))
        return NULL;
    if (progress == Py_None)
        progress = NULL;
    if (progress && !PyCallable_Check(progress)) {
        PyErr_SetString(PyExc_TypeError, "progress must be callable or None");
        return NULL;
    }
    context *c = (context *)PyType_GenericAlloc(type, 0);
    if (!c)
        return NULL;
    c->pid = getpid();
    assay_status status = assay_ctx_create(&c->ctx, &o);
    if (status != ASSAY_OK) {
        drop(c);
        return raise_last(status);
    }
    c->threads = assay_ctx_threads(c->ctx);
    Py_XINCREF(progress);
    c->progress = progress;
    return (PyObject *)c;
}

static int context_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((context *)self)->progress);
    return 0;
}

static int context_clear(PyObject *self) {
    Py_CLEAR(((context *)self)->progress);
    return 0;
}

static void context_dealloc(PyObject *self) {
    context *c = (context *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)context_clear(self);
    if (c->pid == getpid()) { /* else its threads are not ours to join */
        assay_ctx *ctx = c->ctx;
        Py_BEGIN_ALLOW_THREADS assay_ctx_destroy(ctx);
        Py_END_ALLOW_THREADS
    }
    PyObject_GC_Del(self);
    drop(type);
}

context *context_for(PyObject *given) {
    ext_state *state = ext_get();
    if (!given || given == Py_None)
        return (context *)PyObject_CallObject((PyObject *)state->context, NULL);
    if (!PyObject_TypeCheck(given, state->context)) {
        PyErr_SetString(PyExc_TypeError, "context must be an assay.Context or None");
        return NULL;
    }
    if (context_check((context *)given, "Context") < 0)
        return NULL;
    share(given);
    return (context *)given;
}

int context_check(const context *c, const char *what) {
    if (c->pid == getpid())
        return 0;
    char text[128];
    (void)PyOS_snprintf(
        text, sizeof text,
        "this %s was made before a fork; its threads are not in this process", what);
    raise_made(ASSAY_E_INVALID, text, "make it in the process that uses it");
    return -1;
}

/* ---- work ---- */

static void keep_raised(job *j) {
    if (j->raised[0])
        PyErr_Clear();
    else
        PyErr_Fetch(&j->raised[0], &j->raised[1], &j->raised[2]);
}

static int tell_progress(void *cookie, const assay_progress *p) {
    job *j = cookie;
    PyGILState_STATE gil = PyGILState_Ensure();
    int stop = j->raised[0] != NULL;
    if (!stop) {
        PyObject *said =
            PyObject_CallFunction(j->progress, "siiLLsd", p->phase, p->phase_index,
                                  p->phase_count, (long long)p->done, (long long)p->total,
                                  p->unit, 1e-9 * (double)p->elapsed_ns);
        stop = !said || said == Py_False;
        if (!said)
            keep_raised(j);
        drop(said);
    }
    PyGILState_Release(gil);
    return stop;
}

static void *job_main(void *arg) {
    job *j = arg;
    assay_status status = j->work(j->ctx, j->arg);
    if (status != ASSAY_OK)
        failure_take(&j->failed, status);
    pthread_mutex_lock(&j->lock);
    j->status = status;
    j->done = true;
    pthread_cond_signal(&j->ended);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* A little while, without the GIL. */
static bool job_wait(job *j) {
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += LOOK_NS;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&j->lock);
    int late = 0;
    while (!j->done && late == 0)
        late = pthread_cond_timedwait(&j->ended, &j->lock, &at);
    bool done = j->done;
    pthread_mutex_unlock(&j->lock);
    return done;
}

static void job_attend(job *j) {
    bool done = false;
    while (!done) {
        Py_BEGIN_ALLOW_THREADS done = job_wait(j);
        Py_END_ALLOW_THREADS if (!done && PyErr_CheckSignals() < 0) {
            keep_raised(j);
            assay_ctx_cancel(j->ctx);
        }
    }
}

/* Signals go to the program's own threads. */
static int job_start(job *j, pthread_t *thread) {
    sigset_t all, before;
    pthread_condattr_t monotonic;
    if (pthread_mutex_init(&j->lock, NULL) != 0)
        return -1;
    int err = pthread_condattr_init(&monotonic);
    if (err == 0) {
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        err = pthread_cond_init(&j->ended, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
    }
    if (err == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        err = pthread_create(thread, NULL, job_main, j);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (err != 0)
            (void)pthread_cond_destroy(&j->ended);
    }
    if (err != 0)
        (void)pthread_mutex_destroy(&j->lock);
    return err == 0 ? 0 : -1;
}

static int job_run(context *c, job *j) {
    pthread_t thread;
    if (job_start(j, &thread) < 0) {
        raise_made(ASSAY_E_NOMEM, "no thread for the work", "");
        return -1;
    }
    j->next = c->jobs;
    c->jobs = j;
    job_attend(j);
    for (job **at = &c->jobs; *at; at = &(*at)->next)
        if (*at == j) {
            *at = j->next;
            break;
        }
    (void)pthread_join(thread, NULL);
    (void)pthread_cond_destroy(&j->ended);
    (void)pthread_mutex_destroy(&j->lock);
    if (j->raised[0]) {
        PyErr_Restore(j->raised[0], j->raised[1], j->raised[2]);
        return -1;
    }
    if (j->status != ASSAY_OK) {
        failure_raise(&j->failed);
        return -1;
    }
    return 0;
}

int context_work(context *c, bool own, PyObject *progress, work_fn *work, void *arg) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    job j = {.ctx = c->ctx, .work = work, .arg = arg};
    if (context_check(c, "Context") < 0)
        return -1;
    if (own) {
        j.progress = progress && progress != Py_None ? progress : c->progress;
        o.threads = c->threads;
        o.progress = j.progress ? tell_progress : NULL;
        o.progress_cookie = &j;
        assay_status status = assay_ctx_create(&j.ctx, &o);
        if (status != ASSAY_OK) {
            raise_last(status);
            return -1;
        }
    }
    share(c);
    int failed = job_run(c, &j);
    if (own) {
        Py_BEGIN_ALLOW_THREADS assay_ctx_destroy(j.ctx);
        Py_END_ALLOW_THREADS
    } else {
        assay_ctx_resume(j.ctx);
    }
    drop(c);
    return failed;
}

/* ---- methods ---- */

static PyObject *context_cancel(PyObject *self, PyObject *none) {
    (void)none;
    for (job *j = ((context *)self)->jobs; j; j = j->next)
        assay_ctx_cancel(j->ctx);
    Py_RETURN_NONE;
}

static PyObject *context_threads(PyObject *self, void *none) {
    (void)none;
    return PyLong_FromLong(((context *)self)->threads);
}

static PyObject *context_repr(PyObject *self) {
    return PyUnicode_FromFormat("assay.Context(threads=%d)", ((context *)self)->threads);
}

static PyObject *context_enter(PyObject *self, PyObject *none) {
    (void)none;
    share(self);
    return self;
}

static PyObject *context_exit(PyObject *self, PyObject *args) {
    (void)args;
    return context_cancel(self, NULL);
}

static PyMethodDef context_methods[] = {
    {"cancel", context_cancel, METH_NOARGS,
     "cancel()\n--\n\nAsks all work that runs on this context to end at its next safe\n"
     "point; it then raises assay.Cancelled. To be called from any thread."},
    {"__enter__", context_enter, METH_NOARGS, NULL},
    {"__exit__", context_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef context_members[] = {
    {"threads", context_threads, NULL, "How many threads work may use.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot context_slots[] = {
    {Py_tp_doc,
     "Context(threads=0, *, progress=None)\n--\n\n"
     "The threads that work may use.\n\n"
     "threads: 0 means ASSAY_THREADS, or the processors that this process may use.\n"
     "progress: called as progress(phase, phase_index, phase_count, done, total, unit,\n"
     "seconds) at most ten times a second during long work; returning False cancels it.\n"
     "As a context manager it cancels what still runs when the block is left."},
    {Py_tp_new, context_new},
    {Py_tp_traverse, context_traverse},
    {Py_tp_clear, context_clear},
    {Py_tp_dealloc, context_dealloc},
    {Py_tp_repr, context_repr},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_members},
    {0, NULL}};

static PyType_Spec context_spec = {.name = "assay.Context",
                                   .basicsize = sizeof(context),
                                   .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                   .slots = context_slots};

int context_make(PyObject *module, ext_state *state) {
    state->context = type_make(module, &context_spec);
    return state->context ? 0 : -1;
}
