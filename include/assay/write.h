/* write: .beton files sample by sample, with every field type of the format. */
#ifndef ASSAY_WRITE_H
#define ASSAY_WRITE_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Numbers are those of the format. */
typedef enum assay_field_type {
    ASSAY_FIELD_FLOAT = 0,
    ASSAY_FIELD_INT = 1,
    ASSAY_FIELD_IMAGE = 2,
    ASSAY_FIELD_BYTES = 3,
    ASSAY_FIELD_NDARRAY = 4,
    ASSAY_FIELD_JSON = 5,
    ASSAY_FIELD_TENSOR = 6,
    ASSAY_FIELD_CUSTOM = 255
} assay_field_type;

typedef struct assay_field {
    assay_field_type type;
    const char *name;    /**< 1 to 16 printable ASCII characters; names differ */
    const char *typestr; /**< of arrays and tensors, NumPy's: "<f4", "|u1" */
    int ndim;            /**< of these: 1 to 32... */
    const int64_t *dim;  /**< ...and their sizes, at least 1 each */
    uint32_t cell_bytes, cell_align; /**< of custom fields: 1..65536; 1, 2, 4, ... 4096 */
    int has_payload;     /**< of custom fields: the cell points to bytes in a page... */
    uint32_t ptr_offset; /**< ...with a u64 that the writer fills in, here in the cell */
} assay_field;

/** One value. What its field does not use is left alone. */
typedef struct assay_value {
    int64_t integer; /**< INT */
    double number;   /**< FLOAT */
    const void *data; /**< BYTES; JSON text without a NUL; arrays and tensors, C order; IMAGE: pixels,
                           or a JPEG or PNG file if `width` is 0; CUSTOM: the payload */
    size_t bytes;
    int width, height, channels; /**< of pixels: rows packed; 1 (grey), 2 (grey and alpha), 3 (RGB) or
                                      4 (RGB and alpha) interleaved. Grey is stored as RGB; alpha is
                                      laid over white */
    const void *cell;            /**< CUSTOM: cell_bytes bytes */
} assay_value;

typedef struct assay_writer_options {
    size_t struct_size;
    uint64_t page_size; /**< a power of two from 2 MiB to 2 GiB; 0: 8 MiB */
    const char *mode;   /**< of images: "raw", "jpg", "keep", "smart", "proportion", NULL or "auto": as
                             assay_pack_options */
    int quality, max_resolution; /**< as assay_pack_options */
    uint64_t smart_threshold;
    double proportion;
    uint64_t seed;
    int force; /**< replace an existing file */
    const char *const *classes; /**< names of the values of the field "label", for our section */
    size_t n_classes;           /**< 0: none */
    uint64_t train_rows;        /**< the first of this many samples are for training, the rest for
                                     tests; 0: nothing is said of that */
} assay_writer_options;
#define ASSAY_WRITER_OPTIONS_INIT \
    { .struct_size = sizeof(assay_writer_options) }

typedef struct assay_writer assay_writer;

/** Begins a file of exactly `samples` samples. It gets its name at commit; until then, and after a
 *  crash, nothing of that name appears or changes.
 *  @param options  NULL: defaults   @param out  NULL on failure
 *  @errors INVALID (options, names, types, an existing file), NOMEM, NOSPC */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_writer_create(assay_writer **out, assay_ctx *ctx, const char *path,
                                                            const assay_field *fields, int n_fields,
                                                            uint64_t samples,
                                                            const assay_writer_options *options);

/** The next sample: one value for each field, in field order. Everything is copied. Samples are encoded
 *  block by block on the context's threads, so that a fault of a sample may show at a later call; the
 *  error names it. After a failure only destroy remains.
 *  @errors SHAPE (a sample larger than a page: the error names the option that helps; an array of another
 *  size), FORMAT (a damaged image, JSON that is none), INVALID (too many samples), NOMEM, NOSPC, CANCELLED
 *  @threads one at a time */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_writer_add(assay_writer *w, const assay_value *values);

/** Writes what is left, and puts the file under its name. The bytes do not depend on the number of
 *  threads.
 *  @param sha256  the content's identity as 64 hex digits and a NUL; may be NULL
 *  @errors as add; INVALID when samples are missing */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_writer_commit(assay_writer *w, char sha256[65]);

/** Gives up a file that was not committed. Accepts NULL. */
ASSAY_API void assay_writer_destroy(assay_writer *w);

#ifdef __cplusplus
}
#endif
#endif
