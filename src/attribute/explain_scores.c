/* Scores of all rows for all targets: by any method in memory, or TRAK over features in a
 * folder (explain_keep.c), which are the same but for rounding. */
#include "attribute/explain.h"

#include "file/npy.h"

#define MOST_CELLS ((size_t)1 << 30)

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

assay_status explain_scores(explain *e) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(e->ctx, &e->top, e->lab.study.n_targets * 2 * (size_t)e->o.top,
                      sizeof *e->top));
    ASSAY_TRY(e->o.keep ? explain_keep(e) : in_memory(e));
done:
    return status;
}
