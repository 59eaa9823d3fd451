/* Detectors: each looks at a dataset and what models say of it, and lists findings.
 * One file each under detect/methods. */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include "data/dataset.h"

/* Everything a detector may look at; borrowed. NULL where it is not known. */
typedef struct detect_input {
    assay_ctx *ctx;
    uint64_t rows,
        train_rows; /* rows [0, train_rows) are training, [train_rows, rows) test */
    int classes, size, channels;
    const int32_t *labels;   /* [rows] as used (planted flips included) */
    const npy_array *pixels; /* u8 [>= rows,size,size,channels] */
    const float *probs; /* [rows, classes]: out-of-sample for training rows, ensemble for
                           test rows */
    const float *self_influence; /* [train_rows] */
    const uint8_t *exact; /* [rows, 16]: hash of decoded pixels and size; NULL: hashes of
                             `pixels` */
    uint64_t seed;
} detect_input;

typedef enum detect_kind {
    DETECT_LABEL,
    DETECT_LEAKAGE,
    DETECT_COPY_EXACT,
    DETECT_COPY_NEAR,
    DETECT_CORRUPT,
    DETECT_KINDS
} detect_kind;
const char *detect_kind_name(detect_kind k); /* "label", "leakage", "copy_exact", ... */

typedef struct detect_finding {
    detect_kind kind;
    uint32_t row,
        other;        /* other: the row it is a copy of / leaks from (== row if none) */
    int32_t group;    /* copies of one picture share it; -1 none */
    int32_t likely;   /* label a model would give; -1 none */
    float score;      /* 0..1, higher is worse */
    float similarity; /* of copies: correlation */
    uint8_t mirrored, maybe, labels_differ, exact;
} detect_finding;

typedef struct detect_findings {
    assay_ctx *ctx;
    detect_finding *item;
    size_t count, cap;
} detect_findings;
ASSAY_MUST_CHECK assay_status detect_findings_add(detect_findings *f,
                                                  const detect_finding *item);
void detect_findings_free(detect_findings *f);

typedef struct detect_method {
    const char *name, *summary;
    assay_status (*run)(const detect_input *in, detect_findings *out);
} detect_method;
const detect_method *detect_find(const char *name); /* NULL if there is none */
size_t detect_count(void);
const detect_method *detect_at(size_t i);

/* ---- labels ---- */

/** The score of every training row, 0..1, higher = likelier wrong: 1 - p_given. out
 * [train_rows].
 *  @errors NUMERIC if a probability is not in [0,1] */
ASSAY_MUST_CHECK assay_status detect_label_scores(const detect_input *in, float *out);

/** Which rows pass the confident-learning filter (Northcutt et al. 2021; per-class mean
 * thresholds, pooled under 5 rows): the label given is not the confident one. out
 * [train_rows] flags. */
ASSAY_MUST_CHECK assay_status detect_label_filter(const detect_input *in, uint8_t *out);

/** How many labels are wrong, from flips planted on purpose (self-test): the least, over
 * cuts t, of (rows above t) / (share of planted rows above t), where that share is a
 * quarter or more.
 *  @param planted  [train_rows] flags; those rows are not counted
 *  @param count  the estimate in rows, NaN without planted rows   @param cut  where it is
 * attained */
ASSAY_MUST_CHECK assay_status detect_label_count(const detect_input *in,
                                                 const float *scores,
                                                 const uint8_t *planted,
                                                 double *count,
                                                 float *cut);

/** Gives `count` rows the label of another class, drawn evenly among the rest.
 *  @param labels  [rows], changed   @param flag  [rows], set where they are
 *  @param leave  [rows]: rows that keep theirs; NULL: none
 *  @param stream  of base/rng.h   @return how many, fewer where rows run out */
uint64_t detect_flip_labels(int32_t *labels,
                            uint8_t *flag,
                            const uint8_t *leave,
                            uint64_t rows,
                            int classes,
                            uint64_t count,
                            uint64_t seed,
                            uint32_t stream);

/* ---- copies ---- */

/* What 0 stands for below. */
#define DETECT_COPY_SIMILARITY 0.94
#define DETECT_COPY_RATIO      0.35

typedef struct detect_copy_options {
    double similarity;
    double ratio; /* (1-c1)/(1-c2) at most */
} detect_copy_options;

/* Similarity is the correlation of pixels, also mirrored, after undoing what brightening
 * clips. */
typedef struct detect_neighbour {
    uint32_t row;     /* UINT32_MAX: nothing reaches .82, or the picture is flat */
    float c1, c2;     /* best, and next best that is not itself a copy of this picture */
    uint8_t mirrored; /* the best one is the mirror image */
    uint8_t copy;     /* c1 >= similarity and (1-c1)/(1-c2) <= ratio */
    uint8_t maybe;    /* not quite: c1 >= .97 and a ratio up to .40 */
} detect_neighbour;

/** Nearest neighbours of query rows [q0,q1) among candidates [c0,c1), the row itself
 * excluded, all pairs compared. Pictures equal in hash count once, by their lowest row.
 *  @param out  [q1 - q0]   @param options  NULL: defaults
 *  @cost one product of (q1-q0) x (c1-c0) x 97, and exact checks where its bound passes
 */
ASSAY_MUST_CHECK assay_status detect_neighbours(const detect_input *in,
                                                uint64_t q0,
                                                uint64_t q1,
                                                uint64_t c0,
                                                uint64_t c1,
                                                const detect_copy_options *options,
                                                detect_neighbour *out);

/* ---- measures ---- */

/** Area under the ROC curve of scores against 0/1 truth, ties counted half; NaN unless
 * both kinds are there. @cost n times the rarer kind; allocates nothing */
double detect_auroc(const float *scores, const uint8_t *truth, size_t n);

/** Bounds of the area's 95 % interval, by drawing rows again so many times; NaN where
 * detect_auroc is, or without rounds. @errors NOMEM @cost n log n + rounds n */
ASSAY_MUST_CHECK assay_status detect_auroc_interval(double interval[2],
                                                    assay_ctx *ctx,
                                                    const float *scores,
                                                    const uint8_t *truth,
                                                    size_t n,
                                                    int rounds,
                                                    uint64_t seed);

/** Share of truth among the `count` top-ranked (ties by row); NaN for a count of 0.
 *  @cost 32 n; allocates nothing */
double
detect_precision_at(const float *scores, const uint8_t *truth, size_t n, size_t count);

#endif
