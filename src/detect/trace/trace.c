/* assay_trace: reads tables of scores, opens the data they are of, and lets a use look at
 * them. */
#include "detect/trace/trace.h"

#include "base/options.h"
#include "base/os.h"
#include "file/atomic.h"
#include "file/npy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CELLS ((size_t)1 << 30)
enum { MOST_COUNT = 1000000, MOST_TOP = 1000000, MOST_DIM = 1024, USUAL_TOP = 10 };
enum { USUAL_DIM = 16 };
static const double usual_threshold = 2;

/* ---- the registry ---- */

#define X(name) extern const trace_use assay_use_##name;
#include "use_table.inc"
#undef X

static const trace_use *const uses[] = {
#define X(name) &assay_use_##name,
#include "use_table.inc"
#undef X
};

size_t assay_trace_count(void) {
    return sizeof uses / sizeof *uses;
}

const char *assay_trace_name(size_t i) {
    return i < assay_trace_count() ? uses[i]->name : NULL;
}

const char *assay_trace_summary(size_t i) {
    return i < assay_trace_count() ? uses[i]->summary : NULL;
}

static assay_status use_find(const trace_use **out, assay_ctx *ctx, const char *name) {
    buf names = buf_make(ctx);
    *out = NULL;
    for (size_t i = 0; i < assay_trace_count(); i++) {
        if (name && strcmp(uses[i]->name, name) == 0)
            *out = uses[i];
        buf_fmt(&names, "%s%s", i ? ", " : "", uses[i]->name);
    }
    if (!*out) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no use \"%s\"", name ? name : "");
        if (!names.failed)
            err_help("choose from: %s", names.data);
    }
    buf_free(&names);
    return *out ? ASSAY_OK : ASSAY_E_NOTFOUND;
}

/* ---- what is asked for ---- */

static assay_status
check(trace *t, const trace_use **use, const assay_trace_options *options) {
    assay_status status = ASSAY_OK;
    assay_trace_options *o = &t->o;
    *o = (assay_trace_options)ASSAY_TRACE_OPTIONS_INIT;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_trace_options"));
    ASSAY_TRY(use_find(use, t->ctx, o->use));
    o->top = o->top ? o->top : USUAL_TOP;
    o->dim = o->dim ? o->dim : USUAL_DIM;
    o->how = o->how ? o->how : "sum";
    o->threshold = o->threshold > 0 ? o->threshold : usual_threshold;
    if (o->count < 0 || o->count > MOST_COUNT || o->top < 1 || o->top > MOST_TOP ||
        o->dim < 1 || o->dim > MOST_DIM || !isfinite(o->threshold))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "a count of %d, %d rows named, %d dimensions, a threshold of %g are "
                   "out of range",
                   o->count, o->top, o->dim, o->threshold);
    if (strcmp(o->how, "sum") != 0 && strcmp(o->how, "votes") != 0) {
        (void)err_set(ASSAY_E_INVALID, "rows are not chosen by \"%s\"", o->how);
        err_help("choose from: sum, votes");
        return ASSAY_E_INVALID;
    }
    if (!o->scores) {
        (void)err_set(ASSAY_E_INVALID, "no scores are given");
        err_help("assay attribute DATA --scores FILE.npy makes some");
        return ASSAY_E_INVALID;
    }
    if ((*use)->takes_two != (o->against != NULL)) {
        (void)err_set(ASSAY_E_INVALID,
                      o->against ? "use %s takes one table of scores"
                                 : "use %s takes two tables of scores",
                      (*use)->name);
        err_help("the second one is for compare, and only for it");
        return ASSAY_E_INVALID;
    }
done:
    return status;
}

/* ---- scores ---- */

static double number(const npy_array *a, size_t i) {
    if (a->dtype == ASSAY_F64) {
        double x;
        memcpy(&x, a->data + i * sizeof x, sizeof x);
        return x;
    }
    float x;
    memcpy(&x, a->data + i * sizeof x, sizeof x);
    return (double)x;
}

static assay_status shape_check(trace *t, const npy_array *a, const char *path) {
    if (a->dtype != ASSAY_F32 && a->dtype != ASSAY_F64) {
        (void)err_set(ASSAY_E_DTYPE, "scores are neither float32 nor float64");
        err_where("%s", path);
        return ASSAY_E_DTYPE;
    }
    bool first = t->scores == NULL;
    bool fits = a->ndim == 2 && a->dim[0] > 0 && a->dim[1] > 0 &&
                (size_t)a->dim[0] <= MOST_CELLS / (size_t)a->dim[1];
    if (fits && first) {
        t->n = (size_t)a->dim[0];
        t->m = (size_t)a->dim[1];
        return ASSAY_OK;
    }
    if (fits && (size_t)a->dim[0] == t->n && (size_t)a->dim[1] == t->m)
        return ASSAY_OK;
    if (first)
        (void)err_set(ASSAY_E_SHAPE, "scores are not a table [rows, targets]");
    else
        (void)err_set(ASSAY_E_SHAPE,
                      "these are not scores of %zu rows for %zu targets, as "
                      "the first ones are",
                      t->n, t->m);
    err_where("%s", path);
    err_help("assay attribute DATA --scores FILE.npy writes such a table");
    return ASSAY_E_SHAPE;
}

