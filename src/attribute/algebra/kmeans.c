/* Lloyd's algorithm with seeded starts. */
#include "attribute/algebra/kmeans.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STARTS = 8, PASSES = 100 };

typedef struct kmeans {
    assay_ctx *ctx;
    const float *points;
    size_t n, dim, k;
    double *mean, *square; /* [k, dim]; [n] squared distance to the nearest mean */
    uint32_t *cluster;     /* [n] */
    size_t *size;          /* [k] */
} kmeans;

static double apart(const float *x, const double *mean, size_t dim) {
    double sum = 0;
    for (size_t d = 0; d < dim; d++) {
        double by = (double)x[d] - mean[d];
        sum += by * by;
    }
    return sum;
}

static void mean_at(kmeans *s, size_t c, size_t point) {
    for (size_t d = 0; d < s->dim; d++)
        s->mean[c * s->dim + d] = (double)s->points[point * s->dim + d];
}

/* A point, drawn by its squared distance; any where all lie on means. */
static size_t draw(const kmeans *s, rng *r) {
    double sum = 0, at;
    for (size_t i = 0; i < s->n; i++)
        sum += s->square[i];
    if (!(sum > 0))
        return (size_t)rng_below(r, s->n);
    at = rng_uniform(r) * sum;
    for (size_t i = 0; i < s->n; i++) {
        at -= s->square[i];
        if (at < 0 && s->square[i] > 0)
            return i;
    }
    size_t last = s->n - 1;
    while (last > 0 && !(s->square[last] > 0))
        last--;
    return last;
}

static void begin(kmeans *s, uint64_t seed, uint32_t start) {
    rng r = rng_at(seed, RNG_CLUSTERS, start, 0);
    mean_at(s, 0, (size_t)rng_below(&r, s->n));
    for (size_t i = 0; i < s->n; i++)
        s->square[i] = apart(s->points + i * s->dim, s->mean, s->dim);
    for (size_t c = 1; c < s->k; c++) {
        mean_at(s, c, draw(s, &r));
        for (size_t i = 0; i < s->n; i++) {
            double x = apart(s->points + i * s->dim, s->mean + c * s->dim, s->dim);
            s->square[i] = x < s->square[i] ? x : s->square[i];
        }
    }
}

/* Every point to its nearest mean; whether one moved. */
static bool assign(kmeans *s, bool first) {
    bool moved = first;
    for (size_t i = 0; i < s->n; i++) {
        const float *x = s->points + i * s->dim;
        double least = INFINITY;
        uint32_t at = 0;
        for (size_t c = 0; c < s->k; c++) {
            double by = apart(x, s->mean + c * s->dim, s->dim);
            if (by < least) {
                least = by;
                at = (uint32_t)c;
            }
        }
        moved = moved || at != s->cluster[i];
        s->cluster[i] = at;
        s->square[i] = least;
    }
    return moved;
}

static void means(kmeans *s) {
    memset(s->mean, 0, s->k * s->dim * sizeof *s->mean);
    memset(s->size, 0, s->k * sizeof *s->size);
    for (size_t i = 0; i < s->n; i++) {
        double *to = s->mean + s->cluster[i] * s->dim;
        s->size[s->cluster[i]]++;
        for (size_t d = 0; d < s->dim; d++)
            to[d] += (double)s->points[i * s->dim + d];
    }
    for (size_t c = 0; c < s->k; c++) {
        size_t far = 0;
        if (s->size[c]) {
            for (size_t d = 0; d < s->dim; d++)
                s->mean[c * s->dim + d] /= (double)s->size[c];
            continue;
        }
        for (size_t i = 1; i < s->n; i++)
            far = s->square[i] > s->square[far] ? i : far;
        mean_at(s, c, far);
        s->square[far] = 0;
    }
}

static assay_status lloyd(kmeans *s, uint64_t seed, uint32_t start) {
    assay_status status = ASSAY_OK;
    begin(s, seed, start);
    for (int pass = 0; pass < PASSES && assign(s, pass == 0); pass++) {
        ASSAY_TRY(ctx_check(s->ctx));
        means(s);
    }
    (void)assign(s, false);
    means(s);
done:
    return status;
}

