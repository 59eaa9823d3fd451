/* Batches through an executor that hands out factors; what they say is copied into arrays
 * for all rows. */
#include "attribute/gradient/capture.h"

#include "base/pool.h"

#include <math.h>
#include <string.h>

enum { BATCH = 100 };

typedef struct capture {
    const att_member *m;
    att_layers *out;
    const uint32_t *rows;
    att_output output;
    nn_weights weights; /* not changed */
    nn_exec **exec;     /* [workers] */
    float **seed;       /* [workers][BATCH, classes] */
} capture;

static assay_status worker_make(const capture *c, int worker) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = c->m->study->model;
    assay_ctx *ctx = c->out->ctx;
    const nn_value keep[] = {z->logits, z->margin};
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = BATCH,
                               .keep = keep,
                               .n_keep = 2,
                               .target = c->output == ATT_MARGIN ? z->margin : z->logits,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(mem_new(ctx, &c->seed[worker], (size_t)(BATCH * z->config.classes),
                      sizeof(float)));
    ASSAY_TRY(
        nn_exec_create(&c->exec[worker], ctx, z->graph, (nn_weights *)&c->weights, &o));
done:
    return status;
}

/* d loss_c / d logits = p - e_c, times sqrt(p_c); of the margin simply 1. */
static void seed_fill(const capture *c, int worker, size_t n, size_t pass) {
    const zoo_model *z = c->m->study->model;
    float *seed = c->seed[worker];
    size_t k = (size_t)z->config.classes;
    if (c->output == ATT_MARGIN) {
        for (size_t i = 0; i < n; i++)
            seed[i] = 1;
        return;
    }
    const float *logits = nn_exec_value(c->exec[worker], z->logits);
    for (size_t i = 0; i < n; i++, logits += k, seed += k) {
        float most = logits[0];
        double sum = 0;
        for (size_t j = 1; j < k; j++)
            most = logits[j] > most ? logits[j] : most;
        for (size_t j = 0; j < k; j++)
            sum += exp((double)(logits[j] - most));
        double root = sqrt(exp((double)(logits[pass] - most)) / sum);
        for (size_t j = 0; j < k; j++)
            seed[j] = (float)(root * (exp((double)(logits[j] - most)) / sum -
                                      (j == pass ? 1 : 0)));
    }
}

static assay_status factor_check(const nn_factor *f) {
    if (f->kind == NN_FACTOR_OUTER && f->t == 1)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED,
                  "this method treats linear layers that see an example once");
    err_where("node %d", f->node);
    err_help("methods that project gradients (trak) treat every layer");
    return ASSAY_E_UNSUPPORTED;
}

/* Copies what the batch says of its layers to rows from `first` on. */
static assay_status
take(const capture *c, int worker, size_t first, size_t n, size_t pass) {
    assay_status status = ASSAY_OK;
    att_layers *out = c->out;
    for (int l = 0; l < out->count; l++) {
        const nn_factor f = nn_exec_factor(c->exec[worker], l);
        const att_layer *layer = &out->layer[l];
        size_t in = (size_t)f.in;
        ASSAY_TRY(factor_check(&f));
        for (size_t i = 0; pass == 0 && i < n; i++) {
            float *a = layer->a + (first + i) * layer->in;
            memcpy(a, f.x + i * in, in * sizeof *a);
            if (layer->in > in)
                a[in] = 1;
        }
        memcpy(layer->d + (pass * out->rows + first) * layer->out, f.d,
               n * layer->out * sizeof(float));
    }
done:
    return status;
}

static assay_status run_rows(void *arg, int worker, size_t begin, size_t end) {
    const capture *c = arg;
    assay_status status = ASSAY_OK;
    const att_study *s = c->m->study;
    size_t n = end - begin;
    if (!c->exec[worker])
        ASSAY_TRY(worker_make(c, worker));
    for (size_t pass = 0; pass < c->out->passes; pass++) {
        att_feed(s, c->exec[worker], c->rows + begin, n);
        ASSAY_TRY(nn_exec_forward(c->exec[worker], (int)n));
        const float *margin = nn_exec_value(c->exec[worker], s->model->margin);
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(margin[i])) {
                (void)err_set(ASSAY_E_NUMERIC, "a margin is not finite");
                err_where("row %u", c->rows[begin + i]);
                err_help("the model's training diverged: use a smaller rate");
                return ASSAY_E_NUMERIC;
            }
            c->out->q[begin + i] = (float)(1 / (1 + exp((double)margin[i])));
        }
        seed_fill(c, worker, n, pass);
        ASSAY_TRY(nn_exec_backward(c->exec[worker], c->seed[worker]));
        ASSAY_TRY(take(c, worker, begin, n, pass));
    }
