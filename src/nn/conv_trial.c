/* Random data, never zeros: tiles run faster on zeros. */
#include "nn/conv_trial.h"

#include "base/os.h"
#include "base/rng.h"
#include "nn/amx/reference.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

struct conv_trial {
    assay_ctx *ctx;
    dn_engine *engine;
    dn_conv_geometry g;
    int64_t x_count, y_count, w_count;
    float *x, *y, *weight, *bias; /* as the reference wants them */
    void *in_x, *in_y;            /* as the kernels do: x, y or halves of them */
    void *out;
    uint8_t *scratch;
    size_t scratch_bytes;
    unsigned last; /* the pass whose result lies in `out` */
};

/* Numbers that bf16 holds. Long arrays repeat a stretch of them. */
static assay_status draw(assay_ctx *ctx, float **out, int64_t count, uint64_t key) {
    enum { STRETCH = 1 << 16 };
    assay_status status = ASSAY_OK;
    rng r = rng_at(1, RNG_TEST, 0, key);
    ASSAY_TRY(os_new_large(ctx, out, (size_t)(count + 1) * sizeof **out));
    for (int64_t i = 0; i < count && i < STRETCH; i++)
        (*out)[i] = ten_from_bf16(ten_bf16((float)rng_normal(&r)));
    for (int64_t i = STRETCH; i < count; i += STRETCH)
        memcpy(*out + i, *out,
               (size_t)(count - i < STRETCH ? count - i : STRETCH) * sizeof **out);
done:
    return status;
}

static assay_status
halves_of(assay_ctx *ctx, void **out, float *from, int64_t count, bool half) {
    assay_status status = ASSAY_OK;
    uint16_t *p = NULL;
    *out = from;
    if (!half)
        return ASSAY_OK;
    *out = NULL;
    ASSAY_TRY(os_new_large(ctx, &p, (size_t)(count + 1) * sizeof *p));
    for (int64_t i = 0; i < count; i++)
        p[i] = ten_bf16(from[i]);
    *out = p;
done:
    return status;
}

assay_status conv_trial_create(conv_trial **out,
                               assay_ctx *ctx,
                               dn_engine *engine,
                               const dn_conv_geometry *g) {
    assay_status status = ASSAY_OK;
    conv_trial *t = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    t->ctx = ctx;
    t->engine = engine;
    t->g = *g;
    t->x_count = g->n * g->h * g->w * g->c;
    t->y_count = g->n * g->oh * g->ow * g->o;
    t->w_count = g->o * g->c * g->kh * g->kw;
    ASSAY_TRY(draw(ctx, &t->x, t->x_count, 1));
    ASSAY_TRY(draw(ctx, &t->y, t->y_count, 2));
    ASSAY_TRY(draw(ctx, &t->weight, t->w_count, 3));
    ASSAY_TRY(draw(ctx, &t->bias, g->o, 4));
    ASSAY_TRY(halves_of(ctx, &t->in_x, t->x, t->x_count, g->x_half));
    ASSAY_TRY(halves_of(ctx, &t->in_y, t->y, t->y_count, g->y_half));
    int64_t most = t->x_count > t->y_count ? t->x_count : t->y_count;
    size_t bytes = (size_t)(most > t->w_count ? most : t->w_count) * sizeof(float);
    ASSAY_TRY(os_new_large(ctx, &t->out, bytes + 1));
    *out = t;
    t = NULL;
done:
    conv_trial_destroy(t);
    return status;
}

void conv_trial_destroy(conv_trial *t) {
    if (!t)
        return;
    if (t->in_x != t->x)
        mem_free(t->ctx, t->in_x);
    if (t->in_y != t->y)
        mem_free(t->ctx, t->in_y);
    mem_free(t->ctx, t->x);
    mem_free(t->ctx, t->y);
    mem_free(t->ctx, t->weight);
    mem_free(t->ctx, t->bias);
    mem_free(t->ctx, t->out);
    mem_free(t->ctx, t->scratch);
    mem_free(t->ctx, t);
}

static assay_status want_scratch(conv_trial *t, size_t bytes) {
    assay_status status = ASSAY_OK;
    if (bytes <= t->scratch_bytes)
        return ASSAY_OK;
    mem_free(t->ctx, t->scratch);
    t->scratch = NULL;
    t->scratch_bytes = 0;
    ASSAY_TRY(os_new_large(t->ctx, &t->scratch, bytes + 64));
    t->scratch_bytes = bytes;
done:
    return status;
}

static void run_own(const conv_trial *t, const amx_conv *c, unsigned what) {
    if (what == DN_FORWARD)
        amx_conv_forward(c, t->g.n, t->in_x, t->weight, t->g.bias ? t->bias : NULL,
                         t->out, t->scratch);
    else if (what == DN_BACKWARD_DATA)
        amx_conv_backward_data(c, t->g.n, t->in_y, t->weight, t->out, t->scratch);
    else
        amx_conv_backward_weights(c, t->g.n, t->in_x, t->in_y, t->out, t->scratch);
}

