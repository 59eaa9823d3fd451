/* The inside of assay_mislabels, shared by its files and the methods: members that judge
 * rows, what they say, and what a method makes of it. */
#ifndef DETECT_MISLABELS_H
#define DETECT_MISLABELS_H

#include <assay/detect.h>

#include "attribute/method.h"
#include "attribute/study/lab.h"
#include "detect/detect.h"

typedef struct mislabels {
    assay_ctx *ctx;
    assay_mislabels_options o;
    att_protocol protocol;
    att_settings settings;
    att_lab lab; /* its labels are those that are trained on */
    train_recipe recipe;
    size_t n, tests;  /* training rows that are judged, test rows of `harm` */
    uint32_t *row;    /* [n + tests] of the data, training rows first */
    uint8_t *planted; /* [n] labels that were flipped on purpose */
    size_t planted_count;
    model_card card;
    trained_model *model; /* [members] */
    uint8_t *seen;        /* [members, n] */
    float *probs;         /* [members, n + tests, classes] */
    float *judged;        /* [n + tests, classes] mean over those that did not see it */
    double seconds;       /* of processor time, of training and predicting */
} mislabels;

/* Trains the members and asks them; fills card, model, seen, probs, judged. */
ASSAY_MUST_CHECK assay_status mislabels_judges(mislabels *m);
/** Mean probabilities [n + tests, classes] over members that saw a training row, or did
 * not; of test rows over all. */
void mislabels_mean(float *out, const mislabels *m, bool saw);
/* A member for attribution, with the lab's study: borrowed. */
att_member mislabels_member(const mislabels *m, int i);

/* ---- methods, one file each under detect/suspicions ---- */

/* What a method says: higher is worse. */
typedef struct suspicion {
    float *score;      /* [n], filled */
    float *low, *high; /* [n] range of what single members say; NaN before, and where
                          they say nothing */
} suspicion;

typedef struct detect_suspicion {
    const char *name, *summary;
    bool influence;    /* the variant is a method of attribution; else "seen" or "unseen":
                          which members judge a row */
    const char *usual; /* variant where none is named */
    assay_status (*run)(suspicion *out, const mislabels *m, const char *variant);
} detect_suspicion;

const detect_suspicion *suspicion_find(const char *name, size_t length);

/** Fills scores from probabilities row by row: of the mean over members, or the mean of
 *  what is said of each; the range is that of single ones.
 *  @param of  a row's, from its probabilities and label */
typedef double suspicion_of(const float *p, int classes, int label);
ASSAY_MUST_CHECK assay_status suspicion_rows(suspicion *out,
                                             const mislabels *m,
                                             const char *variant,
                                             suspicion_of *of,
                                             bool mean_of_members);

#endif
