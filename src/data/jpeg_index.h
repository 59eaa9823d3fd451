/* The JPEG index of a .beton: for each image its {bit offset, DC values} every few MCUs,
 * so that decoding can begin anywhere. It lies in our section (tag JIDX) or in a file
 * beside one that we did not write (NAME.beton.idx), is keyed by each payload's size and
 * hash, and is never trusted. */
#ifndef DATA_JPEG_INDEX_H
#define DATA_JPEG_INDEX_H

#include "file/beton.h"
#include "image/jpeg/jpeg.h"

#define BETON_TAG_JPEG_INDEX BETON_TAG('J', 'I', 'D', 'X')

typedef struct jpeg_index_set jpeg_index_set;

/* The index of a file's image field: "auto" (its own section, else the file beside it,
 * else none: *out = NULL), "none", or a path (NOTFOUND, FORMAT). A stale one (another
 * number of samples, other sizes) is not used; `note` says so. */
ASSAY_MUST_CHECK assay_status jpeg_index_open(jpeg_index_set **out,
                                              assay_ctx *ctx,
                                              const beton_file *f,
                                              int field,
                                              const char *where,
                                              char note[256]);
void jpeg_index_close(jpeg_index_set *s); /* accepts NULL */
/* The index of one sample's JPEG, when there is one made from these very bytes. The hash
 * is compared the first time a sample is asked for, and remembered (a bit per sample).
 * @threads safe */
bool jpeg_index_find(
    jpeg_index_set *s, uint64_t sample, const uint8_t *jpeg, size_t n, jpeg_index *out);

/* An empty set for a file of `samples`, to be filled while the first epoch loads. */
ASSAY_MUST_CHECK assay_status jpeg_index_collect(
    jpeg_index_set **out, assay_ctx *ctx, const beton_file *f, int field, int interval);
/* Takes one sample's index into a collecting set (copied). @threads safe */
ASSAY_MUST_CHECK assay_status jpeg_index_put(jpeg_index_set *s,
                                             uint64_t sample,
                                             const jpeg_index *index);
/* The set as one value of bytes: of the tag, or of the file beside. Deterministic. */
ASSAY_MUST_CHECK assay_status jpeg_index_store(const jpeg_index_set *s, buf *out);

#endif
