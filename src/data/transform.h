/* Transforms: what happens to a sample between its source and its place in a batch. One
 * file under data/transforms each. What one does depends on (seed, epoch, sample) and its
 * place in the pipeline alone; what mixes a batch, on (seed, epoch, place of the batch).
 */
#ifndef DATA_TRANSFORM_H
#define DATA_TRANSFORM_H

#include <assay/load.h>

#include "base/ctx.h"
#include "base/rng.h"
#include "image/output.h"
#include "image/resample.h"
#include "image/rows.h"

enum { TRANSFORM_ARGS = 12, TRANSFORM_VALUES = 24 };

/* Where in a pipeline a transform may stand. */
typedef enum transform_stage {
    TRANSFORM_WINDOW, /* a box of the picture becomes an image of a fixed size */
    TRANSFORM_PIXELS, /* u8 image to u8 image */
    TRANSFORM_OUTPUT, /* how the image is stored: type, layout, normalisation; last */
    TRANSFORM_BATCH,  /* mixes the finished images (or labels) of a batch */
    TRANSFORM_LABEL   /* changes a label */
} transform_stage;

/* One argument. In text: `scale=0.08:1`, `filter=area`, `rows=poison.txt`; the first ones
 * also by position: `random_resized_crop(224)`. */
typedef struct transform_arg {
    const char *name;
    int count;          /* numbers, joined by ':', or one that stands for all; 0: text */
    double initial[4];  /* what holds when it is not given */
    double least, most; /* of each number */
    bool whole, needed;
    const char *const *choices; /* ended by NULL: the value is the word's place */
} transform_arg;

typedef struct transform_shape {
    int height, width, channels; /* height 0: differs from sample to sample */
} transform_shape;

/* One transform with its numbers, at its place in a pipeline. */
typedef struct transform_plan {
    double value[TRANSFORM_VALUES];   /* the arguments' numbers, one behind the other */
    const char *text[TRANSFORM_ARGS]; /* of text arguments, by the argument's place; NULL
                                         if not given */
    uint32_t given;                   /* bit i: argument i stood in the text */
    transform_shape in, out;          /* `in` is given, `out` filled by plan */
    bool of_labels;        /* the pipeline is one of labels; `in` and `out` are unused */
    int label_width;       /* numbers a label is before this step; 0: an integer */
    transform_shape image; /* pipelines of labels: of the image output that belongs to it;
                              height 0: none */
    int classes;           /* of the dataset; 0: unknown */
    const assay_hook *hooks; /* borrowed */
    size_t n_hooks;
    size_t scratch_bytes; /* plan: what apply wants of each thread */
    void *state;          /* plan: tables and lists; freed by unplan */
    assay_ctx *ctx;
} transform_plan;

/* Of the sample at hand. */
typedef struct transform_sample {
    rng r;                 /* the transform's own stream for this sample */
    uint64_t seed, sample; /* `sample`: the row's number in the file */
    uint32_t epoch;
    uint8_t *scratch;
} transform_sample;

/* Of the batch at hand. */
typedef struct transform_batch {
    rng r; /* one stream per batch; image and label pipelines with a transform of the same
              name and place among the batch transforms draw the same numbers */
    int n;
    void *images; /* [n] images of plan->in's height and width, as `output` says, of its
                     channels; NULL in label pipelines */
    const image_output *output;
    float *labels; /* [n, label_width]; NULL in image pipelines */
    int label_width;
    uint8_t *scratch; /* scratch_bytes of the plan */
    size_t image_bytes;
} transform_batch;

typedef struct transform_case {
    const char *args; /* as in a pipeline: "224, scale=0.5:1" */
    transform_shape in, out;
    bool refused; /* plan says INVALID or SHAPE */
} transform_case;

typedef struct data_transform {
    const char *name, *summary;
    const char *details; /* rule, source (paper, library and what is equal to it) */
    transform_stage stage;
    const transform_arg *args; /* ended by one without a name */
    /* Checks numbers, sets out, scratch, state. INVALID, SHAPE, NOTFOUND, NOMEM. */
    assay_status (*plan)(transform_plan *p);
    void (*unplan)(transform_plan *p); /* may be NULL; also after a plan that failed */

    /* WINDOW: the box of a width x height picture that becomes p->out. Where the first
     * argument is called "size" (value[0] height, value[1] width), unplanning, changing
     * it and planning again changes the resolution. */
    void (*window)(const transform_plan *p,
                   transform_sample *s,
                   int width,
                   int height,
                   image_box *box);
    resample_filter (*filter)(const transform_plan *p);

    /* PIXELS: writes `dst` and returns true, or leaves it and returns false: the image
     * stays as it is (shapes are equal then). No memory, no failure. @threads safe */
    bool (*apply)(const transform_plan *p,
                  transform_sample *s,
                  const uint8_t *src,
                  uint8_t *dst);
    /* PIXELS: the same, pixel by pixel, in plain words (float64 where there are
     * fractions): always writes. */
    void (*reference)(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst);
    int tolerance; /* levels by which apply may differ from the reference */
    /* PIXELS that move whole pixels (flip, translate, crop, cutout): folds what apply
     * would do to this sample into `at`, drawing the same numbers, or returns false: `at`
     * and the stream are as before. May be NULL. */
    bool (*fold)(const transform_plan *p, transform_sample *s, image_placement *at);

    /* OUTPUT: changes how images are stored. */
    void (*output)(const transform_plan *p, image_output *o);

    /* BATCH: in image pipelines `b->images`, in label pipelines `b->labels`. */
    void (*mix)(const transform_plan *p, transform_batch *b);

    /* LABEL, and BATCH in pipelines of labels: how many numbers a label is behind it; 0
     * or NULL: as many as before. An integer stays one (`integer`), or becomes
     * label_width() numbers (`spread`; for BATCH before the mixing). */
    int (*label_width)(const transform_plan *p);
    void (*integer)(const transform_plan *p, transform_sample *s, int64_t *label);
    void (*spread)(const transform_plan *p, int64_t label, float *to);

    const transform_case *cases; /* ended by one with args NULL */
} data_transform;

/* "window", "pixels"... */
const char *transform_stage_name(transform_stage stage);
/* Place of argument `arg`'s first number among the values. */
int transform_value_at(const data_transform *t, int arg);

/* A window transform whose first argument is "size"; `whole` is the one that is not, and
 * wants pictures of one size. */
bool transform_resizes(const data_transform *t);

size_t transform_count(void);
const data_transform *transform_at(size_t i);
/* INVALID lists what there is, and the nearest name. */
ASSAY_MUST_CHECK assay_status transform_find(const data_transform **out,
                                             const char *name);
/* Reads "224, scale=0.5:1, filter=area" into the plan's values and texts (texts are
 * copied into the context's memory; free with transform_args_free). INVALID names
 * argument and what it takes. A piece without `=` behind a named text goes on with that
 * text: `rows=1,5,10:20`. Quotes keep commas together: `mask="a,b.png"`. `p` needs only
 * its context; everything else is left alone. */
ASSAY_MUST_CHECK assay_status transform_args_parse(transform_plan *p,
                                                   const data_transform *t,
                                                   const char *args,
                                                   size_t bytes);
void transform_args_free(transform_plan *p);
/* The same for numbers that did not come from text. INVALID */
ASSAY_MUST_CHECK assay_status transform_values_check(const transform_plan *p,
                                                     const data_transform *t);

#endif
