/* Model: a computation with its weights, run over other people's arrays. */
#include "ext.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { MOST_VALUES = 64 };

typedef struct model {
    PyObject_HEAD assay_model *m;
    context *context;
    bool busy;
} model;

/* Tensors over borrowed arrays. */
typedef struct lent {
    borrowed of[MOST_VALUES];
    assay_tensor *tensor[MOST_VALUES];
    int n;
} lent;

static void lent_end(lent *l) {
    for (int i = 0; i < l->n; i++) {
        assay_tensor_unref(l->tensor[i]);
        borrow_end(&l->of[i]);
    }
    l->n = 0;
}

static int lend(lent *l, PyObject *object, assay_ctx *ctx, const char *what) {
    int i = l->n;
    if (i >= MOST_VALUES) {
        PyErr_Format(PyExc_ValueError, "more than %d inputs", MOST_VALUES);
        return -1;
    }
    if (borrow(&l->of[i], object, false, what) < 0)
        return -1;
    l->tensor[i] = NULL;
    l->n++;
    borrowed *b = &l->of[i];
    assay_status status = assay_tensor_wrap(&l->tensor[i], ctx, b->data, b->dtype,
                                            b->ndim, b->dim, b->stride);
    if (status != ASSAY_OK) {
        raise_last(status);
        return -1;
    }
    return 0;
}

static int lend_all(lent *l, PyObject *inputs, assay_ctx *ctx) {
    Py_ssize_t n = PySequence_Size(inputs);
    if (n < 0)
        return -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        char what[32];
        PyObject *item = PySequence_GetItem(inputs, i);
        (void)PyOS_snprintf(what, sizeof what, "input %d", (int)i);
        int failed = item ? lend(l, item, ctx, what) : -1;
        drop(item); /* what is borrowed of it is held by the borrowing */
        if (failed)
            return -1;
    }
    return 0;
}

/* ---- opening ---- */

#define MEMBER(name, kind)                                                               \
    { #name, kind, offsetof(assay_model_options, name) }
static const member model_members[] = {
    MEMBER(open_batch, 'b'), MEMBER(precision, 's'), MEMBER(batch, 'i'), {NULL, 0, 0}};

typedef struct opening {
    model *self;
    const char *path, *kind;
    const void *bytes;
    size_t n;
    assay_model_options options;
} opening;

static assay_status open_work(assay_ctx *ctx, void *arg) {
    opening *o = arg;
    if (o->bytes)
        return assay_model_open_memory(&o->self->m, ctx, o->bytes, o->n, &o->options);
    if (strcmp(o->kind, "trained") == 0)
        return assay_model_open_trained(&o->self->m, ctx, o->path, &o->options);
    if (strcmp(o->kind, "weights") == 0)
        return assay_model_open_weights(&o->self->m, ctx, o->path, &o->options);
    return assay_model_open(&o->self->m, ctx, o->path, &o->options);
}

static int open_model(opening *o, PyObject *source, PyObject *inputs, PyObject **keep) {
    lent l = {.n = 0};
    const assay_tensor *known[MOST_VALUES];
    int failed = 0;
    if (PyBytes_Check(source)) {
        char *bytes;
        Py_ssize_t n;
        if (PyBytes_AsStringAndSize(source, &bytes, &n) < 0)
            return -1;
        o->bytes = bytes;
        o->n = (size_t)n;
    } else {
        o->path = keep_text(source, keep);
        if (!o->path)
            return -1;
    }
    if (inputs != Py_None) {
        failed = lend_all(&l, inputs, o->self->context->ctx);
        for (int i = 0; i < l.n; i++)
            known[i] = l.tensor[i];
        o->options.inputs = known;
        o->options.n_inputs = l.n;
    }
    if (!failed)
        failed = context_work(o->self->context, false, NULL, open_work, o);
    lent_end(&l);
    return failed;
}

static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"source", "kind", "options", "inputs", "context", NULL};
    PyObject *source, *options = Py_None, *inputs = Py_None, *given = Py_None,
                      *keep = NULL;
    opening o = {.kind = "onnx", .options = ASSAY_MODEL_OPTIONS_INIT};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|sO$OO", names, &source, &o.kind,
                                     &options, &inputs, &given))
        return NULL;
    model *self = (model *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    o.self = self;
    self->context = context_for(given);
    if (!self->context || options_fill(&o.options, model_members, options, &keep) < 0 ||
        open_model(&o, source, inputs, &keep) < 0)
        Py_CLEAR(self);
    drop(keep);
    return (PyObject *)self;
}

