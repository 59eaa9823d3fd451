/* ONNX's tests of operators: a folder each, with a model, inputs and what comes out. A
 * model that is refused is unsupported; one that runs must be right. */
#include "base/json.h"
#include "base/os.h"
#include "nn/onnx/half.h"
#include "nn/onnx/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 64, MOST_SETS = 100 };

typedef struct op_row {
    char name[NN_MAX_NAME];
    int passed, unsupported, failed;
} op_row;

typedef struct failure {
    char test[128], why[640];
} failure;

typedef struct runner {
    assay_ctx *ctx;
    const char *folder;
    op_row *ops;
    size_t n_ops, cap_ops;
    int passed, unsupported, failed;
    int told; /* passed, with an input that was known beforehand */
    failure *failure;
    size_t n_failures, cap_failures;
} runner;

static assay_status op_row_of(runner *r, const char *name, op_row **out) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    for (size_t i = 0; i < r->n_ops; i++)
        if (strcmp(r->ops[i].name, name) == 0)
            *out = &r->ops[i];
    if (*out)
        return ASSAY_OK;
    ASSAY_TRY(
        mem_grow(r->ctx, &r->ops, r->n_ops, &r->cap_ops, r->n_ops + 1, sizeof *r->ops));
    *out = &r->ops[r->n_ops++];
    memset(*out, 0, sizeof **out);
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
done:
    return status;
}

/* ---- one data set ---- */

typedef struct data_set {
    assay_tensor *in[MOST_VALUES], *want[MOST_VALUES], *got[MOST_VALUES];
    int n_in, n_want, n_got;
} data_set;

static void drop_set(data_set *d) {
    for (int i = 0; i < MOST_VALUES; i++) {
        assay_tensor_unref(d->in[i]);
        assay_tensor_unref(d->want[i]);
        assay_tensor_unref(d->got[i]);
    }
    memset(d, 0, sizeof *d);
}

static assay_status read_pb(assay_tensor **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    os_map map = {0};
    onnx_file *file = NULL;
    onnx_array a = {0};
    assay_tensor *t = NULL;
    *out = NULL;
    ASSAY_TRY(os_map_file(&map, path, false));
    ASSAY_TRY(onnx_parse_tensor(&file, ctx, map.data, map.bytes, path));
    ASSAY_TRY_AT(onnx_array_read(&a, ctx, onnx_file_tensor(file), NULL), "%s", path);
    ASSAY_TRY(assay_tensor_create(&t, ctx, a.dtype, a.ndim, a.dim, ASSAY_ROW_MAJOR));
    memcpy(assay_tensor_data(t), a.data, (size_t)a.count * assay_dtype_size(a.dtype));
    *out = t;
    t = NULL;
done:
    assay_tensor_unref(t);
    onnx_array_free(&a, ctx);
    onnx_file_destroy(file);
    os_unmap(&map);
    return status;
}

/* Files prefix_0.pb, prefix_1.pb, ...; what can't be read (sequences) stays NULL. */
static assay_status read_list(
    assay_ctx *ctx, const char *folder, const char *prefix, assay_tensor **out, int *n) {
    char path[4096];
    for (*n = 0; *n < MOST_VALUES; ++*n) {
        snprintf(path, sizeof path, "%s/%s_%d.pb", folder, prefix, *n);
        if (!os_exists(path))
            break;
        assay_status status = read_pb(&out[*n], ctx, path);
        if (status == ASSAY_E_NOMEM)
            return status;
    }
    return ASSAY_OK;
}

/* NumPy has no bf16, so the data writes its bits as u16. */
static assay_status read_bf16(assay_ctx *ctx, const onnx_value *port, assay_tensor **t) {
    assay_status status = ASSAY_OK;
    assay_tensor *as = NULL;
    if (!*t || port->type != ONNX_BFLOAT16 || assay_tensor_dtype(*t) != ASSAY_U16)
        return ASSAY_OK;
    ASSAY_TRY(assay_tensor_create(&as, ctx, ASSAY_BF16, assay_tensor_ndim(*t),
                                  assay_tensor_dims(*t), ASSAY_ROW_MAJOR));
    memcpy(assay_tensor_data(as), assay_tensor_data(*t),
           (size_t)assay_tensor_count(*t) * sizeof(uint16_t));
    assay_tensor_unref(*t);
    *t = as;
done:
    return status;
}

