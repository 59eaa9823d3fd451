/* What a model says of rows of a pixel array: evaluation mode, in parallel over chunks of
 * fixed size, each worker with an executor of its own. */
#include "train/trainer.h"

#include "base/pool.h"
#include "nn/exec.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 128 };

void predict_add_probabilities(double *sum, const float *logits, size_t classes) {
    double most = (double)logits[0], all = 0;
    for (size_t c = 1; c < classes; c++)
        most = (double)logits[c] > most ? (double)logits[c] : most;
    for (size_t c = 0; c < classes; c++)
        all += exp((double)logits[c] - most);
    for (size_t c = 0; c < classes; c++)
        sum[c] += exp((double)logits[c] - most) / all;
}

typedef struct predict_worker {
    nn_exec *exec;  /* made by the first chunk */
    uint8_t *moved; /* one image */
    float *other;   /* one row of logits */
} predict_worker;

typedef struct predict {
    assay_ctx *ctx;
    const trained_model *model;
    nn_weights weights; /* the model's; evaluation does not change them */
    const npy_array *pixels;
    const uint32_t *rows;
    predict_views views;
    float *logits, *penultimate;
    size_t each, features;
    float mean[3], inv_std[3]; /* in units of bytes */
    predict_worker *worker;
} predict;

size_t model_penultimate_width(const trained_model *m) {
    return (size_t)nn_graph_shape(m->zoo.graph, m->zoo.penultimate).dim[1];
}

static assay_status worker_ready(predict *p, predict_worker *w) {
    assay_status status = ASSAY_OK;
    if (w->exec)
        return ASSAY_OK;
    const nn_value keep[] = {p->model->zoo.logits, p->model->zoo.penultimate};
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = CHUNK,
                               .keep = keep,
                               .n_keep = p->penultimate ? 2 : 1,
                               .target = -1,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(mem_new(p->ctx, &w->moved, p->each, 1));
    ASSAY_TRY(
        mem_new(p->ctx, &w->other, (size_t)p->model->card.classes, sizeof *w->other));
    ASSAY_TRY(nn_exec_create(&w->exec, p->ctx, p->model->zoo.graph, &p->weights, &o));
done:
    return status;
}

/* One way of showing an image: shifted, then mirrored. */
typedef struct view {
    int dx, dy;
    bool mirror;
    float weight;
} view;

/* The views of a kind, the plain image first; their weights add up to one. */
static const struct {
    const char *word;
    int count;
    view view[6];
} kinds[] = {[VIEWS_PLAIN] = {"none", 1, {{0, 0, false, 1}}},
             [VIEWS_MIRROR] = {"mirror", 2, {{0, 0, false, 0.5F}, {0, 0, true, 0.5F}}},
             [VIEWS_MIRROR_SHIFT] = {"mirror-shift",
                                     6,
                                     {{0, 0, false, 0.25F},
                                      {0, 0, true, 0.25F},
                                      {-1, -1, false, 0.125F},
                                      {-1, -1, true, 0.125F},
                                      {1, 1, false, 0.125F},
                                      {1, 1, true, 0.125F}}}};

bool predict_views_find(predict_views *out, const char *word) {
    for (int i = VIEWS_PLAIN; i <= VIEWS_MIRROR_SHIFT; i++) {
        *out = (predict_views)i;
        if (strcmp(kinds[i].word, word) == 0)
            return true;
    }
    return false;
}

predict_views predict_views_of(const model_card *c) {
    char word[32];
    predict_views views;
    if (setting_in_line(c->recipe, "tta", word, sizeof word) &&
        predict_views_find(&views, word))
        return views;
    bool mirrors =
        setting_in_line(c->recipe, "flip", word, sizeof word) && strcmp(word, "1") == 0;
    return mirrors ? VIEWS_MIRROR : VIEWS_PLAIN;
}

/* The place in the image that is shown at `at`, reflected at the edges. */
static size_t shown_at(int at, int side) {
    at = at < 0 ? -at : at >= side ? 2 * (side - 1) - at : at;
    return (size_t)(at < 0 ? 0 : at);
}

static const uint8_t *
moved(const predict *p, const view *v, const uint8_t *pixel, uint8_t *out) {
    int side = p->model->card.size;
    size_t channels = (size_t)p->model->card.channels, row = (size_t)side * channels;
    if (v->dx == 0 && v->dy == 0 && !v->mirror)
        return pixel;
    for (int y = 0; y < side; y++) {
        const uint8_t *from = pixel + shown_at(y + v->dy, side) * row;
        for (int x = 0; x < side; x++) {
            size_t at = shown_at((v->mirror ? side - 1 - x : x) + v->dx, side);
            memcpy(out + (size_t)y * row + (size_t)x * channels, from + at * channels,
                   channels);
        }
    }
    return out;
}

