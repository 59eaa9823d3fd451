/* sjlt: every coordinate goes to one place with a random sign (Kane and Nelson 2014, one
 * entry per column). As good as a dense matrix of that size, at one addition per
 * coordinate. The hash is that of the audit's features (attribute/sjlt.h). */
#include "attribute/sjlt.h"
#include "attribute/projector.h"

#include <string.h>

static assay_status plan(att_projection *p, const nn_factor *f, int count) {
    (void)f;
    (void)count;
    p->scratch = (size_t)p->dim * SJLT_LANES + SJLT_LANES * p->widest + p->room;
    return ASSAY_OK;
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    uint32_t dim = (uint32_t)p->dim;
    float *sum = scratch, *g = sum + (size_t)dim * SJLT_LANES;
    float *room = g + SJLT_LANES * p->widest;
    uint64_t key = sjlt_key(p->seed);
    memset(sum, 0, (size_t)dim * SJLT_LANES * sizeof *sum);
    for (int i = 0; i < count; i++) {
        att_gradients(g, p, &f[i], n, room);
        sjlt_add(sum, dim, key, g, p->widest, f[i].weight_offset, f[i].weight_count);
        sjlt_add(sum, dim, key, g + f[i].weight_count, p->widest, f[i].bias_offset,
                 f[i].bias_count);
    }
    for (int lane = 0; lane < n; lane++)
        sjlt_take(sum, dim, lane, 1, out + (size_t)lane * dim);
}

const att_projector assay_projector_sjlt = {
    .name = "sjlt",
    .summary = "sparse Johnson-Lindenstrauss, one entry per coordinate",
    .plan = plan,
    .run = run,
};
