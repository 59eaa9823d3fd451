/* assay_score: TRAK over features that were made elsewhere: what is asked for, and the
 * document about it. */
#include <assay/attribute.h>

#include "attribute/given/stream.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TOP = 100000, USUAL_TOP = 10 };

typedef struct scoring {
    assay_ctx *ctx;
    assay_score_options o;
    bool traker; /* the ridge is absolute, inverses go over their mean element */
    given g;
    att_top *top; /* [targets, 2, top] */
} scoring;

static assay_status check(scoring *s, const assay_score_options *options) {
    assay_status status = ASSAY_OK;
    assay_score_options *o = &s->o;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_score_options"));
    o->top = o->top ? o->top : USUAL_TOP;
    s->traker = o->compat && strcmp(o->compat, "traker") == 0;
    if (o->compat && !s->traker) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no compat \"%s\"", o->compat);
        err_help("choose: traker");
        return ASSAY_E_NOTFOUND;
    }
    if (!(o->ridge >= 0) || isinf(o->ridge) || o->top < 1 || o->top > MOST_TOP)
        ASSAY_FAIL(ASSAY_E_INVALID, "ridge %g, %d strongest rows are out of range",
                   o->ridge, o->top);
    int ways = (o->traker != NULL) + (o->features != NULL) + (o->feature_arrays != NULL);
    if (ways != 1 || (o->traker && !o->experiment)) {
        (void)err_set(ASSAY_E_INVALID, "whose features?");
        err_help("give files, or arrays, of rows' and of targets' features, or a "
                 "TRAKer's save_dir with the experiment's name");
        return ASSAY_E_INVALID;
    }
done:
    return status;
}

/* All lists end with NULL. */
static size_t count(const char *const *list) {
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static size_t count_arrays(const assay_tensor *const *list) {
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static assay_status check_counts(size_t rows, size_t targets, size_t weights) {
    if (rows > 0 && targets == rows && (!weights || weights == rows))
        return ASSAY_OK;
    (void)err_set(ASSAY_E_INVALID,
                  "features of %zu models, targets of %zu, weights of %zu", rows, targets,
                  weights);
    err_help("give one of each for each model; weights may be left out");
    return ASSAY_E_INVALID;
}

static assay_status add_files(scoring *s) {
    assay_status status = ASSAY_OK;
    const assay_score_options *o = &s->o;
    size_t n = count(o->features), weights = count(o->weights);
    ASSAY_TRY(check_counts(n, count(o->targets), weights));
    for (size_t m = 0; m < n; m++)
        ASSAY_TRY(given_add(&s->g, o->features[m], o->targets[m],
                            weights ? o->weights[m] : NULL));
done:
    return status;
}

static assay_status add_arrays(scoring *s) {
    assay_status status = ASSAY_OK;
    const assay_score_options *o = &s->o;
    size_t n = count_arrays(o->feature_arrays), weights = count_arrays(o->weight_arrays);
    ASSAY_TRY(check_counts(n, count_arrays(o->target_arrays), weights));
    for (size_t m = 0; m < n; m++)
        ASSAY_TRY(given_add_arrays(&s->g, o->feature_arrays[m], o->target_arrays[m],
                                   weights ? o->weight_arrays[m] : NULL));
done:
    return status;
}

static assay_status open_features(scoring *s) {
    if (s->o.traker)
        return given_add_traker(&s->g, s->o.traker, s->o.experiment);
    return s->o.features ? add_files(s) : add_arrays(s);
}

/* ---- the document ---- */

static void tell_rows(
    json_out *j, buf *csv, size_t target, const char *key, const att_top *top, int n) {
    json_key(j, key);
    json_arr(j);
    for (int i = 0; i < n && top[i].row != UINT32_MAX; i++) {
        json_obj(j);
        json_kint(j, "row", top[i].row);
        json_knum(j, "score", (double)top[i].score);
        json_obj_end(j);
        buf_fmt(csv, "%zu,%s,%d,%u,%.9g\n", target, key, i + 1, top[i].row,
                (double)top[i].score);
    }
    json_arr_end(j);
}

static assay_status tell(scoring *s, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(s->ctx), csv = buf_make(s->ctx);
    json_out j = json_out_make(&text, 2);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.score/1");
    json_kint(&j, "models", (int64_t)s->g.members);
    json_kint(&j, "rows", (int64_t)s->g.rows);
    json_kint(&j, "dim", (int64_t)s->g.dim);
    json_knum(&j, "ridge", s->o.ridge);
    buf_str(&csv, "target,kind,rank,row,score\n");
    json_key(&j, "targets");
    json_arr(&j);
    for (size_t t = 0; t < s->g.targets; t++) {
        json_obj(&j);
        json_kint(&j, "target", (int64_t)t);
        for (size_t sign = 0; sign < 2; sign++) {
            tell_rows(&j, &csv, t, sign ? "harmful" : "helpful",
                      s->top + (t * 2 + sign) * (size_t)s->o.top, s->o.top);
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_knum(&j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&csv));
    if (s->o.csv)
        ASSAY_TRY(atomic_put(s->ctx, s->o.csv, csv.data, csv.len));
    ASSAY_TRY(mem_strdup(s->ctx, json, text.data));
done:
    buf_free(&text);
    buf_free(&csv);
    return status;
}

assay_status
assay_score(assay_ctx *ctx, const assay_score_options *options, char **json) {
    assay_status status = ASSAY_OK;
    scoring s = {.ctx = ctx, .o = ASSAY_SCORE_OPTIONS_INIT, .g = {.ctx = ctx}};
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(check(&s, options));
    ASSAY_TRY(open_features(&s));
    ASSAY_TRY(mem_new(ctx, &s.top, s.g.targets * 2 * (size_t)s.o.top, sizeof *s.top));
    const stream_options o = {.ridge = s.o.ridge,
                              .traker = s.traker,
                              .unweighed = s.o.unweighed,
                              .top = s.o.top,
                              .scores = s.o.scores,
                              .memory = s.o.memory};
    ASSAY_TRY(stream_scores(s.top, &s.g, &o));
    ASSAY_TRY(tell(&s, json, began));
done:
    mem_free(ctx, s.top);
    given_free(&s.g);
    return status;
}
