/* compare: how two algorithms differ over the same rows and targets (ModelDiff, Shah et
 * al. 2022, section 3). Each target's scores, of unit length, less what the other's
 * explain; principal components of these residuals are directions of training rows that
 * one algorithm goes by and the other does not. A direction counts as a difference if it
 * explains much of the one's scores and little of the other's. */
#include "detect/trace/trace.h"

#include "attribute/algebra/matmul.h"
#include "attribute/algebra/principal.h"
#include "simd/simd.h"

#include <math.h>

enum { USUAL_COMPONENTS = 3 };

/* Targets' scores, one after the other, each of length one: out [m, n]. */
static assay_status units(float **out, const trace *t, const float *scores) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(t->ctx, out, t->m * t->n, sizeof **out));
    for (size_t k = 0; k < t->m; k++) {
        float *to = *out + k * t->n;
        for (size_t i = 0; i < t->n; i++)
            to[i] = scores[i * t->m + k];
        double square = simd()->f32_dot64(to, to, t->n);
        simd()->f32_scale(to, square > 0 ? (float)(1 / sqrt(square)) : 0, t->n);
    }
done:
    return status;
}

static void residuals(float *out, const float *of, const float *by, size_t m, size_t n) {
    for (size_t k = 0; k < m; k++) {
        const float *a = of + k * n, *b = by + k * n;
        float same = (float)simd()->f32_dot64(a, b, n);
        for (size_t i = 0; i < n; i++)
            out[k * n + i] = a[i] - same * b[i];
    }
}

static double squares(const float *x, size_t n) {
    return simd()->f32_dot64(x, x, n);
}

/* The share of a table's squares that lies along a direction. */
static assay_status
along(double *out, const trace *t, const float *units_of, const float *direction) {
    assay_status status = ASSAY_OK;
    float *place = NULL;
    double all = squares(units_of, t->m * t->n);
    ASSAY_TRY(mem_new(t->ctx, &place, t->m, sizeof *place));
    ASSAY_TRY(mat_mul_nt(t->ctx, place, units_of, direction, t->m, 1, t->n));
    *out = all > 0 ? squares(place, t->m) / all : 0;
done:
    mem_free(t->ctx, place);
    return status;
}

typedef struct side {
    const char *name;
    const float *own, *other; /* [m, n] */
} side;

static assay_status
tell_component(trace *t, const side *s, const la_principal *p, size_t c) {
    assay_status status = ASSAY_OK;
    const float *v = p->direction + c * t->n;
    float *place = NULL;
    double own, other;
    ASSAY_TRY(mem_new(t->ctx, &place, t->m, sizeof *place));
    for (size_t k = 0; k < t->m; k++)
        place[k] = p->place[k * p->count + c];
    ASSAY_TRY(along(&own, t, s->own, v));
    ASSAY_TRY(along(&other, t, s->other, v));
    json_obj(&t->json);
    json_knum(&t->json, "of_residual", p->value[c] / p->total);
    json_knum(&t->json, "of_own", own);
    json_knum(&t->json, "of_other", other);
    ASSAY_TRY(trace_tell_end(t, "rows_high", v, t->n, t->lab.rows, false));
    ASSAY_TRY(trace_tell_end(t, "rows_low", v, t->n, t->lab.rows, true));
    ASSAY_TRY(trace_tell_end(t, "targets_high", place, t->m, t->lab.targets, false));
    ASSAY_TRY(trace_tell_end(t, "targets_low", place, t->m, t->lab.targets, true));
    json_obj_end(&t->json);
    for (size_t i = 0; i < t->n; i++)
        buf_fmt(&t->csv, "%s,%zu,row,%u,%.9g\n", s->name, c, t->lab.rows[i],
                (double)v[i]);
    for (size_t k = 0; k < t->m; k++)
        buf_fmt(&t->csv, "%s,%zu,target,%u,%.9g\n", s->name, c, t->lab.targets[k],
                (double)place[k]);
done:
    mem_free(t->ctx, place);
    return status;
}

static assay_status one_way(trace *t, const side *s, float *residual) {
    assay_status status = ASSAY_OK;
    la_principal p = {0};
    size_t want = t->o.count ? (size_t)t->o.count : USUAL_COMPONENTS;
    double own = squares(s->own, t->m * t->n);
    residuals(residual, s->own, s->other, t->m, t->n);
    ASSAY_TRY(la_principal_make(&p, t->ctx, residual, t->m, t->n, want));
    json_obj(&t->json);
    json_kstr(&t->json, "of", s->name);
    json_knum(&t->json, "residual", own > 0 ? p.total / own : 0);
    json_key(&t->json, "components");
    json_arr(&t->json);
    for (size_t c = 0; c < p.count; c++)
        ASSAY_TRY(tell_component(t, s, &p, c));
    json_arr_end(&t->json);
    json_obj_end(&t->json);
done:
    la_principal_free(&p);
    return status;
}

static assay_status run(trace *t) {
    assay_status status = ASSAY_OK;
    float *a = NULL, *b = NULL, *residual = NULL;
    ASSAY_TRY(units(&a, t, t->scores));
    ASSAY_TRY(units(&b, t, t->against));
    ASSAY_TRY(mem_new(t->ctx, &residual, t->m * t->n, sizeof *residual));
    const side way[] = {{"scores", a, b}, {"against", b, a}};
    buf_str(&t->csv, "of,component,what,row,value\n");
    json_key(&t->json, "ways");
    json_arr(&t->json);
    ASSAY_TRY(one_way(t, &way[0], residual));
    ASSAY_TRY(one_way(t, &way[1], residual));
    json_arr_end(&t->json);
done:
    mem_free(t->ctx, a);
    mem_free(t->ctx, b);
    mem_free(t->ctx, residual);
    return status;
}

const trace_use assay_use_compare = {
    .name = "compare",
    .summary = "what one algorithm goes by and another does not",
    .takes_two = true,
    .run = run,
};
