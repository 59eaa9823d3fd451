/* The steps of an epoch: forward, backward, update, and what is remembered of them. */
#include "train/trainer_inside.h"

#include "train/clip.h"
#include "train/regime.h"
#include "train/state.h"

#include <math.h>
#include <string.h>

/* How many of the labels are where the logits are largest. */
static void count_hits(
    epoch_sums *s, const float *logits, const int32_t *labels, size_t n, int classes) {
    for (size_t i = 0; i < n; i++, logits += classes) {
        int best = 0;
        if (labels[i] < 0)
            continue;
        for (int c = 1; c < classes; c++)
            best = logits[c] > logits[best] ? c : best;
        s->right += best == labels[i];
        s->labels++;
    }
}

void trainer_feed(trainer *t, const train_batch *b) {
    const zoo_model *z = &t->model.zoo;
    memcpy(nn_exec_input(t->exec, z->images), b->inputs,
           (size_t)b->n * t->batches.input_bytes);
    memcpy(nn_exec_input(t->exec, z->labels), b->labels,
           (size_t)b->n * t->batches.labels * sizeof *b->labels);
    if (t->other >= 0) {
        memcpy(nn_exec_input(t->exec, t->other), b->other,
               (size_t)b->n * sizeof *b->other);
        memcpy(nn_exec_input(t->exec, t->share), b->share,
               (size_t)b->n * sizeof *b->share);
    }
}

static assay_status loss_add(epoch_sums *s, double loss, int n) {
    if (!isfinite(loss))
        return err_set(ASSAY_E_NUMERIC, "the loss is not finite");
    s->loss += loss;
    s->examples += n;
    regime_step(&s->regime, loss / n);
    return ASSAY_OK;
}

static assay_status
step_tiny(trainer *t, const train_batch *b, train_pace pace, epoch_sums *s) {
    assay_status status = ASSAY_OK;
    size_t right;
    double loss;
    ASSAY_TRY(tiny_step(t->tiny, b->inputs, b->labels, b->n, pace, &loss, &right));
    ASSAY_TRY(loss_add(s, loss, b->n));
    s->right += (int64_t)right;
    s->labels += b->n;
    t->optimizer.steps++;
done:
    return status;
}

/* Forward, backward, update. Adds to the sums of the epoch. */
static assay_status
step(trainer *t, const train_batch *b, train_pace pace, epoch_sums *s) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = &t->model.zoo;
    if (t->tiny)
        return step_tiny(t, b, pace, s);
    trainer_feed(t, b);
    ASSAY_TRY(nn_exec_forward(t->exec, b->n));
    const float *losses = nn_exec_value(t->exec, t->target);
    double sum = 0;
    for (int i = 0; i < b->n; i++)
        sum += (double)losses[i];
    ASSAY_TRY(loss_add(s, sum, b->n));
    count_hits(s, nn_exec_value(t->exec, z->logits), b->labels,
               (size_t)b->n * t->batches.labels, z->config.classes);
    ASSAY_TRY(nn_exec_backward(t->exec, t->seed));
    if (t->recipe->clip > 0)
        (void)gradient_clip(nn_exec_grads(t->exec), t->optimizer.floats, t->recipe->clip);
    optimizer_step(&t->optimizer, t->model.weights.params, nn_exec_grads(t->exec), pace);
    if (average_on(&t->average))
        average_step(&t->average, &t->model.weights, t->optimizer.steps);
done:
    return status;
}

assay_status trainer_step(
    trainer *t, int64_t at, train_pace pace, train_batch *batch, epoch_sums *sums) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(ctx_check(t->ctx));
    ASSAY_TRY(batches_next(&t->batches, batch));
    if (t->exec)
        nn_exec_set_step(t->exec, (uint64_t)at);
    ASSAY_TRY(step(t, batch, pace, sums));
done:
    return status;
}

/* On what is held out, with the weights that would be saved now. */
static assay_status measure(trainer *t, train_measure *out) {
    const nn_weights now = t->model.weights;
    if (average_on(&t->average))
        t->model.weights = t->average.kept;
    assay_status status = batches_measure(&t->batches, &t->model, out);
    t->model.weights = now;
    return status;
}

