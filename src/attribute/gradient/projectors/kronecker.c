/* kronecker: each layer's input and output derivative are projected by signs of their
 * own, and the products of what comes are summed over places (LoGra, Choe et al. 2024,
 * with random signs): the gradient of a layer is never written down. Quick, and for a
 * given dimension somewhat worse than SJLT. Layers share the dimension evenly; parameters
 * that are not of linear or convolutional layers are spread over all of it with random
 * signs. */
#include "attribute/gradient/projector.h"

#include "nn/gemm.h"
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

enum { TILE = 64 /* pixels unfolded at once */ };

typedef struct side {
    size_t from, to; /* widths */
    float *signs;    /* [from, to], over sqrt(to); ones on the diagonal if from is to */
} side;

/* A layer's part [in.to, out.to] of the projection. */
typedef struct part {
    bool factored;
    side in, out; /* `in` counts the bias's 1 */
    size_t offset;
} part;

typedef struct parts {
    int count;
    part *part;
    size_t pixels, patch; /* most of any layer */
    size_t wide;          /* most columns */
    size_t product;       /* scratch of the products */
} parts;

static bool factored(const nn_factor *f) {
    return f->kind == NN_FACTOR_OUTER ||
           (f->kind == NN_FACTOR_CONV && f->groups <= 1 && !f->transposed);
}

static size_t patch_of(const nn_factor *f) {
    return (size_t)(f->kind == NN_FACTOR_CONV ? f->in * f->kh * f->kw : f->in);
}

static size_t places_of(const nn_factor *f) {
    return (size_t)(f->kind == NN_FACTOR_CONV ? f->oh * f->ow : f->t);
}

/* Random signs; a side that keeps its width is left as it is. */
static assay_status signs_make(side *s, const att_projection *p, uint64_t which) {
    assay_status status = mem_new(p->ctx, &s->signs, s->from * s->to, sizeof(float));
    float size = 1 / sqrtf((float)s->to);
    if (status != ASSAY_OK)
        return status;
    for (size_t i = 0; s->from > s->to && i < s->from * s->to; i++)
        s->signs[i] = att_bits(p->seed, which, i) & 1 ? size : -size;
    for (size_t i = 0; s->from == s->to && i < s->to; i++)
        s->signs[i * s->to + i] = 1;
    return status;
}

/* Widths whose product is at most `dim`, as square as the layer lets them be. */
static void widths(part *x, size_t dim) {
    size_t root = (size_t)sqrt((double)dim);
    x->out.to = x->out.from < root ? x->out.from : root;
    x->in.to = dim / x->out.to < x->in.from ? dim / x->out.to : x->in.from;
    if (x->in.to && dim / x->in.to > x->out.to)
        x->out.to = dim / x->in.to < x->out.from ? dim / x->in.to : x->out.from;
}

static void grow(size_t *most, size_t x) {
    *most = x > *most ? x : *most;
}

static assay_status
part_make(parts *all, const att_projection *p, const nn_factor *f, int i, size_t dim) {
    assay_status status = ASSAY_OK;
    part *x = &all->part[i];
    x->factored = true;
    x->in.from = patch_of(f) + (f->bias_count ? 1 : 0);
    x->out.from = (size_t)f->out;
    widths(x, dim);
    ASSAY_TRY(signs_make(&x->in, p, 2 * (uint64_t)i));
    ASSAY_TRY(signs_make(&x->out, p, 2 * (uint64_t)i + 1));
    size_t places = places_of(f), rows = places > TILE ? places : TILE;
    grow(&all->pixels, places);
    grow(&all->patch, patch_of(f));
    grow(&all->wide, x->in.to);
    grow(&all->wide, x->out.to);
    grow(&all->product, gemm_scratch(rows, x->in.to, patch_of(f)));
    grow(&all->product, gemm_scratch(rows, x->out.to, x->out.from));
    grow(&all->product, gemm_scratch(x->in.to, x->out.to, places));
done:
    return status;
}

static void release(att_projection *p) {
    parts *all = p->own;
    for (int i = 0; all && all->part && i < all->count; i++) {
        mem_free(p->ctx, all->part[i].in.signs);
        mem_free(p->ctx, all->part[i].out.signs);
    }
    if (all)
        mem_free(p->ctx, all->part);
    mem_free(p->ctx, all);
    p->own = NULL;
}

static assay_status plan(att_projection *p, const nn_factor *f, int count) {
    assay_status status = ASSAY_OK;
    parts *all = NULL;
    size_t layers = 0, offset = 0;
    ASSAY_TRY(mem_new(p->ctx, &all, 1, sizeof *all));
    p->own = all;
    all->count = count;
    all->pixels = all->patch = all->wide = 1;
    ASSAY_TRY(mem_new(p->ctx, &all->part, (size_t)count, sizeof *all->part));
    for (int i = 0; i < count; i++)
        layers += factored(&f[i]);
    if (layers > (size_t)p->dim)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d dimensions for %zu layers", p->dim, layers);
    /* small layers first take what they can; what they leave goes to the others */
    for (size_t left = layers, dim = (size_t)p->dim; left > 0; left--) {
        int least = -1;
        for (int i = 0; i < count; i++)
            if (factored(&f[i]) && !all->part[i].factored &&
                (least < 0 || f[i].weight_count < f[least].weight_count))
                least = i;
        part *x = &all->part[least];
        ASSAY_TRY(part_make(all, p, &f[least], least, dim / left));
        x->offset = offset;
        offset += x->in.to * x->out.to;
        dim -= x->in.to * x->out.to;
    }
    p->scratch = 2 * all->pixels * all->wide + TILE * (all->patch + 16) + p->widest +
                 p->room + 16 + all->product;
done:
    return status;
}

