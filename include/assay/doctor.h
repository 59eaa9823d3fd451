/* doctor: what slows loading down, and what would help, measured. */
#ifndef ASSAY_DOCTOR_H
#define ASSAY_DOCTOR_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_doctor_options {
    size_t struct_size;
    const char *pipeline; /**< text, or a preset's name; NULL: fields as they are */
    int batch;            /**< 0: 32 */
    double consumer_ms;   /**< what a training step takes for a batch; 0: batches are
                               taken as fast as they come */
    int64_t limit;        /**< rows to try on, evenly spaced; 0: 300 */
    double seconds;       /**< of each run; 0: 0.3 */
    const char *index;    /**< as in assay_load_options */
    const char *cache;    /**< as in assay_load_options */
    uint64_t seed;
} assay_doctor_options;
#define ASSAY_DOCTOR_OPTIONS_INIT                                                        \
    { .struct_size = sizeof(assay_doctor_options) }

/** Runs a pipeline on a sample of a file's rows, says which part takes the time, and
 * tries remedies: each is a run of its own, in turns with runs of the pipeline as it is.
 * Remedies that store images otherwise (fewer pixels, lower quality, raw) encode the
 * sample's images into a temporary file, which is removed. Reading is timed with the
 * rows' pages out of the system's cache and in it. The training step is imitated by
 * waiting, as for a GPU.
 *  @param json  "assay.doctor/1"; release with assay_string_free
 *  @errors those of assay_loader_create and assay_loader_next; INVALID
 *  @threads the context's   @cost about ten times `seconds` and two encodings of the rows
 */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_doctor(assay_ctx *ctx,
                                                     const char *path,
                                                     const assay_doctor_options *options,
                                                     char **json);

#ifdef __cplusplus
}
#endif
#endif
