/* Wide gradients: of layers that see an example in several places, or that are no
 * products; written down for a block of rows and thrown away behind it. */
#include "attribute/gradient/capture.h"

#include "base/pool.h"

#include <string.h>

size_t att_wide_batch(const att_layers *x) {
    return x->source->batch;
}

size_t att_wide_block(const att_layers *x, size_t bytes) {
    size_t batch = att_wide_batch(x);
    bytes = x->most_bytes && x->most_bytes < bytes ? x->most_bytes : bytes;
    size_t fit = bytes / (x->wide_floats * sizeof(float)) / batch * batch;
    fit = fit > batch ? fit : batch;
    return fit < x->rows ? fit : x->rows;
}

/* Room of nn_factor_gradient, and one layer's gradient before its bias is sorted in. */
size_t att_wide_scratch(const att_layers *x) {
    size_t room = 1, size = 1;
    for (int l = 0; l < x->wides; l++) {
        const att_wide *w = &x->wide[l];
        room = w->room > room ? w->room : room;
        size = w->rows * w->columns > size ? w->rows * w->columns : size;
    }
    return room + size;
}

/* Weights [rows, columns - 1] with biases [rows] behind them, into rows of both. */
static void sort_in(float *to, const float *from, size_t rows, size_t columns) {
    const float *bias = from + rows * (columns - 1);
    for (size_t r = 0; r < rows; r++, to += columns, from += columns - 1) {
        memcpy(to, from, (columns - 1) * sizeof *to);
        to[columns - 1] = bias[r];
    }
}

assay_status att_wide_make(float *out,
                           const att_layers *x,
                           int worker,
                           size_t first,
                           size_t n,
                           size_t pass,
                           float *scratch) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(att_source_run(x->source, worker, x->row + first, n, pass, NULL));
    for (int l = 0; l < x->wides; l++) {
        const att_wide *w = &x->wide[l];
        const nn_factor f = att_source_factor(x->source, worker, w->factor);
        size_t size = w->rows * w->columns;
        float *to = out + n * w->at, *raw = scratch, *room = scratch + size;
        for (size_t i = 0; i < n; i++, to += size) {
            bool sorted = w->plain || !w->bias;
            nn_factor_gradient(&f, (int)i, sorted ? to : raw, room);
            if (!sorted)
                sort_in(to, raw, w->rows, w->columns);
        }
    }
done:
    return status;
}

typedef struct fill_job {
    const att_layers *x;
    size_t first;
    float *out;
    float **batch, **scratch; /* [workers] */
} fill_job;

static assay_status run_fill(void *arg, int worker, size_t begin, size_t end) {
    const fill_job *job = arg;
    const att_layers *x = job->x;
    assay_status status = ASSAY_OK;
    size_t n = end - begin, floats = x->wide_floats;
    if (!job->batch[worker])
        ASSAY_TRY(mem_new(x->ctx, &job->batch[worker], att_wide_batch(x) * floats,
                          sizeof(float)));
    if (!job->scratch[worker])
        ASSAY_TRY(
            mem_new(x->ctx, &job->scratch[worker], att_wide_scratch(x), sizeof(float)));
    ASSAY_TRY(att_wide_make(job->batch[worker], x, worker, job->first + begin, n, 0,
                            job->scratch[worker]));
    for (int l = 0; l < x->wides; l++) {
        const att_wide *w = &x->wide[l];
        size_t size = w->rows * w->columns;
        for (size_t i = 0; i < n; i++)
            memcpy(job->out + (begin + i) * floats + w->at,
                   job->batch[worker] + n * w->at + i * size, size * sizeof(float));
    }
done:
    return status;
}

assay_status att_wide_fill(float *out, const att_layers *x, size_t first, size_t n) {
    assay_status status = ASSAY_OK;
    size_t workers = x->source->workers;
    fill_job job = {.x = x, .first = first, .out = out};
    ASSAY_TRY(mem_new(x->ctx, &job.batch, workers, sizeof *job.batch));
    ASSAY_TRY(mem_new(x->ctx, &job.scratch, workers, sizeof *job.scratch));
    ASSAY_TRY(assay_parallel_for(x->ctx, n, att_wide_batch(x), run_fill, &job));
done:
    for (size_t w = 0; job.batch && job.scratch && w < workers; w++) {
        mem_free(x->ctx, job.batch[w]);
        mem_free(x->ctx, job.scratch[w]);
    }
    mem_free(x->ctx, job.batch);
    mem_free(x->ctx, job.scratch);
    return status;
}
