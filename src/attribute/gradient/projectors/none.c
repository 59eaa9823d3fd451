/* none: gradients as they are, in the order of the parameters. For small models, and to
 * compare the others with. */
#include "attribute/gradient/projector.h"

#include <string.h>

static assay_status plan(att_projection *p, const nn_factor *f, int count) {
    (void)f;
    (void)count;
    p->scratch = p->widest * ATT_LANES + p->room;
    return ASSAY_OK;
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    float *room = scratch + p->widest * ATT_LANES;
    memset(out, 0, (size_t)n * p->floats * sizeof *out);
    for (int i = 0; i < count; i++) {
        att_gradients(scratch, p, &f[i], n, room);
        for (int lane = 0; lane < n; lane++) {
            const float *g = scratch + (size_t)lane * p->widest;
            float *to = out + (size_t)lane * p->floats;
            memcpy(to + f[i].weight_offset, g, f[i].weight_count * sizeof *to);
            memcpy(to + f[i].bias_offset, g + f[i].weight_count,
                   f[i].bias_count * sizeof *to);
        }
    }
}

const att_projector assay_projector_none = {
    .name = "none",
    .summary = "gradients as they are",
    .whole = true,
    .plan = plan,
    .run = run,
};