/* ---- running ---- */

typedef struct room {
    float *in, *out, *unfolded, *product, *gradient, *factor;
} room;

static room room_of(const att_projection *p, float *scratch) {
    const parts *all = p->own;
    room r = {.in = scratch};
    r.out = r.in + all->pixels * all->wide;
    r.unfolded = r.out + all->pixels * all->wide;
    r.gradient = r.unfolded + TILE * (all->patch + 16);
    r.factor = r.gradient + p->widest;
    r.product = r.factor + p->room;
    r.product += (16 - ((size_t)(r.product - scratch) & 15)) & 15; /* 64-byte aligned */
    return r;
}

/* to [rows, s->to] = x [rows, k] signs, k rows of them; a bias's row behind is added. */
static void project(float *to,
                    const float *x,
                    size_t rows,
                    size_t k,
                    size_t ld,
                    const side *s,
                    const room *r) {
    const gemm_job job = {.m = rows,
                          .n = s->to,
                          .k = k,
                          .a = x,
                          .a_row = ld,
                          .a_col = 1,
                          .b = s->signs,
                          .b_row = s->to,
                          .b_col = 1,
                          .c = to,
                          .ldc = s->to,
                          .bias = s->from > k ? s->signs + k * s->to : NULL};
    gemm_run(&job, r->product);
}

static nn_window window_of(const nn_factor *f) {
    nn_window g = {.c = f->in,
                   .h = f->h,
                   .w = f->w,
                   .oh = f->oh,
                   .ow = f->ow,
                   .kh = f->kh,
                   .kw = f->kw,
                   .groups = f->groups};
    memcpy(g.stride, f->stride, sizeof g.stride);
    memcpy(g.pad, f->pad, sizeof g.pad);
    memcpy(g.dilation, f->dilation, sizeof g.dilation);
    return g;
}

/* The inputs of one example, projected: r->in [places, in.to]. */
static void inputs(const part *x, const nn_factor *f, int lane, const room *r) {
    size_t places = places_of(f), patch = patch_of(f), ld = (patch + 15) / 16 * 16;
    if (f->kind == NN_FACTOR_OUTER) {
        project(r->in, f->x + (size_t)lane * places * patch, places, patch, patch, &x->in,
                r);
        return;
    }
    const nn_window window = window_of(f);
    const float *image = f->x + (size_t)(lane * f->h * f->w * f->in);
    for (size_t first = 0; first < places; first += TILE) {
        size_t n = places - first < TILE ? places - first : TILE;
        nn_kernels_get()->unfold(r->unfolded, image, &window, first, n, ld);
        project(r->in + first * x->in.to, r->unfolded, n, patch, ld, &x->in, r);
    }
}

static void
layer(float *out, const part *x, const nn_factor *f, int lane, const room *r) {
    size_t places = places_of(f);
    inputs(x, f, lane, r);
    project(r->out, f->d + (size_t)lane * places * x->out.from, places, x->out.from,
            x->out.from, &x->out, r);
    const gemm_job job = {.m = x->in.to,
                          .n = x->out.to,
                          .k = places,
                          .a = r->in,
                          .a_row = 1,
                          .a_col = x->in.to,
                          .b = r->out,
                          .b_row = x->out.to,
                          .b_col = 1,
                          .c = out + x->offset,
                          .ldc = x->out.to};
    gemm_run(&job, r->product);
}

/* Other parameters: each to one place, with a sign. */
static void
spread(float *out, const att_projection *p, const nn_factor *f, int lane, const room *r) {
    size_t weights = f->weight_count;
    nn_factor_gradient(f, lane, r->gradient, r->factor);
    for (size_t c = 0; c < weights + f->bias_count; c++) {
        uint64_t at = c < weights ? f->weight_offset + c : f->bias_offset + c - weights;
        uint64_t bits = att_bits(p->seed, UINT64_MAX, at);
        out[(bits >> 32) * (uint64_t)p->dim >> 32] +=
            bits & 1 ? r->gradient[c] : -r->gradient[c];
    }
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    const parts *all = p->own;
    const room r = room_of(p, scratch);
    memset(out, 0, (size_t)n * (size_t)p->dim * sizeof *out);
    for (int lane = 0; lane < n; lane++) {
        float *to = out + (size_t)lane * (size_t)p->dim;
        for (int i = 0; i < count; i++)
            if (all->part[i].factored)
                layer(to, &all->part[i], &f[i], lane, &r);
        for (int i = 0; i < count; i++)
            if (!all->part[i].factored)
                spread(to, p, &f[i], lane, &r);
    }
}

const att_projector assay_projector_kronecker = {
    .name = "kronecker",
    .summary = "signs for each layer's input and output; gradients are not written down",
    .plan = plan,
    .release = release,
    .run = run,
};