static double number_at(const assay_tensor *t, int64_t i) {
    const void *data = assay_tensor_data(t);
    const uint16_t *half = data;
    switch (assay_tensor_dtype(t)) {
    case ASSAY_F32:
        return ((const float *)data)[i];
    case ASSAY_F64:
        return ((const double *)data)[i];
    case ASSAY_F16:
        return half_to_float(half[i]);
    default:
        return ten_from_bf16(half[i]);
    }
}

static bool is_float(assay_dtype d) {
    return d == ASSAY_F32 || d == ASSAY_F64 || d == ASSAY_F16 || d == ASSAY_BF16;
}

/* What is wrong with an output, in `why`; true if nothing is. Whole numbers must be
 * equal; floats within rtol 1e-3 and atol 1e-7; bf16 within a unit of its last place,
 * since the data was cut off where we round (ONNX's runner compares its bits as whole
 * numbers within 1e-3, which is wider). */
static bool matches(const assay_tensor *got, const assay_tensor *want, char why[256]) {
    assay_dtype dtype = assay_tensor_dtype(want);
    int ndim = assay_tensor_ndim(want);
    int64_t count = assay_tensor_count(want);
    size_t size = assay_dtype_size(dtype);
    const double relative = dtype == ASSAY_BF16 ? 1.0 / 128 : 1e-3;
    if (assay_tensor_dtype(got) != dtype) {
        snprintf(why, 256, "%s instead of %s", assay_dtype_name(assay_tensor_dtype(got)),
                 assay_dtype_name(dtype));
        return false;
    }
    if (assay_tensor_ndim(got) != ndim ||
        (ndim && memcmp(assay_tensor_dims(got), assay_tensor_dims(want),
                        (size_t)ndim * sizeof(int64_t)) != 0)) {
        snprintf(why, 256, "another shape");
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        bool same = memcmp((const uint8_t *)assay_tensor_data(got) + (size_t)i * size,
                           (const uint8_t *)assay_tensor_data(want) + (size_t)i * size,
                           size) == 0;
        double a = is_float(dtype) ? number_at(got, i) : 0;
        double b = is_float(dtype) ? number_at(want, i) : 0;
        if (!same && is_float(dtype))
            same = (isnan(a) && isnan(b)) || a == b ||
                   fabs(a - b) <= 1e-7 + relative * fabs(b);
        if (!same) {
            snprintf(why, 256, "element %lld of %lld is %.9g instead of %.9g",
                     (long long)i, (long long)count, a, b);
            return false;
        }
    }
    return true;
}

/* ---- one test ---- */

typedef enum verdict { PASSED, UNSUPPORTED, FAILED } verdict;

typedef struct outcome {
    verdict verdict;
    bool told; /* an input decided about shapes */
    char op[NN_MAX_NAME], why[640];
} outcome;

static void tell_error(outcome *o, verdict v) {
    const assay_error *e = assay_last_error();
    o->verdict = v;
    snprintf(o->why, sizeof o->why, "%s: %.300s%s%.200s", assay_status_name(e->status),
             e->message, *e->where ? "; " : "", e->where);
}

