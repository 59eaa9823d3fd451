/* Features: per-example gradients of the margin, sketched, into a store. A block of rows
 * is one job, batches within it have a fixed size, and an example's gradient exists only
 * for one parametrised op at a time, sixteen examples wide. */
#include "attribute/gradient/sjlt.h"

#include "base/hash.h"
#include "base/pool.h"
#include "nn/exec.h"
#include "simd/simd.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A batch is what one sketch takes: larger ones measured slower, their activations leave
 * the cache. */
enum { VERSION = 1, BLOCK = 512, BATCH = SJLT_LANES };

typedef struct features_worker {
    nn_exec *exec;   /* made by the first block */
    float *gradient; /* [SJLT_LANES, widest factor] */
    float *scratch;  /* of nn_factor_gradient */
    float *sum;      /* [dim, SJLT_LANES] */
    size_t widest;
} features_worker;

typedef struct features {
    assay_ctx *ctx;
    const trained_model *model;
    nn_weights weights; /* the model's; capturing does not change them */
    const npy_array *pixels;
    const int32_t *labels;
    uint32_t dim;
    uint64_t key;
    float scale, ones[BATCH];
    float mean[3], inv_std[3]; /* in units of bytes */
    row_store *store;
    features_worker *worker;
} features;

/* Room for the widest factor; sizes are known once a batch has run. */
static assay_status make_room(const features *f, features_worker *w) {
    assay_status status = ASSAY_OK;
    size_t scratch = 1;
    w->widest = 1;
    for (int i = 0; i < nn_exec_factor_count(w->exec); i++) {
        nn_factor x = nn_exec_factor(w->exec, i);
        if (x.weight_count + x.bias_count > w->widest)
            w->widest = x.weight_count + x.bias_count;
        if (nn_factor_scratch(&x) > scratch)
            scratch = nn_factor_scratch(&x);
    }
    ASSAY_TRY(mem_new(f->ctx, &w->gradient, SJLT_LANES * w->widest, sizeof *w->gradient));
    ASSAY_TRY(mem_new(f->ctx, &w->scratch, scratch, sizeof *w->scratch));
    ASSAY_TRY(mem_new(f->ctx, &w->sum, (size_t)f->dim * SJLT_LANES, sizeof *w->sum));
done:
    return status;
}

static assay_status
run_batch(const features *f, features_worker *w, size_t begin, int n) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = &f->model->zoo;
    size_t channels = (size_t)f->pixels->dim[3];
    size_t each = (size_t)(f->pixels->dim[1] * f->pixels->dim[2]) * channels;
    float *images = nn_exec_input(w->exec, z->images);
    int32_t *labels = nn_exec_input(w->exec, z->labels);
    for (size_t i = 0; i < (size_t)n; i++) {
        simd()->u8_normalize(images + i * each, f->pixels->data + (begin + i) * each,
                             each / channels, channels, f->mean, f->inv_std);
        labels[i] = f->labels[begin + i];
    }
    ASSAY_TRY(nn_exec_forward(w->exec, n));
    ASSAY_TRY(nn_exec_backward(w->exec, f->ones));
    if (!w->gradient)
        ASSAY_TRY(make_room(f, w));
done:
    return status;
}

/* The examples of the batch at hand into store rows from `row` on. What lanes beyond them
 * hold comes from earlier examples and is left there. */
static assay_status
sketch_batch(const features *f, features_worker *w, size_t row, int n) {
    memset(w->sum, 0, (size_t)f->dim * SJLT_LANES * sizeof *w->sum);
    for (int i = 0; i < nn_exec_factor_count(w->exec); i++) {
        nn_factor x = nn_exec_factor(w->exec, i);
        for (int lane = 0; lane < n; lane++)
            nn_factor_gradient(&x, lane, w->gradient + (size_t)lane * w->widest,
                               w->scratch);
        sjlt_add(w->sum, f->dim, f->key, w->gradient, w->widest, x.weight_offset,
                 x.weight_count);
        sjlt_add(w->sum, f->dim, f->key, w->gradient + x.weight_count, w->widest,
                 x.bias_offset, x.bias_count);
    }
    for (int lane = 0; lane < n; lane++) {
        float *out = store_row(f->store, (int64_t)row + lane);
        sjlt_take(w->sum, f->dim, lane, f->scale, out);
        if (!isfinite(simd()->f32_dot64(out, out, f->dim))) {
            (void)err_set(ASSAY_E_NUMERIC, "the gradient of a row is not finite");
            err_where("row %zu", row + (size_t)lane);
            err_help("the model's training diverged: train it again with a smaller rate");
            return ASSAY_E_NUMERIC;
        }
    }
    return ASSAY_OK;
}

