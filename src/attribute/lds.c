/* assay_lds: the truth of a protocol, the methods' scores on it, and a document about
 * both. */
#include <assay/attribute.h>

#include "attribute/lab.h"
#include "attribute/method.h"
#include "attribute/stats.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "train/run_dir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeds of runs: the truth's, the attributed models' and the fitting models' never meet.
 */
enum { FIRST_MEMBER = 5, FIRST_TRUTH = 10000, FIRST_FIT = 500000 };
enum { MOST_SIZES = 16, MOST_MODELS = 1000, ROUNDS = 200, VERSION = 1 };

typedef struct lds {
    assay_ctx *ctx;
    assay_lds_options o;
    att_settings settings;
    bool matched;
    int size[MOST_SIZES], sizes, most; /* of ensembles, ascending; the largest */
    att_lab lab;
    att_subsets subsets;
    float *truth; /* [seeds, subsets, targets] */
    float *mean;  /* [subsets, targets] */
    double reliability, truth_seconds, accuracy;
    bool truth_kept;       /* it was found, not made */
    att_run *runs;         /* [most] */
    float **params;        /* [most] */
    double *train_seconds; /* [most], until so many models were trained */
    float *predicted;      /* [subsets, targets] */
    json_out j;
} lds;

static double seconds_since(uint64_t began) {
    return 1e-9 * (double)(os_now_ns() - began);
}

/* ---- what was asked for ---- */

static assay_status sizes_read(lds *l) {
    const char *text = l->o.models ? l->o.models : "1";
    for (const char *at = text; *at;) {
        char *end;
        long n = strtol(at, &end, 10);
        if (end == at || n < 1 || n > MOST_MODELS || (*end && *end != ',') ||
            l->sizes == MOST_SIZES || (l->sizes && n <= l->size[l->sizes - 1])) {
            (void)err_set(ASSAY_E_INVALID, "models are \"%s\"", text);
            err_help("give sizes of ensembles, ascending, as in 1,5,10");
            return ASSAY_E_INVALID;
        }
        l->size[l->sizes++] = (int)n;
        at = *end ? end + 1 : end;
    }
    l->most = l->sizes ? l->size[l->sizes - 1] : 0;
    return l->sizes ? ASSAY_OK : err_set(ASSAY_E_INVALID, "no number of models");
}

static assay_status options_read(lds *l, const assay_lds_options *options) {
    assay_status status = ASSAY_OK;
    const assay_lds_options *o = &l->o;
    ASSAY_TRY(options_take(&l->o, sizeof l->o, options, "assay_lds_options"));
    ASSAY_TRY(sizes_read(l));
    const char *centre = o->centre ? o->centre : "matched";
    l->matched = strcmp(centre, "matched") == 0;
    if (!l->matched && strcmp(centre, "full") != 0) {
        (void)err_set(ASSAY_E_INVALID, "there is no centre \"%s\"", centre);
        err_help("choose from: matched, full");
        return ASSAY_E_INVALID;
    }
    if (!(o->damping >= 0 && o->ridge >= 0 && o->from < 1) || o->dim < 0 ||
        o->dim > 1 << 20)
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "damping %g, ridge %g, from %g, dim %d are out of range", o->damping,
                   o->ridge, o->from, o->dim);
    l->settings = (att_settings)ATT_SETTINGS_INIT;
    if (o->damping > 0)
        l->settings.damping = o->damping;
    if (o->ridge > 0)
        l->settings.ridge = o->ridge;
    if (o->from >= 0)
        l->settings.from = o->from;
    if (o->dim)
        l->settings.dim = o->dim;
    if (o->projector)
        l->settings.projector = o->projector;
done:
    return status;
}

static uint64_t seed_base(const lds *l) {
    return l->o.seed << 24;
}

/* ---- the truth ---- */