static assay_status
run_set(runner *r, const onnx_model *model, data_set *d, const char *folder, outcome *o) {
    assay_status status = ASSAY_OK;
    onnx_bound bound[MOST_VALUES];
    onnx_import import = {0};
    assay_model *m = NULL;
    assay_model_options options = ASSAY_MODEL_OPTIONS_INIT;
    ASSAY_TRY(read_list(r->ctx, folder, "input", d->in, &d->n_in));
    ASSAY_TRY(read_list(r->ctx, folder, "output", d->want, &d->n_want));
    for (size_t i = 0; i < model->graph.n_in && i < MOST_VALUES; i++)
        ASSAY_TRY(read_bf16(r->ctx, &model->graph.in[i], &d->in[i]));
    for (size_t i = 0; i < model->graph.n_out && i < MOST_VALUES; i++)
        ASSAY_TRY(read_bf16(r->ctx, &model->graph.out[i], &d->want[i]));
    options.inputs = (const assay_tensor *const *)d->in;
    options.n_inputs = d->n_in;
    for (int i = 0; i < d->n_in; i++) {
        bound[i] = (onnx_bound){.name = d->in[i] ? NULL : ""};
        if (!d->in[i])
            continue;
        bound[i].dtype = assay_tensor_dtype(d->in[i]);
        bound[i].ndim = assay_tensor_ndim(d->in[i]);
        bound[i].data = assay_tensor_data(d->in[i]);
        memcpy(bound[i].dim, assay_tensor_dims(d->in[i]),
               (size_t)bound[i].ndim * sizeof(int64_t));
    }
    const onnx_options import_options = {.bound = bound, .n_bound = d->n_in};
    status = onnx_load(&import, r->ctx, model, &import_options);
    if (status != ASSAY_OK) {
        tell_error(o, UNSUPPORTED);
        if (*import.blame)
            snprintf(o->op, sizeof o->op, "%s", import.blame);
        status = status == ASSAY_E_NOMEM ? status : ASSAY_OK;
        goto done;
    }
    for (size_t i = 0; i < import.n_in; i++)
        o->told |= import.in[i].bound;
    ASSAY_TRY(model_make(&m, r->ctx, &import, &options));
    if (assay_model_input_count(m) != d->n_in ||
        assay_model_output_count(m) != d->n_want) {
        o->verdict = FAILED;
        snprintf(
            o->why, sizeof o->why, "%d inputs and %d outputs, but data for %d and %d",
            assay_model_input_count(m), assay_model_output_count(m), d->n_in, d->n_want);
        goto done;
    }
    d->n_got = d->n_want;
    status = assay_model_run(m, (const assay_tensor *const *)d->in, d->got);
    if (status != ASSAY_OK) {
        tell_error(o, status == ASSAY_E_UNSUPPORTED ? UNSUPPORTED : FAILED);
        status =
            status == ASSAY_E_NOMEM || status == ASSAY_E_CANCELLED ? status : ASSAY_OK;
        goto done;
    }
    for (int i = 0; i < d->n_want && o->verdict == PASSED; i++) {
        char why[256] = "its expected value can't be read";
        if (d->want[i] && matches(d->got[i], d->want[i], why))
            continue;
        o->verdict = FAILED;
        snprintf(o->why, sizeof o->why, "output %d: %s", i, why);
    }
done:
    assay_model_close(m);
    onnx_import_free(&import);
    return status;
}

static assay_status run_test(runner *r, const char *name, outcome *o) {
    assay_status status = ASSAY_OK;
    char path[4096];
    os_map map = {0};
    onnx_file *file = NULL;
    data_set d = {0};
    int sets = 0;
    snprintf(path, sizeof path, "%s/%s/model.onnx", r->folder, name);
    ASSAY_TRY(os_map_file(&map, path, false));
    status = onnx_parse(&file, r->ctx, map.data, map.bytes, path);
    if (status != ASSAY_OK) {
        tell_error(o, FAILED);
        status = status == ASSAY_E_NOMEM ? status : ASSAY_OK;
        goto done;
    }
    const onnx_graph *g = &onnx_file_model(file)->graph;
    snprintf(o->op, sizeof o->op, "%s", g->n_node ? g->node[g->n_node - 1].op_type : "");
    for (; sets < MOST_SETS && o->verdict == PASSED; sets++) {
        snprintf(path, sizeof path, "%s/%s/test_data_set_%d", r->folder, name, sets);
        if (!os_is_dir(path))
            break;
        ASSAY_TRY(run_set(r, onnx_file_model(file), &d, path, o));
        drop_set(&d);
    }
    if (sets == 0) {
        o->verdict = FAILED;
        snprintf(o->why, sizeof o->why, "it has no data");
    }
done:
    drop_set(&d);
    onnx_file_destroy(file);
    os_unmap(&map);
    return status;
}

