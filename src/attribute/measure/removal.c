/* Training without rows, in blocks of sets. A block is kept under the hash of everything
 * that decides its margins, the removed rows among it. */
#include "attribute/measure/removal.h"

#include "base/hash.h"
#include "base/os.h"
#include "file/npy.h"
#include "train/run_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REMOVAL_BLOCK = 32 /* sets */, REMOVAL_VERSION = 1 };

typedef struct placed {
    float score;
    uint32_t place;
} placed;

static int by_score(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

assay_status removal_order(
    uint32_t *out, assay_ctx *ctx, const float *scores, size_t stride, size_t n) {
    assay_status status = ASSAY_OK;
    placed *list = NULL;
    ASSAY_TRY(mem_new(ctx, &list, n, sizeof *list));
    for (size_t i = 0; i < n; i++)
        list[i] = (placed){scores[i * stride], (uint32_t)i};
    qsort(list, n, sizeof *list, by_score);
    for (size_t i = 0; i < n; i++)
        out[i] = list[i].place;
done:
    mem_free(ctx, list);
    return status;
}

typedef struct block {
    const att_study *s;
    const removal *set;
    size_t n, seeds;
    uint64_t first_seed;
    int64_t steps;
} block;

static void hash_double(hash_sha256 *h, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    hash_sha256_u64(h, bits);
}

static assay_status block_path(char **out, const block *b, const char *keep) {
    const att_study *s = b->s;
    const att_recipe *r = &s->recipe;
    hash_sha256 h;
    uint8_t digest[32];
    char hex[65], name[48];
    hash_sha256_init(&h);
    hash_sha256_u64(&h, REMOVAL_VERSION);
    hash_sha256_str(&h, assay_isa_name());
    hash_sha256_str(&h, s->data->card->dataset_sha256);
    hash_sha256_str(&h, s->model->name);
    hash_sha256_u64(&h, nn_graph_param_floats(s->model->graph));
    hash_sha256_u64(&h, (uint64_t)s->data->card->size);
    const uint64_t whole[] = {(uint64_t)r->epochs,
                              (uint64_t)r->batch,
                              r->nesterov + 2U * r->adam,
                              b->seeds,
                              b->first_seed,
                              (uint64_t)b->steps,
                              s->n_rows,
                              b->n};
    const double real[] = {r->rate, r->momentum, r->weight_decay, r->hold};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        hash_sha256_u64(&h, whole[i]);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        hash_double(&h, real[i]);
    for (size_t i = 0; i < s->n_rows; i++)
        hash_sha256_u64(&h, s->rows[i]);
    for (size_t i = 0; i < b->n; i++) {
        hash_sha256_u64(&h, s->targets[b->set[i].target]);
        hash_sha256_u64(&h, b->set[i].count);
        for (size_t j = 0; j < b->set[i].count; j++)
            hash_sha256_u64(&h, b->set[i].places[j]);
    }
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    (void)snprintf(name, sizeof name, "removed-%.16s.npy", hex);
    return dir_path(out, s->ctx, keep, name);
}

static assay_status
block_find(float *out, bool *found, const block *b, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    *found = false;
    if (!os_exists(path))
        return ASSAY_OK;
    ASSAY_TRY(npy_open(&a, b->s->ctx, path, false));
    if (a.dtype != ASSAY_F32 || a.ndim != 2 || a.dim[0] != (int64_t)b->n ||
        a.dim[1] != (int64_t)b->seeds) {
        (void)err_set(ASSAY_E_FORMAT, "not the margins of %zu sets and %zu seeds", b->n,
                      b->seeds);
        err_where("%s", path);
        err_help("remove the file; it is made again");
        status = ASSAY_E_FORMAT;
        goto done;
    }
    memcpy(out, a.data, a.bytes);
    *found = true;
done:
    npy_close(&a);
    return status;
}

/* The study's rows but for those of a set; returns how many. */
static size_t rest(uint32_t *out, uint8_t *gone, const att_study *s, const removal *r) {
    size_t n = 0;
    memset(gone, 0, s->n_rows);
    for (size_t j = 0; j < r->count; j++)
        gone[r->places[j]] = 1;
    for (size_t i = 0; i < s->n_rows; i++)
        if (!gone[i])
            out[n++] = s->rows[i];
    return n;
}

static assay_status block_train(float *out, const block *b) {
    assay_status status = ASSAY_OK;
    const att_study *s = b->s;
    size_t models = b->n * b->seeds;
    uint32_t *rows = NULL;
    uint8_t *gone = NULL;
    att_run *runs = NULL;
    float *margins = NULL;
    ASSAY_TRY(mem_new(s->ctx, &rows, b->n * s->n_rows, sizeof *rows));
    ASSAY_TRY(mem_new(s->ctx, &gone, s->n_rows, 1));
    ASSAY_TRY(mem_new(s->ctx, &runs, models, sizeof *runs));
    ASSAY_TRY(mem_new(s->ctx, &margins, models * s->n_targets, sizeof *margins));
    for (size_t i = 0; i < b->n; i++) {
        uint32_t *mine = rows + i * s->n_rows;
        size_t n = rest(mine, gone, s, &b->set[i]);
        if (n < (size_t)s->recipe.batch) {
            (void)err_set(ASSAY_E_INVALID,
                          "%zu of %zu rows removed leave less than one "
                          "batch of %d",
                          b->set[i].count, s->n_rows, s->recipe.batch);
            err_help("remove at most %zu", s->n_rows - (size_t)s->recipe.batch);
            status = ASSAY_E_INVALID;
            goto done;
        }
        for (size_t j = 0; j < b->seeds; j++)
            runs[i * b->seeds + j] = (att_run){.recipe = &s->recipe,
                                               .rows = mine,
                                               .n_rows = n,
                                               .steps = b->steps,
                                               .seed = b->first_seed + j};
    }
    ASSAY_TRY(att_train_margins(margins, NULL, s, runs, models));
    for (size_t i = 0; i < models; i++)
        out[i] = margins[i * s->n_targets + b->set[i / b->seeds].target];
done:
    mem_free(s->ctx, rows);
    mem_free(s->ctx, gone);
    mem_free(s->ctx, runs);
    mem_free(s->ctx, margins);
    return status;
}

static assay_status block_make(float *out, const block *b, const char *keep) {
    assay_status status = ASSAY_OK;
    const int64_t dim[] = {(int64_t)b->n, (int64_t)b->seeds};
    char *path = NULL;
    bool found = false;
    if (keep) {
        ASSAY_TRY(os_mkdirs(keep));
        ASSAY_TRY(block_path(&path, b, keep));
        ASSAY_TRY(block_find(out, &found, b, path));
    }
    if (found) {
        progress_add(b->s->ctx, dim[0] * dim[1]);
        goto done;
    }
    ASSAY_TRY(block_train(out, b));
    if (path)
        ASSAY_TRY(npy_put(b->s->ctx, path, ASSAY_F32, 2, dim, out));
done:
    mem_free(b->s->ctx, path);
    return status;
}

assay_status removal_measure(float *out,
                             const att_study *s,
                             const removal *set,
                             size_t n,
                             size_t seeds,
                             uint64_t first_seed,
                             int64_t steps,
                             const char *keep) {
    assay_status status = ASSAY_OK;
    for (size_t first = 0; first < n; first += REMOVAL_BLOCK) {
        size_t count = n - first < REMOVAL_BLOCK ? n - first : REMOVAL_BLOCK;
        const block b = {s, set + first, count, seeds, first_seed, steps};
        ASSAY_TRY(block_make(out + first * seeds, &b, keep));
    }
done:
    return status;
}
