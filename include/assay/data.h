/* data: labelled image datasets. Packing sources into .beton, opening them, looking inside. */
#ifndef ASSAY_DATA_H
#define ASSAY_DATA_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- packing ---- */

typedef struct assay_pack_options {
    size_t struct_size;
    const char *from;      /**< importer's name ("folder", "csv"; docs/sources.md); NULL: detected */
    const char *split;     /**< pack this split alone; NULL: all, training rows first */
    const char *mode;      /**< "raw"; "jpg"; "keep": original JPEG bytes where FFCV can read them
                                (one component or three), raw otherwise; "smart": JPEG above
                                smart_threshold; "proportion": JPEG for a random part; NULL or
                                "auto": raw up to 64 pixels a side, keep above */
    int quality;           /**< of "jpg", 1..100; 0: 90 */
    int max_resolution;    /**< longest side; 0: as is */
    uint64_t page_size;    /**< 0: 8 MiB, or more where an image needs it */
    int64_t limit;         /**< at most this many rows per split; 0: all */
    int force;             /**< replace an existing file */
    int skip_corrupt;      /**< leave damaged images out and list them, instead of failing */
    uint64_t smart_threshold; /**< of "smart": bytes of pixels, 3 x width x height; 0: 128 KiB */
    double proportion;     /**< of "proportion": the part that becomes JPEG, 0..1 */
    uint64_t seed;         /**< of "proportion" and of shuffle */
    int shuffle;           /**< rows in random order within each split */
    const char *rows;      /**< of the rows that would be packed, these alone: ranges
                                ("0:1000,5000:") or a file with a number on each line; NULL: all */
    int index_interval;    /**< JPEG index of the first image field, an entry every so many MCUs,
                                1..64; 0: 8, 16 from 100,000 rows, 32 from a million; -1: none */
} assay_pack_options;
#define ASSAY_PACK_OPTIONS_INIT \
    { .struct_size = sizeof(assay_pack_options) }

typedef struct assay_pack_result {
    uint64_t rows, train_rows, test_rows, skipped, bytes;
    int classes;
    char importer[32];
    char sha256[65]; /**< dataset.sha256: the content's identity */
} assay_pack_result;

/** Imports `source` and writes `out` (.beton version 2, readable by FFCV, with our section).
 *  Fields "image" and "label" where the source has them, then its other columns. Bytes are the
 *  same at any thread count.
 *  @param result  filled; may be NULL
 *  @errors INVALID (options, unwritable or existing output), NOTFOUND, FORMAT (bad source, naming
 *  file and place), NOSPC, NOMEM, CANCELLED   @threads uses the context's   @cost O(source) */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_pack(assay_ctx *ctx, const char *source, const char *out,
                                                   const assay_pack_options *options,
                                                   assay_pack_result *result);

/** The names of the importers, one per line, with their summaries. Static. @threads safe */
ASSAY_API size_t assay_importer_count(void);
ASSAY_API const char *assay_importer_name(size_t i);
ASSAY_API const char *assay_importer_summary(size_t i);

/* ---- the JPEG index ---- */

typedef struct assay_index_options {
    size_t struct_size;
    int interval;       /**< an entry every so many MCUs, 1..64; 0: 8, 16 from 100,000 images, 32
                             from a million */
    const char *field;  /**< the image field; NULL: the first */
    const char *output; /**< NULL: beside the file, its name and ".idx" */
    int force;          /**< replace an existing file; write one though the file has its own */
} assay_index_options;
#define ASSAY_INDEX_OPTIONS_INIT \
    { .struct_size = sizeof(assay_index_options) }

typedef struct assay_index_result {
    uint64_t images;  /**< in the field */
    uint64_t indexed; /**< JPEGs that have an index now */
    uint64_t left;    /**< JPEGs that assay's own decoder does not read: progressive and rare
                           kinds; libjpeg-turbo decodes them */
    uint64_t raw;     /**< images that are stored as pixels and need none */
    uint64_t bytes, file_bytes; /**< of the index; of the .beton */
    int interval;
} assay_index_result;

/** Writes the JPEG index of a .beton (FFCV's included) beside it: with it the loader decodes a crop
 *  without reading the image's other entropy-coded data. The .beton stays as it is. Bytes are the
 *  same at any thread count.
 *  @param result  filled; may be NULL
 *  @errors INVALID (options, unwritable or existing output, an index that the file has already),
 *  NOTFOUND (file, field), UNSUPPORTED (no JPEG in the field), FORMAT, NOSPC, NOMEM, CANCELLED
 *  @threads uses the context's   @cost one entropy decode of each image */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_index(assay_ctx *ctx, const char *path,
                                                    const assay_index_options *options,
                                                    assay_index_result *result);

/* ---- exporting ---- */

typedef struct assay_export_options {
    size_t struct_size;
    const char *to;        /**< exporter's name: "folder" (also for NULL), "webdataset" */
    const char *split;     /**< export this split alone; NULL: all */
    int64_t limit;         /**< at most this many rows per split; 0: all */
    uint64_t shard_bytes;  /**< of "webdataset": a new shard begins at this size; 0: 1 GiB */
    int64_t shard_rows;    /**< of "webdataset": rows in a shard; 0: no limit */
    int force;             /**< replace a folder that an export wrote, or an empty one */
} assay_export_options;
#define ASSAY_EXPORT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_export_options) }

typedef struct assay_export_result {
    uint64_t rows, files, bytes;
} assay_export_result;

