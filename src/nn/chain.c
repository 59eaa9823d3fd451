/* A chain of layers: which graphs are one, its memory, and its steps around the two
 * products of chain.inc. */
#include "nn/chain_inside.h"

#include "nn/graph_inside.h"
#include "nn/loss.h"
#include "nn/rows.h"

#include "base/cpu.h"
#include "base/os.h"
#include "simd/simd.h"

#include <string.h>

/* Beyond so many parameters the general path's blocking pays, and the cache is left. */
enum { MOST_LAYERS = 8, MOST_FLOATS = 1 << 19 };

typedef struct layer {
    size_t in, out, wide; /* wide: out padded */
    size_t weight, bias;  /* places in the flat vectors */
    bool weight_decays, bias_decays;
} layer;

/* What is read off a graph. */
typedef struct plan {
    layer layer[MOST_LAYERS];
    int n;
    double smoothing;
} plan;

/* A layer in use. Rows of w, v are `wide` floats; turned has rows of the layer's input.
 */
typedef struct unit {
    layer of;
    size_t in_wide;
    float *w, *v;                 /* [in, wide] */
    float *bias, *bias_v;         /* [wide] */
    float *bias_d;                /* [wide] */
    float *turned;                /* [out, in_wide], of all but the first */
    float *y, *d;                 /* [batch, wide]: output, and its gradient */
    const float **y_row, **d_row; /* [batch] */
} unit;

struct layer_chain {
    assay_ctx *ctx;
    unit unit[MOST_LAYERS];
    int n, batch;
    double smoothing;
    loss_saved *saved; /* [batch] */
};

const chain_kernels *chain_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &chain_kernels_avx512;
    case CPU_AVX2:
        return &chain_kernels_avx2;
    default:
        break;
    }
#endif
    return &chain_kernels_c;
}

static size_t padded(size_t n) {
    return (n + CHAIN_PAD - 1) / CHAIN_PAD * CHAIN_PAD;
}

/* ---- which graphs ---- */

static const nn_node *maker(const nn_graph *g, nn_value v, const char *op) {
    if (v < 0 || (size_t)v >= g->n_values || g->value[v].node < 0)
        return NULL;
    const nn_node *node = &g->node[g->value[v].node];
    return strcmp(node->op->name, op) == 0 ? node : NULL;
}

static bool layer_of(layer *out, const nn_graph *g, const nn_node *node) {
    if (node->n_in != 3 || node->in_shape[0].ndim != 2)
        return false;
    const nn_value_info *w = &g->value[node->in[1]], *b = &g->value[node->in[2]];
    if (w->kind != NN_KIND_PARAM || b->kind != NN_KIND_PARAM)
        return false;
    *out = (layer){.in = (size_t)w->shape.dim[1],
                   .out = (size_t)w->shape.dim[0],
                   .weight = w->offset,
                   .bias = b->offset,
                   .weight_decays = w->decay,
                   .bias_decays = b->decay};
    out->wide = padded(out->out);
    return true;
}

/* Whether `v` is the images, row by row. */
static bool is_input(const nn_graph *g, nn_value v, nn_value images) {
    const nn_node *flat = maker(g, v, "flatten");
    if (!flat)
        return v == images;
    const nn_node *turned = maker(g, flat->in[0], "layout");
    return (turned ? turned->in[0] : flat->in[0]) == images;
}

/* From the logits back to the images; layers come last first. */
static bool
read_graph(plan *p, const nn_graph *g, nn_value images, nn_value logits, nn_value loss) {
    *p = (plan){0};
    const nn_node *end = maker(g, loss, "cross_entropy");
    if (!end || end->in[0] != logits || end->in_shape[0].ndim != 2)
        return false;
    p->smoothing = nn_attr_f(end, "smoothing", 0);
    size_t floats = 0;
    for (nn_value v = logits; p->n == 0 || !is_input(g, v, images);) {
        if (p->n > 0) {
            const nn_node *relu = maker(g, v, "relu");
            if (!relu)
                return false;
            v = relu->in[0];
        }
        const nn_node *node = maker(g, v, "linear");
        if (!node || p->n == MOST_LAYERS || !layer_of(&p->layer[p->n], g, node))
            return false;
        floats += p->layer[p->n].out * (p->layer[p->n].in + 1);
        p->n++;
        v = node->in[0];
    }
    return floats == g->param_floats && floats <= MOST_FLOATS && g->buffer_floats == 0;
}