static assay_status run_blocks(void *arg, int worker, size_t begin, size_t end) {
    features *f = arg;
    features_worker *w = &f->worker[worker];
    assay_status status = ASSAY_OK;
    size_t rows = (size_t)store_rows(f->store);
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = BATCH,
                               .target = f->model->zoo.margin,
                               .dtype = ASSAY_F32};
    for (size_t block = begin; block < end; block++) {
        size_t first = block * BLOCK, last = first + BLOCK < rows ? first + BLOCK : rows;
        if (!store_block_done(f->store, (int64_t)block)) {
            if (!w->exec)
                ASSAY_TRY(nn_exec_create(&w->exec, f->ctx, f->model->zoo.graph,
                                         &f->weights, &o));
            for (size_t row = first; row < last; row += BATCH) {
                int n = last - row < BATCH ? (int)(last - row) : BATCH;
                ASSAY_TRY(run_batch(f, w, row, n));
                ASSAY_TRY(sketch_batch(f, w, row, n));
            }
            ASSAY_TRY(store_block_seal(f->store, (int64_t)block));
        }
        progress_add(f->ctx, (int64_t)(last - first));
    }
done:
    return status;
}

static assay_status check_input(const trained_model *m,
                                const npy_array *pixels,
                                const int32_t *labels,
                                const att_sketch *sketch) {
    const model_card *card = &m->card;
    if (pixels->dtype != ASSAY_U8 || pixels->ndim != 4 || pixels->dim[1] != card->size ||
        pixels->dim[2] != card->size || pixels->dim[3] != card->channels)
        return err_set(ASSAY_E_SHAPE, "the model wants pixels u8 [rows, %d, %d, %d]",
                       card->size, card->size, card->channels);
    if (sketch->dim < 1 || sketch->dim > 1 << 20)
        return err_set(ASSAY_E_INVALID, "a sketch of %d numbers", sketch->dim);
    for (int64_t i = 0; i < pixels->dim[0]; i++)
        if (labels[i] < 0 || labels[i] >= card->classes) {
            (void)err_set(ASSAY_E_SHAPE, "label %" PRId32 " of %d classes", labels[i],
                          card->classes);
            err_where("row %" PRId64, i);
            return ASSAY_E_SHAPE;
        }
    return ASSAY_OK;
}

/* Everything that decides the bytes. */
static void identify(char out[512],
                     const trained_model *m,
                     const char *model_hash,
                     const npy_array *pixels,
                     const int32_t *labels,
                     const att_sketch *sketch) {
    hash_sha256 s;
    uint8_t digest[32];
    char hex[65];
    hash_sha256_init(&s);
    for (int64_t i = 0; i < pixels->dim[0]; i++)
        hash_sha256_u64(&s, (uint64_t)labels[i]);
    hash_sha256_end(&s, digest);
    hash_hex(hex, digest);
    (void)snprintf(out, 512,
                   "margin gradients %d; sjlt 1 dim %d seed %" PRIu64
                   "; model %.80s; data %.64s size %d; labels %.32s; isa %s",
                   VERSION, sketch->dim, sketch->seed, model_hash, m->card.dataset_sha256,
                   m->card.size, hex, assay_isa_name());
}

assay_status att_features(row_store **out,
                          assay_ctx *ctx,
                          const trained_model *m,
                          const char *model_hash,
                          const npy_array *pixels,
                          const int32_t *labels,
                          const att_sketch *sketch,
                          const char *path) {
    assay_status status = ASSAY_OK;
    size_t workers = (size_t)assay_ctx_threads(ctx);
    char identity[512];
    features f = {.ctx = ctx, .model = m, .pixels = pixels, .labels = labels};
    *out = NULL;
    ASSAY_TRY(check_input(m, pixels, labels, sketch));
    f.weights = m->weights;
    f.dim = (uint32_t)sketch->dim;
    f.key = sjlt_key(sketch->seed);
    f.scale = (float)(1 / sqrt((double)nn_graph_param_floats(m->zoo.graph)));
    for (int i = 0; i < BATCH; i++)
        f.ones[i] = 1;
    for (int c = 0; c < 3; c++) {
        f.mean[c] = 255.0f * m->card.mean[c];
        f.inv_std[c] = m->card.std[c] > 0 ? 1 / (255.0f * m->card.std[c]) : 1 / 255.0f;
    }
    identify(identity, m, model_hash, pixels, labels, sketch);
    ASSAY_TRY(
        store_open(&f.store, ctx, path, identity, pixels->dim[0], sketch->dim, BLOCK));
    ASSAY_TRY(mem_new(ctx, &f.worker, workers, sizeof *f.worker));
    ASSAY_TRY_AT(
        assay_parallel_for(ctx, (size_t)store_blocks(f.store), 1, run_blocks, &f), "%s",
        path);
    *out = f.store;
    f.store = NULL;
done:
    for (size_t w = 0; f.worker && w < workers; w++) {
        nn_exec_destroy(f.worker[w].exec);
        mem_free(ctx, f.worker[w].gradient);
        mem_free(ctx, f.worker[w].scratch);
        mem_free(ctx, f.worker[w].sum);
    }
    mem_free(ctx, f.worker);
    store_destroy(f.store);
    return status;
}
