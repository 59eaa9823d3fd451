/* Executors in capture mode, fed with rows and seeded for a margin or for a class. */
#include "attribute/gradient/source.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

/* That a model gives for an example: one for each token, or one. */
static size_t answers(const zoo_model *z) {
    return zoo_labels_each(z);
}

assay_status att_source_open(att_source *out,
                             const att_member *m,
                             att_output output,
                             assay_dtype precision,
                             size_t batch) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = m->study->model;
    assay_ctx *ctx = m->study->ctx;
    *out = (att_source){.ctx = ctx,
                        .member = *m,
                        .weights = {m->params, m->buffers},
                        .output = output,
                        .precision = precision,
                        .passes = 1,
                        .batch = batch,
                        .workers = (size_t)assay_ctx_threads(ctx)};
    if (output == ATT_GAUSSNEWTON && answers(z) == 1)
        out->passes = (size_t)z->config.classes;
    if (nn_graph_buffer_floats(z->graph) && !m->buffers)
        ASSAY_FAIL(ASSAY_E_INVALID, "the model %s has running statistics, and none came",
                   z->name);
    ASSAY_TRY(mem_new(ctx, &out->exec, out->workers, sizeof(nn_exec *)));
    ASSAY_TRY(mem_new(ctx, &out->seed, out->workers, sizeof(float *)));
    ASSAY_TRY(mem_new(ctx, &out->soft, out->workers, sizeof(double *)));
done:
    if (status != ASSAY_OK)
        att_source_close(out);
    return status;
}

void att_source_close(att_source *s) {
    if (!s->ctx)
        return;
    for (size_t w = 0; s->exec && s->seed && w < s->workers; w++) {
        nn_exec_destroy(s->exec[w]);
        mem_free(s->ctx, s->seed[w]);
    }
    for (size_t w = 0; s->soft && w < s->workers; w++)
        mem_free(s->ctx, s->soft[w]);
    mem_free(s->ctx, s->soft);
    mem_free(s->ctx, s->exec);
    mem_free(s->ctx, s->seed);
    *s = (att_source){0};
}

/* Whether passes start from logits, not from the margin. */
static bool by_logits(const att_source *s) {
    return s->output != ATT_MARGIN || s->member.study->asked;
}

static assay_status worker_make(att_source *s, int worker) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = s->member.study->model;
    const nn_value keep[] = {z->logits, z->margin, z->penultimate};
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = (int)s->batch,
                               .keep = keep,
                               .n_keep = 3,
                               .target = by_logits(s) ? z->logits : z->margin,
                               .dtype = s->precision,
                               .shards = 1};
    if (s->exec[worker])
        return ASSAY_OK;
    if (!s->seed[worker])
        ASSAY_TRY(mem_new(s->ctx, &s->seed[worker],
                          s->batch * answers(z) * (size_t)z->config.classes,
                          sizeof(float)));
    if (!s->soft[worker])
        ASSAY_TRY(
            mem_new(s->ctx, &s->soft[worker], (size_t)z->config.classes, sizeof(double)));
    ASSAY_TRY(nn_exec_create(&s->exec[worker], s->ctx, z->graph, &s->weights, &o));
done:
    return status;
}

/* ---- what a model says of its classes ---- */

/* exp(logit - most) of each class and their sum. */
static double soften(double *e, const float *logits, size_t k) {
    float most = logits[0];
    double sum = 0;
    for (size_t j = 1; j < k; j++)
        most = logits[j] > most ? logits[j] : most;
    for (size_t j = 0; j < k; j++)
        sum += e[j] = exp((double)(logits[j] - most));
    return sum;
}

/* d loss_c / d logits = p - e_c, times `by`. */
static void
class_seed(float *seed, const double *e, double sum, size_t k, size_t c, double by) {
    for (size_t j = 0; j < k; j++)
        seed[j] = (float)(by * (e[j] / sum - (j == c ? 1 : 0)));
}

static size_t class_draw(const double *e, double sum, size_t k, rng *r) {
    double at = rng_uniform(r) * sum;
    size_t c = 0;
    while (c + 1 < k && at >= e[c])
        at -= e[c++];
    return c;
}

static size_t labelled(const int32_t *labels, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += labels[i] >= 0;
    return count;
}

/* A token is drawn at each place that is asked; elsewhere nothing is. */
static void tokens_seed(const att_source *s, int worker, const uint32_t *rows, size_t n) {
    const zoo_model *z = s->member.study->model;
    size_t each = answers(z), k = (size_t)z->config.classes;
    const float *logits = nn_exec_value(s->exec[worker], z->logits);
    const int32_t *label = nn_exec_input(s->exec[worker], z->labels);
    float *seed = s->seed[worker];
    for (size_t i = 0; i < n; i++) {
        rng r = rng_at(s->member.seed, RNG_FISHER, 0, rows[i]);
        double by = 1 / sqrt((double)labelled(label, each));
        for (size_t t = 0; t < each; t++, label++, logits += k, seed += k) {
            memset(seed, 0, k * sizeof *seed);
            if (*label < 0)
                continue;
            double sum = soften(s->soft[worker], logits, k);
            size_t c = class_draw(s->soft[worker], sum, k, &r);
            class_seed(seed, s->soft[worker], sum, k, c, by);
        }
    }
}

