/* Functions over whole files: each fills a struct, calls the library in a thread that can
 * be interrupted, and tells the result. */
#include "ext.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What all jobs take: (a, b, options, context, progress), of which some are texts. */
typedef struct job_args {
    const char *a, *b, *c;
    const char **some;
    size_t count;
    uint64_t number;
    int flag;
    void *options, *result;
    char *text;
} job_args;

/* A string of the library's, copied before its context ends. */
static assay_status keep_string(job_args *j, assay_ctx *ctx, char *text) {
    size_t n = strlen(text) + 1;
    j->text = malloc(n);
    if (j->text)
        memcpy(j->text, text, n);
    assay_string_free(ctx, text);
    return j->text ? ASSAY_OK : ASSAY_E_NOMEM;
}

static PyObject *said_text(job_args *j) {
    const char *text = j->text ? j->text : "";
    PyObject *out = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    free(j->text);
    j->text = NULL;
    return out;
}

/* Runs it on a context of its own. 0 or -1. */
static int go(work_fn *work, job_args *j, PyObject *context_given, PyObject *progress) {
    context *c = context_for(context_given);
    int failed = c ? context_work(c, true, progress, work, j) : -1;
    drop(c);
    if (failed) {
        free(j->text);
        j->text = NULL;
    }
    return failed;
}

/* ---- option and result structs ---- */