/* Name of the file that keeps it: everything that decides its bytes. */
static assay_status truth_path(char **out, const lds *l) {
    const att_protocol *p = l->lab.protocol;
    char text[512], hex[65], name[32];
    hash_sha256 h;
    uint8_t digest[32];
    (void)snprintf(
        text, sizeof text,
        "truth %d %s %s %d %zu %zu %zu %zu %.17g %d %d %.17g %.17g %.17g %.17g "
        "%d %" PRIu64,
        VERSION, p->name, p->model, p->size, p->rows, p->targets, p->subsets, p->seeds,
        p->share, p->recipe.epochs, p->recipe.batch, p->recipe.rate, p->recipe.momentum,
        p->recipe.weight_decay, p->recipe.hold, p->recipe.nesterov, l->o.seed);
    hash_sha256_init(&h);
    hash_sha256_str(&h, text);
    hash_sha256_str(&h, assay_isa_name());
    hash_sha256_str(&h, l->lab.card.dataset_sha256);
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    (void)snprintf(name, sizeof name, "truth-%.16s.npy", hex);
    return dir_path(out, l->ctx, l->o.keep, name);
}

static assay_status truth_load(lds *l, const char *path, bool *found) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = l->lab.protocol;
    npy_array a = {0};
    *found = false;
    if (!os_exists(path))
        return ASSAY_OK;
    ASSAY_TRY_AT(npy_open(&a, l->ctx, path, false), "%s", path);
    if (a.dtype != ASSAY_F32 || a.ndim != 3 || (size_t)a.dim[0] != p->seeds ||
        (size_t)a.dim[1] != p->subsets || (size_t)a.dim[2] != p->targets)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%s is not the truth of this protocol", path);
    memcpy(l->truth, a.data, a.bytes);
    *found = true;
done:
    npy_close(&a);
    return status;
}

static assay_status truth_make(lds *l) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = l->lab.protocol;
    size_t each = p->subsets * p->targets;
    uint64_t began = os_now_ns();
    char *path = NULL;
    ASSAY_TRY(att_subsets_draw(&l->subsets, &l->lab.study, p->subsets, p->share,
                               RNG_LDS_TRUTH, l->o.seed));
    ASSAY_TRY(mem_new(l->ctx, &l->truth, p->seeds * each, sizeof *l->truth));
    ASSAY_TRY(mem_new(l->ctx, &l->mean, each, sizeof *l->mean));
    if (l->o.keep) {
        ASSAY_TRY(os_mkdirs(l->o.keep));
        ASSAY_TRY(truth_path(&path, l));
        ASSAY_TRY(truth_load(l, path, &l->truth_kept));
    }
    if (!l->truth_kept) {
        progress_begin(l->ctx, "truth", (int64_t)(p->seeds * p->subsets), "models");
        ASSAY_TRY(att_subsets_truth(l->truth, &l->lab.study, &l->subsets, p->seeds,
                                    seed_base(l) + FIRST_TRUTH));
        progress_end(l->ctx);
    }
    l->truth_seconds = seconds_since(began);
    if (path && !l->truth_kept) {
        const int64_t dim[] = {(int64_t)p->seeds, (int64_t)p->subsets,
                               (int64_t)p->targets};
        ASSAY_TRY(npy_put(l->ctx, path, ASSAY_F32, 3, dim, l->truth));
    }
    for (size_t s = 0; s < p->seeds; s++)
        for (size_t i = 0; i < each; i++) {
            l->mean[i] += l->truth[s * each + i] / (float)p->seeds;
            l->accuracy += (l->truth[s * each + i] > 0) / (double)(p->seeds * each);
        }
    ASSAY_TRY(stat_reliability(&l->reliability, l->ctx, l->truth, p->seeds, p->subsets,
                               p->targets));
done:
    mem_free(l->ctx, path);
    return status;
}

/* ---- the attributed models ---- */