static void model_dealloc(PyObject *o) {
    model *self = (model *)o;
    PyTypeObject *type = Py_TYPE(o);
    if (self->m && self->context->pid == getpid())
        assay_model_close(self->m);
    drop(self->context);
    PyObject_Free(o);
    drop(type);
}

/* ---- what it is ---- */

static PyObject *tell_value(const assay_model_value *v) {
    PyObject *shape = PyTuple_New(v->ndim), *out = NULL;
    for (int i = 0; shape && i < v->ndim; i++)
        if (PyTuple_SetItem(shape, i, PyLong_FromLongLong(v->dim[i])) < 0)
            Py_CLEAR(shape);
    if (shape)
        out = Py_BuildValue("ssO", v->name, assay_dtype_name(v->dtype), shape);
    drop(shape);
    return out;
}

static PyObject *tell_values(const assay_model *m,
                             int n,
                             assay_model_value (*at)(const assay_model *, int)) {
    PyObject *out = PyList_New(0);
    for (int i = 0; out && i < n; i++) {
        assay_model_value v = at(m, i);
        PyObject *row = tell_value(&v);
        if (!row || PyList_Append(out, row) < 0)
            Py_CLEAR(out);
        drop(row);
    }
    return out;
}

static PyObject *model_inputs(PyObject *o, void *none) {
    const assay_model *m = ((model *)o)->m;
    (void)none;
    return tell_values(m, assay_model_input_count(m), assay_model_input);
}

static PyObject *model_outputs(PyObject *o, void *none) {
    const assay_model *m = ((model *)o)->m;
    (void)none;
    return tell_values(m, assay_model_output_count(m), assay_model_output);
}

static void unref_object(void *object) {
    drop((PyObject *)object);
}

/* The model's own memory: writing to it changes the model. */
static PyObject *model_params(PyObject *o, PyObject *none) {
    model *self = (model *)o;
    PyObject *out = PyDict_New();
    (void)none;
    memory *m = out ? memory_new(o, unref_object, self->context) : NULL;
    if (m)
        share(o);
    int n = m ? assay_model_param_count(self->m) : 0;
    for (int i = 0; out && m && i < n; i++) {
        assay_model_value v = assay_model_param(self->m, i);
        PyObject *a =
            (PyObject *)array_new((PyObject *)m, assay_model_param_data(self->m, i),
                                  v.dtype, v.ndim, v.dim, NULL);
        if (!a || PyDict_SetItemString(out, v.name, a) < 0)
            Py_CLEAR(out);
        drop(a);
    }
    if (!m)
        Py_CLEAR(out);
    drop(m);
    return out;
}

/* ---- running ---- */

typedef struct running {
    model *self;
    lent in, seed;
    int output;
    assay_tensor *out[MOST_VALUES], *value, *d_in[MOST_VALUES], **d_params;
} running;

static assay_status run_work(assay_ctx *ctx, void *arg) {
    running *r = arg;
    (void)ctx;
    return assay_model_run(r->self->m, (const assay_tensor *const *)r->in.tensor, r->out);
}

static assay_status gradients_work(assay_ctx *ctx, void *arg) {
    running *r = arg;
    (void)ctx;
    return assay_model_gradients(r->self->m, (const assay_tensor *const *)r->in.tensor,
                                 r->output, r->seed.n ? r->seed.tensor[0] : NULL,
                                 &r->value, r->d_in, r->d_params);
}

static PyObject *list_of(assay_tensor **tensor, int n, context *c) {
    PyObject *out = PyList_New(0);
    for (int i = 0; i < n; i++) {
        PyObject *a = NULL;
        if (tensor[i])
            a = array_of_tensor(tensor[i], c);
        else
            a = (share(Py_None), Py_None);
        if (!a || !out || PyList_Append(out, a) < 0)
            Py_CLEAR(out);
        drop(a);
    }
    return out;
}