#define M(type, name, kind)                                                              \
    { #name, kind, offsetof(type, name) }
#define END                                                                              \
    { NULL, 0, 0 }

static const member pack_options[] = {M(assay_pack_options, from, 's'),
                                      M(assay_pack_options, split, 's'),
                                      M(assay_pack_options, mode, 's'),
                                      M(assay_pack_options, quality, 'i'),
                                      M(assay_pack_options, max_resolution, 'i'),
                                      M(assay_pack_options, page_size, 'u'),
                                      M(assay_pack_options, limit, 'l'),
                                      M(assay_pack_options, force, 'b'),
                                      M(assay_pack_options, skip_corrupt, 'b'),
                                      M(assay_pack_options, smart_threshold, 'u'),
                                      M(assay_pack_options, proportion, 'd'),
                                      M(assay_pack_options, seed, 'u'),
                                      M(assay_pack_options, shuffle, 'b'),
                                      M(assay_pack_options, rows, 's'),
                                      M(assay_pack_options, index_interval, 'i'),
                                      END};
static const member pack_result[] = {M(assay_pack_result, rows, 'u'),
                                     M(assay_pack_result, train_rows, 'u'),
                                     M(assay_pack_result, test_rows, 'u'),
                                     M(assay_pack_result, skipped, 'u'),
                                     M(assay_pack_result, bytes, 'u'),
                                     M(assay_pack_result, classes, 'i'),
                                     M(assay_pack_result, importer, 't'),
                                     M(assay_pack_result, sha256, 't'),
                                     END};
static const member index_options[] = {
    M(assay_index_options, interval, 'i'), M(assay_index_options, field, 's'),
    M(assay_index_options, output, 's'), M(assay_index_options, force, 'b'), END};
static const member index_result[] = {
    M(assay_index_result, images, 'u'),   M(assay_index_result, indexed, 'u'),
    M(assay_index_result, left, 'u'),     M(assay_index_result, raw, 'u'),
    M(assay_index_result, bytes, 'u'),    M(assay_index_result, file_bytes, 'u'),
    M(assay_index_result, interval, 'i'), END};
static const member export_options[] = {M(assay_export_options, to, 's'),
                                        M(assay_export_options, split, 's'),
                                        M(assay_export_options, limit, 'l'),
                                        M(assay_export_options, shard_bytes, 'u'),
                                        M(assay_export_options, shard_rows, 'l'),
                                        M(assay_export_options, force, 'b'),
                                        END};
static const member export_result[] = {M(assay_export_result, rows, 'u'),
                                       M(assay_export_result, files, 'u'),
                                       M(assay_export_result, bytes, 'u'), END};
static const member edit_options[] = {M(assay_edit_options, page_size, 'u'),
                                      M(assay_edit_options, force, 'b'), END};
static const member edit_result[] = {
    M(assay_edit_result, rows, 'u'),   M(assay_edit_result, train_rows, 'u'),
    M(assay_edit_result, bytes, 'u'),  M(assay_edit_result, classes, 'i'),
    M(assay_edit_result, sha256, 't'), END};
static const member select_options[] = {M(assay_select_options, page_size, 'u'),
                                        M(assay_select_options, force, 'b'),
                                        M(assay_select_options, rows, 's'),
                                        M(assay_select_options, exclude, 's'),
                                        M(assay_select_options, split, 's'),
                                        M(assay_select_options, classes, 'S'),
                                        END};
static const member split_options[] = {M(assay_split_options, page_size, 'u'),
                                       M(assay_split_options, force, 'b'),
                                       M(assay_split_options, shards, 'i'),
                                       M(assay_split_options, fraction, 'd'),
                                       M(assay_split_options, by_split, 'b'),
                                       M(assay_split_options, seed, 'u'),
                                       END};
static const member train_options[] = {M(assay_train_options, model, 's'),
                                       M(assay_train_options, size, 'i'),
                                       M(assay_train_options, epochs, 'i'),
                                       M(assay_train_options, batch, 'i'),
                                       M(assay_train_options, lr, 'd'),
                                       M(assay_train_options, momentum, 'd'),
                                       M(assay_train_options, weight_decay, 'd'),
                                       M(assay_train_options, label_smoothing, 'd'),
                                       M(assay_train_options, schedule, 's'),
                                       M(assay_train_options, flip, 'i'),
                                       M(assay_train_options, translate, 'i'),
                                       M(assay_train_options, seed, 'u'),
                                       M(assay_train_options, members, 'i'),
                                       M(assay_train_options, exclude, 's'),
                                       M(assay_train_options, precision, 's'),
                                       M(assay_train_options, no_resume, 'b'),
                                       M(assay_train_options, limit, 'l'),
                                       M(assay_train_options, settings, 's'),
                                       M(assay_train_options, init, 's'),
                                       END};
static const member train_result[] = {M(assay_train_result, accuracy, 'd'),
                                      M(assay_train_result, accuracy_single, 'd'),
                                      M(assay_train_result, loss, 'd'),
                                      M(assay_train_result, seconds, 'd'),
                                      M(assay_train_result, cpu_seconds, 'd'),
                                      M(assay_train_result, gflop, 'd'),
                                      M(assay_train_result, members, 'i'),
                                      M(assay_train_result, train_rows, 'u'),
                                      M(assay_train_result, test_rows, 'u'),
                                      M(assay_train_result, excluded, 'u'),
                                      M(assay_train_result, parameters, 'l'),
                                      M(assay_train_result, train_tokens, 'u'),
                                      M(assay_train_result, test_tokens, 'u'),
                                      M(assay_train_result, bits_per_byte, 'd'),
                                      END};
static const member eval_result[] = {M(assay_eval_result, accuracy, 'd'),
                                     M(assay_eval_result, loss, 'd'),
                                     M(assay_eval_result, rows, 'u'),
                                     M(assay_eval_result, members, 'i'),
                                     M(assay_eval_result, tokens, 'u'),
                                     M(assay_eval_result, bits_per_byte, 'd'),
                                     END};
static const member audit_options[] = {
    M(assay_audit_options, members, 'i'),      M(assay_audit_options, seed, 'u'),
    M(assay_audit_options, model, 's'),        M(assay_audit_options, train_size, 'i'),
    M(assay_audit_options, epochs, 'i'),       M(assay_audit_options, batch, 'i'),
    M(assay_audit_options, lr, 'd'),           M(assay_audit_options, flip, 'i'),
    M(assay_audit_options, translate, 'i'),    M(assay_audit_options, sketch, 'i'),
    M(assay_audit_options, ridge, 'd'),        M(assay_audit_options, pred_probs, 's'),
    M(assay_audit_options, plant, 'S'),        M(assay_audit_options, exclude, 's'),
    M(assay_audit_options, from, 's'),         M(assay_audit_options, limit, 'l'),
    M(assay_audit_options, no_self_test, 'b'), M(assay_audit_options, no_resume, 'b'),
    M(assay_audit_options, force, 'b'),        END};
static const member audit_plan[] = {M(assay_audit_plan, rows, 'u'),
                                    M(assay_audit_plan, train_rows, 'u'),
                                    M(assay_audit_plan, test_rows, 'u'),
                                    M(assay_audit_plan, disk_bytes, 'u'),
                                    M(assay_audit_plan, memory_bytes, 'u'),
                                    M(assay_audit_plan, classes, 'i'),
                                    M(assay_audit_plan, members, 'i'),
                                    M(assay_audit_plan, train_size, 'i'),
                                    M(assay_audit_plan, seconds_low, 'd'),
                                    M(assay_audit_plan, seconds_high, 'd'),
                                    END};

/* ---- the usual form: (a, b, options, context, progress) ---- */

typedef struct usual {
    work_fn *work;
    void *options, *result;
    const member *takes, *gives; /* gives NULL: text */
} usual;

static PyObject *run_usual(const usual *u, PyObject *args) {
    PyObject *a, *b, *options, *context_given, *progress, *keep = NULL, *out = NULL;
    job_args j = {.options = u->options, .result = u->result};
    if (!PyArg_ParseTuple(args, "OOOOO", &a, &b, &options, &context_given, &progress))
        return NULL;
    bool good = (a == Py_None || (j.a = keep_text(a, &keep)) != NULL) &&
                (b == Py_None || (j.b = keep_text(b, &keep)) != NULL) &&
                (!u->takes || options_fill(u->options, u->takes, options, &keep) == 0);
    if (good && go(u->work, &j, context_given, progress) == 0)
        out = u->gives ? result_dict(u->result, u->gives) : said_text(&j);
    drop(keep);
    return out;
}

/* name_work and job_name of a job in the usual form, whose call is of `ctx`, j->a, j->b,
 * j->options and j->result. */
#define USUAL(name, options_type, initial, takes, result_type, gives, call)              \
    static assay_status name##_work(assay_ctx *ctx, void *arg) {                         \
        job_args *j = arg;                                                               \
        return call;                                                                     \
    }                                                                                    \
    static PyObject *job_##name(PyObject *module, PyObject *args) {                      \
        options_type o = initial;                                                        \
        result_type r = {0};                                                             \
        (void)module;                                                                    \
        return run_usual(&(usual){name##_work, &o, &r, takes, gives}, args);             \
    }

USUAL(pack,
      assay_pack_options,
      ASSAY_PACK_OPTIONS_INIT,
      pack_options,
      assay_pack_result,
      pack_result,
      assay_pack(ctx, j->a, j->b, j->options, j->result))
USUAL(index,
      assay_index_options,
      ASSAY_INDEX_OPTIONS_INIT,
      index_options,
      assay_index_result,
      index_result,
      assay_index(ctx, j->a, j->options, j->result))
USUAL(export,
      assay_export_options,
      ASSAY_EXPORT_OPTIONS_INIT,
      export_options,
      assay_export_result,
      export_result,
      assay_export(ctx, j->a, j->b, j->options, j->result))
USUAL(select,
      assay_select_options,
      ASSAY_SELECT_OPTIONS_INIT,
      select_options,
      assay_edit_result,
      edit_result,
      assay_beton_select(ctx, j->a, j->b, j->options, j->result))
USUAL(train,
      assay_train_options,
      ASSAY_TRAIN_OPTIONS_INIT,
      train_options,
      assay_train_result,
      train_result,
      assay_train(ctx, j->a, j->b, j->options, j->result))

static assay_status info_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    char *text;
    assay_status status = assay_beton_info(ctx, j->a, &text);
    return status == ASSAY_OK ? keep_string(j, ctx, text) : status;
}