static assay_status members_train(lds *l) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t floats = nn_graph_param_floats(s->model->graph), n = (size_t)l->most;
    size_t seen =
        l->matched ? (size_t)(l->lab.protocol->share * (double)s->n_rows) : s->n_rows;
    float *margins = NULL;
    ASSAY_TRY(mem_new(l->ctx, &l->runs, n, sizeof *l->runs));
    ASSAY_TRY(mem_new(l->ctx, &l->params, n, sizeof *l->params));
    ASSAY_TRY(mem_new(l->ctx, &l->train_seconds, n, sizeof *l->train_seconds));
    ASSAY_TRY(mem_new(l->ctx, &margins, n * s->n_targets, sizeof *margins));
    progress_begin(l->ctx, "models", l->most, "models");
    uint64_t began = os_now_ns();
    for (size_t m = 0; m < n; m++) {
        ASSAY_TRY(mem_new(l->ctx, &l->params[m], floats, sizeof **l->params));
        l->runs[m] = (att_run){.recipe = &s->recipe,
                               .rows = s->rows,
                               .n_rows = s->n_rows,
                               .steps = att_steps(&s->recipe, seen),
                               .seed = seed_base(l) + FIRST_MEMBER + m};
    }
    ASSAY_TRY(att_train_margins(margins, l->params, s, l->runs, n));
    double all = seconds_since(began);
    for (size_t m = 0; m < n; m++)
        l->train_seconds[m] = all * (double)(m + 1) / (double)n;
    progress_end(l->ctx);
done:
    mem_free(l->ctx, margins);
    return status;
}

/* ---- methods ---- */

typedef struct entry {
    const char *method;
    int models;
    stat_lds lds;
    double null_targets, null_rows; /* what scores of other targets, other rows reach */
    double seed_sd;                 /* of one model's LDS over the ensemble */
    double seconds;
} entry;

static assay_status predict(lds *l, const float *scores) {
    return att_subsets_predict(l->predicted, &l->subsets, scores, l->lab.study.n_targets);
}

/* LDS of scores moved by one target, and by a third of the rows. */
static assay_status null_controls(entry *e, lds *l, const float *scores, float *moved) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t rows = s->n_rows, targets = s->n_targets, subsets = l->subsets.count;
    stat_lds x;
    for (int by_rows = 0; by_rows < 2; by_rows++) {
        for (size_t i = 0; i < rows; i++)
            for (size_t t = 0; t < targets; t++)
                moved[i * targets + t] = by_rows
                                             ? scores[(i + rows / 3) % rows * targets + t]
                                             : scores[i * targets + (t + 1) % targets];
        ASSAY_TRY(predict(l, moved));
        ASSAY_TRY(
            stat_lds_measure(&x, l->ctx, l->predicted, l->mean, subsets, targets, 0, 0));
        *(by_rows ? &e->null_rows : &e->null_targets) = x.mean;
    }
done:
    return status;
}

static assay_status judge(entry *e, lds *l, const float *scores, float *scratch) {
    assay_status status = ASSAY_OK;
    size_t targets = l->lab.study.n_targets, subsets = l->subsets.count;
    int rounds = l->o.rounds < 0 ? 0 : l->o.rounds ? l->o.rounds : ROUNDS;
    ASSAY_TRY(predict(l, scores));
    ASSAY_TRY(stat_lds_measure(&e->lds, l->ctx, l->predicted, l->mean, subsets, targets,
                               rounds, l->o.seed));
    ASSAY_TRY(null_controls(e, l, scores, scratch));
done:
    return status;
}

static double deviation(const double *x, int n) {
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(square / (n - 1)) : 0;
}

static void tell_entry(lds *l, const entry *e) {
    json_out *j = &l->j;
    json_obj(j);
    json_kstr(j, "method", e->method);
    json_kint(j, "models", e->models);
    json_kstr(j, "centre", l->matched ? "matched" : "full");
    json_knum(j, "lds", e->lds.mean);
    json_key(j, "ci");
    json_arr(j);
    json_num(j, e->lds.mean - e->lds.by_both);
    json_num(j, e->lds.mean + e->lds.by_both);
    json_arr_end(j);
    json_knum(j, "ci_subsets", e->lds.by_subsets);
    json_knum(j, "ci_targets", e->lds.by_targets);
    json_knum(j, "seed_sd", e->seed_sd);
    json_knum(j, "null_targets", e->null_targets);
    json_knum(j, "null_rows", e->null_rows);
    json_knum(j, "seconds", e->seconds);
    json_obj_end(j);
}

