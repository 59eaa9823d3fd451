/* Mixup and cutmix of finished batches (data/transforms/mixup.c, cutmix.c): each image is
 * mixed with the one before it, and has two labels then. What is drawn depends on (seed,
 * epoch, place of the batch) alone. */
#ifndef TRAIN_MIXER_H
#define TRAIN_MIXER_H

#include "data/transform.h"

typedef struct mixer {
    assay_ctx *ctx;
    const data_transform *kind; /* NULL: it is not on */
    transform_plan images, labels;
    uint64_t seed;
    size_t image_bytes;
    float *mixed;     /* [batch, image] */
    float *pairs;     /* [batch, 3]: label, the other's label, share */
    int32_t *other;   /* [batch] */
    float *share;     /* [batch], of the own label */
    uint8_t *scratch; /* of both plans */
} mixer;

/* `kind`: "mixup" or "cutmix", with Beta(alpha, alpha). INVALID */
ASSAY_MUST_CHECK assay_status mixer_create(mixer *out,
                                           assay_ctx *ctx,
                                           const char *kind,
                                           double alpha,
                                           int side,
                                           int channels,
                                           int classes,
                                           int batch,
                                           uint64_t seed);
void mixer_destroy(mixer *m); /* accepts a zeroed one */
/* Fills mixed, other and share from n images [n,H,W,C] and their labels. */
void mixer_mix(mixer *m,
               uint32_t epoch,
               uint64_t batch,
               const float *images,
               const int32_t *labels,
               int n);

#endif
