/* repsim: the cosine of two examples' penultimate representations, with the sign of
 * whether they share a label. Sees which rows look alike to the model, not what training
 * on them does; the baseline that is nearly free. */
#include "attribute/gradient/capture.h"

#include "attribute/algebra/matmul.h"
#include "simd/simd.h"

#include <math.h>

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    const int32_t *labels = s->data->labels;
    size_t targets = s->n_targets;
    att_layers x = {0};
    float *k = NULL;
    (void)o;
    ASSAY_TRY(att_capture_study(&x, m));
    const att_layer *last = &x.layer[x.count - 1];
    for (size_t i = 0; i < x.rows; i++) {
        float *a = last->a + i * last->in;
        if (last->bias)
            a[last->in - 1] = 0; /* its 1 is no part of the representation */
        double square = simd()->f32_dot64(a, a, last->in);
        simd()->f32_scale(a, square > 0 ? (float)(1 / sqrt(square)) : 0, last->in);
    }
    ASSAY_TRY(mem_new(s->ctx, &k, s->n_rows * targets, sizeof *k));
    ASSAY_TRY(mat_mul_nt(s->ctx, k, last->a, last->a + s->n_rows * last->in, s->n_rows,
                         targets, last->in));
    for (size_t i = 0; i < s->n_rows; i++)
        for (size_t t = 0; t < targets; t++) {
            bool same = labels[s->rows[i]] == labels[s->targets[t]];
            sum->scores[i * targets + t] +=
                same ? k[i * targets + t] : -k[i * targets + t];
        }
done:
    mem_free(s->ctx, k);
    att_layers_free(&x);
    return status;
}

const att_method assay_attribution_repsim = {
    .name = "repsim",
    .summary = "likeness of representations, signed by label",
    .score = score,
};
