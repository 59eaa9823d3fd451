/* What a model says of rows of a pixel array: evaluation mode, in parallel over chunks of
 * fixed size, each worker with an executor of its own. */
#include "train/trainer.h"

#include "base/pool.h"
#include "nn/exec.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 128 };

typedef struct predict_worker {
    nn_exec *exec;     /* made by the first chunk */
    uint8_t *mirrored; /* one image */
    float *other;      /* one row of logits */
} predict_worker;

typedef struct predict {
    assay_ctx *ctx;
    const trained_model *model;
    nn_weights weights; /* the model's; evaluation does not change them */
    const npy_array *pixels;
    const uint32_t *rows;
    bool mirror;
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
    ASSAY_TRY(mem_new(p->ctx, &w->mirrored, p->each, 1));
    ASSAY_TRY(
        mem_new(p->ctx, &w->other, (size_t)p->model->card.classes, sizeof *w->other));
    ASSAY_TRY(nn_exec_create(&w->exec, p->ctx, p->model->zoo.graph, &p->weights, &o));
done:
    return status;
}

static const uint8_t *mirrored(const predict *p, const uint8_t *pixel, uint8_t *out) {
    size_t side = (size_t)p->model->card.size, channels = (size_t)p->model->card.channels;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            memcpy(out + (y * side + x) * channels,
                   pixel + (y * side + side - 1 - x) * channels, channels);
    return out;
}

static assay_status
forward(predict *p, predict_worker *w, size_t begin, size_t end, bool mirror) {
    const zoo_model *z = &p->model->zoo;
    size_t channels = (size_t)p->model->card.channels;
    float *images = nn_exec_input(w->exec, z->images);
    for (size_t i = begin; i < end; i++, images += p->each) {
        const uint8_t *pixel = p->pixels->data + (p->rows ? p->rows[i] : i) * p->each;
        if (mirror)
            pixel = mirrored(p, pixel, w->mirrored);
        simd()->u8_normalize(images, pixel, p->each / channels, channels, p->mean,
                             p->inv_std);
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

static assay_status chunk(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    predict *p = arg;
    predict_worker *w = &p->worker[worker];
    const zoo_model *z = &p->model->zoo;
    size_t n = end - begin, classes = (size_t)p->model->card.classes;
    float *logits = p->logits + begin * classes;
    ASSAY_TRY(worker_ready(p, w));
    ASSAY_TRY(forward(p, w, begin, end, false));
    memcpy(logits, nn_exec_value(w->exec, z->logits), n * classes * sizeof *logits);
    if (p->penultimate)
        memcpy(p->penultimate + begin * p->features,
               nn_exec_value(w->exec, z->penultimate), n * p->features * sizeof *logits);
    if (p->mirror) {
        ASSAY_TRY(forward(p, w, begin, end, true));
        float *other = w->other;
        const float *said = nn_exec_value(w->exec, z->logits);
        for (size_t i = 0; i < n; i++) {
            float *row = logits + i * classes;
            memcpy(other, said + i * classes, classes * sizeof *other);
            log_softmax(row, (int)classes);
            log_softmax(other, (int)classes);
            for (size_t c = 0; c < classes; c++)
                row[c] = 0.5F * (row[c] + other[c]);
        }
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
                           bool mirror,
                           float *logits,
                           float *penultimate) {
    assay_status status = ASSAY_OK;
    const model_card *c = &m->card;
    predict p = {.ctx = ctx,
                 .model = m,
                 .weights = m->weights,
                 .pixels = pixels,
                 .rows = rows,
                 .mirror = mirror,
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
        mem_free(ctx, p.worker[i].mirrored);
        mem_free(ctx, p.worker[i].other);
    }
    mem_free(ctx, p.worker);
    return status;
}