static PyObject *job_info(PyObject *module, PyObject *args) {
    (void)module;
    return run_usual(&(usual){.work = info_work}, args);
}

typedef struct eval_options {
    const char *split;
} eval_options;

static const member eval_takes[] = {M(eval_options, split, 's'), END};
USUAL(eval,
      eval_options,
      {0},
      eval_takes,
      assay_eval_result,
      eval_result,
      assay_eval(ctx, j->a, j->b, ((const eval_options *)j->options)->split, j->result))

static assay_status onnx_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    return assay_export_onnx(ctx, j->a, j->b);
}

static PyObject *job_export_onnx(PyObject *module, PyObject *args) {
    (void)module;
    return run_usual(&(usual){.work = onnx_work}, args);
}

typedef struct verify_options {
    int quick;
} verify_options;

/* The report comes with failures, too: then the text is there and what failed is in it.
 */
static assay_status verify_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    const verify_options *o = j->options;
    char *text = NULL;
    assay_status status = assay_beton_verify(ctx, j->a, o->quick, &text);
    return text ? keep_string(j, ctx, text) : status;
}

static PyObject *job_verify(PyObject *module, PyObject *args) {
    static const member takes[] = {M(verify_options, quick, 'b'), END};
    verify_options o = {0};
    (void)module;
    return run_usual(&(usual){.work = verify_work, .options = &o, .takes = takes}, args);
}

typedef struct dump_options {
    uint64_t sample;
    const char *field;
    int force;
} dump_options;

static assay_status dump_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    const dump_options *o = j->options;
    return assay_beton_dump(ctx, j->a, o->sample, o->field ? o->field : "", j->b,
                            o->force);
}

