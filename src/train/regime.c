/* The two signs of a regime: how the loss swings, and how far a step reaches beside the
 * curvature. */
#include "train/regime.h"

#include "train/curvature.h"

#include <math.h>
#include <string.h>

void regime_step(regime_log *r, double loss) {
    if (r->steps++)
        r->squares += (loss - r->before) * (loss - r->before);
    r->before = loss;
    r->sum += loss;
}

double regime_swing(const regime_log *r) {
    if (r->steps < 2 || !(r->sum > 0))
        return 0;
    return sqrt(r->squares / (double)(r->steps - 1)) / (r->sum / (double)r->steps);
}

int regime_plateau(const epoch_metrics *m, int done) {
    enum { PATIENCE = 3 };
    int late = 0;
    double least = INFINITY;
    for (int e = 0; e < done; e++) {
        late = m[e].loss < 0.99 * least ? 0 : late + 1;
        if (late == PATIENCE)
            return e + 1;
        least = m[e].loss < least ? m[e].loss : least;
    }
    return -1;
}

const char *regime_name(double rate, double momentum, double curvature) {
    return rate * curvature >= 1 + momentum ? "large" : "small";
}

typedef struct probe {
    trainer *t;
    const train_batch *batch;
} probe;

static assay_status gradient_at(void *arg, const float *at, float *out) {
    assay_status status = ASSAY_OK;
    probe *p = arg;
    trainer *t = p->t;
    memcpy(t->model.weights.params, at, t->optimizer.floats * sizeof *at);
    trainer_feed(t, p->batch);
    ASSAY_TRY(nn_exec_forward(t->exec, p->batch->n));
    ASSAY_TRY(nn_exec_backward(t->exec, t->seed));
    memcpy(out, nn_exec_grads(t->exec), t->optimizer.floats * sizeof *out);
done:
    return status;
}

assay_status regime_curvature(double *out, trainer *t, const train_batch *last) {
    assay_status status = ASSAY_OK;
    nn_weights *w = &t->model.weights;
    size_t n = t->optimizer.floats;
    size_t buffers = nn_graph_buffer_floats(t->model.zoo.graph);
    float *params = NULL, *statistics = NULL;
    probe p = {t, last};
    ASSAY_TRY(mem_new(t->ctx, &params, n, sizeof *params));
    ASSAY_TRY(mem_new(t->ctx, &statistics, buffers + 1, sizeof *statistics));
    memcpy(params, w->params, n * sizeof *params);
    if (buffers)
        memcpy(statistics, w->buffers, buffers * sizeof *statistics);
    status = curvature_largest(out, t->ctx, params, n, gradient_at, &p, t->job->seed);
    memcpy(w->params, params, n * sizeof *params);
    if (buffers)
        memcpy(w->buffers, statistics, buffers * sizeof *statistics);
done:
    mem_free(t->ctx, params);
    mem_free(t->ctx, statistics);
    return status;
}
