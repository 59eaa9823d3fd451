/* Attribution: which rows made a model say something. Each call fills a struct, and the
 * library answers with a document in JSON. */
#include "ext.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef assay_status
ask_fn(assay_ctx *ctx, const char *source, void *options, char **json);

/* One question and its answer, which outlives the context it was made with. */
typedef struct asking {
    ask_fn *ask;
    const char *source;
    void *options;
    char *json;
} asking;

static assay_status ask_work(assay_ctx *ctx, void *arg) {
    asking *a = arg;
    char *json = NULL;
    assay_status status = a->ask(ctx, a->source, a->options, &json);
    if (status == ASSAY_OK && json) {
        a->json = strdup(json);
        status = a->json ? ASSAY_OK : ASSAY_E_NOMEM;
    }
    assay_string_free(ctx, json);
    return status;
}

/* The document as str. */
static PyObject *answer(asking *a, PyObject *context_given, PyObject *progress) {
    PyObject *out = NULL;
    context *c = context_for(context_given);
    if (c && context_work(c, true, progress, ask_work, a) == 0) {
        const char *json = a->json ? a->json : "";
        out = PyUnicode_DecodeUTF8(json, (Py_ssize_t)strlen(json), "replace");
    }
    free(a->json);
    drop(c);
    return out;
}

/* The usual form: (source, options, context, progress). */
static PyObject *ask(PyObject *args, ask_fn *work, void *options, const member *takes) {
    PyObject *source, *given, *context_given, *progress, *keep = NULL, *out = NULL;
    asking a = {.ask = work, .options = options};
    if (!PyArg_ParseTuple(args, "OOOO", &source, &given, &context_given, &progress))
        return NULL;
    if ((source == Py_None || (a.source = keep_text(source, &keep)) != NULL) &&
        options_fill(options, takes, given, &keep) == 0)
        out = answer(&a, context_given, progress);
    drop(keep);
    return out;
}

#define M(type, name, kind)                                                              \
    { #name, kind, offsetof(type, name) }
#define END                                                                              \
    { NULL, 0, 0 }

/* job_name of a question whose call is of `ctx`, `source`, `o` and `json`. */
#define ASK(name, type, initial, takes, call)                                            \
    static assay_status name##_ask(assay_ctx *ctx, const char *source, void *options,    \
                                   char **json) {                                        \
        const type *o = options;                                                         \
        (void)source;                                                                    \
        return call;                                                                     \
    }                                                                                    \
    static PyObject *job_##name(PyObject *module, PyObject *args) {                      \
        type o = initial;                                                                \
        (void)module;                                                                    \
        return ask(args, name##_ask, &o, takes);                                         \
    }

static const member lds_options[] = {M(assay_lds_options, protocol, 's'),
                                     M(assay_lds_options, methods, 's'),
                                     M(assay_lds_options, models, 's'),
                                     M(assay_lds_options, centre, 's'),
                                     M(assay_lds_options, truth_only, 'b'),
                                     M(assay_lds_options, keep, 's'),
                                     M(assay_lds_options, damping, 'd'),
                                     M(assay_lds_options, ridge, 'd'),
                                     M(assay_lds_options, from, 'd'),
                                     M(assay_lds_options, dim, 'i'),
                                     M(assay_lds_options, projector, 's'),
                                     M(assay_lds_options, rounds, 'i'),
                                     M(assay_lds_options, seed, 'u'),
                                     M(assay_lds_options, unweighed, 'b'),
                                     M(assay_lds_options, threshold, 'd'),
                                     M(assay_lds_options, compat, 's'),
                                     M(assay_lds_options, scores, 'S'),
                                     M(assay_lds_options, precision, 's'),
                                     M(assay_lds_options, tracin_checkpoints, 'i'),
                                     END};
ASK(lds,
    assay_lds_options,
    ASSAY_LDS_OPTIONS_INIT,
    lds_options,
    assay_lds(ctx, source, o, json))

/* Options, and where the page goes; the options come first. */
typedef struct paged_attribute {
    assay_attribute_options options;
    const char *page;
} paged_attribute;
#define PAGED_ATTRIBUTE_INIT                                                             \
    { .options = ASSAY_ATTRIBUTE_OPTIONS_INIT, .page = NULL }