/* Scores of one method, member by member; an entry at each size that was asked for. */
static assay_status run_method(lds *l, const att_method *method) {
    assay_status status = ASSAY_OK;
    const att_study *s = &l->lab.study;
    size_t cells = s->n_rows * s->n_targets;
    att_sum one = {0}, all = {0};
    float *scores = NULL;
    double single[MOST_MODELS], scoring = 0;
    entry e = {.method = method->name};
    ASSAY_TRY(mem_new(l->ctx, &one.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &all.scores, cells, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &one.weight, s->n_rows, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &all.weight, s->n_rows, sizeof(float)));
    ASSAY_TRY(mem_new(l->ctx, &scores, cells, sizeof(float)));
    progress_begin(l->ctx, method->name, l->most, "models");
    for (int m = 0, at = 0; m < l->most; m++) {
        const att_member member = {s, &l->runs[m], l->params[m]};
        uint64_t began = os_now_ns();
        memset(one.scores, 0, cells * sizeof(float));
        memset(one.weight, 0, s->n_rows * sizeof(float));
        ASSAY_TRY_AT(method->score(&one, &member, &l->settings), "%s", method->name);
        for (size_t i = 0; i < cells; i++)
            all.scores[i] += one.scores[i];
        for (size_t i = 0; i < s->n_rows; i++)
            all.weight[i] += one.weight[i];
        scoring += seconds_since(began);
        ASSAY_TRY(att_sum_finish(scores, &one, method, 1, s->n_rows, s->n_targets));
        stat_lds x;
        ASSAY_TRY(predict(l, scores));
        ASSAY_TRY(stat_lds_measure(&x, l->ctx, l->predicted, l->mean, l->subsets.count,
                                   s->n_targets, 0, 0));
        single[m] = x.mean;
        progress_add(l->ctx, 1);
        if (m + 1 < l->size[at])
            continue;
        at++;
        e.models = m + 1;
        e.seconds = l->train_seconds[m] + scoring;
        e.seed_sd = deviation(single, m + 1);
        ASSAY_TRY(att_sum_finish(scores, &all, method, m + 1, s->n_rows, s->n_targets));
        ASSAY_TRY(judge(&e, l, scores, one.scores));
        tell_entry(l, &e);
    }
    progress_end(l->ctx);
done:
    mem_free(l->ctx, one.scores);
    mem_free(l->ctx, all.scores);
    mem_free(l->ctx, one.weight);
    mem_free(l->ctx, all.weight);
    mem_free(l->ctx, scores);
    return status;
}

