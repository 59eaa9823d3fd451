/* A labelled image dataset in a .beton: rows, splits, classes, ids, pixels. What every
 * room above sees of data. `row` is the sample's number in the file, but for files of
 * FFCV's, which name no splits: there training rows are put first, and dataset_sample and
 * the ids tell the number. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <assay/data.h>

#include "file/npy.h"
#include "image/image.h"

typedef struct dataset dataset;

/* Opens a .beton with one image and one int field (ours, or FFCV's: labels then give the
 * classes' count, splits are made by hash). FORMAT, NOTFOUND, UNSUPPORTED. */
ASSAY_MUST_CHECK assay_status dataset_open(dataset **out,
                                           assay_ctx *ctx,
                                           const char *path);
/* Opens anything `audit` and `train` take: a .beton where it lies, else a source that is
 * packed to `packed` first, damaged images left out with a warning (kept if it is there
 * and was made from the same source with the same options: names, sizes and times of the
 * source's files are compared). */
ASSAY_MUST_CHECK assay_status dataset_open_any(dataset **out,
                                               assay_ctx *ctx,
                                               const char *source,
                                               const char *packed,
                                               const assay_pack_options *options);
/* The same over bytes in memory (borrowed), for tests and the fuzzer. */
ASSAY_MUST_CHECK assay_status dataset_open_memory(
    dataset **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name);
void dataset_close(dataset *d); /* accepts NULL */

uint64_t dataset_rows(const dataset *d);
uint64_t
dataset_train_rows(const dataset *d); /* rows [0, train) are training, the rest test */
int dataset_classes(const dataset *d);
const char *dataset_class_name(const dataset *d, int c);
int dataset_label(const dataset *d, uint64_t row);
const int32_t *dataset_labels(const dataset *d);         /* [rows], borrowed */
uint64_t dataset_sample(const dataset *d, uint64_t row); /* its number in the file */
const char *dataset_id(const dataset *d, uint64_t row);  /* "cat/0412.jpg", "train/17" */
const char *dataset_path(const dataset *d);
const char *
dataset_sha256(const dataset *d);       /* 64 hex digits; computed if the file has none */
int dataset_channels(const dataset *d); /* 1 when all images are grey, else 3 */
/* The shorter sides' least and median, the longer sides' most, as stored. */
void dataset_sizes(const dataset *d, int *min_side, int *median_side, int *max_side);
/* Sources that could not be decoded at import: (split, id, reason). */
size_t dataset_skipped(const dataset *d);
void dataset_skipped_at(
    const dataset *d, size_t i, const char **split, const char **id, const char **reason);

/* The image of a row at its stored size (EXIF applied to JPEG bytes that were kept).
 * @threads per image */
ASSAY_MUST_CHECK assay_status dataset_image(const dataset *d, uint64_t row, image *out);

/* Every row at size x size x channels (the whole image, aspect not kept; 1 channel of a
 * coloured image is its luma) as u8, decoded and resized in parallel, into a .npy work
 * file [rows, size, size, channels] that is mapped afterwards; reused if `path` + ".done"
 * matches. */
ASSAY_MUST_CHECK assay_status dataset_pixels(const dataset *d,
                                             assay_ctx *ctx,
                                             int size,
                                             int channels,
                                             const char *path,
                                             npy_array *out);
/* Mean and standard deviation per channel over training rows of such an array, in [0,1].
 * Sums are exact. Channels that are absent get 0 and 1. */
void dataset_statistics(const npy_array *pixels,
                        uint64_t train_rows,
                        float mean[3],
                        float std[3]);

#endif