static assay_status run_onednn(const conv_trial *t, dn_conv *c, unsigned what) {
    if (what == DN_FORWARD)
        return dn_conv_forward(c, t->in_x, t->weight, t->g.bias ? t->bias : NULL, t->out,
                               t->scratch);
    if (what == DN_BACKWARD_DATA)
        return dn_conv_backward_data(c, t->in_y, t->weight, t->out, t->scratch);
    return dn_conv_backward_weights(c, t->in_x, t->in_y, t->out, t->scratch);
}

assay_status conv_trial_time(
    double *ms, conv_trial *t, unsigned what, const conv_choice *choice, int repeats) {
    assay_status status = ASSAY_OK;
    amx_conv *own = NULL;
    dn_conv *library = NULL;
    *ms = INFINITY;
    t->last = what;
    if (choice->own)
        ASSAY_TRY(amx_conv_create(&own, t->ctx, &t->g, what, &choice->blocking));
    else
        ASSAY_TRY(dn_conv_create(&library, t->engine, &t->g, what));
    ASSAY_TRY(want_scratch(t, choice->own ? amx_conv_scratch(own)
                                          : dn_conv_scratch(library, what)));
    for (int i = 0; i <= repeats; i++) {
        uint64_t since = os_thread_cpu_ns();
        if (own)
            run_own(t, own, what);
        else
            ASSAY_TRY(run_onednn(t, library, what));
        double took = (double)(os_thread_cpu_ns() - since) * 1e-6;
        if (i && took < *ms)
            *ms = took;
    }
done:
    amx_conv_destroy(own);
    dn_conv_destroy(library);
    return status;
}

double conv_trial_error(const conv_trial *t, int samples) {
    const bool weights = t->last == DN_BACKWARD_WEIGHTS,
               data = t->last == DN_BACKWARD_DATA;
    const int64_t count = weights ? t->w_count : data ? t->x_count : t->y_count;
    const bool half = !weights && (data ? t->g.x_half : t->g.y_half);
    double worst = 0, square = 1e-30;
    rng r = rng_at(1, RNG_TEST, 0, 5);
    for (int i = 0; i < samples; i++) {
        int64_t at = (int64_t)rng_below(&r, (uint64_t)count);
        double want = (double)(weights ? conv_reference_dw(&t->g, t->g.n, t->x, t->y, at)
                               : data  ? conv_reference_dx(&t->g, t->y, t->weight, at)
                                       : conv_reference_y(&t->g, t->x, t->weight,
                                                         t->g.bias ? t->bias : NULL, at));
        double is = (double)(half ? ten_from_bf16(((const uint16_t *)t->out)[at])
                                  : ((const float *)t->out)[at]);
        double off = fabs(is - want);
        worst = off <= worst ? worst : off; /* NaN counts */
        square += want * want / samples;
    }
    return worst / sqrt(square);
}

/* ---- tuning ---- */

/* Times one blocking and keeps it if it is the fastest so far. */
static assay_status
try_blocking(conv_tuned *best, conv_trial *t, unsigned what, amx_blocking b) {
    conv_choice own = {.own = true, .blocking = b};
    double ms;
    assay_status status = conv_trial_time(&ms, t, what, &own, 1);
    if (status == ASSAY_OK && ms < best->own_ms) {
        best->own_ms = ms;
        best->blocking = b;
    }
    return status;
}

assay_status conv_tune(conv_tuned *out, conv_trial *t, unsigned what) {
    static const int band[] = {1, 2, 4, 8, 16, 32};
    static const int panels[][2] = {{2, 2}, {4, 16}, {16, 4}, {16, 16}};
    assay_status status = ASSAY_OK;
    const amx_blocking start = amx_conv_blocking(&t->g, what);
    *out = (conv_tuned){.own_ms = INFINITY, .onednn_ms = INFINITY};
    ASSAY_TRY(try_blocking(out, t, what, start));
    for (int group = 1; group <= 4; group *= 2)
        for (size_t i = 0; i < sizeof band / sizeof *band; i++) {
            amx_blocking b = start;
            b.group = group;
            b.band = band[i];
            if (amx_conv_fits(&t->g, what, &b))
                ASSAY_TRY(try_blocking(out, t, what, b));
        }
    for (size_t i = 0; what == DN_BACKWARD_WEIGHTS && i < sizeof panels / sizeof *panels;
         i++) {
        amx_blocking b = out->blocking;
        b.out_panels = panels[i][0];
        b.in_panels = panels[i][1];
        ASSAY_TRY(try_blocking(out, t, what, b));
    }
    const conv_choice own = {.own = true, .blocking = out->blocking}, library = {0};
    for (int round = 0; round < 2; round++) {
        double ms;
        ASSAY_TRY(conv_trial_time(&ms, t, what, &library, 2));
        out->onednn_ms = ms < out->onednn_ms ? ms : out->onednn_ms;
        ASSAY_TRY(conv_trial_time(&ms, t, what, &own, 2));
        out->own_ms = ms < out->own_ms ? ms : out->own_ms;
    }
    out->best = out->own_ms < out->onednn_ms ? own : library;
done:
    return status;
}