typedef struct paged_datamodels {
    assay_datamodels_options options;
    const char *page;
} paged_datamodels;
#define PAGED_DATAMODELS_INIT                                                            \
    { .options = ASSAY_DATAMODELS_OPTIONS_INIT, .page = NULL }

static const member attribute_options[] = {
    M(assay_attribute_options, method, 's'),
    M(assay_attribute_options, model, 's'),
    M(assay_attribute_options, models, 'i'),
    M(assay_attribute_options, centre, 's'),
    M(assay_attribute_options, rows, 'l'),
    M(assay_attribute_options, targets, 'l'),
    M(assay_attribute_options, top, 'i'),
    M(assay_attribute_options, epochs, 'i'),
    M(assay_attribute_options, batch, 'i'),
    M(assay_attribute_options, rate, 'd'),
    M(assay_attribute_options, scores, 's'),
    M(assay_attribute_options, csv, 's'),
    M(assay_attribute_options, seed, 'u'),
    M(assay_attribute_options, checkpoints, 'S'),
    M(assay_attribute_options, keep, 's'),
    M(assay_attribute_options, dim, 'i'),
    M(assay_attribute_options, damping, 'd'),
    M(assay_attribute_options, ridge, 'd'),
    M(assay_attribute_options, from, 'd'),
    M(assay_attribute_options, projector, 's'),
    M(assay_attribute_options, tracin_checkpoints, 'i'),
    M(assay_attribute_options, passages, 'S'),
    M(assay_attribute_options, generate, 'i'),
    M(assay_attribute_options, prompt, 's'),
    M(assay_attribute_options, temperature, 'd'),
    M(assay_attribute_options, ask, 's'),
    M(assay_attribute_options, target_class, 's'),
    M(assay_attribute_options, mean, 's'),
    M(assay_attribute_options, std, 's'),
    M(assay_attribute_options, shard, 'i'),
    M(assay_attribute_options, shards, 'i'),
    {"page", 's', offsetof(paged_attribute, page)},
    END};
ASK(attribute,
    paged_attribute,
    PAGED_ATTRIBUTE_INIT,
    attribute_options,
    assay_attribute_with_page(ctx, source, &o->options, o->page, json))

static const member datamodels_options[] = {
    M(assay_datamodels_options, model, 's'),
    M(assay_datamodels_options, rows, 'l'),
    M(assay_datamodels_options, targets, 'l'),
    M(assay_datamodels_options, models, 'i'),
    M(assay_datamodels_options, share, 'd'),
    M(assay_datamodels_options, fit, 's'),
    M(assay_datamodels_options, penalty, 'd'),
    M(assay_datamodels_options, held_subsets, 'i'),
    M(assay_datamodels_options, held_seeds, 'i'),
    M(assay_datamodels_options, epochs, 'i'),
    M(assay_datamodels_options, batch, 'i'),
    M(assay_datamodels_options, rate, 'd'),
    M(assay_datamodels_options, keep, 's'),
    M(assay_datamodels_options, weights, 's'),
    M(assay_datamodels_options, csv, 's'),
    M(assay_datamodels_options, top, 'i'),
    M(assay_datamodels_options, seed, 'u'),
    {"page", 's', offsetof(paged_datamodels, page)},
    END};
ASK(datamodels,
    paged_datamodels,
    PAGED_DATAMODELS_INIT,
    datamodels_options,
    assay_datamodels_with_page(ctx, source, &o->options, o->page, json))

static const member counterfactual_options[] = {
    M(assay_counterfactual_options, protocol, 's'),
    M(assay_counterfactual_options, methods, 's'),
    M(assay_counterfactual_options, scores, 'S'),
    M(assay_counterfactual_options, removals, 's'),
    M(assay_counterfactual_options, models, 'i'),
    M(assay_counterfactual_options, seeds, 'i'),
    M(assay_counterfactual_options, targets, 'i'),
    M(assay_counterfactual_options, damping, 'd'),
    M(assay_counterfactual_options, ridge, 'd'),
    M(assay_counterfactual_options, from, 'd'),
    M(assay_counterfactual_options, dim, 'i'),
    M(assay_counterfactual_options, keep, 's'),
    M(assay_counterfactual_options, csv, 's'),
    M(assay_counterfactual_options, rounds, 'i'),
    M(assay_counterfactual_options, seed, 'u'),
    M(assay_counterfactual_options, until_flipped, 'b'),
    M(assay_counterfactual_options, projector, 's'),
    M(assay_counterfactual_options, tracin_checkpoints, 'i'),
    END};
