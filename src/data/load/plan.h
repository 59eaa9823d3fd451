/* The plan: one output of a pipeline, compiled once into few passes over memory, and run
 * for one sample at a time. What a sample becomes depends on (seed, epoch, row) alone.
 *
 * A window, and flips directly behind it, become one pass from encoded bytes to the place
 * in the batch. Steps that move whole pixels (flip, translate, crop, cutout) become one
 * pass, straight from the mapped file where images are raw and of one size. Other steps
 * write two buffers of the thread in turn. */
#ifndef DATA_PLAN_H
#define DATA_PLAN_H

#include "data/field.h"
#include "data/load/pipeline.h"
#include "image/window.h"

typedef enum plan_kind {
    PLAN_IMAGE,
    PLAN_INT,
    PLAN_FLOAT,
    PLAN_ARRAY,  /* of one shape */
    PLAN_RAGGED, /* bytes, JSON: of any length */
    PLAN_CUSTOM  /* the cell's own bytes */
} plan_kind;

/* One pass over an image. */
typedef enum plan_pass_kind {
    PASS_WINDOW, /* a window of the stored picture, or of an image, resampled */
    PASS_FOLD,   /* steps [first, first + count) that move pixels, at once */
    PASS_STEP    /* one step */
} plan_pass_kind;

typedef struct plan_pass {
    plan_pass_kind kind;
    int first, count;
} plan_pass;

typedef struct plan_output {
    assay_ctx *ctx;
    const char *name; /* the pipeline's */
    plan_kind kind;
    field_type type;
    /* the column: dim[0] is the batch's */
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS];
    size_t sample_bytes; /* 0: ragged */
    size_t swap_bytes;   /* arrays stored big-endian: bytes of a number */
    /* steps */
    pipeline_step *step;
    int steps, batch_step; /* steps from batch_step on mix the batch */
    rng stream[PIPELINE_STEPS];
    uint32_t stream_at; /* of step 0 */
    plan_pass pass[PIPELINE_STEPS + 1];
    int passes;
    int label_width;               /* 0: an integer */
    transform_shape source, shape; /* height 0: stored sizes differ; behind all steps */
    image_output store, bytes;     /* the last pass; one on the way (u8, H, W, C) */
    size_t buffer_bytes;           /* of the largest image on the way */
    size_t scratch_bytes;          /* of the hungriest step */
    uint64_t seed;
    uint32_t epoch;
} plan_output;

/* What a plan is made for. */
typedef struct plan_place {
    int index; /* of the output in the pipeline: each has its own random streams */
    const beton_field *field;
    transform_shape source; /* images: the size they all have; height 0: they differ */
    transform_shape image; /* of the image output that labels belong to; height 0: none */
    int classes;           /* 0: unknown */
    uint64_t seed;
} plan_place;

/* Compiles. The pipeline's output is borrowed; its steps are planned. INVALID, SHAPE,
 * UNSUPPORTED; the place names output and step. */
ASSAY_MUST_CHECK assay_status plan_compile(plan_output *p,
                                           assay_ctx *ctx,
                                           pipeline_output *o,
                                           const plan_place *place);
/* Undoes the steps' planning, so that they can be planned anew. */
void plan_drop(pipeline_output *o);
/* Another resolution for the next plan_compile, or only checks it. INVALID: no window
 * step, or one that takes no size. */
ASSAY_MUST_CHECK assay_status plan_set_size(pipeline_output *o,
                                            int height,
                                            int width,
                                            bool apply);
/* Random streams of an epoch. */
void plan_epoch(plan_output *p, uint32_t epoch);
/* Whether images are mixed or labels spread over several numbers by the whole batch. */
static inline bool plan_mixes(const plan_output *p) {
    return p->batch_step < p->steps;
}
/* Appends what was compiled, for people. */
void plan_tell(const plan_output *p, buf *out);

/* ---- running ---- */

/* Memory and decoders of one thread, for the plans given. */
typedef struct plan_scratch {
    assay_ctx *ctx;
    window_reader *reader;
    resampler *resampler;
    uint8_t *buffer[2];
    size_t buffer_cap;
    uint8_t *step; /* what steps asked for */
    size_t step_cap;
    bool timed; /* plan_image adds what it took to these */
    uint64_t decode_ns, transform_ns, output_ns;
} plan_scratch;
ASSAY_MUST_CHECK assay_status plan_scratch_fit(plan_scratch *s,
                                               assay_ctx *ctx,
                                               const plan_output *p);
void plan_scratch_free(plan_scratch *s);

/* One image into its place in the batch. `index` may be NULL. FORMAT: damaged. SHAPE:
 * another size than the plan is made for. */
ASSAY_MUST_CHECK assay_status plan_image(const plan_output *p,
                                         plan_scratch *s,
                                         const field_value *v,
                                         const jpeg_index *index,
                                         uint64_t row,
                                         void *out);
/* One label into i64 or f32 [label_width]. */
void plan_label(
    const plan_output *p, plan_scratch *s, int64_t label, uint64_t row, void *out);
/* One array, of type.bytes bytes. */
void plan_array(const plan_output *p, const uint8_t *data, void *out);
/* Mixes a finished batch of n samples; `place`: of its first in the epoch. */
void plan_mix(const plan_output *p, plan_scratch *s, uint64_t place, int n, void *data);

#endif