bool chain_fits(const nn_graph *g, nn_value images, nn_value logits, nn_value loss) {
    plan p;
    return read_graph(&p, g, images, logits, loss);
}

/* ---- life ---- */

static assay_status
rows_make(assay_ctx *ctx, const float ***row, float **at, size_t batch, size_t wide) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, at, batch * wide, sizeof **at));
    ASSAY_TRY(mem_new(ctx, row, batch, sizeof **row));
    for (size_t i = 0; i < batch; i++)
        (*row)[i] = *at + i * wide;
done:
    return status;
}

static assay_status unit_make(layer_chain *c, int i, const layer *of) {
    assay_status status = ASSAY_OK;
    unit *u = &c->unit[i];
    u->of = *of;
    u->in_wide = padded(of->in);
    size_t floats = of->in * of->wide, batch = (size_t)c->batch;
    ASSAY_TRY(mem_new(c->ctx, &u->w, floats, sizeof *u->w));
    ASSAY_TRY(mem_new(c->ctx, &u->v, floats, sizeof *u->v));
    ASSAY_TRY(mem_new(c->ctx, &u->bias, of->wide, sizeof *u->bias));
    ASSAY_TRY(mem_new(c->ctx, &u->bias_v, of->wide, sizeof *u->bias_v));
    ASSAY_TRY(mem_new(c->ctx, &u->bias_d, of->wide, sizeof *u->bias_d));
    if (i > 0)
        ASSAY_TRY(mem_new(c->ctx, &u->turned, of->out * u->in_wide, sizeof *u->turned));
    ASSAY_TRY(rows_make(c->ctx, &u->y_row, &u->y, batch, of->wide));
    ASSAY_TRY(rows_make(c->ctx, &u->d_row, &u->d, batch, of->wide));
done:
    return status;
}

assay_status chain_create(layer_chain **out,
                          assay_ctx *ctx,
                          const nn_graph *g,
                          nn_value images,
                          nn_value logits,
                          nn_value loss,
                          int batch) {
    assay_status status = ASSAY_OK;
    layer_chain *c = NULL;
    plan p;
    *out = NULL;
    if (batch < 1 || !read_graph(&p, g, images, logits, loss))
        return err_set(ASSAY_E_INVALID, "not a small chain of linear layers");
    ASSAY_TRY(mem_new(ctx, &c, 1, sizeof *c));
    c->ctx = ctx;
    c->n = p.n;
    c->batch = batch;
    c->smoothing = p.smoothing;
    ASSAY_TRY(mem_new(ctx, &c->saved, (size_t)batch, sizeof *c->saved));
    for (int i = 0; i < p.n; i++)
        ASSAY_TRY(unit_make(c, i, &p.layer[p.n - 1 - i]));
    *out = c;
    c = NULL;
done:
    chain_destroy(c);
    return status;
}

void chain_destroy(layer_chain *c) {
    if (!c)
        return;
    for (int i = 0; i < c->n; i++) {
        unit *u = &c->unit[i];
        mem_free(c->ctx, u->w);
        mem_free(c->ctx, u->v);
        mem_free(c->ctx, u->bias);
        mem_free(c->ctx, u->bias_v);
        mem_free(c->ctx, u->bias_d);
        mem_free(c->ctx, u->turned);
        mem_free(c->ctx, u->y);
        mem_free(c->ctx, u->d);
        mem_free(c->ctx, u->y_row);
        mem_free(c->ctx, u->d_row);
    }
    mem_free(c->ctx, c->saved);
    mem_free(c->ctx, c);
}

/* ---- weights ---- */

/* to[c, to_ld] = from[r, from_ld] turned, in blocks that stay in the cache. */
static void
turn(float *to, size_t to_ld, const float *from, size_t from_ld, size_t r, size_t c) {
    enum { BLOCK = 16 };
    for (size_t i = 0; i < r; i += BLOCK)
        for (size_t j = 0; j < c; j++) {
            size_t end = r - i < BLOCK ? r : i + BLOCK;
            for (size_t k = i; k < end; k++)
                to[j * to_ld + k] = from[k * from_ld + j];
        }
}

