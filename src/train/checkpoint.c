/* Writing and reading the state of an unfinished run. */
#include "train/checkpoint.h"

#include "train/regime.h"
#include "train/state.h"

#include "base/le.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 8, NAME_BYTES = NN_MAX_NAME + 16 };

/* One piece of what lies beside the weights, shaped like a parameter or a buffer. */
typedef struct piece {
    const char *of; /* the vector it belongs to */
    nn_param_info info;
    float *data;
} piece;

/* Piece i of the optimizer's state, then of further weights; false beyond. */
static bool piece_at(const checkpoint *c, size_t i, piece *out) {
    const optimizer *o = c->optimizer;
    size_t params = nn_graph_param_count(c->graph);
    size_t buffers = nn_graph_buffer_count(c->graph), both = params + buffers;
    size_t states = params * (size_t)optimizer_states(o);
    if (i < states) {
        int state = (int)(i / params);
        *out = (piece){.of = optimizer_state_name(o, state),
                       .info = nn_graph_param_at(c->graph, i % params)};
        out->data = o->state[state] + out->info.offset;
        return true;
    }
    i -= states;
    if (both == 0 || i / both >= CHECKPOINT_MORE || !c->more[i / both].weights)
        return false;
    const checkpoint_weights *w = &c->more[i / both];
    i %= both;
    out->of = w->name;
    out->info = i < params ? nn_graph_param_at(c->graph, i)
                           : nn_graph_buffer_at(c->graph, i - params);
    out->data =
        (i < params ? w->weights->params : w->weights->buffers) + out->info.offset;
    return true;
}

static void piece_name(char out[NAME_BYTES], const piece *p) {
    (void)snprintf(out, NAME_BYTES, "%s.%s", p->of, p->info.name);
}

assay_status checkpoint_save(const checkpoint *c, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    piece p;
    size_t weights = state_count(c->graph), pieces = 0;
    while (piece_at(c, pieces, &p))
        pieces++;
    size_t n = weights + pieces + 1;
    st_tensor *tensor = NULL;
    char(*name)[NAME_BYTES] = NULL;
    uint8_t *rows = NULL;
    ASSAY_TRY(mem_new(ctx, &tensor, n, sizeof *tensor));
    ASSAY_TRY(mem_new(ctx, &name, pieces + 1, sizeof *name));
    ASSAY_TRY(mem_new(ctx, &rows, (size_t)c->done * METRICS + 1, 8));
    state_tensors(c->graph, c->weights, tensor);
    for (size_t i = 0; piece_at(c, i, &p); i++) {
        piece_name(name[i], &p);
        tensor[weights + i] = state_tensor(&p.info, name[i], p.data);
    }
    for (int e = 0; e < c->done; e++) {
        const epoch_metrics *m = &c->metrics[e];
        const double value[METRICS] = {m->loss,      m->accuracy,     m->rate,
                                       m->val_loss,  m->val_accuracy, m->swing,
                                       m->curvature, m->momentum};
        for (size_t i = 0; i < METRICS; i++)
            le_f64_put(rows + ((size_t)e * METRICS + i) * 8, value[i]);
    }
    tensor[n - 1] = (st_tensor){.name = "metrics",
                                .dtype = ASSAY_F64,
                                .ndim = 2,
                                .dim = {c->done, METRICS},
                                .data = rows,
                                .bytes = (size_t)c->done * METRICS * 8};
    char done_text[16], steps_text[24];
    (void)snprintf(done_text, sizeof done_text, "%d", c->done);
    (void)snprintf(steps_text, sizeof steps_text, "%" PRId64, c->optimizer->steps);
    const st_pair pairs[] = {{"format", "pt"},
                             {"assay.checkpoint", "1"},
                             {"assay.epoch", done_text},
                             {"assay.steps", steps_text},
                             {"assay.key", c->key}};
    ASSAY_TRY(st_put(ctx, path, tensor, n, pairs, sizeof pairs / sizeof *pairs));
done:
    mem_free(ctx, rows);
    mem_free(ctx, name);
    mem_free(ctx, tensor);
    return status;
}

