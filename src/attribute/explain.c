/* assay_attribute: models trained for the purpose, one method's scores, and for each
 * target the rows that help and harm it most. */
#include <assay/attribute.h>

#include "attribute/method.h"
#include "attribute/study/lab.h"

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MODELS = 1000, MOST_TOP = 1000, USUAL_MODELS = 5, USUAL_TOP = 10 };
enum { USUAL_TARGETS = 20, FIRST_SEED = 5 };
#define MOST_CELLS ((size_t)1 << 30)

typedef struct explain {
    assay_ctx *ctx;
    assay_attribute_options o;
    const att_method *method;
    att_settings settings;
    att_protocol protocol;
    att_lab lab;
    att_run *runs;
    float **params, **buffers;
    float *margins; /* [models, targets] */
    att_sum sum;
    float *scores; /* [rows, targets] */
    uint32_t *top; /* [2, top] rows of the target at hand: helpful, harmful */
    buf csv;
    json_out j;
} explain;

static assay_status check(explain *e, const assay_attribute_options *options) {
    assay_status status = ASSAY_OK;
    assay_attribute_options *o = &e->o;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_attribute_options"));
    o->method = o->method ? o->method : "ekfac";
    o->model = o->model ? o->model : "mlp";
    o->models = o->models ? o->models : USUAL_MODELS;
    o->top = o->top ? o->top : USUAL_TOP;
    o->targets = o->targets ? o->targets : USUAL_TARGETS;
    o->centre = o->centre ? o->centre : "matched";
    e->method = att_method_find(o->method);
    if (!e->method) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%s\"", o->method);
        err_help("assay lds --help names them");
        return ASSAY_E_NOTFOUND;
    }
    if (o->models < 1 || o->models > MOST_MODELS || o->top < 1 || o->top > MOST_TOP ||
        o->targets < 1 || o->rows < 0 || o->epochs < 0 || o->batch < 0 || !(o->rate >= 0))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "%d models, %d strongest rows, %" PRId64 " targets, %" PRId64
                   " rows, %d epochs, batches of %d, rate %g are out of range",
                   o->models, o->top, o->targets, o->rows, o->epochs, o->batch, o->rate);
    if (strcmp(o->centre, "matched") != 0 && strcmp(o->centre, "full") != 0) {
        (void)err_set(ASSAY_E_INVALID, "there is no centre \"%s\"", o->centre);
        err_help("choose from: matched, full");
        return ASSAY_E_INVALID;
    }
done:
    return status;
}

static void plan(explain *e) {
    const assay_attribute_options *o = &e->o;
    e->settings = (att_settings)ATT_SETTINGS_INIT;
    e->protocol = (att_protocol){.name = "attribute",
                                 .model = o->model,
                                 .rows = (size_t)o->rows,
                                 .targets = (size_t)o->targets,
                                 .share = .5,
                                 .recipe = {.epochs = o->epochs ? o->epochs : 15,
                                            .batch = o->batch ? o->batch : 50,
                                            .rate = o->rate > 0 ? o->rate : .02,
                                            .momentum = .9,
                                            .hold = .5}};
}

static assay_status train(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    size_t n = (size_t)e->o.models, floats = nn_graph_param_floats(s->model->graph);
    bool matched = strcmp(e->o.centre, "matched") == 0;
    int64_t steps = att_steps(&s->recipe, matched ? s->n_rows / 2 : s->n_rows);
    if (steps < 1 || s->n_rows < (size_t)s->recipe.batch)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%zu rows are too few for batches of %d", s->n_rows,
                   s->recipe.batch);
    ASSAY_TRY(mem_new(e->ctx, &e->runs, n, sizeof *e->runs));
    ASSAY_TRY(mem_new(e->ctx, &e->params, n, sizeof *e->params));
    ASSAY_TRY(mem_new(e->ctx, &e->buffers, n, sizeof *e->buffers));
    ASSAY_TRY(mem_new(e->ctx, &e->margins, n * s->n_targets, sizeof *e->margins));
    for (size_t m = 0; m < n; m++) {
        ASSAY_TRY(mem_new(e->ctx, &e->params[m], floats, sizeof **e->params));
        ASSAY_TRY(mem_new(e->ctx, &e->buffers[m], nn_graph_buffer_floats(s->model->graph),
                          sizeof **e->buffers));
        e->runs[m] = (att_run){.recipe = &s->recipe,
                               .rows = s->rows,
                               .n_rows = s->n_rows,
                               .steps = steps,
                               .seed = (e->o.seed << 24) + FIRST_SEED + m};
    }
    progress_begin(e->ctx, "models", e->o.models, "models");
    ASSAY_TRY(att_train_models(e->margins, e->params, e->buffers, s, e->runs, n));
    progress_end(e->ctx);
done:
    return status;
}

