/* read: single samples of a .beton, decoded, and the file's names and types. Batches are
 * load.h's. */
#ifndef ASSAY_READ_H
#define ASSAY_READ_H

#include <assay/tensor.h>
#include <assay/write.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_reader assay_reader;

/** Opens a .beton, ours or FFCV's, and maps it.
 *  @param out  NULL on failure
 *  @errors NOTFOUND, IO, FORMAT, VERSION, UNSUPPORTED (a field's type), NOMEM
 *  @threads safe   @cost O(fields); samples are read when they are asked for */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_reader_open(assay_reader **out,
                                                          assay_ctx *ctx,
                                                          const char *path);
/** Accepts NULL. */
ASSAY_API void assay_reader_close(assay_reader *reader);

ASSAY_API uint64_t assay_reader_samples(const assay_reader *reader);
ASSAY_API uint64_t assay_reader_page_size(const assay_reader *reader);
/** How many fields a sample has. */
ASSAY_API int assay_reader_fields(const assay_reader *reader);
/** A field as the file describes it: type, name, typestr, ndim and dim as far as its type
 * has them; -1 in `dim` where samples differ. Borrowed from the reader. Cell sizes of
 * custom fields are not in the file: they are 0. */
ASSAY_API assay_field assay_reader_field(const assay_reader *reader, int field);

/** One value, decoded.
 *  @param out  take: images u8 [H, W, 3], upright; INT an i64 and FLOAT an f64 of no
 *  dimension; arrays and tensors their type and shape in this machine's byte order; bytes
 *  and JSON u8 [bytes]. An element type without a name in assay_dtype comes as u8 with
 * one dimension more. NULL on failure
 *  @errors NOTFOUND (no such sample or field), FORMAT (damaged; names the place), SHAPE
 *  (an array of more than 8 dimensions), UNSUPPORTED (custom fields), NOMEM
 *  @threads safe   @cost one decode */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_reader_get(assay_tensor **out,
                                                         const assay_reader *reader,
                                                         uint64_t sample,
                                                         int field);

/** The bytes of a value as they are stored: a JPEG's or raw pixels, an array, bytes, JSON
 * without its NUL.
 *  @param data  into the file's map, borrowed until the reader is closed
 *  @errors as assay_reader_get   @threads safe   @cost O(1) */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_reader_stored(const assay_reader *reader,
                                                            uint64_t sample,
                                                            int field,
                                                            const void **data,
                                                            size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