static int run(running *r, PyObject *inputs, work_fn *work) {
    model *self = r->self;
    int wants = assay_model_input_count(self->m);
    if (context_check(self->context, "Model") < 0)
        return -1;
    if (self->busy) {
        raise_made(ASSAY_E_INVALID, "the model is in use by another thread",
                   "open it once for each thread");
        return -1;
    }
    if (assay_model_output_count(self->m) > MOST_VALUES || wants > MOST_VALUES) {
        raise_made(ASSAY_E_UNSUPPORTED, "more than 64 inputs or outputs", "");
        return -1;
    }
    int failed = lend_all(&r->in, inputs, self->context->ctx);
    if (!failed && r->in.n != wants) {
        PyErr_Format(PyExc_TypeError, "the model has %d inputs, not %d", wants, r->in.n);
        failed = -1;
    }
    if (!failed) {
        self->busy = true;
        failed = context_work(self->context, false, NULL, work, r);
        self->busy = false;
    }
    lent_end(&r->in);
    return failed;
}

static PyObject *model_run(PyObject *o, PyObject *inputs) {
    running *r = PyMem_Calloc(1, sizeof *r);
    PyObject *out = NULL;
    if (!r)
        return PyErr_NoMemory();
    r->self = (model *)o;
    if (run(r, inputs, run_work) == 0)
        out = list_of(r->out, assay_model_output_count(r->self->m), r->self->context);
    PyMem_Free(r);
    return out;
}

static PyObject *model_gradients(PyObject *o, PyObject *args) {
    model *self = (model *)o;
    PyObject *inputs, *seed, *out = NULL;
    running *r = PyMem_Calloc(1, sizeof *r);
    if (!r)
        return PyErr_NoMemory();
    r->self = self;
    int params = assay_model_param_count(self->m);
    int n_in = assay_model_input_count(self->m);
    r->d_params = PyMem_Calloc((size_t)params + 1, sizeof(assay_tensor *));
    if (!r->d_params)
        PyErr_NoMemory();
    else if (PyArg_ParseTuple(args, "OiO", &inputs, &r->output, &seed) &&
             (seed == Py_None || lend(&r->seed, seed, self->context->ctx, "seed") == 0) &&
             run(r, inputs, gradients_work) == 0) {
        PyObject *value = array_of_tensor(r->value, self->context);
        PyObject *d_in = list_of(r->d_in, n_in, self->context);
        PyObject *d_params = list_of(r->d_params, params, self->context);
        if (value && d_in && d_params)
            out = PyTuple_Pack(3, value, d_in, d_params);
        drop(value);
        drop(d_in);
        drop(d_params);
    }
    lent_end(&r->seed);
    PyMem_Free(r->d_params);
    PyMem_Free(r);
    return out;
}

static PyMethodDef model_methods[] = {
    {"params", model_params, METH_NOARGS, "{name: array on the model's own memory}"},
    {"run", model_run, METH_O, "run(inputs)\n--\n\nThe outputs, a list of arrays."},
    {"gradients", model_gradients, METH_VARARGS,
     "gradients(inputs, output, seed)\n--\n\n"
     "(output, gradients by inputs, gradients by parameters)"},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef model_getset[] = {
    {"inputs", model_inputs, NULL, "[(name, dtype, shape)]; -1: the batch.", NULL},
    {"outputs", model_outputs, NULL, "[(name, dtype, shape)]; -1: the batch.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot model_slots[] = {
    {Py_tp_doc, "A model of the library's; assay.Model is made of it."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, model_methods},
    {Py_tp_getset, model_getset},
    {0, NULL}};

static PyType_Spec model_spec = {.name = "assay._assay.Model",
                                 .basicsize = sizeof(model),
                                 .flags = Py_TPFLAGS_DEFAULT,
                                 .slots = model_slots};

int model_make(PyObject *module, ext_state *state) {
    state->model = type_make(module, &model_spec);
    return state->model ? 0 : -1;
}
