/* What is asked of targets: an output of another kind than the margin, or of another
 * class than the label. */
#include "attribute/explain.h"

#include "attribute/gradient/source.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

assay_status explain_asked_check(explain *e) {
    const assay_attribute_options *o = &e->o;
    const att_output_def *def = att_output_find(o->ask ? o->ask : "margin");
    if (!def) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no output \"%.40s\"", o->ask);
        err_help("choose from: margin, log-probability, logit");
        return ASSAY_E_NOTFOUND;
    }
    if (o->ask && o->own_output)
        return err_set(ASSAY_E_INVALID, "an output of one's own, and %s: give one",
                       o->ask);
    e->asked = (att_asked){.run = o->own_output ? o->own_output : def->run,
                           .arg = o->own_output ? o->own_output_arg : NULL};
    e->asks = o->own_output || (o->ask && strcmp(o->ask, "margin") != 0);
    if (e->asks && (o->keep || strcmp(e->method->name, "replay") == 0)) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s knows margins only",
                      o->keep ? "a folder of features" : "replay");
        err_help("leave the output out, or choose another method");
        return ASSAY_E_UNSUPPORTED;
    }
    return ASSAY_OK;
}

/* ---- another class ---- */

typedef struct logits_job {
    att_source source;
    double *sum; /* [targets, classes] */
    float *one;  /* the same, of one model */
    size_t classes;
} logits_job;

static assay_status run_logits(void *arg, int worker, size_t begin, size_t end) {
    logits_job *job = arg;
    return att_source_logits(&job->source, worker,
                             job->source.member.study->targets + begin, end - begin,
                             job->one + begin * job->classes);
}

/* The class whose logits, averaged over models, are largest. */
static assay_status predicted(explain *e, int32_t *labels) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    size_t k = (size_t)e->lab.model.config.classes, cells = s->n_targets * k;
    logits_job job = {.classes = k};
    ASSAY_TRY(mem_new(e->ctx, &job.sum, cells, sizeof *job.sum));
    ASSAY_TRY(mem_new(e->ctx, &job.one, cells, sizeof *job.one));
    for (int m = 0; m < e->models; m++) {
        const att_member member = explain_member(e, m);
        ASSAY_TRY(att_source_open(&job.source, &member, ATT_MARGIN, ASSAY_F32, BATCH));
        ASSAY_TRY(assay_parallel_for(e->ctx, s->n_targets, BATCH, run_logits, &job));
        att_source_close(&job.source);
        for (size_t i = 0; i < cells; i++)
            job.sum[i] += (double)job.one[i];
    }
    for (size_t t = 0; t < s->n_targets; t++) {
        const double *x = job.sum + t * k;
        int32_t best = 0;
        for (size_t c = 1; c < k; c++)
            best = x[c] > x[best] ? (int32_t)c : best;
        labels[s->targets[t]] = best;
    }
done:
    att_source_close(&job.source);
    mem_free(e->ctx, job.sum);
    mem_free(e->ctx, job.one);
    return status;
}

/* A class by its name or number; -1: there is none. */
static int class_of(const att_lab *lab, const char *word) {
    char *end;
    int classes = lab->model.config.classes;
    for (int c = 0; c < classes; c++)
        if (strcmp(att_lab_class(lab, c), word) == 0)
            return c;
    long n = strtol(word, &end, 10);
    return end == word || *end || n < 0 || n >= classes ? -1 : (int)n;
}

static assay_status labels_ask(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    size_t rows = e->lab.n_all;
    ASSAY_TRY(mem_new(e->ctx, &e->labels, rows, sizeof *e->labels));
    memcpy(e->labels, e->lab.train.labels, rows * sizeof *e->labels);
    if (strcmp(e->o.target_class, "predicted") == 0) {
        ASSAY_TRY(predicted(e, e->labels));
    } else {
        int c = class_of(&e->lab, e->o.target_class);
        if (c < 0)
            ASSAY_FAIL(ASSAY_E_NOTFOUND, "there is no class \"%.80s\"",
                       e->o.target_class);
        for (size_t t = 0; t < s->n_targets; t++)
            e->labels[s->targets[t]] = c;
    }
    e->lab.train.labels = e->labels;
done:
    return status;
}

assay_status explain_asked(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    bool class = e->o.target_class && strcmp(e->o.target_class, "label") != 0;
    if (!e->asks && !class)
        return ASSAY_OK;
    if (e->lab.text)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "of a text, margins of its own tokens are asked "
                                        "for");
    if (class)
        ASSAY_TRY(labels_ask(e));
    if (e->asks) {
        ASSAY_TRY(mem_new(e->ctx, &e->asked_rows, e->lab.n_all, 1));
        for (size_t t = 0; t < s->n_targets; t++)
            e->asked_rows[s->targets[t]] = 1;
        e->asked.row = e->asked_rows;
        e->lab.study.asked = &e->asked;
    }
    ASSAY_TRY(explain_margins(e));
done:
    return status;
}
