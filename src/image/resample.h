/* Resizing rows as they come: a vertical pass over the last few rows, a horizontal pass
 * into the output, with mirroring, normalisation and layout on the way. One per thread.
 */
#ifndef IMAGE_RESAMPLE_H
#define IMAGE_RESAMPLE_H

#include "base/ctx.h"
#include "image/output.h"
#include "image/rows.h"

typedef enum resample_filter {
    RESAMPLE_AREA,     /* exact box coverage; enlarging: OpenCV's INTER_AREA rule */
    RESAMPLE_TRIANGLE, /* antialiased bilinear, as Pillow */
    RESAMPLE_CUBIC,    /* antialiased bicubic (a = -0.5), as Pillow */
    RESAMPLE_BILINEAR, /* two taps a side, not antialiased, as OpenCV's INTER_LINEAR */
    RESAMPLE_NEAREST,  /* the input that holds the output's centre */
    RESAMPLE_FILTERS
} resample_filter;
const char *resample_filter_name(resample_filter f); /* "area", "triangle", ... */

typedef struct resample_job {
    int in_width, in_height, out_width, out_height;
    resample_filter filter;
    bool mirror_x, mirror_y;
    image_output output;
    void *out; /* the image's place in the batch */
} resample_job;

typedef struct resampler resampler;
ASSAY_MUST_CHECK assay_status resampler_create(resampler **out, assay_ctx *ctx);
void resampler_destroy(resampler *r); /* accepts NULL */
/* Prepares one image: weights (kept while sizes and filter stay), row buffers. INVALID,
 * SHAPE (65535 a side at most), NOMEM. Every instruction set gives the same bits; values
 * are cut off at 0 and 255 (the cubic overshoots). docs/loading.md has the rules. */
ASSAY_MUST_CHECK assay_status resampler_begin(resampler *r, const resample_job *job);
/* Where its in_height rows go; the output is complete with the last. */
row_sink resampler_sink(resampler *r);

/* The same in float64, pixel by pixel, in plain words: [out_height, out_width, 3] values
 * in units of the bytes, before the output's scale; rgb packed. */
ASSAY_MUST_CHECK assay_status resample_reference(assay_ctx *ctx,
                                                 const resample_job *job,
                                                 const uint8_t *rgb,
                                                 double *out);

#endif
