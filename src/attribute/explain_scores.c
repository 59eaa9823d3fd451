/* Scores of all rows for all targets: by any method in memory, or TRAK over features that
 * lie in stores with a checksum for each block and stream from there: the same features,
 * and the same scores but for rounding. */
#include "attribute/explain.h"

#include "attribute/given/stream.h"
#include "attribute/gradient/project.h"
#include "train/run_dir.h"

#include <stdio.h>

#define MOST_CELLS ((size_t)1 << 30)

/* ---- in memory ---- */

static assay_status in_memory(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const size_t targets = att_lab_targets(&e->lab);
    const int64_t dim[] = {(int64_t)s->n_rows, (int64_t)targets};
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
    if (e->lab.text)
        att_lab_text_mean(sum.scores, e->lab.text, sum.scores, s->n_rows);
    ASSAY_TRY(named_pick(e->top, &e->lab, sum.scores, targets, 1, e->o.top));
    if (e->o.scores)
        ASSAY_TRY(npy_put(e->ctx, e->o.scores, ASSAY_F32, 2, dim, sum.scores));
done:
    mem_free(e->ctx, sum.scores);
    mem_free(e->ctx, sum.weight);
    return status;
}

/* ---- from a folder ---- */

/* <keep>/<what>-<m><end> */
static assay_status
name(char **out, const explain *e, const char *what, int m, const char *end) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s-%d%s", what, m, end);
    return dir_path(out, e->ctx, e->o.keep, text);
}

/* Makes what is not there of a member's stores. */
static assay_status member_keep(const explain *e, int m) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const att_member member = explain_member(e, m);
    const struct {
        const char *what, *features, *weights;
        const uint32_t *rows;
        size_t n;
    } part[] = {{"rows", "features", "weights", s->rows, s->n_rows},
                {"targets", "targets", "target-weights", s->targets, s->n_targets}};
    char *features = NULL, *weights = NULL;
    att_project p = {0};
    ASSAY_TRY(att_project_open(&p, &member, &e->settings));
    for (int i = 0; i < 2; i++) {
        ASSAY_TRY(name(&features, e, part[i].features, m, ""));
        ASSAY_TRY(name(&weights, e, part[i].weights, m, ""));
        ASSAY_TRY(att_project_keep(&p, part[i].rows, part[i].n, part[i].what, features,
                                   weights));
        mem_free(e->ctx, features);
        mem_free(e->ctx, weights);
        features = weights = NULL;
    }
done:
    att_project_close(&p);
    mem_free(e->ctx, features);
    mem_free(e->ctx, weights);
    return status;
}

static assay_status member_add(given *g, const explain *e, int m) {
    assay_status status = ASSAY_OK;
    char *features = NULL, *targets = NULL, *weights = NULL;
    ASSAY_TRY(name(&features, e, "features", m, ".npy"));
    ASSAY_TRY(name(&targets, e, "targets", m, ".npy"));
    ASSAY_TRY(name(&weights, e, "weights", m, ".npy"));
    ASSAY_TRY(given_add(g, features, targets, weights));
done:
    mem_free(e->ctx, features);
    mem_free(e->ctx, targets);
    mem_free(e->ctx, weights);
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
        ASSAY_TRY(member_keep(e, m));
    progress_end(e->ctx);
    for (int m = 0; m < e->models; m++)
        ASSAY_TRY(member_add(&g, e, m));
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