/* Slopes of what is asked of each row, and values unless NULL; whether all are finite. */
static bool
ask(const att_source *s, int worker, const uint32_t *rows, size_t n, float *value) {
    const zoo_model *z = s->member.study->model;
    const att_asked *what = s->member.study->asked;
    size_t k = (size_t)z->config.classes;
    const float *logits = nn_exec_value(s->exec[worker], z->logits);
    const int32_t *label = nn_exec_input(s->exec[worker], z->labels);
    float *seed = s->seed[worker];
    bool finite = true;
    for (size_t i = 0; i < n; i++, logits += k, seed += k) {
        att_output_fn run = what->row[rows[i]] ? what->run : att_output_margin;
        double v = run(seed, logits, k, (size_t)label[i], what->arg);
        finite &= isfinite(v) != 0;
        for (size_t j = 0; j < k; j++)
            finite &= isfinite(seed[j]) != 0;
        if (value)
            value[i] = (float)v;
    }
    return finite;
}

static void
seed_fill(const att_source *s, int worker, const uint32_t *rows, size_t n, size_t pass) {
    const zoo_model *z = s->member.study->model;
    float *seed = s->seed[worker];
    double *e = s->soft[worker];
    size_t k = (size_t)z->config.classes;
    if (s->output == ATT_MARGIN && s->member.study->asked) {
        (void)ask(s, worker, rows, n, NULL);
        return;
    }
    if (s->output == ATT_MARGIN) {
        for (size_t i = 0; i < n; i++)
            seed[i] = 1;
        return;
    }
    if (answers(z) > 1) {
        tokens_seed(s, worker, rows, n);
        return;
    }
    const float *logits = nn_exec_value(s->exec[worker], z->logits);
    for (size_t i = 0; i < n; i++, logits += k, seed += k) {
        double sum = soften(e, logits, k);
        class_seed(seed, e, sum, k, pass, sqrt(e[pass] / sum));
    }
}

/* 1 - p of the labels, the mean over tokens that are asked for. */
static float tokens_doubt(const att_source *s, int worker, size_t i) {
    const zoo_model *z = s->member.study->model;
    size_t each = answers(z), k = (size_t)z->config.classes;
    const float *logits = nn_exec_value(s->exec[worker], z->logits);
    const int32_t *label = nn_exec_input(s->exec[worker], z->labels);
    double *e = s->soft[worker], doubt = 0;
    logits += i * each * k;
    label += i * each;
    for (size_t t = 0; t < each; t++, logits += k)
        if (label[t] >= 0) {
            double sum = soften(e, logits, k);
            doubt += 1 - e[label[t]] / sum;
        }
    return (float)(doubt / (double)labelled(label, each));
}

static assay_status
forward(att_source *s, int worker, const uint32_t *rows, size_t n, float *q) {
    assay_status status = ASSAY_OK;
    const att_study *study = s->member.study;
    ASSAY_TRY(worker_make(s, worker));
    att_feed(study, s->exec[worker], rows, n);
    ASSAY_TRY(nn_exec_forward(s->exec[worker], (int)n));
    const float *margin = nn_exec_value(s->exec[worker], study->model->margin);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(margin[i])) {
            (void)err_set(ASSAY_E_NUMERIC, "a margin is not finite");
            err_where("row %u", rows[i]);
            err_help("the model's training diverged: use a smaller rate");
            return ASSAY_E_NUMERIC;
        }
        if (q)
            q[i] = answers(study->model) > 1 ? tokens_doubt(s, worker, i)
                                             : (float)(1 / (1 + exp((double)margin[i])));
    }
done:
    return status;
}

assay_status att_source_run(
    att_source *s, int worker, const uint32_t *rows, size_t n, size_t pass, float *q) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, q));
    seed_fill(s, worker, rows, n, pass);
    ASSAY_TRY(nn_exec_backward(s->exec[worker], s->seed[worker]));
done:
    return status;
}

assay_status att_source_margins(
    att_source *s, int worker, const uint32_t *rows, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, NULL));
    if (!s->member.study->asked)
        memcpy(out, nn_exec_value(s->exec[worker], s->member.study->model->margin),
               n * sizeof *out);
    else if (!ask(s, worker, rows, n, out))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the output, or its derivative, is not finite");
done:
    return status;
}

size_t att_source_width(const att_source *s) {
    const zoo_model *z = s->member.study->model;
    nn_shape shape = nn_graph_shape(z->graph, z->penultimate);
    size_t width = 1;
    for (int i = 1; i < shape.ndim; i++)
        width *= (size_t)shape.dim[i];
    return width;
}

assay_status
att_source_logits(att_source *s, int worker, const uint32_t *rows, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = s->member.study->model;
    ASSAY_TRY(forward(s, worker, rows, n, NULL));
    memcpy(out, nn_exec_value(s->exec[worker], z->logits),
           n * (size_t)z->config.classes * sizeof *out);
done:
    return status;
}

assay_status
att_source_look(att_source *s, int worker, const uint32_t *rows, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(forward(s, worker, rows, n, NULL));
    memcpy(out, nn_exec_value(s->exec[worker], s->member.study->model->penultimate),
           n * att_source_width(s) * sizeof *out);
done:
    return status;
}

int att_source_factors(const att_source *s, int worker) {
    return nn_exec_factor_count(s->exec[worker]);
}

nn_factor att_source_factor(const att_source *s, int worker, int i) {
    return nn_exec_factor(s->exec[worker], i);
}
