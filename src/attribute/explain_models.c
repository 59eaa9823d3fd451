/* The models that assay_attribute goes by: checkpoints, or trained for the purpose. */
#include "attribute/explain.h"

#include "attribute/gradient/source.h"
#include "base/pool.h"
#include "train/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SEED = 5, BATCH = 64 };

/* ---- checkpoints ---- */

/* A name of the zoo says what is computed; "onnx" doesn't. */
static bool graphs_alike(const trained_model *a, const trained_model *b) {
    uint8_t x[32], y[32];
    if (zoo_find(a->card.name))
        return true;
    nn_graph_digest(x, a->zoo.graph);
    nn_graph_digest(y, b->zoo.graph);
    return memcmp(x, y, sizeof x) == 0;
}

static assay_status alike(const explain *e, const trained_model *m, const char *path) {
    const model_card *a = &e->given[0].card, *b = &m->card;
    const nn_graph *g = e->given[0].zoo.graph, *h = m->zoo.graph;
    if (nn_graph_param_floats(g) == nn_graph_param_floats(h) &&
        nn_graph_buffer_floats(g) == nn_graph_buffer_floats(h) &&
        strcmp(a->name, b->name) == 0 && a->size == b->size &&
        a->channels == b->channels && a->classes == b->classes &&
        a->context == b->context &&
        (!a->context || strcmp(a->dataset_sha256, b->dataset_sha256) == 0) &&
        memcmp(a->mean, b->mean, sizeof a->mean) == 0 &&
        memcmp(a->std, b->std, sizeof a->std) == 0 && graphs_alike(&e->given[0], m))
        return ASSAY_OK;
    (void)err_set(ASSAY_E_SHAPE,
                  "models %s and %s do not belong together: network, images and their "
                  "normalisation, or texts differ",
                  a->name, b->name);
    err_where("%s", path);
    return ASSAY_E_SHAPE;
}

/* "0.5" or "0.49,0.48,0.45" */
static assay_status numbers_read(float out[3], const char *words, const char *what) {
    const char *at = words;
    int n = 0;
    for (;; at++) {
        char *end;
        double v = strtod(at, &end);
        if (n == 3 || end == at || (*end && *end != ',') || !isfinite(v) ||
            (strcmp(what, "std") == 0 && !(v > 0)))
            break;
        out[n++] = (float)v;
        at = end;
        if (*at)
            continue;
        for (int c = n; c < 3; c++)
            out[c] = out[n - 1];
        if (n != 2)
            return ASSAY_OK;
        break;
    }
    (void)err_set(ASSAY_E_INVALID, "%s can't be \"%.80s\"", what, words);
    err_help("give one number, or one for each of three channels: 0.49,0.48,0.45");
    return ASSAY_E_INVALID;
}

/* How files that do not say it themselves want their images. */
static assay_status pixels_set(explain *e) {
    assay_status status = ASSAY_OK;
    if (!e->o.mean && !e->o.std)
        return ASSAY_OK;
    for (int m = 0; m < e->models; m++) {
        model_card *card = &e->given[m].card;
        if (zoo_find(card->name))
            ASSAY_FAIL(ASSAY_E_INVALID,
                       "%s says itself what images it wants: mean and "
                       "std are for .onnx files",
                       card->name);
        if (e->o.mean)
            ASSAY_TRY(numbers_read(card->mean, e->o.mean, "mean"));
        if (e->o.std)
            ASSAY_TRY(numbers_read(card->std, e->o.std, "std"));
    }
done:
    return status;
}

assay_status explain_load(explain *e) {
    assay_status status = ASSAY_OK;
    size_t room = 0;
    e->models = 0;
    for (const char *const *path = e->o.checkpoints; *path; path++) {
        trained_model *more;
        int n;
        ASSAY_TRY(models_load(&more, &n, e->ctx, *path));
        status = mem_grow(e->ctx, &e->given, (size_t)e->models, &room,
                          (size_t)(e->models + n), sizeof *e->given);
        if (status != ASSAY_OK) {
            models_free(more, n, e->ctx);
            return status;
        }
        memcpy(e->given + e->models, more, (size_t)n * sizeof *more);
        mem_free(e->ctx, more);
        e->models += n;
        for (int m = e->models - n; m < e->models; m++) {
            ASSAY_TRY(alike(e, &e->given[m], *path));
        }
    }
    if (e->models == 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "no checkpoint is given");
    ASSAY_TRY(pixels_set(e));
    e->protocol.model = e->given[0].card.name;
    e->protocol.size = e->given[0].card.size;
    e->protocol.card = &e->given[0].card;
    if (!zoo_find(e->given[0].card.name))
        e->protocol.net = &e->given[0].zoo;
done:
    return status;
}

