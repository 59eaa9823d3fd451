/* sjlt: every coordinate goes to one place with a random sign (Kane and Nelson 2014, one
 * entry per column). As good as a dense matrix of that size, at one addition per
 * coordinate. The hash is that of the audit's features (attribute/gradient/sjlt.h). */
#include "attribute/gradient/sjlt.h"
#include "attribute/gradient/projector.h"
#include "simd/simd.h"

#include <string.h>

/* Whether a gradient is one outer product, which is made in the registers it is added
 * from. */
static bool outer(const nn_factor *f) {
    return f->kind == NN_FACTOR_OUTER && f->t == 1;
}

static assay_status plan(att_projection *p, const nn_factor *f, int count) {
    size_t width = SJLT_LANES * p->widest;
    for (int i = 0; i < count; i++) {
        size_t sides = SJLT_LANES * (size_t)(f[i].in + f[i].out);
        if (outer(&f[i]) && sides > width)
            width = sides;
    }
    p->scratch = (size_t)p->dim * SJLT_LANES + width + p->room;
    return ASSAY_OK;
}

/* Rows side by side, lanes that are not there nought: to [width][SJLT_LANES]. */
static void side_by_side(float *to, const float *x, size_t width, int n) {
    for (size_t i = 0; i < width; i++)
        for (int lane = 0; lane < SJLT_LANES; lane++)
            to[i * SJLT_LANES + (size_t)lane] =
                lane < n ? x[(size_t)lane * width + i] : 0;
}

static void add_outer(
    float *sum, uint32_t dim, uint64_t key, const nn_factor *f, int n, float *scratch) {
    size_t in = (size_t)f->in, out = (size_t)f->out;
    float *x = scratch, *d = x + in * SJLT_LANES;
    side_by_side(x, f->x, in, n);
    side_by_side(d, f->d, out, n);
    for (size_t o = 0; o < out; o++)
        simd()->f32_sjlt16_outer(sum, dim, x, d + o * SJLT_LANES, in, key,
                                 f->weight_offset + o * in);
    if (f->bias_count)
        simd()->f32_sjlt16(sum, dim, d, out, key, f->bias_offset);
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    uint32_t dim = (uint32_t)p->dim;
    float *room = scratch, *sum = room + p->room, *g = sum + (size_t)dim * SJLT_LANES;
    uint64_t key = sjlt_key(p->seed);
    memset(sum, 0, (size_t)dim * SJLT_LANES * sizeof *sum);
    for (int i = 0; i < count; i++) {
        if (outer(&f[i])) {
            add_outer(sum, dim, key, &f[i], n, g);
            continue;
        }
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
