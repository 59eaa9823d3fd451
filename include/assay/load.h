/* load: batches of transformed samples out of .beton files, made ahead by threads. */
#ifndef ASSAY_LOAD_H
#define ASSAY_LOAD_H

#include <assay/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A transform of the caller's own: writes `dst` from `src`, both height x width x
 * channels bytes, the same size. `random` is drawn from (seed, epoch, sample). Called
 * from several threads at once. */
typedef void assay_hook_fn(void *user,
                           const uint8_t *src,
                           uint8_t *dst,
                           int height,
                           int width,
                           int channels,
                           uint64_t random,
                           uint64_t sample,
                           uint32_t epoch);

/** Names a function, so that a pipeline can say `user(hook=name)`. */
typedef struct assay_hook {
    const char *name;
    assay_hook_fn *fn;
    void *user;
} assay_hook;

/** Whether a row is kept. Called once per row, from one thread, when the loader is made.
 *  `label` is the first int field's value, or 0. */
typedef int assay_row_fn(void *user, int file, uint64_t row, int64_t label);

/** A custom field (type 255): the file does not tell its cell's size. */
typedef struct assay_custom_field {
    const char *name;
    uint32_t cell_bytes, cell_align;
} assay_custom_field;

typedef struct assay_load_options {
    size_t struct_size;
    int batch;         /**< samples in a batch; 0: 256 */
    const char *order; /**< "sequential", "random" (NULL), "quasi-random", "weighted",
                            "given" */
    uint64_t seed;     /**< of the order and of all transforms */
    int threads;       /**< workers; 0: the context's, -1: none, in the caller's thread */
    int ahead;         /**< batches made ahead; 0: chosen */
    int drop_last;     /**< leave out a batch that would not be full */
    const char *split; /**< rows of this split only; NULL: all */
    const uint64_t *rows; /**< [n_rows] subset, copied; with "given" the order itself,
                               repeats allowed. Rows count over all files, one behind
                               the other. NULL: all */
    size_t n_rows;
    assay_row_fn *filter; /**< further restricts the rows; may be NULL */
    void *filter_user;
    const double *weights; /**< "weighted": [n_weights] one for each chosen row, copied;
                                drawn with replacement */
    size_t n_weights;
    uint64_t epoch_rows; /**< "weighted", or several files with weights: samples in an
                              epoch; 0: as many as there are */
    const double *file_weights; /**< [n_files] share of each file in an epoch, or NULL */
    const char *cache;    /**< "map": the system's page cache; "read": a cache of our own,
                               for files larger than memory; NULL: "map" */
    uint64_t cache_bytes; /**< of "read"; 0: chosen */
    int rank, world;      /**< this process and how many share each epoch; world 0: 1 */
    int skip_damaged; /**< leave damaged samples out and count them, instead of failing */
    const char *index;       /**< JPEG index: NULL or "auto" (the file's own, or a
                                  .beton.idx beside it), "none", "build" (made in the first
                                  epoch), or a path */
    const assay_hook *hooks; /**< [n_hooks], copied */
    size_t n_hooks;
    const assay_custom_field *custom; /**< [n_custom], copied */
    size_t n_custom;
} assay_load_options;
#define ASSAY_LOAD_OPTIONS_INIT                                                          \
    { .struct_size = sizeof(assay_load_options) }

/** One output of a batch. */
typedef struct assay_batch_column {
    const char *name;
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS]; /**< dim[0] is the batch's n */
    const void *data;            /**< row-major; ragged rows are padded with zeros */
    const int64_t *lengths;      /**< [n] true lengths of ragged rows; else NULL */
} assay_batch_column;

/** A batch, valid until the next call of assay_loader_next, _wait, _epoch or _destroy,
 * unless it is kept (assay_loader_keep). */
typedef struct assay_batch {
    int n;                /**< 0: the epoch has ended */
    uint64_t place;       /**< of its first sample in the epoch's global order */
    const uint64_t *rows; /**< [n], counted over all files */
    const assay_batch_column *column;
    int columns;
} assay_batch;

typedef struct assay_loader assay_loader;

/** Opens files and compiles pipelines.
 *  @param paths  [n_paths] .beton files with the same fields
 *  @param pipelines  outputs, separated by `;` or line ends: `name = field: step | step`.
 *  `name =` may be left out (the field's name); a field may occur twice (two views).
 * Steps are transforms: `image: random_resized_crop(224) | flip | normalize(imagenet)`.
 * NULL: every field, images as they are (they must be of one size). docs/loading.md has
 * the grammar; a name of a preset (assay_pipeline_preset) stands for its text.
 *  @errors INVALID (names step and argument), NOTFOUND, FORMAT, SHAPE, UNSUPPORTED, NOMEM
 *  @threads one loader belongs to one thread at a time   @cost O(fields + files); a
 * filter adds O(rows) */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_loader_create(assay_loader **out,
                    assay_ctx *ctx,
                    const char *const *paths,
                    size_t n_paths,
                    const char *pipelines,
                    const assay_load_options *options);