static void weights_copy(const trainer *t, nn_weights *to, const nn_weights *from) {
    const nn_graph *g = t->model.zoo.graph;
    memcpy(to->params, from->params, nn_graph_param_floats(g) * sizeof(float));
    if (nn_graph_buffer_floats(g))
        memcpy(to->buffers, from->buffers, nn_graph_buffer_floats(g) * sizeof(float));
}

/* The epoch with the least loss on what is held out, the first of equals. */
static int best_epoch(const trainer *t) {
    int best = 0;
    for (int e = 1; e < t->done; e++)
        if (t->metrics[e].val_loss < t->metrics[best].val_loss)
            best = e;
    return best;
}

/* After an epoch: keeps the best weights, and once it is over takes those that the recipe
 * wants in the end. */
static void finish(trainer *t) {
    nn_weights *now = &t->model.weights;
    int late = 0;
    if (t->best.params) {
        late = t->done - 1 - best_epoch(t);
        if (late == 0)
            weights_copy(t, &t->best, average_on(&t->average) ? &t->average.kept : now);
    }
    t->over =
        t->done == t->recipe->epochs || (t->best.params && late >= t->recipe->patience);
    if (!t->over)
        return;
    if (t->best.params)
        weights_copy(t, now, &t->best);
    else if (average_on(&t->average))
        average_take(&t->average, now);
}

/* two-regime, if it is to find the switch: large steps end behind a plateau. */
static void switch_find(trainer *t) {
    int plateau = t->recipe->auto_switch ? regime_plateau(t->metrics, t->done) : -1;
    double share = (double)plateau / t->recipe->epochs;
    if (plateau >= 0 && share < t->schedule_options.switch_at)
        t->schedule_options.switch_at = share;
}

assay_status trainer_epoch(trainer *t) {
    assay_status status = ASSAY_OK;
    epoch_sums s = {0};
    train_measure held;
    train_pace pace = {0};
    train_batch b = {0};
    int64_t per_epoch = t->batches.count;
    switch_find(t);
    ASSAY_TRY(batches_epoch(&t->batches, (uint32_t)t->done));
    for (int64_t i = 0; i < per_epoch; i++) {
        int64_t at = t->done * per_epoch + i;
        pace = schedule_pace(t->schedule, &t->schedule_options, at,
                             t->recipe->epochs * per_epoch);
        ASSAY_TRY_AT(trainer_step(t, at, pace, &b, &s), "epoch %d, step %lld",
                     t->done + 1, (long long)i + 1);
        progress_add(t->ctx, b.n);
    }
    t->images += s.examples;
    /* Whether the weights are looked at: of a small model nothing is held out. */
    bool here = !t->tiny || t->job->dir || t->done + 1 == t->recipe->epochs;
    if (t->tiny && here)
        tiny_store(t->tiny, t->model.weights.params, t->optimizer.state[0]);
    ASSAY_TRY(measure(t, &held));
    t->metrics[t->done] = (epoch_metrics){s.loss / (double)s.examples,
                                          (double)s.right / (double)s.labels,
                                          pace.rate,
                                          held.loss,
                                          held.accuracy,
                                          regime_swing(&s.regime),
                                          NAN,
                                          pace.momentum};
    if (t->recipe->log_regime && t->exec)
        ASSAY_TRY(regime_curvature(&t->metrics[t->done].curvature, t, &b));
    const nn_graph *g = t->model.zoo.graph;
    if (here && (!state_finite(t->model.weights.params, nn_graph_param_floats(g)) ||
                 !state_finite(t->model.weights.buffers, nn_graph_buffer_floats(g)))) {
        (void)err_set(ASSAY_E_NUMERIC, "the weights are not finite");
        err_where("epoch %d", t->done + 1);
        return ASSAY_E_NUMERIC;
    }
    t->done++;
    finish(t);
done:
    return status;
}
