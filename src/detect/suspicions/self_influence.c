/* self-influence: how much training on a row raises its own margin. A model that learns a
 * wrong label has to learn the row by heart. */
#include "detect/mislabels/mislabels.h"

#include <math.h>
#include <string.h>

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    assay_status status = ASSAY_OK;
    const att_method *method = att_method_find(variant);
    float *part = NULL, *all = NULL, *one = NULL;
    ASSAY_TRY(mem_new(m->ctx, &part, 2 * m->n, sizeof *part));
    ASSAY_TRY(mem_new(m->ctx, &all, 2 * m->n, sizeof *all));
    ASSAY_TRY(mem_new(m->ctx, &one, m->n, sizeof *one));
    progress_begin(m->ctx, "self-influence", m->o.members, "models");
    for (int i = 0; i < m->o.members; i++) {
        const att_member member = mislabels_member(m, i);
        att_sum sum = {part, part + m->n};
        memset(part, 0, 2 * m->n * sizeof *part);
        ASSAY_TRY_AT(method->self(&sum, &member, &m->settings), "%s", method->name);
        for (size_t r = 0; r < 2 * m->n; r++)
            all[r] += part[r];
        ASSAY_TRY(att_sum_finish(one, m->ctx, &sum, method, &m->settings, 1, m->n, 1));
        for (size_t r = 0; r < m->n; r++) {
            out->low[r] = i == 0 || one[r] < out->low[r] ? one[r] : out->low[r];
            out->high[r] = i == 0 || one[r] > out->high[r] ? one[r] : out->high[r];
        }
        progress_add(m->ctx, 1);
    }
    progress_end(m->ctx);
    const att_sum sum = {all, all + m->n};
    ASSAY_TRY(att_sum_finish(out->score, m->ctx, &sum, method, &m->settings, m->o.members,
                             m->n, 1));
done:
    mem_free(m->ctx, part);
    mem_free(m->ctx, all);
    mem_free(m->ctx, one);
    return status;
}

const detect_suspicion assay_suspicion_self_influence = {
    .name = "self-influence",
    .summary = "what training on a row does for itself, by attribution",
    .influence = true,
    .usual = "trak",
    .run = run,
};