static assay_status score(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    size_t cells = s->n_rows * s->n_targets;
    if (s->n_rows > MOST_CELLS / s->n_targets) {
        (void)err_set(ASSAY_E_INVALID, "scores of %zu rows for %zu targets are too many",
                      s->n_rows, s->n_targets);
        err_help("ask for fewer targets at a time");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(e->ctx, &e->sum.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(e->ctx, &e->sum.weight, s->n_rows, sizeof(float)));
    progress_begin(e->ctx, e->method->name, e->o.models, "models");
    for (int m = 0; m < e->o.models; m++) {
        const att_member member = {.study = s,
                                   .run = &e->runs[m],
                                   .seed = e->runs[m].seed,
                                   .params = e->params[m],
                                   .buffers = e->buffers[m]};
        ASSAY_TRY_AT(e->method->score(&e->sum, &member, &e->settings), "%s",
                     e->method->name);
        progress_add(e->ctx, 1);
    }
    progress_end(e->ctx);
    e->scores = e->sum.scores; /* in place */
    ASSAY_TRY(att_sum_finish(e->scores, e->ctx, &e->sum, e->method, &e->settings,
                             e->o.models, s->n_rows, s->n_targets));
    if (e->o.scores) {
        const int64_t dim[] = {(int64_t)s->n_rows, (int64_t)s->n_targets};
        ASSAY_TRY(npy_put(e->ctx, e->o.scores, ASSAY_F32, 2, dim, e->scores));
    }
done:
    return status;
}

/* ---- the strongest ---- */

/* The rows with the largest sign times score for a target, ties by row. Returns how many.
 */
static int strongest(const explain *e, size_t target, float sign, uint32_t *out) {
    const att_study *s = &e->lab.study;
    size_t targets = s->n_targets;
    int count = 0;
    for (size_t i = 0; i < s->n_rows; i++) {
        float x = sign * e->scores[i * targets + target];
        int at = count;
        if (!(x > 0))
            continue;
        while (at > 0 && sign * e->scores[out[at - 1] * targets + target] < x)
            at--;
        if (at == e->o.top)
            continue;
        count += count < e->o.top;
        memmove(out + at + 1, out + at, (size_t)(count - at - 1) * sizeof *out);
        out[at] = (uint32_t)i;
    }
    return count;
}

static void
tell_rows(explain *e, size_t target, const char *key, const uint32_t *rows, int n) {
    const att_study *s = &e->lab.study;
    json_key(&e->j, key);
    json_arr(&e->j);
    for (int i = 0; i < n; i++) {
        uint32_t row = s->rows[rows[i]];
        const char *label = dataset_class_name(e->lab.data, s->data->labels[row]);
        float x = e->scores[rows[i] * s->n_targets + target];
        json_obj(&e->j);
        json_kint(&e->j, "row", row);
        json_kstr(&e->j, "id", dataset_id(e->lab.data, row));
        json_kstr(&e->j, "class", label);
        json_knum(&e->j, "score", (double)x);
        json_obj_end(&e->j);
        buf_fmt(&e->csv, "%u,%s,%d,%u,%d,%.9g\n", s->targets[target], key, i + 1, row,
                s->data->labels[row], (double)x);
    }
    json_arr_end(&e->j);
}

static void tell_target(explain *e, size_t target) {
    const att_study *s = &e->lab.study;
    uint32_t row = s->targets[target];
    double margin = 0;
    for (int m = 0; m < e->o.models; m++)
        margin += (double)e->margins[(size_t)m * s->n_targets + target] / e->o.models;
    json_obj(&e->j);
    json_kint(&e->j, "row", row);
    json_kstr(&e->j, "id", dataset_id(e->lab.data, row));
    json_kstr(&e->j, "class", dataset_class_name(e->lab.data, s->data->labels[row]));
    json_knum(&e->j, "margin", margin);
    tell_rows(e, target, "helpful", e->top, strongest(e, target, 1, e->top));
    tell_rows(e, target, "harmful", e->top, strongest(e, target, -1, e->top));
    json_obj_end(&e->j);
}

static assay_status tell(explain *e, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(e->ctx);
    const att_study *s = &e->lab.study;
    e->j = json_out_make(&text, 2);
    e->csv = buf_make(e->ctx);
    ASSAY_TRY(mem_new(e->ctx, &e->top, (size_t)e->o.top + 1, sizeof *e->top));
    json_obj(&e->j);
    json_kstr(&e->j, "schema", "assay.attribute/1");
    json_kstr(&e->j, "method", e->method->name);
    json_kstr(&e->j, "model", e->o.model);
    json_kint(&e->j, "models", e->o.models);
    json_kstr(&e->j, "centre", e->o.centre);
    json_kint(&e->j, "rows", (int64_t)s->n_rows);
    buf_str(&e->csv, "target,kind,rank,row,label,score\n");
    json_key(&e->j, "targets");
    json_arr(&e->j);
    for (size_t t = 0; t < s->n_targets; t++)
        tell_target(e, t);
    json_arr_end(&e->j);
    json_knum(&e->j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&e->j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&e->csv));
    if (e->o.csv)
        ASSAY_TRY(atomic_put(e->ctx, e->o.csv, e->csv.data, e->csv.len));
    ASSAY_TRY(mem_strdup(e->ctx, json, text.data));
done:
    buf_free(&text);
    buf_free(&e->csv);
    return status;
}

assay_status assay_attribute(assay_ctx *ctx,
                             const char *source,
                             const assay_attribute_options *options,
                             char **json) {
    assay_status status = ASSAY_OK;
    explain e = {.ctx = ctx, .o = ASSAY_ATTRIBUTE_OPTIONS_INIT};
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(check(&e, options));
    plan(&e);
    ASSAY_TRY(att_lab_open(&e.lab, ctx, source, &e.protocol));
    ASSAY_TRY(train(&e));
    ASSAY_TRY(score(&e));
    ASSAY_TRY(tell(&e, json, began));
done:
    for (int m = 0; e.params && m < e.o.models; m++)
        mem_free(ctx, e.params[m]);
    for (int m = 0; e.buffers && m < e.o.models; m++)
        mem_free(ctx, e.buffers[m]);
    mem_free(ctx, e.params);
    mem_free(ctx, e.buffers);
    mem_free(ctx, e.runs);
    mem_free(ctx, e.margins);
    mem_free(ctx, e.sum.scores);
    mem_free(ctx, e.sum.weight);
    mem_free(ctx, e.top);
    att_lab_close(&e.lab);
    return status;
}