ASK(counterfactual,
    assay_counterfactual_options,
    ASSAY_COUNTERFACTUAL_OPTIONS_INIT,
    counterfactual_options,
    assay_counterfactual(ctx, source, o, json))

static const member mislabels_options[] = {M(assay_mislabels_options, methods, 's'),
                                           M(assay_mislabels_options, model, 's'),
                                           M(assay_mislabels_options, members, 'i'),
                                           M(assay_mislabels_options, epochs, 'i'),
                                           M(assay_mislabels_options, rows, 'l'),
                                           M(assay_mislabels_options, tests, 'l'),
                                           M(assay_mislabels_options, flip, 'd'),
                                           M(assay_mislabels_options, top, 'i'),
                                           M(assay_mislabels_options, dim, 'i'),
                                           M(assay_mislabels_options, damping, 'd'),
                                           M(assay_mislabels_options, ridge, 'd'),
                                           M(assay_mislabels_options, rounds, 'i'),
                                           M(assay_mislabels_options, csv, 's'),
                                           M(assay_mislabels_options, seed, 'u'),
                                           END};
ASK(mislabels,
    assay_mislabels_options,
    ASSAY_MISLABELS_OPTIONS_INIT,
    mislabels_options,
    assay_mislabels(ctx, source, o, json))

static const member trace_options[] = {
    M(assay_trace_options, use, 's'),       M(assay_trace_options, scores, 's'),
    M(assay_trace_options, against, 's'),   M(assay_trace_options, count, 'i'),
    M(assay_trace_options, how, 's'),       M(assay_trace_options, dim, 'i'),
    M(assay_trace_options, threshold, 'd'), M(assay_trace_options, top, 'i'),
    M(assay_trace_options, csv, 's'),       M(assay_trace_options, list, 's'),
    M(assay_trace_options, seed, 'u'),      END};
ASK(trace,
    assay_trace_options,
    ASSAY_TRACE_OPTIONS_INIT,
    trace_options,
    assay_trace(ctx, source, o, json))

static const member bench_options[] = {M(assay_bench_attribute_options, model, 's'),
                                       M(assay_bench_attribute_options, projector, 's'),
                                       M(assay_bench_attribute_options, dim, 'i'),
                                       M(assay_bench_attribute_options, size, 'i'),
                                       M(assay_bench_attribute_options, precision, 's'),
                                       M(assay_bench_attribute_options, seconds, 'd'),
                                       M(assay_bench_attribute_options, seed, 'u'),
                                       END};
ASK(bench_attribute,
    assay_bench_attribute_options,
    ASSAY_BENCH_ATTRIBUTE_OPTIONS_INIT,
    bench_options,
    assay_bench_attribute(ctx, o, json))

/* ---- the page ---- */

typedef struct page_options {
    const char *document, *path;
} page_options;

static const member page_members[] = {M(page_options, document, 's'),
                                      M(page_options, path, 's'), END};
ASK(attribution_page,
    page_options,
    {0},
    page_members,
    ((void)json, assay_attribution_page(ctx, source, o->document, o->path)))

/* ---- features: files, or arrays that the library reads where they lie ---- */

static const member score_options[] = {M(assay_score_options, features, 'S'),
                                       M(assay_score_options, targets, 'S'),
                                       M(assay_score_options, weights, 'S'),
                                       M(assay_score_options, traker, 's'),
                                       M(assay_score_options, experiment, 's'),
                                       M(assay_score_options, ridge, 'd'),
                                       M(assay_score_options, compat, 's'),
                                       M(assay_score_options, unweighed, 'b'),
                                       M(assay_score_options, top, 'i'),
                                       M(assay_score_options, scores, 's'),
                                       M(assay_score_options, csv, 's'),
                                       M(assay_score_options, memory, 'u'),
                                       END};

static assay_status
score_ask(assay_ctx *ctx, const char *source, void *options, char **json) {
    (void)source;
    return assay_score(ctx, options, json);
}

