/* Gradients times a matrix that is made row by row and never held. */
#include "attribute/gradient/dense.h"

#include "simd/simd.h"

#include <math.h>
#include <string.h>

assay_status dense_plan(att_projection *p, const nn_factor *f, int count) {
    (void)f;
    (void)count;
    p->scratch = (size_t)p->dim + p->widest * ATT_LANES + p->room;
    return ASSAY_OK;
}

void dense_run(float *out,
               const att_projection *p,
               const nn_factor *f,
               int count,
               int n,
               float *scratch,
               dense_row row) {
    size_t dim = (size_t)p->dim;
    float *line = scratch, *g = line + dim, *room = g + p->widest * ATT_LANES;
    float scale = 1 / sqrtf((float)p->dim);
    memset(out, 0, (size_t)n * dim * sizeof *out);
    for (int i = 0; i < count; i++) {
        size_t weights = f[i].weight_count;
        att_gradients(g, p, &f[i], n, room);
        for (size_t c = 0; c < weights + f[i].bias_count; c++) {
            row(line, p,
                c < weights ? f[i].weight_offset + c : f[i].bias_offset + c - weights);
            for (int lane = 0; lane < n; lane++)
                simd()->f32_axpy(out + (size_t)lane * dim,
                                 scale * g[(size_t)lane * p->widest + c], line, dim);
        }
    }
}
