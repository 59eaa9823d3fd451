/* bench: what a piece of work costs here, measured beside what it could cost at least. */
#ifndef ASSAY_BENCH_H
#define ASSAY_BENCH_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_bench_load_options {
    size_t struct_size;
    int batch;         /**< samples in a batch; 0: 32 */
    int epochs;        /**< rounds that are measured, at least; 0: 5 */
    double seconds;    /**< go on until so many have passed; 0: no longer than needed */
    int threads;       /**< of the loader; 0: the context's */
    const char *order; /**< as assay_load_options has them */
    const char *index;
    const char *cache;
    uint64_t limit; /**< the first so many samples only; 0: all */
    uint64_t seed;
} assay_bench_load_options;
#define ASSAY_BENCH_LOAD_OPTIONS_INIT                                                    \
    { .struct_size = sizeof(assay_bench_load_options) }

/** Measures a loader: whole epochs, by turns with libjpeg-turbo's full decode of the same
 *  images (JPEG fields) and with a copy of the outputs' bytes. Times are medians over the
 *  rounds of CPU time, ratios medians of the rounds' ratios.
 *  @param steps  the pipeline, as of assay_loader_create; NULL: fields as they are
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors as assay_loader_create and assay_loader_next   @cost several epochs */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_bench_load(assay_ctx *ctx,
                 const char *path,
                 const char *steps,
                 const assay_bench_load_options *options,
                 char **json);

typedef struct assay_bench_step_options {
    size_t struct_size;
    const char *model;     /**< a name of the zoo, or "mlp" (784-256-10) or "cnn" (two
                                convolutions on 28x28 pixels); NULL: "resnet9" */
    int batch;             /**< 0: 128 */
    int size;              /**< side of the images; 0: as usual for the model */
    const char *precision; /**< "f32" or "bf16"; NULL: "f32" */
    double seconds;        /**< measure so long, and five steps at least */
    uint64_t seed;
} assay_bench_step_options;
#define ASSAY_BENCH_STEP_OPTIONS_INIT                                                    \
    { .struct_size = sizeof(assay_bench_step_options), .seconds = 5 }

/** Measures a training step (forward, loss, backward, SGD with Nesterov momentum and weight
 *  decay) on random data that stays in place: medians of wall time and of the process's
 *  processor time after three steps of warming up. With the context's threads.
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (model), INVALID, SHAPE, UNSUPPORTED (bf16 on this processor), NOMEM,
 *  CANCELLED   @cost `seconds`, and what it takes to prepare */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_bench_step(
    assay_ctx *ctx, const assay_bench_step_options *options, char **json);

typedef struct assay_bench_ops_options {
    size_t struct_size;
    const char *filter; /**< only ops and shapes with this in their name; NULL: all */
} assay_bench_ops_options;
#define ASSAY_BENCH_OPS_OPTIONS_INIT                                                     \
    { .struct_size = sizeof(assay_bench_ops_options) }

/** Measures single ops on random data on the calling thread: our kernels beside oneDNN's,
 *  best of several runs, processor time; results are checked against a plain reference on
 *  sampled elements.
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (nothing fits the filter, or no matrix tiles here), NOMEM
 *  @cost a minute for all */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_bench_ops(assay_ctx *ctx, const assay_bench_ops_options *options, char **json);

typedef struct assay_bench_attribute_options {
    size_t struct_size;
    const char *model;     /**< of the zoo, on images of 32 pixels a side (an MLP: 28); NULL:
                                "resnet9" */
    const char *projector; /**< NULL: "sjlt" */
    int dim;               /**< of the projection */
    int size;              /**< side of the images; 0: as above */
    const char *precision; /**< of the products: "f32" or "bf16"; NULL: "f32" */
    double seconds;        /**< measure so long, and three rounds at least */
    uint64_t seed;
} assay_bench_attribute_options;
#define ASSAY_BENCH_ATTRIBUTE_OPTIONS_INIT                                               \
    { .struct_size = sizeof(assay_bench_attribute_options), .dim = 4096, .seconds = 5 }

/** Measures what an example's projected gradient costs on random data: wall time per
 *  example with the context's threads (medians of rounds), and processor time split into
 *  forward, backward to the layers' inputs, and projection.
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (model, projector), INVALID, UNSUPPORTED, NOMEM, CANCELLED
 *  @cost `seconds`, and what it takes to prepare */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_bench_attribute(
    assay_ctx *ctx, const assay_bench_attribute_options *options, char **json);

#ifdef __cplusplus
}
#endif
#endif