/* Arrays of all models, of one part. */
typedef struct lending {
    borrowed *of;
    assay_tensor **tensor; /* NULL behind the last */
    Py_ssize_t n;
} lending;

static void lending_end(lending *l) {
    for (Py_ssize_t i = 0; i < l->n; i++) {
        assay_tensor_unref(l->tensor[i]);
        borrow_end(&l->of[i]);
    }
    PyMem_Free(l->of);
    PyMem_Free(l->tensor);
    *l = (lending){0};
}

static int lend_one(lending *l, PyObject *object, assay_ctx *ctx, const char *what) {
    borrowed *b = &l->of[l->n];
    if (!object || borrow(b, object, true, what) < 0)
        return -1;
    assay_tensor **tensor = &l->tensor[l->n++];
    assay_status status =
        assay_tensor_wrap(tensor, ctx, b->data, b->dtype, b->ndim, b->dim, NULL);
    if (status == ASSAY_OK)
        return 0;
    raise_last(status);
    return -1;
}

static int lend_list(lending *l, PyObject *list, assay_ctx *ctx, const char *what) {
    Py_ssize_t n = PySequence_Size(list);
    if (n < 0)
        return -1;
    l->of = PyMem_Calloc((size_t)n + 1, sizeof *l->of);
    l->tensor = PyMem_Calloc((size_t)n + 1, sizeof *l->tensor);
    if (!l->of || !l->tensor) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        int failed = lend_one(l, item, ctx, what);
        drop(item); /* what is borrowed of it is held by the borrowing */
        if (failed)
            return -1;
    }
    return 0;
}

/* (features, targets, weights) of lists of arrays into the options. */
static int
lend_parts(assay_score_options *o, lending *part, PyObject *arrays, assay_ctx *ctx) {
    static const char *const what[] = {"features", "targets", "weights"};
    for (int p = 0; p < 3; p++) {
        PyObject *list = PyTuple_GetItem(arrays, p);
        if (!list || (list != Py_None && lend_list(&part[p], list, ctx, what[p]) < 0))
            return -1;
    }
    o->feature_arrays = (const assay_tensor *const *)part[0].tensor;
    o->target_arrays = (const assay_tensor *const *)part[1].tensor;
    o->weight_arrays = (const assay_tensor *const *)part[2].tensor;
    return 0;
}

/* (arrays or None, options, context, progress) */
static PyObject *job_score(PyObject *module, PyObject *args) {
    PyObject *arrays, *given, *context_given, *progress, *keep = NULL, *out = NULL;
    assay_score_options o = ASSAY_SCORE_OPTIONS_INIT;
    asking a = {.ask = score_ask, .options = &o};
    lending part[3] = {{0}, {0}, {0}};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOO", &arrays, &given, &context_given, &progress))
        return NULL;
    context *c = context_for(context_given);
    if (c && options_fill(&o, score_options, given, &keep) == 0 &&
        (arrays == Py_None || lend_parts(&o, part, arrays, c->ctx) == 0))
        out = answer(&a, (PyObject *)c, progress);
    for (int p = 0; p < 3; p++)
        lending_end(&part[p]);
    drop(c);
    drop(keep);
    return out;
}

/* ---- lists ---- */

static PyObject *list_attributions(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_attribution_count(), assay_attribution_name,
                    assay_attribution_summary);
}

static PyObject *list_mislabels(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_mislabels_count(), assay_mislabels_name,
                    assay_mislabels_summary);
}

static PyObject *list_traces(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_trace_count(), assay_trace_name, assay_trace_summary);
}

#define JOB(name)                                                                        \
    { #name, job_##name, METH_VARARGS, NULL }
PyMethodDef attribution_methods[] = {
    JOB(lds),
    JOB(attribute),
    JOB(datamodels),
    JOB(counterfactual),
    JOB(mislabels),
    JOB(trace),
    JOB(bench_attribute),
    JOB(attribution_page),
    JOB(score),
    {"attribution_methods", list_attributions, METH_NOARGS, "{name: summary}"},
    {"trace_uses", list_traces, METH_NOARGS, "{name: summary}"},
    {"mislabels_methods", list_mislabels, METH_NOARGS, "{name: summary}"},
    {NULL, NULL, 0, NULL}};
