/* Projected gradients in stores that survive a kill: one for features, one for weights,
 * with the same blocks of rows. */
#include "attribute/gradient/project.h"

#include "base/hash.h"
#include "base/pool.h"
#include "data/text/passages.h"
#include "file/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 512, VERSION = 2 };

typedef struct keep_job {
    att_project *project;
    const uint32_t *rows;
    size_t n;
    row_store *features, *weights;
} keep_job;

static void window_add(hash_sha256 *h, const passages *p, uint32_t row) {
    const passage_window *w = &p->window[row];
    hash_sha256_u64(h, w->skip);
    hash_sha256_u64(h, w->count);
    hash_sha256_add(h, p->text.token + w->at,
                    ((size_t)w->count + 1) * sizeof *p->text.token);
}

/* Everything that decides the bytes. */
static void identify(char out[512], const keep_job *job, const char *what) {
    const att_project *p = job->project;
    const att_member *m = &p->source.member;
    const att_study *s = m->study;
    const nn_graph *g = s->model->graph;
    char hex[65];
    hash_sha256 h;
    uint8_t digest[32];
    hash_sha256_init(&h);
    if (!zoo_find(s->model->name)) { /* of a file: its name doesn't say the network */
        nn_graph_digest(digest, g);
        hash_sha256_add(&h, digest, sizeof digest);
    }
    hash_sha256_str(&h, s->data->card->dataset_sha256);
    hash_sha256_add(&h, s->data->card->mean, sizeof s->data->card->mean);
    hash_sha256_add(&h, s->data->card->std, sizeof s->data->card->std);
    hash_sha256_add(&h, m->params, nn_graph_param_floats(g) * sizeof *m->params);
    if (m->buffers)
        hash_sha256_add(&h, m->buffers, nn_graph_buffer_floats(g) * sizeof *m->buffers);
    for (size_t i = 0; i < job->n; i++) {
        hash_sha256_u64(&h, job->rows[i]);
        if (s->data->labels)
            hash_sha256_u64(&h, (uint64_t)s->data->labels[job->rows[i]]);
        else
            window_add(&h, s->data->passages, job->rows[i]);
    }
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    (void)snprintf(out, 512,
                   "margin gradients %d of %.40s; %.40s dim %d seed %" PRIu64
                   "; model %.80s size %d precision %d; %.64s; isa %.20s",
                   VERSION, what, p->projection.projector->name, p->projection.dim,
                   m->seed, s->model->name, s->data->card->size, (int)p->source.precision,
                   hex, assay_isa_name());
}

static assay_status run_blocks(void *arg, int worker, size_t begin, size_t end) {
    const keep_job *job = arg;
    assay_status status = ASSAY_OK;
    for (size_t b = begin; b < end; b++) {
        size_t first = b * BLOCK, last = first + BLOCK < job->n ? first + BLOCK : job->n;
        int64_t block = (int64_t)b;
        bool done = store_block_done(job->features, block);
        /* a kill between the two leaves weights without features: both anew */
        for (size_t i = first; !done && i < last; i += ATT_LANES) {
            size_t n = last - i < ATT_LANES ? last - i : ATT_LANES;
            float q[ATT_LANES], *kept = q;
            if (!store_block_done(job->weights, block))
                kept = store_row(job->weights, (int64_t)i);
            ASSAY_TRY(att_project_rows(job->project, worker, job->rows + i, n,
                                       store_row(job->features, (int64_t)i), kept));
        }
        if (!done) {
            if (!store_block_done(job->weights, block))
                ASSAY_TRY(store_block_seal(job->weights, block));
            ASSAY_TRY(store_block_seal(job->features, block));
        }
        store_block_forget(job->features, block);
        progress_add(job->project->source.ctx, (int64_t)(last - first));
    }
done:
    return status;
}

