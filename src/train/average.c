/* Two flat vectors beside the weights', moved by one kernel. */
#include "train/average.h"

#include "simd/simd.h"

#include <math.h>
#include <string.h>

static const double LOOKAHEAD_BASE = 0.95; /* of a step */

bool average_on(const average *a) {
    return a->kept.params != NULL;
}

assay_status average_create(average *out,
                            assay_ctx *ctx,
                            const nn_graph *g,
                            const nn_weights *now,
                            double ema,
                            int lookahead,
                            int64_t steps) {
    assay_status status = ASSAY_OK;
    *out = (average){.ctx = ctx,
                     .params = nn_graph_param_floats(g),
                     .buffers = nn_graph_buffer_floats(g),
                     .ema = ema,
                     .lookahead = lookahead,
                     .steps = steps};
    ASSAY_TRY(mem_new(ctx, &out->kept.params, out->params + 1, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->kept.buffers, out->buffers + 1, sizeof(float)));
    average_reset(out, now);
done:
    if (status != ASSAY_OK)
        average_destroy(out);
    return status;
}

void average_destroy(average *a) {
    mem_free(a->ctx, a->kept.params);
    mem_free(a->ctx, a->kept.buffers);
    *a = (average){0};
}

static void copy(const average *a, nn_weights *to, const nn_weights *from) {
    memcpy(to->params, from->params, a->params * sizeof(float));
    if (a->buffers)
        memcpy(to->buffers, from->buffers, a->buffers * sizeof(float));
}

void average_reset(average *a, const nn_weights *now) {
    copy(a, &a->kept, now);
}

void average_take(const average *a, nn_weights *now) {
    copy(a, now, &a->kept);
}

/* kept = share kept + (1 - share) now */
static void move(average *a, const nn_weights *now, double share) {
    const simd_table *k = simd();
    k->f32_lerp(a->kept.params, now->params, (float)(1 - share), a->params);
    k->f32_lerp(a->kept.buffers, now->buffers, (float)(1 - share), a->buffers);
}

void average_step(average *a, nn_weights *now, int64_t taken) {
    double t = (double)taken;
    if (a->ema > 0) {
        double soon = (1 + t) / (10 + t);
        move(a, now, soon < a->ema ? soon : a->ema);
    }
    if (a->lookahead > 0 && taken % a->lookahead == 0) {
        double done = t / (double)a->steps;
        move(a, now, pow(LOOKAHEAD_BASE, a->lookahead) * done * done * done);
        average_take(a, now);
    }
}
