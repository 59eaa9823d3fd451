/* clusters: groups of rows that do the same to all targets. A row of the table is an
 * embedding of the training row (Ilyas et al. 2022, Datamodels, section 4); of unit
 * length, so that rows count by direction, and without the mean over rows. k-means goes
 * by the first principal components. */
#include "detect/trace/trace.h"

#include "attribute/algebra/kmeans.h"
#include "attribute/algebra/principal.h"

#include <math.h>

static assay_status embed(float **out, const trace *t) {
    assay_status status = ASSAY_OK;
    double *mean = NULL;
    ASSAY_TRY(mem_new(t->ctx, out, t->n * t->m, sizeof **out));
    ASSAY_TRY(mem_new(t->ctx, &mean, t->m, sizeof *mean));
    for (size_t i = 0; i < t->n; i++) {
        const float *x = t->scores + i * t->m;
        float *to = *out + i * t->m;
        double square = 0;
        for (size_t k = 0; k < t->m; k++)
            square += (double)x[k] * (double)x[k];
        for (size_t k = 0; k < t->m; k++) {
            to[k] = square > 0 ? (float)((double)x[k] / sqrt(square)) : 0;
            mean[k] += (double)to[k] / (double)t->n;
        }
    }
    for (size_t i = 0; i < t->n * t->m; i++)
        (*out)[i] -= (float)mean[i % t->m];
done:
    mem_free(t->ctx, mean);
    return status;
}

/* The class most rows of a cluster have, and how many do. */
static assay_status
purest(int *best, size_t *of_best, const trace *t, const la_clusters *c, size_t at) {
    assay_status status = ASSAY_OK;
    size_t *count = NULL;
    ASSAY_TRY(mem_new(t->ctx, &count, (size_t)t->lab.card.classes, sizeof *count));
    for (size_t i = 0; i < t->n; i++)
        count[t->lab.labels[t->lab.rows[i]]] += c->cluster[i] == at;
    *best = 0;
    for (int k = 1; k < t->lab.card.classes; k++)
        *best = count[k] > count[*best] ? k : *best;
    *of_best = count[*best];
done:
    mem_free(t->ctx, count);
    return status;
}

static assay_status
tell_cluster(trace *t, const la_clusters *c, const uint32_t *order, size_t at) {
    assay_status status = ASSAY_OK;
    size_t of_best, told = 0;
    int best;
    double mean = 0;
    ASSAY_TRY(purest(&best, &of_best, t, c, at));
    for (size_t i = 0; i < t->n; i++)
        mean += c->cluster[i] == at ? (double)c->distance[i] / (double)c->size[at] : 0;
    json_obj(&t->json);
    json_kint(&t->json, "cluster", (int64_t)at);
    json_kint(&t->json, "size", (int64_t)c->size[at]);
    json_kstr(&t->json, "class", dataset_class_name(t->lab.data, best));
    json_knum(&t->json, "purity", (double)of_best / (double)c->size[at]);
    json_knum(&t->json, "distance", mean);
    json_key(&t->json, "nearest");
    json_arr(&t->json);
    for (size_t i = t->n; i-- > 0 && told < (size_t)t->o.top;)
        if (c->cluster[order[i]] == at) {
            json_obj(&t->json);
            trace_tell_row(t, t->lab.rows[order[i]]);
            json_knum(&t->json, "value", (double)c->distance[order[i]]);
            json_obj_end(&t->json);
            told++;
        }
    json_arr_end(&t->json);
    json_obj_end(&t->json);
done:
    return status;
}

static assay_status tell(trace *t, const la_principal *p, const la_clusters *c) {
    assay_status status = ASSAY_OK;
    uint32_t *order = NULL; /* farthest from its mean first */
    double explained = 0;
    ASSAY_TRY(mem_new(t->ctx, &order, t->n, sizeof *order));
    ASSAY_TRY(detect_order(order, t->ctx, c->distance, t->n));
    for (size_t d = 0; d < p->count; d++)
        explained += p->value[d] / p->total;
    json_kint(&t->json, "dimensions", (int64_t)p->count);
    json_knum(&t->json, "explained", explained);
    json_key(&t->json, "clusters");
    json_arr(&t->json);
    for (size_t at = 0; at < c->count; at++)
        ASSAY_TRY(tell_cluster(t, c, order, at));
    json_arr_end(&t->json);
    buf_str(&t->csv, "row,label,cluster,distance\n");
    for (size_t i = 0; i < t->n; i++)
        buf_fmt(&t->csv, "%u,%d,%u,%.9g\n", t->lab.rows[i], t->lab.labels[t->lab.rows[i]],
                c->cluster[i], (double)c->distance[i]);
done:
    mem_free(t->ctx, order);
    return status;
}

static assay_status run(trace *t) {
    assay_status status = ASSAY_OK;
    size_t usual =
        2 * (size_t)t->lab.card.classes; /* classes come apart before the rest */
    size_t want = t->o.count ? (size_t)t->o.count : usual < t->n ? usual : t->n;
    float *x = NULL;
    la_principal p = {0};
    la_clusters c = {0};
    if (want > t->n)
        ASSAY_FAIL(ASSAY_E_INVALID, "%zu clusters of %zu rows", want, t->n);
    ASSAY_TRY(embed(&x, t));
    ASSAY_TRY(la_principal_make(&p, t->ctx, x, t->n, t->m, (size_t)t->o.dim));
    if (p.count == 0)
        ASSAY_FAIL(ASSAY_E_NUMERIC, "all rows have the same scores: there is nothing to "
                                    "tell them apart by");
    ASSAY_TRY(la_kmeans(&c, t->ctx, p.place, t->n, p.count, want, t->o.seed));
    ASSAY_TRY(tell(t, &p, &c));
done:
    mem_free(t->ctx, x);
    la_principal_free(&p);
    la_clusters_free(&c);
    return status;
}

const trace_use assay_use_clusters = {
    .name = "clusters",
    .summary = "groups of rows that do the same to targets",
    .run = run,
};
