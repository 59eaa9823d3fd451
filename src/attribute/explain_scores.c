/* Scores of all rows for all targets: by any method in memory, or TRAK over features that
 * lie in stores with a checksum for each block and stream from there. */
#include "attribute/explain.h"

#include "attribute/given/stream.h"
#include "attribute/trak/attribute.h"
#include "base/hash.h"
#include "train/run_dir.h"

#include <math.h>
#include <stdio.h>

#define MOST_CELLS ((size_t)1 << 30)

/* ---- in memory ---- */

/* The strongest rows of each target, of either sign. */
static assay_status choose(explain *e, const float *scores) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    att_heap heap = {.cap = e->o.top};
    ASSAY_TRY(mem_new(e->ctx, &heap.item, (size_t)e->o.top, sizeof *heap.item));
    for (size_t h = 0; h < s->n_targets * 2; h++) {
        heap.count = 0;
        for (size_t i = 0; i < s->n_rows; i++) {
            float x = scores[i * s->n_targets + h / 2];
            if (h % 2 ? x < 0 : x > 0)
                heap_offer(&heap, (att_top){(uint32_t)i, fabsf(x)});
        }
        heap_take(e->top + h * (size_t)e->o.top, e->o.top, &heap, h % 2);
    }
done:
    mem_free(e->ctx, heap.item);
    return status;
}

static assay_status in_memory(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const int64_t dim[] = {(int64_t)s->n_rows, (int64_t)s->n_targets};
    att_sum sum = {0};
    if (s->n_rows > MOST_CELLS / s->n_targets) {
        (void)err_set(ASSAY_E_INVALID, "scores of %zu rows for %zu targets are too many",
                      s->n_rows, s->n_targets);
        err_help("ask for fewer targets at a time, or keep features in a folder");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(e->ctx, &sum.scores, s->n_rows * s->n_targets, sizeof(float)));
    ASSAY_TRY(mem_new(e->ctx, &sum.weight, s->n_rows, sizeof(float)));
    progress_begin(e->ctx, e->method->name, e->models, "models");
    for (int m = 0; m < e->models; m++) {
        const att_member member = explain_member(e, m);
        ASSAY_TRY_AT(e->method->score(&sum, &member, &e->settings), "%s",
                     e->method->name);
        progress_add(e->ctx, 1);
    }
    progress_end(e->ctx);
    ASSAY_TRY(att_sum_finish(sum.scores, e->ctx, &sum, e->method, &e->settings, e->models,
                             s->n_rows, s->n_targets));
    ASSAY_TRY(choose(e, sum.scores));
    if (e->o.scores)
        ASSAY_TRY(npy_put(e->ctx, e->o.scores, ASSAY_F32, 2, dim, sum.scores));
done:
    mem_free(e->ctx, sum.scores);
    mem_free(e->ctx, sum.weight);
    return status;
}

/* ---- from a folder ---- */

typedef struct folder {
    char *rows, *targets;                       /* stores, without extension */
    char *rows_npy, *targets_npy, *weights_npy; /* their files */
} folder;

static void folder_free(folder *f, assay_ctx *ctx) {
    mem_free(ctx, f->rows);
    mem_free(ctx, f->targets);
    mem_free(ctx, f->rows_npy);
    mem_free(ctx, f->targets_npy);
    mem_free(ctx, f->weights_npy);
}

static assay_status
name(char **out, const explain *e, const char *what, int m, const char *end) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s-%d%s", what, m, end);
    return dir_path(out, e->ctx, e->o.keep, text);
}

static assay_status folder_names(folder *f, const explain *e, int m) {
    assay_status status = ASSAY_OK;
    *f = (folder){0};
    ASSAY_TRY(name(&f->rows, e, "features", m, ""));
    ASSAY_TRY(name(&f->targets, e, "targets", m, ""));
    ASSAY_TRY(name(&f->rows_npy, e, "features", m, ".npy"));
    ASSAY_TRY(name(&f->targets_npy, e, "targets", m, ".npy"));
    ASSAY_TRY(name(&f->weights_npy, e, "weights", m, ".npy"));
done:
    return status;
}

/* What tells a member's weights from others. */
static void weights_hash(char out[65], const explain *e, const att_member *m) {
    const nn_graph *g = e->lab.model.graph;
    hash_sha256 h;
    uint8_t digest[32];
    hash_sha256_init(&h);
    hash_sha256_add(&h, m->params, nn_graph_param_floats(g) * sizeof(float));
    if (m->buffers)
        hash_sha256_add(&h, m->buffers, nn_graph_buffer_floats(g) * sizeof(float));
    hash_sha256_add(&h, e->lab.card.mean, sizeof e->lab.card.mean);
    hash_sha256_add(&h, e->lab.card.std, sizeof e->lab.card.std);
    hash_sha256_end(&h, digest);
    hash_hex(out, digest);
}