static PyObject *job_dump(PyObject *module, PyObject *args) {
    static const member takes[] = {M(dump_options, sample, 'u'),
                                   M(dump_options, field, 's'),
                                   M(dump_options, force, 'b'), END};
    dump_options o = {0};
    (void)module;
    return run_usual(&(usual){.work = dump_work, .options = &o, .takes = takes}, args);
}

typedef struct split_result {
    int files;
} split_result;

static const member split_gives[] = {M(split_result, files, 'i'), END};
USUAL(split,
      assay_split_options,
      ASSAY_SPLIT_OPTIONS_INIT,
      split_options,
      split_result,
      split_gives,
      assay_beton_split(ctx, j->a, j->b, j->options, &((split_result *)j->result)->files))

/* ---- several files into one ---- */

static assay_status merge_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    return assay_beton_merge(ctx, j->some, j->count, j->b, j->options, j->result);
}

static PyObject *job_merge(PyObject *module, PyObject *args) {
    PyObject *paths, *out_path, *options, *given, *progress, *keep = NULL, *out = NULL;
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    assay_edit_result r = {0};
    job_args j = {.options = &o, .result = &r};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOO", &paths, &out_path, &options, &given, &progress))
        return NULL;
    j.some = keep_texts(paths, &keep, &j.count);
    j.b = j.some ? keep_text(out_path, &keep) : NULL;
    if (j.b && options_fill(&o, edit_options, options, &keep) == 0 &&
        go(merge_work, &j, given, progress) == 0)
        out = result_dict(&r, edit_result);
    PyMem_Free(j.some);
    drop(keep);
    return out;
}

static assay_status append_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    return assay_beton_append(ctx, j->a, j->b, j->c, j->options, j->result);
}

static PyObject *job_append(PyObject *module, PyObject *args) {
    PyObject *a, *b, *c, *options, *given, *progress, *keep = NULL, *out = NULL;
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    assay_edit_result r = {0};
    job_args j = {.options = &o, .result = &r};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOO", &a, &b, &c, &options, &given, &progress))
        return NULL;
    j.a = keep_text(a, &keep);
    j.b = j.a ? keep_text(b, &keep) : NULL;
    bool good = j.b && (c == Py_None || (j.c = keep_text(c, &keep)) != NULL);
    if (good && options_fill(&o, edit_options, options, &keep) == 0 &&
        go(append_work, &j, given, progress) == 0)
        out = result_dict(&r, edit_result);
    drop(keep);
    return out;
}

/* ---- audits ---- */

/* The counts, with the audit's JSON and its answer in words. */
typedef struct audit_done {
    assay_audit_options options;
    assay_audit_counts counts;
    char *json, *answer;
} audit_done;

static const member audit_counts[] = {M(assay_audit_counts, label, 'u'),
                                      M(assay_audit_counts, leakage, 'u'),
                                      M(assay_audit_counts, copy_exact, 'u'),
                                      M(assay_audit_counts, copy_near, 'u'),
                                      M(assay_audit_counts, corrupt, 'u'),
                                      M(assay_audit_counts, rows, 'u'),
                                      M(assay_audit_counts, train_rows, 'u'),
                                      M(assay_audit_counts, test_rows, 'u'),
                                      M(assay_audit_counts, accuracy_single, 'd'),
                                      M(assay_audit_counts, accuracy_ensemble, 'd'),
                                      END};

static assay_status copy_text(char **out, assay_ctx *ctx, char *text) {
    job_args j = {0};
    assay_status status = keep_string(&j, ctx, text);
    *out = j.text;
    return status;
}

static assay_status audit_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    audit_done *d = j->result;
    assay_audit *audit = NULL;
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    char *text;
    assay_status status = assay_audit_run(&audit, ctx, j->a, j->b, &d->options);
    if (status == ASSAY_OK)
        status = assay_audit_report(ctx, audit, j->b, &o);
    if (status == ASSAY_OK)
        status = assay_audit_json(ctx, audit, &text);
    if (status == ASSAY_OK)
        status = copy_text(&d->json, ctx, text);
    if (status == ASSAY_OK)
        status = assay_audit_answer(ctx, audit, &text);
    if (status == ASSAY_OK)
        status = copy_text(&d->answer, ctx, text);
    if (status == ASSAY_OK)
        d->counts = assay_audit_get_counts(audit);
    assay_audit_destroy(audit);
    return status;
}

