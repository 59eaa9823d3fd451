/* assay_lds: what is asked for, the steps of a measurement, and the document about it. */
#include "attribute/measure/lds.h"

#include "attribute/measure/scores_file.h"
#include "base/options.h"
#include "base/os.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was asked for ---- */

static assay_status sizes_read(lds *l) {
    const char *text = l->o.models ? l->o.models : "1";
    for (const char *at = text; *at;) {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at || n < 1 || n > LDS_MOST_MODELS || (*end && *end != ',') ||
            l->sizes == LDS_MOST_SIZES || (l->sizes && n <= l->size[l->sizes - 1])) {
            (void)err_set(ASSAY_E_INVALID, "models are \"%s\"", text);
            err_help("give sizes of ensembles, ascending, as in 1,5,10");
            return ASSAY_E_INVALID;
        }
        l->size[l->sizes++] = (int)n;
        at = *end ? end + 1 : end;
    }
    return l->sizes ? ASSAY_OK : err_set(ASSAY_E_INVALID, "no number of models");
}

static assay_status options_read(lds *l, const assay_lds_options *options) {
    assay_status status = ASSAY_OK;
    const assay_lds_options *o = &l->o;
    ASSAY_TRY(options_take(&l->o, sizeof l->o, options, "assay_lds_options"));
    ASSAY_TRY(sizes_read(l));
    for (size_t i = 0; o->scores && o->scores[i]; i++) {
        const char *is = strchr(o->scores[i], '=');
        if (!is || is == o->scores[i] || is - o->scores[i] > 63 || !is[1]) {
            (void)err_set(ASSAY_E_INVALID, "scores are \"%s\"", o->scores[i]);
            err_help("give a name and a file, as in mine=scores.npy");
            return ASSAY_E_INVALID;
        }
    }
    const char *centre = o->centre ? o->centre : "matched";
    l->matched = strcmp(centre, "matched") == 0;
    if (!l->matched && strcmp(centre, "full") != 0) {
        (void)err_set(ASSAY_E_INVALID, "there is no centre \"%s\"", centre);
        err_help("choose from: matched, full");
        return ASSAY_E_INVALID;
    }
    if (!(o->threshold < 1))
        ASSAY_FAIL(ASSAY_E_INVALID, "a threshold of %g is out of range", o->threshold);
    ASSAY_TRY(att_settings_make(&l->settings, o->damping, o->ridge, o->from, o->dim,
                                o->projector, o->tracin_checkpoints));
    l->settings.unweighed = o->unweighed;
    if (o->precision && strcmp(o->precision, "bf16") == 0)
        l->settings.precision = ASSAY_BF16;
    else if (o->precision && strcmp(o->precision, "f32") != 0) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no precision \"%s\"", o->precision);
        err_help("choose from: f32, bf16");
        return ASSAY_E_NOTFOUND;
    }
    l->settings.traker = o->compat && strcmp(o->compat, "traker") == 0;
    if (o->compat && !l->settings.traker) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no compat \"%s\"", o->compat);
        err_help("choose: traker");
        return ASSAY_E_NOTFOUND;
    }
    l->settings.threshold = o->threshold > 0 ? o->threshold : 0;
done:
    return status;
}

/* ---- methods ---- */

