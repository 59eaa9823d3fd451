/* Writing and reading the state of an unfinished run. */
#include "train/checkpoint.h"

#include "train/state.h"

#include "base/le.h"
#include "file/atomic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS = 3, NAME_BYTES = NN_MAX_NAME + 16 };

static void velocity_name(char out[NAME_BYTES], const char *param) {
    (void)snprintf(out, NAME_BYTES, "velocity.%s", param);
}

assay_status checkpoint_save(const checkpoint *c, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    size_t weights = state_count(c->graph), params = nn_graph_param_count(c->graph);
    size_t n = weights + params + 1;
    st_tensor *tensor = NULL;
    char(*name)[NAME_BYTES] = NULL;
    uint8_t *rows = NULL;
    ASSAY_TRY(mem_new(ctx, &tensor, n, sizeof *tensor));
    ASSAY_TRY(mem_new(ctx, &name, params ? params : 1, sizeof *name));
    ASSAY_TRY(mem_new(ctx, &rows, (size_t)c->done * METRICS + 1, 8));
    state_tensors(c->graph, c->weights, tensor);
    for (size_t i = 0; i < params; i++) {
        nn_param_info p = nn_graph_param_at(c->graph, i);
        velocity_name(name[i], p.name);
        tensor[weights + i] =
            state_tensor(&p, name[i], c->optimizer->velocity + p.offset);
    }
    for (int e = 0; e < c->done; e++) {
        uint8_t *row = rows + (size_t)e * METRICS * 8;
        le_f64_put(row, c->metrics[e].loss);
        le_f64_put(row + 8, c->metrics[e].accuracy);
        le_f64_put(row + 16, c->metrics[e].rate);
    }
    tensor[n - 1] = (st_tensor){.name = "metrics",
                                .dtype = ASSAY_F64,
                                .ndim = 2,
                                .dim = {c->done, METRICS},
                                .data = rows,
                                .bytes = (size_t)c->done * METRICS * 8};
    char done_text[16];
    (void)snprintf(done_text, sizeof done_text, "%d", c->done);
    const st_pair pairs[] = {{"format", "pt"},
                             {"assay.checkpoint", "1"},
                             {"assay.epoch", done_text},
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

static assay_status read_all(checkpoint *c, const st_file *f, int done_epochs) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(state_read(f, c->graph, c->weights));
    for (size_t i = 0; i < nn_graph_param_count(c->graph); i++) {
        nn_param_info p = nn_graph_param_at(c->graph, i);
        char name[NAME_BYTES];
        velocity_name(name, p.name);
        ASSAY_TRY(state_read_one(f, &p, name, c->optimizer->velocity + p.offset));
    }
    st_tensor t;
    ASSAY_TRY(st_find(f, "metrics", &t));
    if (t.dtype != ASSAY_F64 || t.bytes != (size_t)done_epochs * METRICS * 8)
        ASSAY_FAIL(ASSAY_E_FORMAT, "tensor 'metrics' is not [%d, %d] f64", done_epochs,
                   METRICS);
    for (int e = 0; e < done_epochs; e++) {
        const uint8_t *row = (const uint8_t *)t.data + (size_t)e * METRICS * 8;
        c->metrics[e] =
            (epoch_metrics){le_f64_get(row), le_f64_get(row + 8), le_f64_get(row + 16)};
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
        json_knum(&j, "lr", m[e].rate);
        json_obj_end(&j);
        buf_str(&text, "\n");
    }
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(atomic_put(ctx, path, text.data, text.len));
done:
    buf_free(&text);
    return status;
}