/* Features of the dataset's rows [first, first + n). */
static assay_status store_make(const explain *e,
                               const trained_model *model,
                               const char *hash,
                               uint64_t seed,
                               size_t first,
                               size_t n,
                               const char *path) {
    assay_status status = ASSAY_OK;
    npy_array part = e->lab.pixels;
    const att_sketch sketch = {.dim = e->settings.dim, .seed = seed};
    row_store *store = NULL;
    size_t each = part.bytes / (size_t)part.dim[0];
    part.data += first * each;
    part.dim[0] = (int64_t)n;
    part.bytes = n * each;
    ASSAY_TRY(att_features(&store, e->ctx, model, hash, &part, e->lab.labels + first,
                           &sketch, path));
    for (int64_t b = 0; b < store_blocks(store); b++)
        store_block_forget(store, b);
    ASSAY_TRY(store_close(&store));
done:
    store_destroy(store);
    return status;
}

/* 1 - p of the rows. */
static assay_status
weights_make(const explain *e, const trained_model *model, const char *path) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    size_t classes = (size_t)e->lab.card.classes;
    const int64_t dim[] = {(int64_t)s->n_rows};
    float *logits = NULL, *q = NULL;
    ASSAY_TRY(mem_new(e->ctx, &logits, s->n_rows * classes, sizeof *logits));
    ASSAY_TRY(mem_new(e->ctx, &q, s->n_rows, sizeof *q));
    ASSAY_TRY(train_predict(e->ctx, model, &e->lab.pixels, s->rows, s->n_rows,
                            VIEWS_PLAIN, logits, NULL));
    for (size_t i = 0; i < s->n_rows; i++) {
        const float *z = logits + i * classes;
        int32_t label = s->data->labels[s->rows[i]];
        double others = 0, all = 0, top = (double)z[0];
        for (size_t c = 1; c < classes; c++)
            top = (double)z[c] > top ? (double)z[c] : top;
        for (size_t c = 0; c < classes; c++) {
            double p = exp((double)z[c] - top);
            all += p;
            others += (int32_t)c == label ? 0 : p;
        }
        q[i] = (float)(others / all);
    }
    ASSAY_TRY(npy_put(e->ctx, path, ASSAY_F32, 1, dim, q));
done:
    mem_free(e->ctx, logits);
    mem_free(e->ctx, q);
    return status;
}

static assay_status member_features(explain *e, int m, given *g) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const att_member member = explain_member(e, m);
    const trained_model model = {.zoo = e->lab.model,
                                 .weights = {member.params, member.buffers},
                                 .card = e->lab.card,
                                 .ctx = e->ctx};
    char hash[65];
    folder f;
    ASSAY_TRY(folder_names(&f, e, m));
    weights_hash(hash, e, &member);
    ASSAY_TRY(store_make(e, &model, hash, member.seed, s->rows[0], s->n_rows, f.rows));
    ASSAY_TRY(
        store_make(e, &model, hash, member.seed, s->targets[0], s->n_targets, f.targets));
    ASSAY_TRY(weights_make(e, &model, f.weights_npy));
    ASSAY_TRY(given_add(g, f.rows_npy, f.targets_npy, f.weights_npy));
done:
    folder_free(&f, e->ctx);
    return status;
}

static assay_status from_folder(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const stream_options o = {
        .ridge = e->settings.ridge, .top = e->o.top, .scores = e->o.scores};
    given g = {.ctx = e->ctx};
    ASSAY_TRY(os_mkdirs(e->o.keep));
    progress_begin(e->ctx, "features",
                   (int64_t)((s->n_rows + s->n_targets) * (size_t)e->models), "rows");
    for (int m = 0; m < e->models; m++)
        ASSAY_TRY(member_features(e, m, &g));
    progress_end(e->ctx);
    ASSAY_TRY(stream_scores(e->top, &g, &o));
done:
    given_free(&g);
    return status;
}

assay_status explain_scores(explain *e) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(e->ctx, &e->top, e->lab.study.n_targets * 2 * (size_t)e->o.top,
                      sizeof *e->top));
    ASSAY_TRY(e->o.keep ? from_folder(e) : in_memory(e));
done:
    return status;
}
