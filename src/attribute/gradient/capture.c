/* Batches through an executor that hands out factors: thin ones are copied into arrays
 * for all rows. */
#include "attribute/gradient/capture.h"

#include "base/pool.h"

#include <string.h>

/* Rows of a batch: of models with thin layers only, and of others, whose activations are
 * large. */
enum { BATCH = 100, WIDE_BATCH = 20 };

static bool is_thin(const nn_factor *f) {
    return f->kind == NN_FACTOR_OUTER && f->t == 1 && !f->transposed;
}

/* ---- what layers there are ---- */

static void thin_add(att_layers *out, const nn_factor *f, int factor) {
    att_layer *l = &out->layer[out->count++];
    *l = (att_layer){.factor = factor, .bias = f->bias_count > 0, .out = (size_t)f->out};
    l->in = (size_t)f->in + l->bias;
}

/* Whether a gradient has two sides with a Kronecker factor each. */
static bool has_sides(const nn_factor *f) {
    if (f->kind == NN_FACTOR_OUTER)
        return !f->transposed || f->bias_count == 0;
    return f->kind != NN_FACTOR_DIAG && !f->transposed && f->groups <= 1;
}

static void wide_add(att_layers *out, const nn_factor *f, int factor) {
    att_wide *w = &out->wide[out->wides++];
    size_t bias = f->bias_count > 0;
    *w = (att_wide){.factor = factor,
                    .kind = f->kind,
                    .bias = bias,
                    .plain = !has_sides(f),
                    .rows = 1,
                    .columns = f->weight_count + f->bias_count,
                    .in = (size_t)f->in,
                    .at = out->wide_floats,
                    .room = nn_factor_scratch(f)};
    if (!w->plain && f->kind == NN_FACTOR_GATHER) {
        w->columns = (size_t)f->out;
        w->rows = f->weight_count / w->columns;
    } else if (!w->plain) {
        w->rows = (size_t)f->out;
        w->columns = f->weight_count / w->rows + bias;
    }
    out->wide_floats += w->rows * w->columns;
}

/* Of an op that shares its weight with another, gradients would have to be added up. */
static assay_status shares_nothing(const att_source *s, int count, const nn_factor *f) {
    for (int i = 0; i < count; i++)
        if (nn_exec_factor(s->exec[0], i).weight_offset == f->weight_offset) {
            (void)err_set(ASSAY_E_UNSUPPORTED, "two ops share a parameter");
            err_where("nodes %d and %d", nn_exec_factor(s->exec[0], i).node, f->node);
            err_help("methods that project gradients (trak) treat every model");
            return ASSAY_E_UNSUPPORTED;
        }
    return ASSAY_OK;
}

/* From one row, in an executor of its own. */
static assay_status layers_find(att_layers *out, const att_member *m, att_output output) {
    assay_status status = ASSAY_OK;
    att_source one = {0};
    ASSAY_TRY(att_source_open(&one, m, output, ASSAY_F32, 1));
    ASSAY_TRY(att_source_run(&one, 0, out->row, 1, 0, NULL));
    int count = att_source_factors(&one, 0);
    if (count > ATT_MOST_LAYERS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%d layers; at most %d are treated", count,
                   ATT_MOST_LAYERS);
    for (int i = 0; i < count; i++) {
        const nn_factor f = att_source_factor(&one, 0, i);
        ASSAY_TRY(shares_nothing(&one, i, &f));
        if (is_thin(&f))
            thin_add(out, &f, i);
        else
            wide_add(out, &f, i);
    }
done:
    att_source_close(&one);
    return status;
}

/* ---- thin layers of all rows ---- */

/* Copies what the batch says of its thin layers to rows from `first` on. */
static void take(const att_layers *out, int worker, size_t first, size_t n, size_t pass) {
    for (int l = 0; l < out->count; l++) {
        const att_layer *layer = &out->layer[l];
        const nn_factor f = att_source_factor(out->source, worker, layer->factor);
        size_t in = (size_t)f.in;
        for (size_t i = 0; pass == 0 && i < n; i++) {
            float *a = layer->a + (first + i) * layer->in;
            memcpy(a, f.x + i * in, in * sizeof *a);
            if (layer->in > in)
                a[in] = 1;
        }
        memcpy(layer->d + (pass * out->rows + first) * layer->out, f.d,
               n * layer->out * sizeof(float));
    }
}

static assay_status run_rows(void *arg, int worker, size_t begin, size_t end) {
    const att_layers *out = arg;
    assay_status status = ASSAY_OK;
    size_t passes = out->count ? out->passes : 1; /* of wide layers alone: for q */
    for (size_t pass = 0; pass < passes; pass++) {
        ASSAY_TRY(att_source_run(out->source, worker, out->row + begin, end - begin, pass,
                                 out->q + begin));
        take(out, worker, begin, end - begin, pass);
    }
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
    *out = (att_layers){.ctx = ctx, .rows = n};
    ASSAY_TRY(mem_new(ctx, &out->row, n, sizeof *out->row));
    memcpy(out->row, rows, n * sizeof *rows);
    ASSAY_TRY(layers_find(out, m, output));
    ASSAY_TRY(mem_new(ctx, &out->source, 1, sizeof *out->source));
    ASSAY_TRY(att_source_open(out->source, m, output, ASSAY_F32,
                              out->wides ? WIDE_BATCH : BATCH));
    out->passes = out->source->passes;
    for (int l = 0; l < out->count; l++) {
        att_layer *layer = &out->layer[l];
        ASSAY_TRY(mem_new(ctx, &layer->a, n * layer->in, sizeof(float)));
        ASSAY_TRY(mem_new(ctx, &layer->d, out->passes * n * layer->out, sizeof(float)));
    }
    ASSAY_TRY(mem_new(ctx, &out->q, n, sizeof(float)));
    ASSAY_TRY(assay_parallel_for(ctx, n, out->source->batch, run_rows, out));
done:
    if (status != ASSAY_OK)
        att_layers_free(out);
    return status;
}

void att_layers_free(att_layers *x) {
    if (!x->ctx)
        return;
    for (int l = 0; l < x->count; l++) {
        mem_free(x->ctx, x->layer[l].a);
        mem_free(x->ctx, x->layer[l].d);
    }
    if (x->source)
        att_source_close(x->source);
    mem_free(x->ctx, x->source);
    mem_free(x->ctx, x->row);
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
