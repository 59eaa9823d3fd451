/* assay_datamodels: models on random subsets, a linear fit of their margins, and how well
 * it foretells the margins of others. */
#include <assay/attribute.h>

#include "attribute/measure/stats.h"
#include "attribute/named.h"
#include "attribute/regress/regress.h"
#include "attribute/shown.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "file/store.h"
#include "train/run_dir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MODELS = 10000000, MOST_TOP = 100000, VERSION = 1, BLOCK = 32 /* models */ };
/* Seeds of runs: beside those of measurements (measure/lds.h). */
enum { FIRST_MODEL = 1000000, FIRST_HELD = 12000000, ROUNDS = 200 };

typedef struct work {
    assay_ctx *ctx;
    assay_datamodels_options o;
    bool lasso;
    att_protocol protocol;
    att_lab lab;
    att_subsets subsets, held;
    row_store *margins, *truth; /* [models, targets], [seeds x held subsets, targets] */
    float *mean;                /* [held subsets, targets] of the seeds */
    float *foretold;            /* [held subsets, targets] */
    float *w;                   /* [targets, rows] */
    reg_moments moments;
    reg_result result;
    double reliability, train_seconds, fit_seconds;
    stat_lds lds;
    double pearson, pooled, explained;
} work;

static assay_status check(work *x, const assay_datamodels_options *options) {
    assay_status status = ASSAY_OK;
    assay_datamodels_options *o = &x->o;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_datamodels_options"));
    o->model = o->model ? o->model : "mlp";
    o->targets = o->targets ? o->targets : 20;
    o->models = o->models ? o->models : 1000;
    o->share = o->share > 0 ? o->share : .5;
    o->fit = o->fit ? o->fit : "ridge";
    o->held_subsets = o->held_subsets ? o->held_subsets : 100;
    o->held_seeds = o->held_seeds ? o->held_seeds : 4;
    o->top = o->top ? o->top : 10;
    x->lasso = strcmp(o->fit, "lasso") == 0;
    if (!x->lasso && strcmp(o->fit, "ridge") != 0) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no fit \"%s\"", o->fit);
        err_help("choose from: ridge, lasso");
        return ASSAY_E_NOTFOUND;
    }
    if (o->models < 20 || o->models > MOST_MODELS || !(o->share < 1) ||
        o->held_subsets < 3 || o->held_subsets > 100000 || o->held_seeds < 1 ||
        o->held_seeds > 100 || o->top < 1 || o->top > MOST_TOP || o->targets < 1 ||
        o->rows < 0 || o->epochs < 0 || o->batch < 0 || !(o->rate >= 0) ||
        isnan(o->penalty))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "%d models on shares of %g, %d held subsets of %d seeds, %d strongest "
                   "rows, %" PRId64 " targets, %" PRId64
                   " rows, %d epochs, batches of %d, rate %g are out of range",
                   o->models, o->share, o->held_subsets, o->held_seeds, o->top,
                   o->targets, o->rows, o->epochs, o->batch, o->rate);
    x->protocol = att_protocol_of(o->model, o->rows, o->targets, o->share, o->epochs,
                                  o->batch, o->rate);
done:
    return status;
}

/* ---- margins ---- */

/* Everything that decides their bytes. */
static void identify(char out[65], const work *x, const char *what, size_t models) {
    const att_recipe *r = &x->protocol.recipe;
    char text[512];
    hash_sha256 h;
    uint8_t digest[32];
    (void)snprintf(
        text, sizeof text,
        "%s %d %s %d %zu %zu %zu %.17g %d %d %.17g %.17g %.17g %" PRIu64 " %s%s", what,
        VERSION, x->o.model, x->lab.size, x->lab.study.n_rows, x->lab.study.n_targets,
        models, x->o.share, r->epochs, r->batch, r->rate, r->momentum, r->hold, x->o.seed,
        assay_isa_name(), r->adam ? " adamw" : "");
    hash_sha256_init(&h);
    hash_sha256_str(&h, text);
    hash_sha256_str(&h, x->lab.card.dataset_sha256);
    hash_sha256_end(&h, digest);
    hash_hex(out, digest);
}