static assay_status
forward(predict *p, predict_worker *w, size_t begin, size_t end, const view *v) {
    const zoo_model *z = &p->model->zoo;
    size_t channels = (size_t)p->model->card.channels;
    float *images = nn_exec_input(w->exec, z->images);
    for (size_t i = begin; i < end; i++, images += p->each) {
        const uint8_t *pixel = p->pixels->data + (p->rows ? p->rows[i] : i) * p->each;
        simd()->u8_normalize(images, moved(p, v, pixel, w->moved), p->each / channels,
                             channels, p->mean, p->inv_std);
    }
    return nn_exec_forward(w->exec, (int)(end - begin));
}

/* logits -> log-probabilities, in place. */
static void log_softmax(float *x, int n) {
    float top = x[0];
    for (int i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)top);
    double shift = (double)top + log(sum);
    for (int i = 0; i < n; i++)
        x[i] = (float)((double)x[i] - shift);
}

/* Adds the weighted log-probabilities of n rows to logits; the first view sets them. */
static void add_view(float *logits,
                     const float *said,
                     size_t n,
                     size_t classes,
                     float weight,
                     bool first,
                     float *one) {
    for (size_t i = 0; i < n; i++, logits += classes, said += classes) {
        memcpy(one, said, classes * sizeof *one);
        log_softmax(one, (int)classes);
        for (size_t c = 0; c < classes; c++)
            logits[c] = (first ? 0.0F : logits[c]) + weight * one[c];
    }
}

static assay_status chunk(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    predict *p = arg;
    predict_worker *w = &p->worker[worker];
    const zoo_model *z = &p->model->zoo;
    size_t n = end - begin, classes = (size_t)p->model->card.classes;
    float *logits = p->logits + begin * classes;
    ASSAY_TRY(worker_ready(p, w));
    int views = kinds[p->views].count;
    for (int k = 0; k < views; k++) {
        const view *v = &kinds[p->views].view[k];
        ASSAY_TRY(forward(p, w, begin, end, v));
        const float *said = nn_exec_value(w->exec, z->logits);
        if (k == 0 && p->penultimate)
            memcpy(p->penultimate + begin * p->features,
                   nn_exec_value(w->exec, z->penultimate),
                   n * p->features * sizeof *logits);
        if (views == 1)
            memcpy(logits, said, n * classes * sizeof *logits);
        else
            add_view(logits, said, n, classes, v->weight, k == 0, w->other);
    }
    progress_add(p->ctx, (int64_t)n);
done:
    return status;
}

assay_status train_predict(assay_ctx *ctx,
                           const trained_model *m,
                           const npy_array *pixels,
                           const uint32_t *rows,
                           size_t n,
                           predict_views views,
                           float *logits,
                           float *penultimate) {
    assay_status status = ASSAY_OK;
    const model_card *c = &m->card;
    predict p = {.ctx = ctx,
                 .model = m,
                 .weights = m->weights,
                 .pixels = pixels,
                 .rows = rows,
                 .views = views,
                 .logits = logits,
                 .penultimate = penultimate,
                 .each = (size_t)c->size * (size_t)c->size * (size_t)c->channels,
                 .features = penultimate ? model_penultimate_width(m) : 0};
    size_t threads = (size_t)assay_ctx_threads(ctx);
    if (pixels->dtype != ASSAY_U8 || pixels->ndim != 4 || pixels->dim[1] != c->size ||
        pixels->dim[2] != c->size || pixels->dim[3] != c->channels)
        ASSAY_FAIL(ASSAY_E_SHAPE, "the model takes %d x %d x %d pixels, these are others",
                   c->size, c->size, c->channels);
    for (size_t i = 0; i < n; i++)
        if ((rows ? rows[i] : i) >= (uint64_t)pixels->dim[0])
            ASSAY_FAIL(ASSAY_E_SHAPE, "row %zu of %lld was asked for",
                       rows ? (size_t)rows[i] : i, (long long)pixels->dim[0]);
    for (int i = 0; i < 3; i++) {
        p.mean[i] = 255.0F * c->mean[i];
        p.inv_std[i] = c->std[i] > 0 ? 1.0F / (255.0F * c->std[i]) : 0.0F;
    }
    ASSAY_TRY(mem_new(ctx, &p.worker, threads, sizeof *p.worker));
    ASSAY_TRY(assay_parallel_for(ctx, n, CHUNK, chunk, &p));
done:
    for (size_t i = 0; p.worker && i < threads; i++) {
        nn_exec_destroy(p.worker[i].exec);
        mem_free(ctx, p.worker[i].moved);
        mem_free(ctx, p.worker[i].other);
    }
    mem_free(ctx, p.worker);
    return status;
}
