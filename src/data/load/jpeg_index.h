/* The JPEG index of a .beton: for each image its {bit offset, DC values} every few MCUs,
 * so that decoding can begin anywhere. It lies in our section (tag JIDX) or in a file
 * beside one that we did not write (NAME.beton.idx), is keyed by each payload's size and
 * hash, and is never trusted. Form: docs/format.md, section 10. What one image's index
 * holds is image/jpeg/index.c. */
#ifndef DATA_JPEG_INDEX_H
#define DATA_JPEG_INDEX_H

#include "file/beton.h"
#include "image/jpeg/jpeg.h"

#define BETON_TAG_JPEG_INDEX BETON_TAG('J', 'I', 'D', 'X')
#define JPEG_INDEX_SUFFIX    ".idx" /* behind the .beton's name */

typedef struct jpeg_index_set jpeg_index_set;

/* The index of a file's image field: "auto" (its own section, else the file beside it,
 * else none: *out = NULL), "none", or a path (NOTFOUND, FORMAT). A stale one (another
 * number of samples, other sizes) is not used; `note` says so. Costs the same for any
 * number of samples. The set borrows from the file. */
ASSAY_MUST_CHECK assay_status jpeg_index_open(jpeg_index_set **out,
                                              assay_ctx *ctx,
                                              const beton_file *f,
                                              int field,
                                              const char *where,
                                              char note[256]);
/* The same over bytes in memory (borrowed), without a look at whether they are stale.
 * FORMAT, VERSION */
ASSAY_MUST_CHECK assay_status jpeg_index_open_memory(jpeg_index_set **out,
                                                     assay_ctx *ctx,
                                                     const void *bytes,
                                                     size_t n);
void jpeg_index_close(jpeg_index_set *s); /* accepts NULL */
/* The index of one sample's JPEG, when there is one made from these very bytes. The hash
 * is compared the first time a sample is asked for, and remembered (two bits per sample).
 * @threads safe */
bool jpeg_index_find(
    jpeg_index_set *s, uint64_t sample, const uint8_t *jpeg, size_t n, jpeg_index *out);
/* What the set holds for a sample, unchecked: for copying into another set. False: none.
 * @threads safe */
bool jpeg_index_at(const jpeg_index_set *s, uint64_t sample, jpeg_index *out);

/* An empty set for a file of `samples`, to be filled while the first epoch loads. */
ASSAY_MUST_CHECK assay_status jpeg_index_collect(
    jpeg_index_set **out, assay_ctx *ctx, const beton_file *f, int field, int interval);
/* The same for a file that is still to be written. */
ASSAY_MUST_CHECK assay_status jpeg_index_make(jpeg_index_set **out,
                                              assay_ctx *ctx,
                                              uint64_t samples,
                                              const char *field,
                                              int interval);
/* Takes one sample's index into a collecting set (copied); the first one stays.
 * @threads safe, beside jpeg_index_find too */
ASSAY_MUST_CHECK assay_status jpeg_index_put(jpeg_index_set *s,
                                             uint64_t sample,
                                             const jpeg_index *index);
/* The set as one value of bytes: of the tag, or of the file beside. Deterministic. Not
 * beside jpeg_index_put. FORMAT when a stored set proves damaged. */
ASSAY_MUST_CHECK assay_status jpeg_index_store(const jpeg_index_set *s, buf *out);

/* What is known of a set without reading it all. */
typedef struct jpeg_index_facts {
    uint64_t samples, indexed, bytes; /* bytes: as stored */
    int interval;
    char field[17];
    bool beside; /* in a file of its own */
} jpeg_index_facts;
jpeg_index_facts jpeg_index_describe(const jpeg_index_set *s);

/* The interval for a set of so many images: 8; 16 from 100,000; 32 from a million. */
int jpeg_index_usual_interval(uint64_t images);

#endif
