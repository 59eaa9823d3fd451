/* One imported sample becomes one image cell and its payload: decode, turn upright,
 * shrink, and store as raw pixels, as a JPEG, or as the bytes that came. */
#ifndef DATA_ENCODE_H
#define DATA_ENCODE_H

#include "data/image_cell.h"
#include "data/importer.h"

typedef enum encode_mode { ENCODE_AUTO, ENCODE_RAW, ENCODE_JPG, ENCODE_KEEP } encode_mode;

typedef struct encode_options {
    encode_mode mode;
    int quality, max_resolution; /* 0: no limit */
} encode_options;

/* Of one worker, kept from row to row. */
typedef struct encode_scratch {
    import_image in;
    image im, spare;
} encode_scratch;
encode_scratch encode_scratch_make(assay_ctx *ctx);
void encode_scratch_free(encode_scratch *s);

typedef struct encoded_row {
    buf payload;
    uint8_t stored; /* CELL_JPEG or CELL_RAW */
    int width, height;
    int orientation; /* EXIF, of bytes that were kept; else 1 */
    bool gray;
    bool failed; /* the image is damaged: `reason` says how */
    uint8_t digest[32];
    char reason[256];
} encoded_row;

/* A damaged image is no error here: out->failed. IO, NOTFOUND, NOMEM are. */
ASSAY_MUST_CHECK assay_status encode_row(encoded_row *out,
                                         const data_importer *importer,
                                         const void *state,
                                         const import_list *list,
                                         size_t row,
                                         const encode_options *options,
                                         encode_scratch *scratch);

/* The sides that FFCV's writer gives an image: trunc(side * (max / longest)), in double.
 */
void encode_shrunk(int width, int height, int max_resolution, int *w, int *h);

#endif
