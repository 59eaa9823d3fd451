/* Pictures as the search for copies sees them: at most 32 pixels a side, centred, of unit
 * norm, and as short sketches whose products bound the correlation from above.
 *
 * A picture splits into the part that mirroring keeps and the part it turns round, x = e
 * + o. With e, o also those of another picture, the correlation is  e.e' + o.o',  that
 * with the mirrored one e.e' - o.o'. Both parts are projected on a few orthonormal
 * vectors; what the projections miss has norms r, r' and adds at most r r'. So |S| + |T|
 * with S = (Pe, r).(Pe', r'), T = Po.Po' bounds both correlations, for the price of one
 * short product. */
#ifndef DETECT_FRAME_H
#define DETECT_FRAME_H

#include "detect/detect.h"

enum { FRAME_SIDE = 32, FRAME_DIMS = 96 };

typedef struct frame {
    assay_ctx *ctx;
    const uint8_t *pixels; /* [rows, side, side, channels] */
    uint8_t *shrunk;       /* owned, when the pixels given were larger */
    int side, channels;
    size_t bytes; /* of a picture */
    uint64_t rows;
    double *mean, *inverse; /* of each row: mean, 1 / norm once centred; 0 if flat */
    int even, odd;          /* dimensions of both sketches */
    size_t width;           /* even + 1 + odd */
    float *sketch;          /* [rows, width]: Pe, r, Po */
} frame;

/* Rows [0, in->rows). The vectors come from a sample of the pictures. */
ASSAY_MUST_CHECK assay_status frame_make(frame *out, const detect_input *in);
void frame_free(frame *f); /* accepts a zeroed one */

static inline const uint8_t *frame_row(const frame *f, uint64_t row) {
    return f->pixels + row * f->bytes;
}

/* The mirror image of a row. out [bytes] */
void frame_mirror(const frame *f, const uint8_t *from, uint8_t *out);

#endif
