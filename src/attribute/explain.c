/* assay_attribute: what is asked for, and the document about the rows that help and harm
 * each target most. */
#include "attribute/explain.h"
#include "attribute/shown.h"

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MODELS = 1000, MOST_TOP = 1000, USUAL_MODELS = 5, USUAL_TOP = 10 };
enum { USUAL_TARGETS = 20 };

static assay_status check(explain *e, const assay_attribute_options *options) {
    assay_status status = ASSAY_OK;
    assay_attribute_options *o = &e->o;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_attribute_options"));
    o->top = o->top ? o->top : USUAL_TOP;
    o->targets = o->targets ? o->targets : USUAL_TARGETS;
    o->centre = o->centre ? o->centre : "matched";
    e->method = att_method_find(o->method ? o->method : "ekfac");
    if (!e->method) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%s\"", o->method);
        err_help("assay lds --help names them");
        return ASSAY_E_NOTFOUND;
    }
    if (o->models < 0 || o->models > MOST_MODELS || o->top < 1 || o->top > MOST_TOP ||
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
    ASSAY_TRY(att_settings_make(&e->settings, o->damping, o->ridge, o->from, o->dim,
                                o->projector, o->tracin_checkpoints));
done:
    return status;
}

/* What depends on the kind of the data. */
static assay_status settle(explain *e, bool text) {
    const zoo_model_def *def = zoo_find(e->protocol.model);
    if (!e->o.method && (text || (def && def->tokens)))
        e->method = att_method_find("trak");
    assay_status status = explain_asked_check(e);
    if (status != ASSAY_OK)
        return status;
    if (!e->o.keep || strcmp(e->method->name, "trak") == 0)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "method %s keeps no features", e->method->name);
    err_help("choose the method trak, or leave the folder out");
    return ASSAY_E_UNSUPPORTED;
}

static assay_status shard_check(const assay_attribute_options *o, bool shown) {
    if (!o->shard && !o->shards)
        return ASSAY_OK;
    if (o->shard < 1 || o->shards < o->shard)
        return err_set(ASSAY_E_INVALID, "shard %d of %d", o->shard, o->shards);
    if (o->keep && !o->scores && !o->csv && !shown)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_INVALID, "a shard makes features, and keeps them in a folder");
    err_help("name the folder; the call without a shard makes the scores");
    return ASSAY_E_INVALID;
}

static void plan(explain *e, const char *source) {
    const assay_attribute_options *o = &e->o;
    const char *usual = sentences_is(source) ? "bert-tiny" : "mlp";
    e->models = o->models ? o->models : USUAL_MODELS;
    e->protocol = att_protocol_of(o->model ? o->model : usual, o->rows, o->targets, .5,
                                  o->epochs, o->batch, o->rate);
}

static assay_status tell(explain *e, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(e->ctx), csv = buf_make(e->ctx);
    json_out j = json_out_make(&text, 2);
    const att_study *s = &e->lab.study;
    double *margin = NULL; /* mean over models */
    size_t targets = att_lab_targets(&e->lab);
    ASSAY_TRY(mem_new(e->ctx, &margin, targets, sizeof *margin));
    if (e->lab.text)
        att_lab_text_mean(e->margins, e->lab.text, e->margins, (size_t)e->models);
    for (size_t m = 0; m < (size_t)e->models; m++)
        for (size_t t = 0; t < targets; t++)
            margin[t] += (double)e->margins[m * targets + t] / e->models;
    json_obj(&j);
    json_kstr(&j, "schema", "assay.attribute/1");
    json_kstr(&j, "method", e->method->name);
    json_kstr(&j, "model", e->lab.model.name);
    json_kint(&j, "models", e->models);
    json_kstr(&j, "asked", e->o.own_output ? "own" : e->o.ask ? e->o.ask : "margin");
    json_kstr(&j, "centre",
              e->o.checkpoints ? "given"
              : e->lab.text    ? "full"
                               : e->o.centre);
    json_kint(&j, "rows", (int64_t)s->n_rows);
    if (e->o.shards) {
        json_kint(&j, "shard", e->o.shard);
        json_kint(&j, "shards", e->o.shards);
        json_key(&j, "targets");
        json_arr(&j);
        json_arr_end(&j);
    } else {
        named_tell(&j, &csv, &e->lab, e->top, e->o.top, "score", margin);
    }
    json_knum(&j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&csv));
    if (e->o.csv)
        ASSAY_TRY(atomic_put(e->ctx, e->o.csv, csv.data, csv.len));
    ASSAY_TRY(mem_strdup(e->ctx, json, text.data));
done:
    mem_free(e->ctx, margin);
    buf_free(&text);
    buf_free(&csv);
    return status;
}

static void let_go(explain *e) {
    mem_free(e->ctx, e->top);
    e->top = NULL;
    explain_models_free(e);
    if (e->lab.ctx)
        att_lab_keep_data(&e->lab);
    att_lab_text_close(&e->text);
}

assay_status att_attribute(char **json,
                           assay_ctx *ctx,
                           const char *source,
                           const assay_attribute_options *options,
                           const att_viewer *viewer) {
    assay_status status = ASSAY_OK;
    explain e = {.ctx = ctx, .o = ASSAY_ATTRIBUTE_OPTIONS_INIT};
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(check(&e, options));
    ASSAY_TRY(shard_check(&e.o, viewer != NULL));
    plan(&e, source);
    if (e.o.checkpoints)
        ASSAY_TRY(explain_load(&e));
    bool text = explain_is_text(&e, source);
    ASSAY_TRY(explain_text_check(&e, text));
    ASSAY_TRY(settle(&e, text));
    ASSAY_TRY(text ? explain_text(&e, source)
                   : att_lab_open(&e.lab, ctx, source, &e.protocol));
    ASSAY_TRY(explain_models(&e));
    ASSAY_TRY(explain_asked(&e));
    ASSAY_TRY(explain_scores(&e));
    ASSAY_TRY(tell(&e, json, began));
    let_go(&e);
    if (viewer)
        ASSAY_TRY(viewer->look(viewer->cookie, e.lab.data, *json));
done:
    if (status != ASSAY_OK) {
        assay_string_free(ctx, *json);
        *json = NULL;
    }
    let_go(&e);
    att_lab_close(&e.lab);
    return status;
}

assay_status assay_attribute(assay_ctx *ctx,
                             const char *source,
                             const assay_attribute_options *options,
                             char **json) {
    return att_attribute(json, ctx, source, options, NULL);
}