static assay_status scores_read(float **out, trace *t, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    ASSAY_TRY(npy_open(&a, t->ctx, path, false));
    ASSAY_TRY(shape_check(t, &a, path));
    ASSAY_TRY(mem_new(t->ctx, out, t->n * t->m, sizeof **out));
    for (size_t i = 0; i < t->n * t->m; i++) {
        (*out)[i] = (float)number(&a, i);
        if (!isfinite((*out)[i])) {
            (void)err_set(ASSAY_E_NUMERIC,
                          "the score of row %zu for target %zu is not finite", i / t->m,
                          i % t->m);
            err_where("%s", path);
            status = ASSAY_E_NUMERIC;
            goto done;
        }
    }
done:
    npy_close(&a);
    return status;
}

/* ---- what uses tell ---- */

void trace_tell_row(trace *t, uint32_t row) {
    json_kint(&t->json, "row", row);
    json_kstr(&t->json, "id", dataset_id(t->lab.data, row));
    json_kstr(&t->json, "class", dataset_class_name(t->lab.data, t->lab.labels[row]));
}

assay_status trace_tell_end(trace *t,
                            const char *key,
                            const float *values,
                            size_t n,
                            const uint32_t *of,
                            bool low) {
    assay_status status = ASSAY_OK;
    uint32_t *order = NULL;
    ASSAY_TRY(mem_new(t->ctx, &order, n, sizeof *order));
    ASSAY_TRY(detect_order(order, t->ctx, values, n));
    json_key(&t->json, key);
    json_arr(&t->json);
    for (size_t i = 0; i < n && i < (size_t)t->o.top; i++) {
        uint32_t place = order[low ? n - 1 - i : i];
        json_obj(&t->json);
        trace_tell_row(t, of[place]);
        json_knum(&t->json, "value", (double)values[place]);
        json_obj_end(&t->json);
    }
    json_arr_end(&t->json);
done:
    mem_free(t->ctx, order);
    return status;
}

/* ---- all of it ---- */

static assay_status tell(trace *t, const trace_use *use, uint64_t began, char **json) {
    assay_status status = ASSAY_OK;
    json_obj(&t->json);
    json_kstr(&t->json, "schema", "assay.trace/1");
    json_kstr(&t->json, "use", use->name);
    json_kint(&t->json, "rows", (int64_t)t->n);
    json_kint(&t->json, "targets", (int64_t)t->m);
    ASSAY_TRY(use->run(t));
    json_knum(&t->json, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&t->json);
    buf_str(&t->text, "\n");
    ASSAY_TRY(buf_check(&t->text));
    ASSAY_TRY(buf_check(&t->csv));
    ASSAY_TRY(buf_check(&t->list));
    if (t->o.csv)
        ASSAY_TRY(atomic_put(t->ctx, t->o.csv, t->csv.data, t->csv.len));
    if (t->o.list)
        ASSAY_TRY(atomic_put(t->ctx, t->o.list, t->list.data, t->list.len));
    ASSAY_TRY(mem_strdup(t->ctx, json, t->text.data));
done:
    return status;
}

assay_status assay_trace(assay_ctx *ctx,
                         const char *source,
                         const assay_trace_options *options,
                         char **json) {
    assay_status status = ASSAY_OK;
    trace t = {.ctx = ctx};
    const trace_use *use;
    uint64_t began = os_now_ns();
    *json = NULL;
    t.text = buf_make(ctx);
    t.csv = buf_make(ctx);
    t.list = buf_make(ctx);
    t.json = json_out_make(&t.text, 2);
    ASSAY_TRY(check(&t, &use, options));
    ASSAY_TRY(scores_read(&t.scores, &t, t.o.scores));
    if (t.o.against)
        ASSAY_TRY(scores_read(&t.against, &t, t.o.against));
    t.protocol = att_protocol_of("mlp", (int64_t)t.n, (int64_t)t.m, .5, 0, 0, 0);
    ASSAY_TRY(att_lab_open(&t.lab, ctx, source, &t.protocol));
    ASSAY_TRY(tell(&t, use, began, json));
done:
    att_lab_close(&t.lab);
    mem_free(ctx, t.scores);
    mem_free(ctx, t.against);
    buf_free(&t.text);
    buf_free(&t.csv);
    buf_free(&t.list);
    return status;
}
