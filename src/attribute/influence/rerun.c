/* Marks of a run. */
#include "attribute/influence/rerun.h"

#include <math.h>
#include <string.h>

static float *mark_at(const rerun *r, int64_t stretch) {
    return r->mark + (size_t)stretch * 2 * r->floats;
}

static assay_status marks_make(rerun *r, const att_member *m) {
    assay_status status = ASSAY_OK;
    float *end = NULL;
    int64_t at = 0;
    ASSAY_TRY(mem_new(r->ctx, &end, r->floats, sizeof *end));
    ASSAY_TRY(att_trainer_start(r->trainer, r->run));
    for (int64_t k = 0; k < r->count; k++) {
        int64_t to = r->first + k * r->stretch;
        ASSAY_TRY(att_trainer_steps(r->trainer, r->run, at, to));
        att_trainer_store(r->trainer, mark_at(r, k), mark_at(r, k) + r->floats);
        at = to;
    }
    ASSAY_TRY(att_trainer_steps(r->trainer, r->run, at, r->steps));
    att_trainer_store(r->trainer, end, NULL);
    if (memcmp(end, m->params, r->floats * sizeof *end) != 0) {
        status = err_set(ASSAY_E_INTERNAL, "a run did not end where it did before");
        err_where("seed %llu", (unsigned long long)r->run->seed);
    }
done:
    mem_free(r->ctx, end);
    return status;
}

assay_status rerun_open(rerun *out, const att_member *m, double from) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    if (s->recipe.adam) {
        (void)err_set(ASSAY_E_UNSUPPORTED,
                      "the run was AdamW's, the derivative is SGD's");
        err_help("take trak, kernel or ekfac");
        *out = (rerun){0};
        return ASSAY_E_UNSUPPORTED;
    }
    int64_t steps = m->run->steps, first = (int64_t)(from * (double)steps);
    int64_t stretch = (int64_t)ceil(sqrt((double)(steps - first)));
    *out = (rerun){.ctx = s->ctx,
                   .run = m->run,
                   .floats = nn_graph_param_floats(s->model->graph),
                   .first = first,
                   .steps = steps,
                   .stretch = stretch,
                   .count = (steps - first + stretch - 1) / stretch};
    ASSAY_TRY(att_trainer_create(&out->trainer, s->ctx, s->data, s->model, &s->recipe));
    ASSAY_TRY(
        mem_new(s->ctx, &out->mark, (size_t)out->count * 2 * out->floats, sizeof(float)));
    ASSAY_TRY(marks_make(out, m));
done:
    if (status != ASSAY_OK)
        rerun_close(out);
    return status;
}

void rerun_close(rerun *r) {
    if (!r->ctx)
        return;
    att_trainer_destroy(r->trainer);
    mem_free(r->ctx, r->mark);
    *r = (rerun){0};
}

int64_t rerun_stretch(rerun *r, int64_t stretch, int64_t *begin) {
    *begin = r->first + stretch * r->stretch;
    att_trainer_load(r->trainer, mark_at(r, stretch), mark_at(r, stretch) + r->floats);
    return r->steps - *begin < r->stretch ? r->steps - *begin : r->stretch;
}
