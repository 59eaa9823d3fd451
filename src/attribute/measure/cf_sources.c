/* What names rows to remove: methods of attribution, arrays of scores from elsewhere, and
 * baselines that any of them should beat. */
#include "attribute/measure/counterfactual.h"

#include "attribute/measure/scores_file.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

/* ---- baselines ---- */

typedef void (*baseline_fn)(counterfactual *c, size_t target);

static void random_rows(counterfactual *c, size_t target) {
    const att_study *s = &c->lab.study;
    rng r = rng_at(c->o.seed, RNG_REMOVED, 0, target);
    for (size_t i = 0; i < s->n_rows; i++)
        c->scores[i * s->n_targets + target] = (float)rng_uniform(&r);
}

static bool same_class(const att_study *s, size_t row, size_t target) {
    return s->data->labels[s->rows[row]] == s->data->labels[s->targets[target]];
}

/* The target's class at random; when it is used up, others. */
static void random_of_class(counterfactual *c, size_t target) {
    const att_study *s = &c->lab.study;
    random_rows(c, target);
    for (size_t i = 0; i < s->n_rows; i++)
        if (same_class(s, i, target))
            c->scores[i * s->n_targets + target] += 1;
}

/* The nearest of the target's class by Euclidean distance of pixels. */
static void by_pixels(counterfactual *c, size_t target) {
    const att_study *s = &c->lab.study;
    const npy_array *p = s->data->pixels;
    size_t each = (size_t)(p->dim[1] * p->dim[2] * p->dim[3]);
    const uint8_t *b = p->data + s->targets[target] * each;
    for (size_t i = 0; i < s->n_rows; i++) {
        const uint8_t *a = p->data + s->rows[i] * each;
        int64_t square = 0;
        for (size_t k = 0; k < each; k++)
            square += ((int64_t)a[k] - b[k]) * ((int64_t)a[k] - b[k]);
        double near = 1 / (1 + sqrt((double)square));
        c->scores[i * s->n_targets + target] =
            (float)(same_class(s, i, target) ? near : near - 1);
    }
}

static const struct {
    const char *name;
    baseline_fn fill;
} baselines[] = {
    {"random", random_rows}, {"random-class", random_of_class}, {"pixels", by_pixels}};
enum { BASELINES = sizeof baselines / sizeof *baselines };

assay_status
cf_source_find(cf_source *out, assay_ctx *ctx, const char *name, size_t bytes) {
    buf names = buf_make(ctx);
    *out = (cf_source){0};
    if (bytes < sizeof out->name)
        memcpy(out->name, name, bytes);
    out->method = att_method_find(out->name);
    out->predicts = out->method;
    for (size_t i = 0; !out->method && i < BASELINES; i++)
        if (strcmp(baselines[i].name, out->name) == 0)
            return ASSAY_OK;
    if (out->method)
        return ASSAY_OK;
    for (size_t i = 0; i < att_method_count(); i++)
        buf_fmt(&names, "%s, ", att_method_at(i)->name);
    for (size_t i = 0; i < BASELINES; i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", baselines[i].name);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%.*s\"", (int)bytes, name);
    if (!names.failed)
        err_help("methods are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

/* ---- scores ---- */

static assay_status
from_method(counterfactual *c, const att_method *method, double *seconds) {
    assay_status status = ASSAY_OK;
    const att_study *s = &c->lab.study;
    att_tally t = {0};
    ASSAY_TRY(att_tally_make(&t, &c->members, method, &c->settings));
    progress_begin(c->ctx, method->name, c->members.count, "models");
    for (int m = 0; m < c->members.count; m++) {
        ASSAY_TRY(att_tally_add(&t));
        progress_add(c->ctx, 1);
    }
    progress_end(c->ctx);
    ASSAY_TRY(att_tally_mean(&t));
    memcpy(c->scores, t.scores, s->n_rows * s->n_targets * sizeof(float));
    *seconds = t.seconds + c->members.seconds;
done:
    att_tally_free(&t);
    return status;
}

assay_status cf_scores(counterfactual *c, const cf_source *source, double *seconds) {
    *seconds = 0;
    if (source->method)
        return from_method(c, source->method, seconds);
    if (source->file)
        return att_scores_read(c->scores, &c->lab.study, c->protocol.name, source->file);
    if (strcmp(source->name, "pixels") == 0 && !c->lab.study.data->pixels) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "sentences have no pixels");
        err_help("choose random, random-class or methods of attribution");
        return ASSAY_E_UNSUPPORTED;
    }
    for (size_t i = 0; i < BASELINES; i++)
        for (size_t t = 0; t < c->lab.study.n_targets; t++)
            if (strcmp(baselines[i].name, source->name) == 0)
                baselines[i].fill(c, t);
    return ASSAY_OK;
}
