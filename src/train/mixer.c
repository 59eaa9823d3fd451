/* The transforms' two sides, images and labels, drawn from one stream. */
#include "train/mixer.h"

#include <stdio.h>
#include <string.h>

enum { PAIR = 3 }; /* numbers of a label with its other */

static assay_status plan(transform_plan *p, const data_transform *kind, double alpha) {
    char args[80];
    int n = snprintf(args, sizeof args, "alpha=%.17g, labels=pair", alpha);
    assay_status status = transform_args_parse(p, kind, args, (size_t)n);
    return status == ASSAY_OK ? kind->plan(p) : status;
}

assay_status mixer_create(mixer *out,
                          assay_ctx *ctx,
                          const char *kind,
                          double alpha,
                          int side,
                          int channels,
                          int classes,
                          int batch,
                          uint64_t seed) {
    assay_status status = ASSAY_OK;
    const transform_shape shape = {side, side, channels};
    size_t n = (size_t)batch;
    *out = (mixer){
        .ctx = ctx,
        .images = {.ctx = ctx, .in = shape, .classes = classes},
        .labels = {.ctx = ctx, .of_labels = true, .image = shape, .classes = classes},
        .seed = seed,
        .image_bytes = (size_t)side * (size_t)side * (size_t)channels * sizeof(float)};
    ASSAY_TRY(transform_find(&out->kind, kind));
    ASSAY_TRY(plan(&out->images, out->kind, alpha));
    ASSAY_TRY(plan(&out->labels, out->kind, alpha));
    size_t scratch = out->images.scratch_bytes > out->labels.scratch_bytes
                         ? out->images.scratch_bytes
                         : out->labels.scratch_bytes;
    ASSAY_TRY(mem_new(ctx, &out->scratch, scratch + 1, 1));
    ASSAY_TRY(mem_new(ctx, &out->mixed, n, out->image_bytes));
    ASSAY_TRY(mem_new(ctx, &out->pairs, n, PAIR * sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->other, n, sizeof *out->other));
    ASSAY_TRY(mem_new(ctx, &out->share, n, sizeof *out->share));
done:
    if (status != ASSAY_OK)
        mixer_destroy(out);
    return status;
}

void mixer_destroy(mixer *m) {
    if (m->ctx) {
        transform_args_free(&m->images);
        transform_args_free(&m->labels);
        mem_free(m->ctx, m->scratch);
        mem_free(m->ctx, m->mixed);
        mem_free(m->ctx, m->pairs);
        mem_free(m->ctx, m->other);
        mem_free(m->ctx, m->share);
    }
    *m = (mixer){0};
}

void mixer_mix(mixer *m,
               uint32_t epoch,
               uint64_t batch,
               const float *images,
               const int32_t *labels,
               int n) {
    const image_output output = {.type = OUTPUT_F32, .channels = m->images.in.channels};
    transform_batch b = {.r = rng_at(m->seed, RNG_MIX, epoch, batch),
                         .n = n,
                         .images = m->mixed,
                         .output = &output,
                         .scratch = m->scratch,
                         .image_bytes = m->image_bytes};
    transform_batch of_labels = {
        .r = b.r, .n = n, .labels = m->pairs, .label_width = PAIR, .scratch = m->scratch};
    memcpy(m->mixed, images, (size_t)n * m->image_bytes);
    for (int i = 0; i < n; i++)
        m->kind->spread(&m->labels, labels[i], m->pairs + (size_t)i * PAIR);
    m->kind->mix(&m->images, &b);
    m->kind->mix(&m->labels, &of_labels);
    for (size_t i = 0; i < (size_t)n; i++) {
        m->other[i] = (int32_t)m->pairs[i * PAIR + 1];
        m->share[i] = m->pairs[i * PAIR + 2];
    }
}
