/* repsim: the cosine of two examples' penultimate representations, with the sign of
 * whether they share a label. Sees which rows look alike to the model, not what training
 * on them does; the baseline that is nearly free. */
#include "attribute/gradient/source.h"

#include "attribute/algebra/matmul.h"
#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>

enum { BATCH = 20 };

typedef struct look_job {
    att_source source;
    const att_study *study;
    size_t width;
    float *out; /* [rows and targets, width], each of length one */
} look_job;

static assay_status run_rows(void *arg, int worker, size_t begin, size_t end) {
    look_job *job = arg;
    assay_status status = ASSAY_OK;
    const att_study *s = job->study;
    uint32_t row[BATCH] = {0};
    for (size_t i = begin; i < end; i++)
        row[i - begin] = i < s->n_rows ? s->rows[i] : s->targets[i - s->n_rows];
    float *at = job->out + begin * job->width;
    ASSAY_TRY(att_source_look(&job->source, worker, row, end - begin, at));
    for (size_t i = begin; i < end; i++, at += job->width) {
        double square = simd()->f32_dot64(at, at, job->width);
        simd()->f32_scale(at, square > 0 ? (float)(1 / sqrt(square)) : 0, job->width);
    }
done:
    return status;
}

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    const int32_t *labels = s->data->labels; /* NULL: of windows of a text */
    size_t targets = s->n_targets, rows = s->n_rows + targets;
    look_job job = {.study = s};
    float *k = NULL;
    (void)o;
    ASSAY_TRY(att_source_open(&job.source, m, ATT_MARGIN, ASSAY_F32, BATCH));
    job.width = att_source_width(&job.source);
    ASSAY_TRY(mem_new(s->ctx, &job.out, rows * job.width, sizeof *job.out));
    ASSAY_TRY(assay_parallel_for(s->ctx, rows, BATCH, run_rows, &job));
    ASSAY_TRY(mem_new(s->ctx, &k, s->n_rows * targets, sizeof *k));
    ASSAY_TRY(mat_mul_nt(s->ctx, k, job.out, job.out + s->n_rows * job.width, s->n_rows,
                         targets, job.width));
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t t = 0; t < targets; t++) {
            bool same = !labels || labels[s->rows[i]] == labels[s->targets[t]];
            sum->scores[i * targets + t] +=
                same ? k[i * targets + t] : -k[i * targets + t];
        }
done:
    mem_free(s->ctx, k);
    mem_free(s->ctx, job.out);
    att_source_close(&job.source);
    return status;
}

const att_method assay_attribution_repsim = {
    .name = "repsim",
    .summary = "likeness of representations, signed by label",
    .score = score,
};