/** Begins an epoch. One that is running is given up; nothing leaks. */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_loader_epoch(assay_loader *l,
                                                           uint32_t epoch);
/** The epoch that was begun last; 0 before the first. */
ASSAY_API uint32_t assay_loader_epoch_number(const assay_loader *l);
/** The next batch; n = 0 at the end. Errors of the workers arrive here and name sample
 * and field; they are said again until the next epoch begins.
 *  @errors FORMAT (damaged sample), IO, NOMEM, CANCELLED */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_loader_next(assay_loader *l,
                                                          assay_batch *out);
/** Waits until the next batch is made, so long at most: 1 when assay_loader_next will not
 * wait any more (also at the epoch's end, behind a failure, and without threads, where it
 * makes the batch itself), else 0. The batch before is given back, as by assay_loader_next,
 * unless it was kept. */
ASSAY_API int assay_loader_wait(assay_loader *l, uint64_t ns);

/** A batch in the caller's hands. */
typedef struct assay_kept assay_kept;
/** Keeps the batch that assay_loader_next handed out last: all that it points to, but for
 * the names of its columns, which are the loader's, stays as it is until
 * assay_kept_release, whatever becomes of the loader. Nothing is copied: the loader goes
 * on in other memory, and uses this again when it was released.
 *  @param out  take; NULL on failure
 *  @errors INVALID (there is no such batch, or it was kept before), NOMEM
 *  @threads that of the loader   @cost memory of one more batch for each that is kept */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_loader_keep(assay_loader *l,
                                                          assay_kept **out);
/** Accepts NULL. @threads safe, also while the loader works; before the context's end */
ASSAY_API void assay_kept_release(assay_kept *kept);

/** Batches of this rank in an epoch. */
ASSAY_API uint64_t assay_loader_batches(const assay_loader *l);
/** Samples left out so far because they are damaged (options' skip_damaged). */
ASSAY_API uint64_t assay_loader_skipped(const assay_loader *l);

/** Another resolution for an output's images, from the next epoch on.
 *  @errors NOTFOUND (no such output), INVALID (its pipeline has no window step), SHAPE */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_loader_set_size(assay_loader *l,
                                                              const char *output,
                                                              int height,
                                                              int width);

/** Where the loader stands: epoch and samples handed out by all ranks. The same bytes for
 *  any number of threads. */
#define ASSAY_LOADER_STATE_BYTES 64
ASSAY_API void assay_loader_state(const assay_loader *l,
                                  uint8_t state[ASSAY_LOADER_STATE_BYTES]);
/** Goes on from there: the next batch is the one that would have followed. The number of
 *  ranks and threads may have changed, the data, seed and order may not.
 *  @errors INVALID (a state of another loader's: says what differs) */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_loader_resume(assay_loader *l, const uint8_t state[ASSAY_LOADER_STATE_BYTES]);

/** The compiled plan, for people. Release with assay_string_free. */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_loader_plan(const assay_loader *l,
                                                          char **text);

/** Where the time went since creation; CPU seconds of the workers but for `wait_*`. */
typedef struct assay_load_stats {
    size_t struct_size;
    uint64_t samples, batches, bytes_read;
    double read, decode, transform, output, mix; /**< by stage */
    double wait_consumer; /**< wall seconds the consumer waited for a batch */
    double wait_workers;  /**< wall seconds workers waited for a free slot */
    uint64_t decoded_own, decoded_indexed, decoded_library, decoded_whole;
} assay_load_stats;
ASSAY_API void assay_loader_stats(const assay_loader *l, assay_load_stats *out);

/** Stops the workers and frees everything. Accepts NULL. */
ASSAY_API void assay_loader_destroy(assay_loader *l);

/** The text of a named pipeline ("rrc224-f32", "rrc224-u8", "cifar-f32", "cifar-u8"), or
 *  NULL. */
ASSAY_API const char *assay_pipeline_preset(const char *name);
/** Names, summaries and arguments of the transforms, for help. */
ASSAY_API size_t assay_transform_count(void);
ASSAY_API const char *assay_transform_name(size_t i);
ASSAY_API const char *assay_transform_summary(size_t i);

#ifdef __cplusplus
}
#endif
#endif
