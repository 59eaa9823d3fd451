/* The stack: EK-FAC, whose noise between models is small, and replay, which is nearer to
 * the truth, added up. The two weights are those of least squares over the margins of
 * models on the fit subsets, which no other number of a measurement is made of. */
#include "attribute/measure/lds.h"

#include <math.h>
#include <string.h>

/* Takes each column's mean away. */
static void centre(float *x, size_t rows, size_t columns) {
    for (size_t c = 0; c < columns; c++) {
        double mean = 0;
        for (size_t i = 0; i < rows; i++)
            mean += (double)x[i * columns + c] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            x[i * columns + c] -= (float)mean;
    }
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* w minimises |y - w0 a - w1 b| over the fit subsets, centred by target. */
static assay_status weights(double w[2], const lds *l, const float *a, const float *b) {
    assay_status status = ASSAY_OK;
    size_t targets = l->lab.study.n_targets, subsets = l->fit_subsets.count;
    size_t n = subsets * targets;
    float *y = NULL, *pa = NULL, *pb = NULL;
    ASSAY_TRY(mem_new(l->ctx, &y, n, sizeof *y));
    ASSAY_TRY(mem_new(l->ctx, &pa, n, sizeof *pa));
    ASSAY_TRY(mem_new(l->ctx, &pb, n, sizeof *pb));
    memcpy(y, l->fit, n * sizeof *y);
    ASSAY_TRY(att_subsets_predict(pa, &l->fit_subsets, a, targets));
    ASSAY_TRY(att_subsets_predict(pb, &l->fit_subsets, b, targets));
    centre(y, subsets, targets);
    centre(pa, subsets, targets);
    centre(pb, subsets, targets);
    double aa = dot(pa, pa, n), ab = dot(pa, pb, n), bb = dot(pb, pb, n);
    double ay = dot(pa, y, n), by = dot(pb, y, n), det = aa * bb - ab * ab;
    if (!(det > 1e-12 * aa * bb))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "EK-FAC and replay foretell the same: no stack");
    w[0] = (bb * ay - ab * by) / det;
    w[1] = (aa * by - ab * ay) / det;
done:
    mem_free(l->ctx, y);
    mem_free(l->ctx, pa);
    mem_free(l->ctx, pb);
    return status;
}

assay_status lds_stack_run(lds *l) {
    assay_status status = ASSAY_OK;
    size_t cells = l->lab.study.n_rows * l->lab.study.n_targets;
    float *sum = NULL, *scratch = NULL;
    if (!l->ekfac.scores)
        ASSAY_TRY(lds_method_run(l, att_method_find("ekfac"), false));
    if (!l->replay[0].scores)
        ASSAY_TRY(lds_method_run(l, att_method_find("replay"), false));
    ASSAY_TRY(mem_new(l->ctx, &sum, cells, sizeof *sum));
    ASSAY_TRY(mem_new(l->ctx, &scratch, cells, sizeof *scratch));
    for (int at = 0; at < l->sizes; at++) {
        const lds_kept *k = &l->replay[at];
        double w[2] = {0};
        ASSAY_TRY(weights(w, l, l->ekfac.scores, k->scores));
        for (size_t i = 0; i < cells; i++)
            sum[i] =
                (float)(w[0] * (double)l->ekfac.scores[i] + w[1] * (double)k->scores[i]);
        lds_entry e = {.method = LDS_STACK,
                       .models = l->size[at],
                       .seed_sd = NAN,
                       .seconds = l->ekfac.seconds + k->seconds + l->fit_seconds,
                       .cpu_seconds = l->ekfac.cpu_seconds + k->cpu_seconds + l->fit_cpu};
        ASSAY_TRY(lds_judge(&e, l, sum, scratch));
        lds_tell(l, &e);
    }
done:
    mem_free(l->ctx, sum);
    mem_free(l->ctx, scratch);
    return status;
}