static PyObject *job_audit(PyObject *module, PyObject *args) {
    PyObject *a, *b, *options, *given, *progress, *keep = NULL, *out = NULL;
    audit_done d = {.options = ASSAY_AUDIT_OPTIONS_INIT};
    job_args j = {.result = &d};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOO", &a, &b, &options, &given, &progress))
        return NULL;
    j.a = keep_text(a, &keep);
    j.b = j.a ? keep_text(b, &keep) : NULL;
    if (j.b && options_fill(&d.options, audit_options, options, &keep) == 0 &&
        go(audit_work, &j, given, progress) == 0) {
        PyObject *counts = result_dict(&d.counts, audit_counts);
        if (counts)
            out = Py_BuildValue("Nss", counts, d.json, d.answer);
    }
    free(d.json);
    free(d.answer);
    drop(keep);
    return out;
}

USUAL(audit_plan,
      assay_audit_options,
      ASSAY_AUDIT_OPTIONS_INIT,
      audit_options,
      assay_audit_plan,
      audit_plan,
      assay_audit_dry_run(ctx, j->a, j->options, j->result))

static assay_status why_work(assay_ctx *ctx, void *arg) {
    job_args *j = arg;
    char *text;
    assay_status status =
        assay_why(ctx, j->a, j->b, j->options, (int64_t)j->number, j->flag, &text);
    return status == ASSAY_OK ? keep_string(j, ctx, text) : status;
}

static PyObject *job_why(PyObject *module, PyObject *args) {
    PyObject *a, *b, *options, *given, *progress, *keep = NULL, *out = NULL;
    assay_audit_options o = ASSAY_AUDIT_OPTIONS_INIT;
    job_args j = {.options = &o};
    long long test;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOLi", &a, &b, &options, &given, &progress, &test,
                          &j.flag))
        return NULL;
    j.number = (uint64_t)test;
    j.a = keep_text(a, &keep);
    j.b = j.a ? keep_text(b, &keep) : NULL;
    if (j.b && options_fill(&o, audit_options, options, &keep) == 0 &&
        go(why_work, &j, given, progress) == 0)
        out = said_text(&j);
    drop(keep);
    return out;
}

/* ---- lists ---- */

PyObject *names_of(size_t n, const char *(*name)(size_t), const char *(*say)(size_t)) {
    PyObject *out = PyDict_New();
    for (size_t i = 0; out && i < n; i++) {
        PyObject *text = PyUnicode_FromString(say(i));
        if (!text || PyDict_SetItemString(out, name(i), text) < 0)
            Py_CLEAR(out);
        drop(text);
    }
    return out;
}

static PyObject *list_transforms(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_transform_count(), assay_transform_name,
                    assay_transform_summary);
}

static PyObject *list_importers(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_importer_count(), assay_importer_name, assay_importer_summary);
}

static PyObject *list_zoo(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_zoo_count(), assay_zoo_name, assay_zoo_summary);
}

static const char *setting_name(size_t i) {
    return assay_train_setting_at(i)->name;
}

static const char *setting_help(size_t i) {
    return assay_train_setting_at(i)->help;
}

static PyObject *list_settings(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return names_of(assay_train_setting_count(), setting_name, setting_help);
}

static PyObject *preset(PyObject *module, PyObject *args) {
    const char *name;
    (void)module;
    if (!PyArg_ParseTuple(args, "s", &name))
        return NULL;
    const char *text = assay_pipeline_preset(name);
    if (!text)
        Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}

static PyObject *isa(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return PyUnicode_FromString(assay_isa_name());
}

static PyObject *peak(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return PyLong_FromUnsignedLongLong(assay_peak_bytes());
}

#define JOB(name)                                                                        \
    { #name, job_##name, METH_VARARGS, NULL }
PyMethodDef jobs_methods[] = {
    JOB(pack),
    JOB(index),
    JOB(export),
    JOB(info),
    JOB(verify),
    JOB(dump),
    JOB(select),
    JOB(split),
    JOB(merge),
    JOB(append),
    JOB(train),
    JOB(eval),
    JOB(export_onnx),
    JOB(audit),
    JOB(audit_plan),
    JOB(why),
    {"transforms", list_transforms, METH_NOARGS, "{name: summary}"},
    {"importers", list_importers, METH_NOARGS, "{name: summary}"},
    {"zoo", list_zoo, METH_NOARGS, "{name: summary}"},
    {"settings", list_settings, METH_NOARGS, "{name: help}"},
    {"preset", preset, METH_VARARGS, "The text of a named pipeline, or None."},
    {"isa", isa, METH_NOARGS, "The instruction set in use."},
    {"peak_bytes", peak, METH_NOARGS, "Peak of this process's own memory, bytes."},
    {NULL, NULL, 0, NULL}};
