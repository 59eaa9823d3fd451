/* One imported sample becomes one row of a file: images are decoded, turned upright,
 * shrunk, and stored as raw pixels, as a JPEG, or as the bytes that came; other columns
 * are stored as they are. */
#ifndef DATA_ENCODE_H
#define DATA_ENCODE_H

#include "data/image_cell.h"
#include "data/importer.h"
#include "data/pack/emit.h"

typedef enum encode_mode {
    ENCODE_AUTO,
    ENCODE_RAW,
    ENCODE_JPG,
    ENCODE_KEEP,
    ENCODE_SMART,
    ENCODE_PROPORTION,
    ENCODE_MODES
} encode_mode;
const char *encode_mode_name(encode_mode m); /* "auto", "raw", ... */

typedef struct encode_options {
    encode_mode mode;
    int quality, max_resolution; /* 0: no limit */
    uint64_t smart_threshold;    /* bytes of pixels; more become a JPEG */
    double proportion;           /* of images that become a JPEG, drawn by... */
    uint64_t seed;               /* ...this and the sample's number */
} encode_options;
/* Fills in defaults (quality 90, threshold 128 KiB, proportion a half; seed as given) and
 * checks: INVALID. `mode` NULL: auto. */
ASSAY_MUST_CHECK assay_status encode_options_make(encode_options *o, const char *mode);

/* Of one worker, kept from row to row. */
typedef struct encode_scratch {
    import_image in;
    import_cell cell;
    image im, spare;
    jpeg_decoder *decoder; /* for indexes; NULL until one is made */
} encode_scratch;
encode_scratch encode_scratch_make(assay_ctx *ctx);
void encode_scratch_free(encode_scratch *s);

typedef struct encoded_image {
    uint8_t stored; /* CELL_JPEG or CELL_RAW */
    int width, height;
    int orientation; /* EXIF, of bytes that were kept; else 1 */
    bool gray;
} encoded_image;
/* Appends the payload; `sample` is for proportion. FORMAT, UNSUPPORTED, SHAPE: the image
 * is damaged, or of a kind that is not read. */
ASSAY_MUST_CHECK assay_status encode_image(encoded_image *out,
                                           buf *payload,
                                           const import_image *in,
                                           const encode_options *o,
                                           uint64_t sample,
                                           encode_scratch *s);
/* Fills an image cell but for its pointer. */
void encode_image_cell(uint8_t *cell, const encoded_image *e);

typedef struct encoded_row {
    emit_row row;
    int orientation;
    bool gray;
    bool failed; /* a value is damaged: `reason` says how */
    char reason[256];
} encoded_row;

/* Where rows come from. */
typedef struct encode_source {
    const data_importer *importer;
    const void *state;
    const import_list *list;
} encode_source;

/* Fields of a source: image and label where it has them, then its columns. */
ASSAY_MUST_CHECK assay_status encode_layout(emit_layout *out,
                                            assay_ctx *ctx,
                                            const import_list *list);

/* A damaged value is no error here: out->failed. IO, NOTFOUND, NOMEM are. */
ASSAY_MUST_CHECK assay_status encode_row(encoded_row *out,
                                         const encode_source *source,
                                         size_t row,
                                         uint64_t sample,
                                         const encode_options *options,
                                         encode_scratch *scratch);

/* The sides that FFCV's writer gives an image: trunc(side * (max / longest)), in double.
 */
void encode_shrunk(int width, int height, int max_resolution, int *w, int *h);

#endif