/* The finished epochs of a checkpoint of this run; 0 if it is of another. */
static int epochs_of(const checkpoint *c, const st_file *f) {
    const char *kind = st_metadata(f, "assay.checkpoint"),
               *key = st_metadata(f, "assay.key");
    const char *epoch = st_metadata(f, "assay.epoch");
    if (!kind || !key || !epoch || strcmp(kind, "1") != 0 || strcmp(key, c->key) != 0)
        return 0;
    char *end;
    long v = strtol(epoch, &end, 10);
    return *end || v < 1 || v > c->epochs ? 0 : (int)v;
}

static assay_status pieces_read(checkpoint *c, const st_file *f) {
    assay_status status = ASSAY_OK;
    piece p;
    optimizer *o = c->optimizer;
    const char *steps = st_metadata(f, "assay.steps");
    char *end = NULL;
    o->steps = steps ? strtoll(steps, &end, 10) : 0;
    if (!steps || end == steps || *end || o->steps < 1)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the optimizer's steps are not told");
    for (size_t i = 0; piece_at(c, i, &p); i++) {
        char name[NAME_BYTES];
        piece_name(name, &p);
        ASSAY_TRY(state_read_one(f, &p.info, name, p.data));
    }
done:
    return status;
}

static assay_status read_all(checkpoint *c, const st_file *f, int done_epochs) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(state_read(f, c->graph, c->weights));
    ASSAY_TRY(pieces_read(c, f));
    st_tensor t;
    ASSAY_TRY(st_find(f, "metrics", &t));
    if (t.dtype != ASSAY_F64 || t.bytes != (size_t)done_epochs * METRICS * 8)
        ASSAY_FAIL(ASSAY_E_FORMAT, "tensor 'metrics' is not [%d, %d] f64", done_epochs,
                   METRICS);
    for (int e = 0; e < done_epochs; e++) {
        const uint8_t *row = (const uint8_t *)t.data + (size_t)e * METRICS * 8;
        c->metrics[e] = (epoch_metrics){le_f64_get(row),      le_f64_get(row + 8),
                                        le_f64_get(row + 16), le_f64_get(row + 24),
                                        le_f64_get(row + 32), le_f64_get(row + 40),
                                        le_f64_get(row + 48), le_f64_get(row + 56)};
    }
done:
    return status;
}

assay_status
checkpoint_load(checkpoint *c, assay_ctx *ctx, const char *path, bool *found) {
    st_file *f = NULL;
    *found = false;
    c->done = 0;
    assay_status status = st_open(&f, ctx, path);
    int epochs = status == ASSAY_OK ? epochs_of(c, f) : 0;
    if (epochs) {
        status = read_all(c, f, epochs);
        *found = status == ASSAY_OK;
        c->done = *found ? epochs : 0;
    }
    st_close(f);
    if (status == ASSAY_E_NOMEM)
        return status;
    if (status != ASSAY_OK && status != ASSAY_E_NOTFOUND)
        log_line(ctx, ASSAY_LOG_WARN, "%s can't be continued from: %s", path,
                 assay_last_error()->message);
    return ASSAY_OK;
}

assay_status
metrics_write(assay_ctx *ctx, const char *path, const epoch_metrics *m, int epochs) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(ctx);
    for (int e = 0; e < epochs; e++) {
        json_out j = json_out_make(&text, 0);
        json_obj(&j);
        json_kint(&j, "epoch", e + 1);
        json_knum(&j, "loss", m[e].loss);
        json_knum(&j, "accuracy", m[e].accuracy);
        if (!isnan(m[e].val_loss)) {
            json_knum(&j, "val_loss", m[e].val_loss);
            json_knum(&j, "val_accuracy", m[e].val_accuracy);
        }
        json_knum(&j, "lr", m[e].rate);
        if (!isnan(m[e].curvature)) {
            json_knum(&j, "momentum", m[e].momentum);
            json_knum(&j, "swing", m[e].swing);
            json_knum(&j, "curvature", m[e].curvature);
            json_knum(&j, "rate_times_curvature", m[e].rate * m[e].curvature);
            json_kstr(&j, "regime",
                      regime_name(m[e].rate, m[e].momentum, m[e].curvature));
        }
        json_obj_end(&j);
        buf_str(&text, "\n");
    }
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(atomic_put(ctx, path, text.data, text.len));
done:
    buf_free(&text);
    return status;
}
