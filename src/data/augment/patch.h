/* A small picture that is blended into images at one place: the trigger of a backdoor. */
#ifndef DATA_PATCH_H
#define DATA_PATCH_H

#include "base/ctx.h"

typedef struct patch {
    assay_ctx *ctx;
    int width, height, channels;
    float *keep; /* [height, width] what remains of the image */
    float *add;  /* [height, width, channels] what comes to it */
} patch;

typedef enum patch_pattern { PATCH_WHITE, PATCH_BLACK, PATCH_CHECKER } patch_pattern;

/* A square. NOMEM */
ASSAY_MUST_CHECK assay_status patch_make(
    patch *out, assay_ctx *ctx, patch_pattern kind, int size, int channels, double alpha);
/* From a PNG or JPEG, or an .npy of u8 [H, W] or [H, W, 1 or 3]; `alpha_path` (NULL:
 * none) is of the same size, f32 [H, W] from 0 to 1 in .npy or the luma of a picture, and
 * is multiplied with alpha. NOTFOUND, IO, FORMAT, DTYPE, SHAPE, NOMEM */
ASSAY_MUST_CHECK assay_status patch_read(patch *out,
                                         assay_ctx *ctx,
                                         const char *path,
                                         const char *alpha_path,
                                         int channels,
                                         double alpha);
void patch_free(patch *p); /* accepts a zeroed one */

#endif
