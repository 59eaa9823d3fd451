/* The registry of projectors, and gradients for those that want them written down. */
#include "attribute/gradient/projector.h"

#include "base/buf.h"

#include <string.h>

#define X(name) extern const att_projector assay_projector_##name;
#include "projector_table.inc"
#undef X

#define X(name) &assay_projector_##name,
static const att_projector *const projectors[] = {
#include "projector_table.inc"
};
#undef X

size_t att_projector_count(void) {
    return sizeof projectors / sizeof *projectors;
}

const att_projector *att_projector_at(size_t i) {
    return projectors[i];
}

static assay_status find(const att_projector **out, assay_ctx *ctx, const char *name) {
    buf names = buf_make(ctx);
    for (size_t i = 0; i < att_projector_count(); i++) {
        *out = projectors[i];
        if (strcmp((*out)->name, name) == 0) {
            buf_free(&names);
            return ASSAY_OK;
        }
        buf_fmt(&names, "%s%s", i ? ", " : "", (*out)->name);
    }
    (void)err_set(ASSAY_E_NOTFOUND, "there is no projector \"%s\"", name);
    if (!names.failed)
        err_help("projectors are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

assay_status att_projection_create(att_projection *out,
                                   assay_ctx *ctx,
                                   const char *name,
                                   int dim,
                                   uint64_t seed,
                                   size_t floats,
                                   const nn_factor *f,
                                   int count) {
    assay_status status = ASSAY_OK;
    *out = (att_projection){.ctx = ctx,
                            .dim = dim,
                            .seed = att_bits(seed, 0, 0),
                            .floats = floats,
                            .widest = 1,
                            .room = 1};
    ASSAY_TRY(find(&out->projector, ctx, name));
    if (out->projector->whole)
        out->dim = (int)floats;
    if (dim < 1 || floats > INT32_MAX)
        ASSAY_FAIL(ASSAY_E_INVALID, "a projection of %zu numbers to %d", floats, dim);
    for (int i = 0; i < count; i++) {
        size_t width = f[i].weight_count + f[i].bias_count;
        size_t room = nn_factor_scratch(&f[i]);
        out->widest = width > out->widest ? width : out->widest;
        out->room = room > out->room ? room : out->room;
    }
    ASSAY_TRY(out->projector->plan(out, f, count));
done:
    if (status != ASSAY_OK)
        att_projection_free(out);
    return status;
}

void att_projection_free(att_projection *p) {
    if (p->projector && p->projector->release)
        p->projector->release(p);
    *p = (att_projection){0};
}

void att_gradients(
    float *out, const att_projection *p, const nn_factor *f, int n, float *room) {
    for (int lane = 0; lane < n; lane++)
        nn_factor_gradient(f, lane, out + (size_t)lane * p->widest, room);
}