static assay_status count_test(runner *r, const char *name) {
    assay_status status = ASSAY_OK;
    outcome o = {.verdict = PASSED};
    op_row *row;
    ASSAY_TRY(run_test(r, name, &o));
    ASSAY_TRY(op_row_of(r, o.op, &row));
    r->passed += o.verdict == PASSED;
    r->told += o.verdict == PASSED && o.told;
    r->unsupported += o.verdict == UNSUPPORTED;
    r->failed += o.verdict == FAILED;
    row->passed += o.verdict == PASSED;
    row->unsupported += o.verdict == UNSUPPORTED;
    row->failed += o.verdict == FAILED;
    if (o.verdict == FAILED) {
        ASSAY_TRY(mem_grow(r->ctx, &r->failure, r->n_failures, &r->cap_failures,
                           r->n_failures + 1, sizeof *r->failure));
        failure *f = &r->failure[r->n_failures++];
        snprintf(f->test, sizeof f->test, "%s", name);
        snprintf(f->why, sizeof f->why, "%s", o.why);
    }
    log_verbose(r->ctx, "onnx", "%s %s %s %s", name, o.op,
                o.verdict == PASSED   ? "passed"
                : o.verdict == FAILED ? "FAILED"
                                      : "unsupported",
                o.why);
done:
    return status;
}

/* ---- the report ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const op_row *)a)->name, ((const op_row *)b)->name);
}

static assay_status report(runner *r, char **json) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(r->ctx);
    json_out j = json_out_make(&b, 2);
    qsort(r->ops, r->n_ops, sizeof *r->ops, by_name);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.onnx-test/1");
    json_kint(&j, "tests", r->passed + r->unsupported + r->failed);
    json_kint(&j, "passed", r->passed);
    json_kint(&j, "passed_with_known_inputs", r->told);
    json_key(&j, "unsupported");
    json_obj(&j);
    for (size_t i = 0; i < r->n_ops; i++)
        if (r->ops[i].unsupported)
            json_kint(&j, r->ops[i].name, r->ops[i].unsupported);
    json_obj_end(&j);
    json_key(&j, "failed");
    json_arr(&j);
    for (size_t i = 0; i < r->n_failures; i++) {
        json_obj(&j);
        json_kstr(&j, "test", r->failure[i].test);
        json_kstr(&j, "why", r->failure[i].why);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_key(&j, "operators");
    json_obj(&j);
    for (size_t i = 0; i < r->n_ops; i++) {
        json_key(&j, r->ops[i].name);
        json_obj(&j);
        json_kint(&j, "passed", r->ops[i].passed);
        json_kint(&j, "unsupported", r->ops[i].unsupported);
        json_kint(&j, "failed", r->ops[i].failed);
        json_obj_end(&j);
    }
    json_obj_end(&j);
    json_obj_end(&j);
    buf_str(&b, "\n");
    ASSAY_TRY(buf_check(&b));
    *json = b.data;
    b = buf_make(r->ctx);
done:
    buf_free(&b);
    return status;
}

assay_status assay_onnx_test(assay_ctx *ctx, const char *folder, char **json) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    runner r = {.ctx = ctx, .folder = folder};
    size_t tests = 0;
    *json = NULL;
    ASSAY_TRY(os_list_dir(ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++)
        tests += strncmp(names.name[i], "test_", 5) == 0;
    if (tests == 0)
        ASSAY_FAIL(ASSAY_E_NOTFOUND, "there is no folder test_... in %s", folder);
    progress_begin(ctx, "testing", (int64_t)tests, "tests");
    for (size_t i = 0; i < names.count; i++) {
        if (strncmp(names.name[i], "test_", 5) != 0)
            continue;
        ASSAY_TRY(ctx_check(ctx));
        ASSAY_TRY(count_test(&r, names.name[i]));
        progress_add(ctx, 1);
    }
    progress_end(ctx);
    ASSAY_TRY(report(&r, json));
done:
    os_names_free(&names);
    mem_free(ctx, r.ops);
    mem_free(ctx, r.failure);
    return status;
}