/** Writes what a .beton holds into a new folder: images in folders by class, or tar shards. JPEG
 *  bytes come out as they are stored, raw pixels as PNG. Packing the folder gives the same images,
 *  labels, classes and splits. The folder appears whole or not at all; its bytes depend on the file
 *  and the options only. docs/sources.md says how other columns are written.
 *  @param out  the folder to make   @param result  filled; may be NULL
 *  @errors INVALID (options, unwritable or existing output), NOTFOUND, FORMAT (bad file),
 *  UNSUPPORTED (a column that the form can't hold), NOSPC, NOMEM, CANCELLED
 *  @threads one   @cost O(file) */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_export(assay_ctx *ctx, const char *path, const char *out,
                                                     const assay_export_options *options,
                                                     assay_export_result *result);

/** The names of the exporters, with their summaries. Static; NULL behind the last. @threads safe */
ASSAY_API size_t assay_exporter_count(void);
ASSAY_API const char *assay_exporter_name(size_t i);
ASSAY_API const char *assay_exporter_summary(size_t i);

/* ---- looking inside a .beton ---- */

/** JSON describing the file: version, page_size, num_samples, fields[] {name, type, shape, dtype},
 *  classes, splits, sha256, and what our section holds. Any FFCV file works.
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors IO, NOTFOUND, FORMAT, VERSION, NOMEM */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_info(assay_ctx *ctx, const char *path, char **json);

/** Checks structure, every payload (decoding images unless `quick`) and our checksums.
 *  @param json  report: samples, problems[] {sample, field, what}; may be NULL
 *  @errors FORMAT when anything is wrong, the first problem in the error's detail */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_verify(assay_ctx *ctx, const char *path, int quick, char **json);

/** Writes one cell to `out`; its extension says how: .npy (images uint8 H x W x 3, arrays as they
 *  are, scalars shape (), bytes uint8), .png (images), .json (any), .jpg (stored JPEG bytes), .bin.
 *  @errors NOTFOUND (no such sample or field), UNSUPPORTED (extension for that field), FORMAT */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_dump(assay_ctx *ctx, const char *path, uint64_t sample,
                                                         const char *field, const char *out, int force);

/* ---- editing without encoding anything again ---- */

/* Payload bytes are copied as they are. Class names, splits, ids, orientations and the content's
 * identity are those of the result; tags of our section that would be stale (JPEG index, thumbnails)
 * and unknown ones are dropped with a note in the log. Files of FFCV's work too. The result appears
 * whole or not at all and has the same bytes at any thread count. */

typedef struct assay_edit_options {
    size_t struct_size;
    uint64_t page_size; /**< 0: the largest of the sources' */
    int force;          /**< replace existing files */
} assay_edit_options;
#define ASSAY_EDIT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_edit_options) }

typedef struct assay_edit_result {
    uint64_t rows, train_rows, bytes;
    int classes;
    char sha256[65];
} assay_edit_result;

/** One file of the rows of n files with equal fields. Class tables are united by name, labels
 *  follow. Where a file names splits, training rows come first, then the other splits, each file
 *  after file; rows of a file without splits are training rows then. Ids stay as they are.
 *  @param result  may be NULL
 *  @errors INVALID (unequal fields, naming both files; class names in some files only; output
 *  exists), FORMAT, NOTFOUND, NOSPC, NOMEM, CANCELLED   @threads uses the context's
 *  @cost O(bytes): one read, one SHA-256, one write */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_merge(assay_ctx *ctx, const char *const *paths, size_t n,
                                                          const char *out, const assay_edit_options *options,
                                                          assay_edit_result *result);

/** Merges `more` behind `path`. @param out  NULL: `path` itself is replaced once all is written */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_append(assay_ctx *ctx, const char *path, const char *more,
                                                           const char *out, const assay_edit_options *options,
                                                           assay_edit_result *result);

typedef struct assay_select_options {
    size_t struct_size;
    uint64_t page_size;
    int force;
    const char *rows;    /**< ranges "0:1000,5000:" or a file with a number on each line; NULL: all */
    const char *exclude; /**< the same, rows to leave out; an audit's exclude.txt will do; NULL: none */
    const char *split;   /**< rows of this split alone; NULL: all */
    const char *const *classes; /**< rows of these alone, NULL-terminated: names, or numbers where the
                                     file has no names; NULL: all */
} assay_select_options;
#define ASSAY_SELECT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_select_options) }

/** A file of some rows, in their order. Class names and labels stay.
 *  @errors as merge; INVALID too when no row is left or a name is unknown */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_select(assay_ctx *ctx, const char *path, const char *out,
                                                           const assay_select_options *options,
                                                           assay_edit_result *result);

typedef struct assay_split_options {
    size_t struct_size;
    uint64_t page_size;
    int force;
    int shards;      /**< this many files of equal size... */
    double fraction; /**< ...or two: this part of each split, drawn by the seed, and the rest... */
    int by_split;    /**< ...or one for each split */
    uint64_t seed;
} assay_split_options;
#define ASSAY_SPLIT_OPTIONS_INIT \
    { .struct_size = sizeof(assay_split_options) }

/** Several files of one; each gets its share of each split. `out` "x.beton" becomes x-0.beton,
 *  x-1.beton..., or x-train.beton...
 *  @param files  how many were written; may be NULL   @errors as merge */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_beton_split(assay_ctx *ctx, const char *path, const char *out,
                                                          const assay_split_options *options, int *files);

/** Releases a string that this library handed out. Accepts NULL. */
ASSAY_API void assay_string_free(assay_ctx *ctx, char *text);

#ifdef __cplusplus
}
#endif
#endif
