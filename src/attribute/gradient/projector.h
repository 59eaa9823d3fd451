/* Projectors: random linear maps of gradients to a few thousand numbers, one file each
 * under attribute/gradient/projectors. All are unbiased: the expectation of a scalar
 * product of projections is the scalar product of the gradients. They start from the
 * layers' factors, so a projector decides itself whether a gradient is ever written down.
 */
#ifndef ATTRIBUTE_PROJECTOR_H
#define ATTRIBUTE_PROJECTOR_H

#include "base/ctx.h"
#include "nn/exec.h"

enum { ATT_LANES = 16 /* examples that go through a projector at once, at most */ };

typedef struct att_projector att_projector;

/* One map, fixed by name, dimension, seed and the model's layers. Many threads may use it
 * at once, each with scratch of its own. */
typedef struct att_projection {
    assay_ctx *ctx;
    const att_projector *projector;
    int dim;
    uint64_t seed;
    size_t floats;  /* of parameters */
    size_t widest;  /* factor, in floats */
    size_t room;    /* of nn_factor_gradient */
    size_t scratch; /* floats that a run needs */
    void *own;      /* the projector's */
} att_projection;

struct att_projector {
    const char *name, *summary;
    bool whole; /* the dimension is that of the gradient, whatever was asked for */
    /* Sets p->scratch, and p->own if it needs something; dim, seed, floats, widest and
     * room are set. UNSUPPORTED, NOMEM */
    assay_status (*plan)(att_projection *p, const nn_factor *f, int count);
    void (*release)(att_projection *p); /* NULL: nothing to do */
    /* Projects n (1..ATT_LANES) examples: out [n, dim]. */
    void (*run)(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch);
};

size_t att_projector_count(void);
const att_projector *att_projector_at(size_t i);

/** @param name  NOTFOUND lists the names
 *  @param f  factors of any batch of the model, for their sizes */
ASSAY_MUST_CHECK assay_status att_projection_create(att_projection *out,
                                                    assay_ctx *ctx,
                                                    const char *name,
                                                    int dim,
                                                    uint64_t seed,
                                                    size_t floats,
                                                    const nn_factor *f,
                                                    int count);
void att_projection_free(att_projection *p); /* accepts a zeroed one */

/* Gradients of a factor for n examples, `p->widest` floats apart. For projectors that
 * work on gradients; `room` holds p->room floats. */
void att_gradients(
    float *out, const att_projection *p, const nn_factor *f, int n, float *room);

/* 64 bits for one coordinate of one row of a random matrix. */
static inline uint64_t att_bits(uint64_t seed, uint64_t row, uint64_t column) {
    uint64_t x = seed ^ row * 0x9E3779B97F4A7C15u ^ (column + 1) * 0xD1B54A32D192ED03u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

#endif