void chain_load(layer_chain *c, const float *params, const float *velocity) {
    for (int i = 0; i < c->n; i++) {
        unit *u = &c->unit[i];
        const layer *l = &u->of;
        turn(u->w, l->wide, params + l->weight, l->in, l->out, l->in);
        memcpy(u->bias, params + l->bias, l->out * sizeof *u->bias);
        if (velocity) {
            turn(u->v, l->wide, velocity + l->weight, l->in, l->out, l->in);
            memcpy(u->bias_v, velocity + l->bias, l->out * sizeof *u->bias_v);
        } else {
            memset(u->v, 0, l->in * l->wide * sizeof *u->v);
            memset(u->bias_v, 0, l->wide * sizeof *u->bias_v);
        }
    }
}

void chain_store(const layer_chain *c, float *params, float *velocity) {
    for (int i = 0; i < c->n; i++) {
        const unit *u = &c->unit[i];
        const layer *l = &u->of;
        turn(params + l->weight, l->in, u->w, l->wide, l->in, l->out);
        memcpy(params + l->bias, u->bias, l->out * sizeof *u->bias);
        if (velocity) {
            turn(velocity + l->weight, l->in, u->v, l->wide, l->in, l->out);
            memcpy(velocity + l->bias, u->bias_v, l->out * sizeof *u->bias_v);
        }
    }
}

/* ---- steps ---- */

void chain_forward(layer_chain *c, const float *const *row, int n) {
    const chain_kernels *k = chain_kernels_get();
    size_t rows = (size_t)n;
    for (int i = 0; i < c->n; i++) {
        unit *u = &c->unit[i];
        size_t wide = u->of.wide;
        k->product(u->y, i ? c->unit[i - 1].y_row : row, rows, u->w, u->of.in, wide);
        nn_kernels_get()->add_row(u->y, u->bias, rows, wide);
        const row_values y = {u->y, false};
        if (i < c->n - 1)
            row_kernels_get()->act(y, y, rows * wide, ACT_RELU);
    }
}

/* The gradient of layer i - 1's output from that of layer i's. */
static void back(layer_chain *c, int i, size_t rows) {
    unit *u = &c->unit[i], *below = &c->unit[i - 1];
    size_t floats = rows * below->of.wide;
    const row_values y = {below->y, false}, d = {below->d, false};
    turn(u->turned, u->in_wide, u->w, u->of.wide, u->of.in, u->of.out);
    chain_kernels_get()->product(below->d, u->d_row, rows, u->turned, u->of.out,
                                 u->in_wide);
    row_kernels_get()->act_back(d, d, y, floats, ACT_RELU);
}

static void update(unit *u, const float *const *x, size_t rows, const chain_sgd *sgd) {
    const layer *l = &u->of;
    chain_sgd s = *sgd;
    nn_kernels_get()->image[0][0]->sum_rows(u->bias_d, u->d, rows, l->wide);
    simd()->f32_sgd(u->bias, u->bias_v, u->bias_d, l->out, s.rate, s.momentum,
                    l->bias_decays ? s.decay : 0, s.nesterov);
    s.decay = l->weight_decays ? s.decay : 0;
    chain_kernels_get()->update(u->w, u->v, x, rows, u->d, l->in, l->wide, &s);
}

assay_status chain_step(layer_chain *c,
                        const float *const *row,
                        const int32_t *labels,
                        int n,
                        const chain_sgd *sgd,
                        double *loss) {
    unit *last = &c->unit[c->n - 1];
    size_t rows = (size_t)n, wide = last->of.wide;
    int64_t classes = (int64_t)last->of.out;
    for (int i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return err_set(ASSAY_E_INVALID, "label %d of %lld classes", labels[i],
                           (long long)classes);
    chain_forward(c, row, n);
    float share = 1.0F / (float)n;
    for (size_t i = 0; i < rows; i++) {
        const float *z = last->y + i * wide;
        *loss +=
            (double)(float)loss_row(&c->saved[i], z, classes, labels[i], c->smoothing);
        loss_row_back(last->d + i * wide, &c->saved[i], z, classes, labels[i],
                      c->smoothing, share);
    }
    for (int i = c->n - 1; i >= 0; i--) {
        if (i > 0)
            back(c, i, rows);
        update(&c->unit[i], i ? c->unit[i - 1].y_row : row, rows, sgd);
    }
    return ASSAY_OK;
}

const float *chain_logits(const layer_chain *c, size_t *ld) {
    *ld = c->unit[c->n - 1].of.wide;
    return c->unit[c->n - 1].y;
}

size_t chain_width(const layer_chain *c) {
    return c->unit[0].of.in;
}
