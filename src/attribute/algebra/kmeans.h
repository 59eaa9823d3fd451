/* k-means: points into clusters round their means. */
#ifndef ATTRIBUTE_KMEANS_H
#define ATTRIBUTE_KMEANS_H

#include "base/ctx.h"

typedef struct la_clusters {
    assay_ctx *ctx;
    size_t n, dim, count; /* count: of clusters that have points */
    uint32_t *cluster;    /* [n], numbered from the largest on; equals by lowest point */
    size_t *size;         /* [count] */
    double *mean;         /* [count, dim] */
    float *distance;      /* [n] from the cluster's mean */
    double spread;        /* sum of squared distances */
} la_clusters;

/** Lloyd's algorithm from k-means++ starts (Arthur and Vassilvitskii 2007), the best of
 *  eight by the sum of squares. A cluster that runs empty takes the point that is
 *  farthest from its own mean.
 *  @param points  [n, dim]   @param want  of clusters, 1 or more; at most n come out
 *  @errors NUMERIC (not finite), NOMEM, CANCELLED   @threads one; seed decides
 *  @cost 8 x at most 100 passes of n want dim */
ASSAY_MUST_CHECK assay_status la_kmeans(la_clusters *out,
                                        assay_ctx *ctx,
                                        const float *points,
                                        size_t n,
                                        size_t dim,
                                        size_t want,
                                        uint64_t seed);
void la_clusters_free(la_clusters *c); /* accepts a zeroed one */

#endif