typedef struct sized {
    size_t size, lowest;
    uint32_t was;
} sized;

static int largest_first(const void *x, const void *y) {
    const sized *a = x, *b = y;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return a->lowest < b->lowest ? -1 : a->lowest > b->lowest;
}

/* Clusters by size, without empty ones. */
static assay_status settle(la_clusters *out, kmeans *s) {
    assay_status status = ASSAY_OK;
    sized *order = NULL;
    uint32_t *now = NULL;
    ASSAY_TRY(mem_new(out->ctx, &order, s->k, sizeof *order));
    ASSAY_TRY(mem_new(out->ctx, &now, s->k, sizeof *now));
    for (size_t c = 0; c < s->k; c++)
        order[c] = (sized){s->size[c], s->n, (uint32_t)c};
    for (size_t i = s->n; i-- > 0;)
        order[s->cluster[i]].lowest = i;
    qsort(order, s->k, sizeof *order, largest_first);
    out->count = 0;
    for (size_t c = 0; c < s->k && order[c].size; c++) {
        now[order[c].was] = (uint32_t)c;
        out->size[c] = order[c].size;
        memcpy(out->mean + c * s->dim, s->mean + order[c].was * s->dim,
               s->dim * sizeof *out->mean);
        out->count++;
    }
    for (size_t i = 0; i < s->n; i++) {
        out->cluster[i] = now[s->cluster[i]];
        out->distance[i] = (float)sqrt(
            apart(s->points + i * s->dim, out->mean + out->cluster[i] * s->dim, s->dim));
    }
done:
    mem_free(out->ctx, order);
    mem_free(out->ctx, now);
    return status;
}

assay_status la_kmeans(la_clusters *out,
                       assay_ctx *ctx,
                       const float *points,
                       size_t n,
                       size_t dim,
                       size_t want,
                       uint64_t seed) {
    assay_status status = ASSAY_OK;
    kmeans s = {
        .ctx = ctx, .points = points, .n = n, .dim = dim, .k = want < n ? want : n};
    *out = (la_clusters){.ctx = ctx, .n = n, .dim = dim, .spread = INFINITY};
    for (size_t i = 0; i < n * dim; i++)
        if (!isfinite(points[i]))
            ASSAY_FAIL(ASSAY_E_NUMERIC, "point %zu is not finite", i / dim);
    ASSAY_TRY(mem_new(ctx, &out->cluster, n, sizeof *out->cluster));
    ASSAY_TRY(mem_new(ctx, &out->distance, n, sizeof *out->distance));
    ASSAY_TRY(mem_new(ctx, &out->size, s.k, sizeof *out->size));
    ASSAY_TRY(mem_new(ctx, &out->mean, s.k * dim, sizeof *out->mean));
    ASSAY_TRY(mem_new(ctx, &s.mean, s.k * dim, sizeof *s.mean));
    ASSAY_TRY(mem_new(ctx, &s.square, n, sizeof *s.square));
    ASSAY_TRY(mem_new(ctx, &s.cluster, n, sizeof *s.cluster));
    ASSAY_TRY(mem_new(ctx, &s.size, s.k, sizeof *s.size));
    for (uint32_t start = 0; start < STARTS; start++) {
        double spread = 0;
        ASSAY_TRY(lloyd(&s, seed, start));
        for (size_t i = 0; i < n; i++)
            spread += apart(points + i * dim, s.mean + s.cluster[i] * dim, dim);
        if (!(spread < out->spread))
            continue;
        out->spread = spread;
        ASSAY_TRY(settle(out, &s));
    }
done:
    mem_free(ctx, s.mean);
    mem_free(ctx, s.square);
    mem_free(ctx, s.cluster);
    mem_free(ctx, s.size);
    if (status != ASSAY_OK)
        la_clusters_free(out);
    return status;
}

void la_clusters_free(la_clusters *c) {
    if (!c->ctx)
        return;
    mem_free(c->ctx, c->cluster);
    mem_free(c->ctx, c->size);
    mem_free(c->ctx, c->mean);
    mem_free(c->ctx, c->distance);
    *c = (la_clusters){0};
}