typedef struct margins_job {
    att_source source;
    float *out; /* [targets] */
} margins_job;

static assay_status run_margins(void *arg, int worker, size_t begin, size_t end) {
    margins_job *job = arg;
    return att_source_margins(&job->source, worker,
                              job->source.member.study->targets + begin, end - begin,
                              job->out + begin);
}

static assay_status margins(float *out, const att_member *m) {
    assay_status status = ASSAY_OK;
    margins_job job = {.out = out};
    ASSAY_TRY(att_source_open(&job.source, m, ATT_MARGIN, ASSAY_F32, BATCH));
    ASSAY_TRY(
        assay_parallel_for(m->study->ctx, m->study->n_targets, BATCH, run_margins, &job));
done:
    att_source_close(&job.source);
    return status;
}

assay_status explain_margins(explain *e) {
    assay_status status = ASSAY_OK;
    for (int m = 0; m < e->models; m++) {
        const att_member member = explain_member(e, m);
        ASSAY_TRY(margins(e->margins + (size_t)m * e->lab.study.n_targets, &member));
    }
done:
    return status;
}

/* The lab looks at its images as the models were trained to. */
static assay_status card_fit(explain *e) {
    const model_card *card = &e->given[0].card;
    if (card->classes != e->lab.card.classes || card->channels != e->lab.card.channels) {
        (void)err_set(
            ASSAY_E_SHAPE,
            "the model knows %d classes and %d channels, the data have %d and %d",
            card->classes, card->channels, e->lab.card.classes, e->lab.card.channels);
        return ASSAY_E_SHAPE;
    }
    for (int c = 0; card->class_name && c < card->classes; c++)
        if (strcmp(card->class_name[c], dataset_class_name(e->lab.data, c)) != 0)
            log_line(e->ctx, ASSAY_LOG_WARN,
                     "class %d is '%s' to the model and '%s' in the dataset", c,
                     card->class_name[c], dataset_class_name(e->lab.data, c));
    memcpy(e->lab.card.mean, card->mean, sizeof card->mean);
    memcpy(e->lab.card.std, card->std, sizeof card->std);
    return ASSAY_OK;
}

static assay_status given_models(explain *e) {
    assay_status status = ASSAY_OK;
    if (e->lab.data)
        ASSAY_TRY(card_fit(e));
    ASSAY_TRY(explain_margins(e));
done:
    return status;
}

/* ---- trained for the purpose ---- */

static assay_status train(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    bool matched = strcmp(e->o.centre, "matched") == 0;
    int64_t steps = att_steps(&s->recipe, matched ? s->n_rows / 2 : s->n_rows);
    if (steps < 1 || s->n_rows < (size_t)s->recipe.batch)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%zu rows are too few for batches of %d", s->n_rows,
                   s->recipe.batch);
    ASSAY_TRY(att_ensemble_train(&e->trained, s, e->models, steps,
                                 (e->o.seed << 24) + FIRST_SEED));
    memcpy(e->margins, e->trained.margins,
           (size_t)e->models * s->n_targets * sizeof *e->margins);
done:
    return status;
}

assay_status explain_models(explain *e) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(e->ctx, &e->margins, (size_t)e->models * e->lab.study.n_targets,
                      sizeof *e->margins));
    ASSAY_TRY(e->given ? given_models(e) : train(e));
done:
    return status;
}

att_member explain_member(const explain *e, int m) {
    if (!e->given)
        return att_ensemble_member(&e->trained, m);
    return (att_member){.study = &e->lab.study,
                        .seed = (e->o.seed << 24) + (uint64_t)m,
                        .params = e->given[m].weights.params,
                        .buffers = e->given[m].weights.buffers};
}

void explain_models_free(explain *e) {
    att_ensemble_free(&e->trained);
    mem_free(e->ctx, e->margins);
    mem_free(e->ctx, e->labels);
    mem_free(e->ctx, e->asked_rows);
    models_free(e->given, e->models, e->ctx);
    model_card_free(&e->card, e->ctx);
    e->trained = (att_ensemble){0};
    e->card = (model_card){0};
    e->given = NULL;
    e->margins = NULL;
    e->labels = NULL;
    e->asked_rows = NULL;
}
