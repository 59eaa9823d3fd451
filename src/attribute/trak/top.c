/* The strongest training rows of many targets. Blocks of rows are multiplied with blocks
 * of transformed targets and drained into bounded heaps, one set per worker; as strength
 * is a total order (score, then row), what is left after merging does not depend on who
 * saw which rows. */
#include "attribute/trak/trak.h"

#include "base/pool.h"

#include <string.h>

/* ---- blocks of rows against blocks of targets ---- */

typedef struct scratch {
    float *tile;    /* [TRAK_TILE, targets] */
    att_top *item;  /* of the heaps */
    att_heap *heap; /* [targets][2]: positive, negative */
} scratch;

typedef struct top_job {
    const att_trak *t;
    const float *psi; /* [members][targets, dim] */
    size_t targets;   /* of this block */
    scratch *worker;
} top_job;

static void drain(const top_job *job, scratch *s, uint64_t row, const float *score) {
    float weight = trak_weight(job->t, row);
    if (weight == 0)
        return;
    for (size_t j = 0; j < job->targets; j++) {
        float v = score[j] * weight;
        att_heap *h = &s->heap[j * 2 + (v < 0)];
        float size = v < 0 ? -v : v;
        if (size > 0)
            heap_offer(h, (att_top){(uint32_t)row, size});
    }
}

static assay_status top_rows(void *arg, int worker, size_t begin, size_t end) {
    const top_job *job = arg;
    const att_trak *t = job->t;
    scratch *s = &job->worker[worker];
    int64_t n = (int64_t)job->targets;
    for (size_t first = begin; first < end; first += TRAK_TILE) {
        size_t rows = end - first < TRAK_TILE ? end - first : TRAK_TILE;
        for (int m = 0; m < t->members; m++)
            la_gemm(false, true, (int64_t)rows, n, t->dim, 1.0f,
                    store_row_read(t->stores[m], (int64_t)first), t->dim,
                    job->psi + m * n * t->dim, t->dim, m ? 1.0f : 0.0f, s->tile, n);
        for (size_t i = 0; i < rows; i++)
            drain(job, s, first + i, s->tile + i * job->targets);
    }
    return ASSAY_OK;
}

/* Merges the workers' heaps into the first one's and writes them out. */
static void collect(const top_job *job, size_t workers, int top, att_top *out) {
    for (size_t h = 0; h < job->targets * 2; h++) {
        att_heap *into = &job->worker[0].heap[h];
        for (size_t w = 1; w < workers; w++) {
            const att_heap *from = &job->worker[w].heap[h];
            for (int i = 0; i < from->count; i++)
                heap_offer(into, from->item[i]);
        }
        heap_take(out + h * (size_t)top, top, into, h % 2);
    }
}

assay_status att_trak_top(
    att_trak *t, const uint64_t *targets, size_t n_targets, int top, att_top *out) {
    assay_status status = ASSAY_OK;
    size_t workers = (size_t)assay_ctx_threads(t->ctx), k = (size_t)t->dim;
    size_t most = n_targets < TRAK_TARGETS ? n_targets : TRAK_TARGETS, each;
    float *psi = NULL;
    top_job job = {.t = t};
    ASSAY_TRY(trak_check_targets(t, targets, n_targets));
    if (top < 1 || n_targets == 0)
        goto done;
    each = (uint64_t)top < t->train_rows ? (size_t)top : (size_t)t->train_rows;
    ASSAY_TRY(mem_new(t->ctx, &psi, (size_t)t->members * most * k, sizeof *psi));
    ASSAY_TRY(mem_new(t->ctx, &job.worker, workers, sizeof *job.worker));
    for (size_t w = 0; w < workers; w++) {
        scratch *s = &job.worker[w];
        ASSAY_TRY(mem_new(t->ctx, &s->tile, TRAK_TILE * most, sizeof *s->tile));
        ASSAY_TRY(mem_new(t->ctx, &s->item, most * 2 * each + 1, sizeof *s->item));
        ASSAY_TRY(mem_new(t->ctx, &s->heap, most * 2, sizeof *s->heap));
    }
    job.psi = psi;
    for (size_t first = 0; first < n_targets; first += most) {
        job.targets = n_targets - first < most ? n_targets - first : most;
        for (int m = 0; m < t->members; m++)
            ASSAY_TRY(trak_transform(t, m, targets + first, job.targets,
                                     psi + (size_t)m * job.targets * k));
        for (size_t w = 0; w < workers; w++)
            for (size_t h = 0; h < job.targets * 2; h++)
                job.worker[w].heap[h] =
                    (att_heap){job.worker[w].item + h * each, 0, (int)each};
        ASSAY_TRY(assay_parallel_for(t->ctx, t->train_rows, TRAK_ROWS, top_rows, &job));
        collect(&job, workers, top, out + first * 2 * (size_t)top);
    }
done:
    for (size_t w = 0; job.worker && w < workers; w++) {
        mem_free(t->ctx, job.worker[w].tile);
        mem_free(t->ctx, job.worker[w].item);
        mem_free(t->ctx, job.worker[w].heap);
    }
    mem_free(t->ctx, job.worker);
    mem_free(t->ctx, psi);
    return status;
}