/* Model i is trained on subset i % subsets; blocks that are in the store stay. */
static assay_status margins_make(row_store **out,
                                 const work *x,
                                 const char *what,
                                 const att_subsets *subsets,
                                 size_t models,
                                 uint64_t first_seed) {
    assay_status status = ASSAY_OK;
    const att_study *s = &x->lab.study;
    char key[65], *path = NULL;
    att_run runs[BLOCK];
    identify(key, x, what, models);
    ASSAY_TRY(dir_path(&path, x->ctx, x->o.keep ? x->o.keep : x->lab.work, what));
    ASSAY_TRY(store_open(out, x->ctx, path, key, (int64_t)models, (int64_t)s->n_targets,
                         BLOCK));
    progress_begin(x->ctx, what, (int64_t)models, "models");
    for (int64_t b = 0; b < store_blocks(*out); b++) {
        size_t first = (size_t)b * BLOCK;
        size_t n = models - first < BLOCK ? models - first : BLOCK;
        if (store_block_done(*out, b)) {
            progress_add(x->ctx, (int64_t)n);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            runs[i] = (att_run){.recipe = &s->recipe,
                                .rows = subsets->row +
                                        (first + i) % subsets->count * subsets->size,
                                .n_rows = subsets->size,
                                .steps = att_steps(&s->recipe, subsets->size),
                                .seed = (x->o.seed << 24) + first_seed + first + i};
        ASSAY_TRY(att_train_margins(store_row(*out, (int64_t)first), NULL, s, runs, n));
        store_block_note(*out, b);
    }
    progress_end(x->ctx);
done:
    mem_free(x->ctx, path);
    return status;
}

static assay_status train(work *x) {
    assay_status status = ASSAY_OK;
    const att_study *s = &x->lab.study;
    size_t held = (size_t)x->o.held_subsets, seeds = (size_t)x->o.held_seeds;
    uint64_t began = os_now_ns();
    if (x->o.keep)
        ASSAY_TRY(os_mkdirs(x->o.keep));
    ASSAY_TRY(att_subsets_draw(&x->subsets, s, (size_t)x->o.models, x->o.share,
                               RNG_DATAMODELS, x->o.seed));
    ASSAY_TRY(att_subsets_draw(&x->held, s, held, x->o.share, RNG_LDS_TRUTH, x->o.seed));
    ASSAY_TRY(margins_make(&x->margins, x, "margins", &x->subsets, (size_t)x->o.models,
                           FIRST_MODEL));
    ASSAY_TRY(margins_make(&x->truth, x, "held", &x->held, seeds * held, FIRST_HELD));
    x->train_seconds = 1e-9 * (double)(os_now_ns() - began);
done:
    return status;
}

/* ---- the fit, and what it is worth ---- */

static assay_status fit(work *x) {
    assay_status status = ASSAY_OK;
    const att_study *s = &x->lab.study;
    size_t models = (size_t)x->o.models;
    const reg_data d = {x->subsets.holds, store_row_read(x->margins, 0), models,
                        s->n_rows, s->n_targets};
    uint64_t began = os_now_ns();
    ASSAY_TRY(mem_new(x->ctx, &x->w, s->n_rows * s->n_targets, sizeof *x->w));
    ASSAY_TRY((x->lasso ? reg_lasso : reg_ridge)(x->w, &x->moments, &x->result, x->ctx,
                                                 &d, models - models / 10, x->o.penalty));
    x->fit_seconds = 1e-9 * (double)(os_now_ns() - began);
done:
    return status;
}

static double correlation(const float *a, const float *b, size_t n, size_t stride) {
    double ma = 0, mb = 0, aa = 0, ab = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ma += (double)a[i * stride] / (double)n;
        mb += (double)b[i * stride] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double u = (double)a[i * stride] - ma, v = (double)b[i * stride] - mb;
        aa += u * u;
        ab += u * v;
        bb += v * v;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static assay_status judge(work *x) {
    assay_status status = ASSAY_OK;
    size_t held = (size_t)x->o.held_subsets, seeds = (size_t)x->o.held_seeds;
    size_t targets = x->lab.study.n_targets, cells = held * targets;
    const float *truth = store_row_read(x->truth, 0);
    double off = 0, all = 0;
    ASSAY_TRY(mem_new(x->ctx, &x->mean, cells, sizeof *x->mean));
    ASSAY_TRY(mem_new(x->ctx, &x->foretold, cells, sizeof *x->foretold));
    for (size_t s = 0; s < seeds; s++)
        for (size_t i = 0; i < cells; i++)
            x->mean[i] += truth[s * cells + i] / (float)seeds;
    const reg_data d = {x->held.holds, x->mean, held, x->lab.study.n_rows, targets};
    ASSAY_TRY(reg_predict(x->foretold, x->ctx, &d, &x->moments, x->w));
    ASSAY_TRY(stat_reliability(&x->reliability, x->ctx, truth, seeds, held, targets));
    ASSAY_TRY(stat_lds_measure(&x->lds, x->ctx, x->foretold, x->mean, held, targets,
                               ROUNDS, x->o.seed));
    for (size_t t = 0; t < targets; t++) {
        double mean = 0;
        x->pearson +=
            correlation(x->foretold + t, x->mean + t, held, targets) / (double)targets;
        for (size_t i = 0; i < held; i++)
            mean += (double)x->mean[i * targets + t] / (double)held;
        for (size_t i = 0; i < held; i++) {
            double y = (double)x->mean[i * targets + t];
            double miss = y - (double)x->foretold[i * targets + t];
            off += miss * miss;
            all += (y - mean) * (y - mean);
        }
    }
    x->pooled = correlation(x->foretold, x->mean, cells, 1);
    x->explained = all > 0 ? 1 - off / all : 0;
done:
    return status;
}

/* ---- what is told ---- */

static assay_status weights_write(const work *x) {
    assay_status status = ASSAY_OK;
    size_t rows = x->lab.study.n_rows, targets = x->lab.study.n_targets;
    const int64_t dim[] = {(int64_t)rows, (int64_t)targets};
    float *turned = NULL;
    ASSAY_TRY(mem_new(x->ctx, &turned, rows * targets, sizeof *turned));
    for (size_t t = 0; t < targets; t++)
        for (size_t i = 0; i < rows; i++)
            turned[i * targets + t] = x->w[t * rows + i];
    ASSAY_TRY(npy_put(x->ctx, x->o.weights, ASSAY_F32, 2, dim, turned));
done:
    mem_free(x->ctx, turned);
    return status;
}

static void tell_measure(json_out *j, const work *x) {
    const att_study *s = &x->lab.study;
    json_kstr(j, "schema", "assay.datamodels/1");
    json_kstr(j, "model", x->o.model);
    json_kint(j, "rows", (int64_t)s->n_rows);
    json_kint(j, "models", x->o.models);
    json_knum(j, "share", x->o.share);
    json_kstr(j, "fit", x->o.fit);
    json_knum(j, "penalty", x->result.penalty);
    json_knum(j, "nonzero", x->result.nonzero);
    json_kint(j, "held_subsets", x->o.held_subsets);
    json_kint(j, "held_seeds", x->o.held_seeds);
    json_knum(j, "reliability", x->reliability);
    json_knum(j, "ceiling", sqrt(x->reliability > 0 ? x->reliability : 0));
    json_knum(j, "lds", x->lds.mean);
    json_knum(j, "ci_subsets", x->lds.by_subsets);
    json_knum(j, "ci_targets", x->lds.by_targets);
    json_knum(j, "pearson", x->pearson);
    json_knum(j, "pearson_pooled", x->pooled);
    json_knum(j, "explained", x->explained);
    json_knum(j, "train_seconds", x->train_seconds);
    json_knum(j, "fit_seconds", x->fit_seconds);
}

static assay_status tell(work *x, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(x->ctx), csv = buf_make(x->ctx);
    json_out j = json_out_make(&text, 2);
    const att_study *s = &x->lab.study;
    att_top *top = NULL;
    ASSAY_TRY(mem_new(x->ctx, &top, s->n_targets * 2 * (size_t)x->o.top, sizeof *top));
    ASSAY_TRY(named_pick(top, &x->lab, x->w, 1, s->n_rows, x->o.top));
    json_obj(&j);
    tell_measure(&j, x);
    named_tell(&j, &csv, &x->lab, top, x->o.top, "weight", x->moments.y_mean);
    json_knum(&j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&csv));
    if (x->o.weights)
        ASSAY_TRY(weights_write(x));
    if (x->o.csv)
        ASSAY_TRY(atomic_put(x->ctx, x->o.csv, csv.data, csv.len));
    ASSAY_TRY(mem_strdup(x->ctx, json, text.data));
done:
    mem_free(x->ctx, top);
    buf_free(&text);
    buf_free(&csv);
    return status;
}

static void let_go(work *x) {
    store_destroy(x->margins);
    store_destroy(x->truth);
    x->margins = x->truth = NULL;
    mem_free(x->ctx, x->mean);
    mem_free(x->ctx, x->foretold);
    mem_free(x->ctx, x->w);
    x->mean = x->foretold = x->w = NULL;
    reg_moments_free(&x->moments);
    x->moments = (reg_moments){0};
    att_subsets_free(&x->subsets);
    att_subsets_free(&x->held);
    if (x->lab.ctx)
        att_lab_keep_data(&x->lab);
}

assay_status att_datamodels(char **json,
                            assay_ctx *ctx,
                            const char *source,
                            const assay_datamodels_options *options,
                            const att_viewer *viewer) {
    assay_status status = ASSAY_OK;
    work x = {.ctx = ctx, .o = ASSAY_DATAMODELS_OPTIONS_INIT};
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(check(&x, options));
    ASSAY_TRY(att_lab_open(&x.lab, ctx, source, &x.protocol));
    ASSAY_TRY(train(&x));
    ASSAY_TRY(fit(&x));
    ASSAY_TRY(judge(&x));
    ASSAY_TRY(tell(&x, json, began));
    ASSAY_TRY(store_close(&x.margins));
    ASSAY_TRY(store_close(&x.truth));
    let_go(&x);
    if (viewer)
        ASSAY_TRY(viewer->look(viewer->cookie, x.lab.data, *json));
done:
    if (status != ASSAY_OK) {
        assay_string_free(ctx, *json);
        *json = NULL;
    }
    let_go(&x);
    att_lab_close(&x.lab);
    return status;
}

assay_status assay_datamodels(assay_ctx *ctx,
                              const char *source,
                              const assay_datamodels_options *options,
                              char **json) {
    return att_datamodels(json, ctx, source, options, NULL);
}