done:
    return status;
}

/* Sizes of the layers, from an executor that has run nothing yet. */
static assay_status layers_make(const capture *c) {
    assay_status status = ASSAY_OK;
    att_layers *out = c->out;
    ASSAY_TRY(worker_make(c, 0));
    att_feed(c->m->study, c->exec[0], c->rows, 1);
    ASSAY_TRY(nn_exec_forward(c->exec[0], 1));
    seed_fill(c, 0, 1, 0);
    ASSAY_TRY(nn_exec_backward(c->exec[0], c->seed[0]));
    int count = nn_exec_factor_count(c->exec[0]);
    if (count > ATT_MOST_LAYERS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%d layers; at most %d are treated", count,
                   ATT_MOST_LAYERS);
    for (int l = 0; l < count; l++) {
        const nn_factor f = nn_exec_factor(c->exec[0], l);
        att_layer *layer = &out->layer[l];
        ASSAY_TRY(factor_check(&f));
        layer->bias = f.bias_count > 0;
        layer->in = (size_t)f.in + layer->bias;
        layer->out = (size_t)f.out;
        out->count = l + 1;
        ASSAY_TRY(mem_new(out->ctx, &layer->a, out->rows * layer->in, sizeof(float)));
        ASSAY_TRY(mem_new(out->ctx, &layer->d, out->passes * out->rows * layer->out,
                          sizeof(float)));
    }
    ASSAY_TRY(mem_new(out->ctx, &out->q, out->rows, sizeof(float)));
done:
    return status;
}

assay_status att_capture(att_layers *out,
                         const att_member *m,
                         const uint32_t *rows,
                         size_t n,
                         att_output output) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = m->study->ctx;
    size_t workers = (size_t)assay_ctx_threads(ctx);
    capture c = {.m = m,
                 .out = out,
                 .rows = rows,
                 .output = output,
                 .weights = {m->params, m->buffers}};
    *out = (att_layers){.ctx = ctx, .rows = n, .passes = 1};
    if (output == ATT_GAUSSNEWTON)
        out->passes = (size_t)m->study->model->config.classes;
    if (nn_graph_buffer_floats(m->study->model->graph))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the model %s has running statistics",
                   m->study->model->name);
    ASSAY_TRY(mem_new(ctx, &c.exec, workers, sizeof *c.exec));
    ASSAY_TRY(mem_new(ctx, &c.seed, workers, sizeof *c.seed));
    ASSAY_TRY(layers_make(&c));
    ASSAY_TRY(assay_parallel_for(ctx, n, BATCH, run_rows, &c));
done:
    for (size_t w = 0; c.exec && c.seed && w < workers; w++) {
        nn_exec_destroy(c.exec[w]);
        mem_free(ctx, c.seed[w]);
    }
    mem_free(ctx, c.exec);
    mem_free(ctx, c.seed);
    if (status != ASSAY_OK)
        att_layers_free(out);
    return status;
}

void att_layers_free(att_layers *x) {
    for (int l = 0; l < x->count; l++) {
        mem_free(x->ctx, x->layer[l].a);
        mem_free(x->ctx, x->layer[l].d);
    }
    if (x->ctx)
        mem_free(x->ctx, x->q);
    *x = (att_layers){0};
}

assay_status att_capture_study(att_layers *out, const att_member *m) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    uint32_t *rows = NULL;
    *out = (att_layers){0};
    ASSAY_TRY(mem_new(s->ctx, &rows, s->n_rows + s->n_targets, sizeof *rows));
    memcpy(rows, s->rows, s->n_rows * sizeof *rows);
    memcpy(rows + s->n_rows, s->targets, s->n_targets * sizeof *rows);
    ASSAY_TRY(att_capture(out, m, rows, s->n_rows + s->n_targets, ATT_MARGIN));
done:
    mem_free(s->ctx, rows);
    return status;
}