static assay_status unknown(const lds *l, const char *name, size_t bytes) {
    buf names = buf_make(l->ctx);
    for (size_t i = 0; i < att_method_count(); i++)
        buf_fmt(&names, "%s, ", att_method_at(i)->name);
    buf_str(&names, LDS_STACK);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%.*s\"", (int)bytes, name);
    if (!names.failed)
        err_help("methods are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

/* Calls `with` for each method that was asked for; the stack is NULL. */
static assay_status each_method(lds *l,
                                assay_status (*with)(lds *l, const att_method *m)) {
    assay_status status = ASSAY_OK;
    const char *at = l->o.methods;
    for (size_t i = 0; !at && i < att_method_count(); i++)
        ASSAY_TRY(with(l, att_method_at(i)));
    if (!at)
        ASSAY_TRY(with(l, NULL));
    while (at && *at) {
        size_t bytes = strcspn(at, ",");
        char name[32];
        (void)snprintf(name, sizeof name, "%.*s", (int)(bytes < 31 ? bytes : 31), at);
        const att_method *m = att_method_find(name);
        if (!m && strcmp(name, LDS_STACK) != 0)
            return unknown(l, at, bytes);
        ASSAY_TRY(with(l, m));
        at += bytes;
        at += *at == ',';
    }
done:
    return status;
}

static assay_status look(lds *l, const att_method *m) {
    l->stack = l->stack || !m;
    return ASSAY_OK;
}

static assay_status method_run(lds *l, const att_method *m) {
    return m ? lds_method_run(l, m, true) : lds_stack_run(l);
}

/* ---- the document ---- */

static void tell_head(lds *l) {
    const att_protocol *p = l->lab.protocol;
    json_out *j = &l->j;
    json_kstr(j, "schema", "assay.lds/1");
    json_kstr(j, "protocol", p->name);
    json_kstr(j, "model", p->model);
    json_kint(j, "parameters", (int64_t)nn_graph_param_floats(l->lab.model.graph));
    json_kint(j, "rows", (int64_t)p->rows);
    json_kint(j, "targets", (int64_t)p->targets);
    json_kint(j, "subsets", (int64_t)p->subsets);
    json_kint(j, "seeds", (int64_t)p->seeds);
    json_knum(j, "share", p->share);
    json_kint(j, "seed", (int64_t)l->o.seed);
    json_kint(j, "threads", assay_ctx_threads(l->ctx));
    json_knum(j, "accuracy", l->accuracy);
    json_knum(j, "reliability", l->reliability);
    json_knum(j, "ceiling", sqrt(l->reliability));
    json_kbool(j, "truth_kept", l->truth_kept);
    json_knum(j, "truth_seconds", l->truth_seconds);
    json_knum(j, "truth_cpu_seconds", l->truth_cpu);
}

/* Scores made elsewhere: "NAME=FILE.npy". */
static assay_status given_run(lds *l) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t cells = s->n_rows * s->n_targets;
    float *scores = NULL, *scratch = NULL;
    ASSAY_TRY(mem_new(l->ctx, &scores, cells, sizeof *scores));
    ASSAY_TRY(mem_new(l->ctx, &scratch, cells, sizeof *scratch));
    for (size_t i = 0; l->o.scores && l->o.scores[i]; i++) {
        const char *given = l->o.scores[i], *is = strchr(given, '=');
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)(is - given), given);
        lds_entry e = {.method = name, .seed_sd = NAN};
        ASSAY_TRY(att_scores_read(scores, s, l->lab.protocol->name, is + 1));
        ASSAY_TRY(lds_judge(&e, l, scores, scratch));
        lds_tell(l, &e);
    }
done:
    mem_free(l->ctx, scores);
    mem_free(l->ctx, scratch);
    return status;
}

static assay_status tell_methods(lds *l) {
    assay_status status = ASSAY_OK;
    json_key(&l->j, "methods");
    json_arr(&l->j);
    if (!l->o.truth_only) {
        int last = l->size[l->sizes - 1];
        l->most = l->stack && last < LDS_STACK_MODELS ? LDS_STACK_MODELS : last;
        if (l->stack || lds_tunes(l))
            ASSAY_TRY(lds_fit_make(l));
        ASSAY_TRY(lds_members_train(l));
        ASSAY_TRY(mem_new(l->ctx, &l->predicted,
                          l->subsets.count * l->lab.study.n_targets,
                          sizeof *l->predicted));
        ASSAY_TRY(each_method(l, method_run));
        ASSAY_TRY(given_run(l));
    }
    json_arr_end(&l->j);
done:
    return status;
}

static void lds_free(lds *l) {
    att_ensemble_free(&l->members);
    for (int i = 0; i < LDS_MOST_SIZES; i++)
        mem_free(l->ctx, l->replay[i].scores);
    mem_free(l->ctx, l->ekfac.scores);
    mem_free(l->ctx, l->fit);
    att_subsets_free(&l->fit_subsets);
    mem_free(l->ctx, l->predicted);
    mem_free(l->ctx, l->truth);
    mem_free(l->ctx, l->mean);
    att_subsets_free(&l->subsets);
    att_lab_close(&l->lab);
}

assay_status assay_lds(assay_ctx *ctx,
                       const char *source,
                       const assay_lds_options *options,
                       char **json) {
    assay_status status = ASSAY_OK;
    lds l = {.ctx = ctx, .o = ASSAY_LDS_OPTIONS_INIT};
    const att_protocol *protocol;
    buf text = buf_make(ctx);
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    *json = NULL;
    l.j = json_out_make(&text, 2);
    ASSAY_TRY(options_read(&l, options));
    ASSAY_TRY(att_protocol_find(&protocol, ctx, l.o.protocol ? l.o.protocol : "a"));
    ASSAY_TRY(each_method(&l, look)); /* before hours of work, not behind them */
    ASSAY_TRY(att_lab_open(&l.lab, ctx, source, protocol));
    ASSAY_TRY(lds_truth_make(&l));
    json_obj(&l.j);
    tell_head(&l);
    ASSAY_TRY(tell_methods(&l));
    json_knum(&l.j, "cpu_seconds", 1e-9 * (double)(os_cpu_ns() - began_cpu));
    json_kint(&l.j, "models", (int64_t)(protocol->seeds * protocol->subsets));
    json_knum(&l.j, "seconds",
              l.o.truth_only ? l.truth_seconds : 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&l.j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(mem_strdup(ctx, json, text.data));
done:
    buf_free(&text);
    lds_free(&l);
    return status;
}

size_t assay_attribution_count(void) {
    return att_method_count();
}

const char *assay_attribution_name(size_t i) {
    return att_method_at(i)->name;
}

const char *assay_attribution_summary(size_t i) {
    return att_method_at(i)->summary;
}