static assay_status unknown(const lds *l, const char *name, size_t bytes) {
    buf names = buf_make(l->ctx);
    for (size_t i = 0; i < att_method_count(); i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", att_method_at(i)->name);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%.*s\"", (int)bytes, name);
    if (!names.failed)
        err_help("methods are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

/* Calls `with` for each method that was asked for. */
static assay_status each_method(lds *l,
                                assay_status (*with)(lds *l, const att_method *m)) {
    assay_status status = ASSAY_OK;
    const char *at = l->o.methods;
    for (size_t i = 0; !at && i < att_method_count(); i++)
        ASSAY_TRY(with(l, att_method_at(i)));
    while (at && *at) {
        size_t bytes = strcspn(at, ",");
        char name[32];
        (void)snprintf(name, sizeof name, "%.*s", (int)(bytes < 31 ? bytes : 31), at);
        const att_method *m = att_method_find(name);
        if (!m)
            return unknown(l, at, bytes);
        ASSAY_TRY(with(l, m));
        at += bytes;
        at += *at == ',';
    }
done:
    return status;
}

static assay_status known(lds *l, const att_method *m) {
    (void)l;
    (void)m;
    return ASSAY_OK;
}

/* ---- the document ---- */

static void tell_head(lds *l) {
    const att_protocol *p = l->lab.protocol;
    json_out *j = &l->j;
    json_kstr(j, "schema", "assay.lds/1");
    json_kstr(j, "protocol", p->name);
    json_kstr(j, "model", p->model);
    json_kint(j, "parameters", (int64_t)nn_graph_param_floats(l->lab.model.graph));
    json_kint(j, "rows", (int64_t)p->rows);
    json_kint(j, "targets", (int64_t)p->targets);
    json_kint(j, "subsets", (int64_t)p->subsets);
    json_kint(j, "seeds", (int64_t)p->seeds);
    json_knum(j, "share", p->share);
    json_kint(j, "seed", (int64_t)l->o.seed);
    json_kint(j, "threads", assay_ctx_threads(l->ctx));
    json_knum(j, "accuracy", l->accuracy);
    json_knum(j, "reliability", l->reliability);
    json_knum(j, "ceiling", sqrt(l->reliability));
    json_kbool(j, "truth_kept", l->truth_kept);
    json_knum(j, "truth_seconds", l->truth_seconds);
}

static assay_status tell_methods(lds *l) {
    assay_status status = ASSAY_OK;
    json_key(&l->j, "methods");
    json_arr(&l->j);
    if (!l->o.truth_only) {
        ASSAY_TRY(members_train(l));
        ASSAY_TRY(mem_new(l->ctx, &l->predicted,
                          l->subsets.count * l->lab.study.n_targets,
                          sizeof *l->predicted));
        ASSAY_TRY(each_method(l, run_method));
    }
    json_arr_end(&l->j);
done:
    return status;
}

static void lds_free(lds *l) {
    for (int m = 0; l->params && m < l->most; m++)
        mem_free(l->ctx, l->params[m]);
    mem_free(l->ctx, l->params);
    mem_free(l->ctx, l->runs);
    mem_free(l->ctx, l->train_seconds);
    mem_free(l->ctx, l->predicted);
    mem_free(l->ctx, l->truth);
    mem_free(l->ctx, l->mean);
    att_subsets_free(&l->subsets);
    att_lab_close(&l->lab);
}

assay_status assay_lds(assay_ctx *ctx,
                       const char *source,
                       const assay_lds_options *options,
                       char **json) {
    assay_status status = ASSAY_OK;
    lds l = {.ctx = ctx, .o = ASSAY_LDS_OPTIONS_INIT};
    const att_protocol *protocol;
    buf text = buf_make(ctx);
    uint64_t began = os_now_ns();
    *json = NULL;
    l.j = json_out_make(&text, 2);
    ASSAY_TRY(options_read(&l, options));
    ASSAY_TRY(att_protocol_find(&protocol, ctx, l.o.protocol ? l.o.protocol : "a"));
    ASSAY_TRY(each_method(&l, known)); /* before hours of work, not behind them */
    ASSAY_TRY(att_lab_open(&l.lab, ctx, source, protocol));
    ASSAY_TRY(truth_make(&l));
    json_obj(&l.j);
    tell_head(&l);
    ASSAY_TRY(tell_methods(&l));
    json_kint(&l.j, "models", (int64_t)(protocol->seeds * protocol->subsets));
    json_knum(&l.j, "seconds", l.o.truth_only ? l.truth_seconds : seconds_since(began));
    json_obj_end(&l.j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(mem_strdup(ctx, json, text.data));
done:
    buf_free(&text);
    lds_free(&l);
    return status;
}

size_t assay_attribution_count(void) {
    return att_method_count();
}

const char *assay_attribution_name(size_t i) {
    return att_method_at(i)->name;
}

const char *assay_attribution_summary(size_t i) {
    return att_method_at(i)->summary;
}