/* Weights of a block whose features are whole, but whose own are damaged. */
static assay_status mend_weights(keep_job *job) {
    assay_status status = ASSAY_OK;
    float *phi = NULL;
    ASSAY_TRY(mem_new(job->project->source.ctx, &phi,
                      ATT_LANES * (size_t)job->project->projection.dim, sizeof *phi));
    for (int64_t b = 0; b < store_blocks(job->weights); b++) {
        size_t first = (size_t)b * BLOCK;
        size_t last = first + BLOCK < job->n ? first + BLOCK : job->n;
        if (store_block_done(job->weights, b) || !store_block_done(job->features, b))
            continue;
        for (size_t i = first; i < last; i += ATT_LANES)
            ASSAY_TRY(att_project_rows(job->project, 0, job->rows + i,
                                       last - i < ATT_LANES ? last - i : ATT_LANES, phi,
                                       store_row(job->weights, (int64_t)i)));
        ASSAY_TRY(store_block_seal(job->weights, b));
    }
done:
    mem_free(job->project->source.ctx, phi);
    return status;
}

att_part att_project_part(size_t n, int shard, int shards) {
    size_t blocks = (n + BLOCK - 1) / BLOCK, i = (size_t)shard, of = (size_t)shards;
    size_t from = blocks * (i - 1) / of * BLOCK, to = blocks * i / of * BLOCK;
    to = to < n ? to : n;
    return (att_part){.first = from, .n = to > from ? to - from : 0};
}

static void block_copy(row_store *to, int64_t at, row_store *from, int64_t block) {
    int64_t first = block * store_block_rows(from), n = store_rows(from) - first;
    n = n < store_block_rows(from) ? n : store_block_rows(from);
    memcpy(store_row(to, at * store_block_rows(to)), store_row_read(from, first),
           (size_t)(n * store_cols(from)) * sizeof(float));
    store_block_note(to, at);
}

/* Copies the blocks that are whole in a part, in both of its stores. */
static assay_status
part_take(const keep_job *job, const att_part *part, const char *what) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = job->project->source.ctx;
    row_store *features = NULL, *weights = NULL;
    const keep_job mine = {job->project, job->rows + part->first, part->n, NULL, NULL};
    char identity[512];
    identify(identity, &mine, what);
    status = store_open_part(&features, ctx, part->features);
    if (status == ASSAY_OK)
        status = store_open_part(&weights, ctx, part->weights);
    if (status == ASSAY_E_NOTFOUND) /* nothing of this model yet */
        status = ASSAY_OK;
    if (status != ASSAY_OK || !weights)
        goto done;
    bool same = strcmp(store_identity(features), identity) == 0 &&
                strcmp(store_identity(weights), identity) == 0 &&
                store_block_rows(features) == BLOCK && store_block_rows(weights) == BLOCK;
    if (!same)
        log_line(ctx, ASSAY_LOG_WARN, "%s is of other rows or models, and left alone",
                 part->features);
    for (int64_t b = 0; same && b < store_blocks(features); b++) {
        int64_t at = (int64_t)(part->first / BLOCK) + b;
        if (!store_block_done(features, b) || !store_block_done(weights, b) ||
            store_block_done(job->features, at))
            continue;
        if (!store_block_done(job->weights, at))
            block_copy(job->weights, at, weights, b);
        block_copy(job->features, at, features, b);
    }
done:
    store_destroy(features);
    store_destroy(weights);
    return status;
}

assay_status att_project_keep(att_project *p,
                              const uint32_t *rows,
                              size_t n,
                              const char *what,
                              const char *features,
                              const char *weights,
                              const att_part *parts,
                              size_t n_parts) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = p->source.ctx;
    keep_job job = {p, rows, n, NULL, NULL};
    char identity[512];
    identify(identity, &job, what);
    ASSAY_TRY(store_open(&job.features, ctx, features, identity, (int64_t)n,
                         p->projection.dim, BLOCK));
    ASSAY_TRY(store_open(&job.weights, ctx, weights, identity, (int64_t)n, 1, BLOCK));
    for (size_t i = 0; i < n_parts; i++)
        ASSAY_TRY(part_take(&job, &parts[i], what));
    ASSAY_TRY(mend_weights(&job));
    ASSAY_TRY(
        assay_parallel_for(ctx, (size_t)store_blocks(job.features), 1, run_blocks, &job));
    ASSAY_TRY(store_close(&job.features));
    ASSAY_TRY(store_close(&job.weights));
done:
    store_destroy(job.features);
    store_destroy(job.weights);
    return status;
}
