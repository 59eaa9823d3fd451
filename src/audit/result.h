/* What an audit found, in memory: filled by audit, read by report. Rows are sample ids in
 * the .beton; rows [0, train_rows) are training, the rest test. All scores: 0..1, higher
 * is worse. */
#ifndef AUDIT_RESULT_H
#define AUDIT_RESULT_H

#include <assay/audit.h>

#include "attribute/trak/attribute.h"
#include "detect/detect.h"

enum { AUDIT_CAUSES = 20 };

/* A misclassified test row and the training rows behind it. */
typedef struct audit_test_error {
    uint32_t row;
    int32_t given, predicted;
    float p_given, p_predicted, margin; /* ensemble */
    uint32_t n_towards, n_against;      /* filled entries below */
    /* Training rows that pushed towards the prediction (away from the label), strongest
     * first, and those that pushed towards the label. `effect`: predicted effect on this
     * row's margin of having trained on it, signed, on the scale where the whole margin
     * is 1 (so that 1 flips the answer). */
    struct {
        uint32_t row;
        float effect;
    } towards[AUDIT_CAUSES], against[AUDIT_CAUSES];
    uint32_t
        removal; /* least number of `towards` rows (from a longer list) whose removal is
                    predicted to flip the answer to the label; 0: not within the list */
} audit_test_error;

/* One kind of planted fault and how well it was found. NaN where a measure does not
 * apply. */
typedef struct audit_plant {
    char kind[16]; /* "labels", "copies", "shifts" */
    uint64_t count;
    double auroc, auroc_plain; /* of the label score, and of plain 1 - p_given */
    double precision_at_count, precision_plain;
    double recall;
    uint64_t unplanted; /* pairs reported that were not planted */
} audit_plant;

struct assay_audit {
    assay_ctx *ctx;
    dataset *data;
    npy_array
        pixels; /* u8 [rows,size,size,channels], planted copies included at the end */
    /* identity */
    char title[128]; /* the source's base name */
    char sha256[65]; /* of the dataset */
    char key[65];    /* hash of dataset, options, version: the audit's id */
    char recipe[1024], isa[16];
    char options_text[1024];
    uint64_t rows, train_rows; /* as audited (with planted rows) */
    uint64_t planted_rows;     /* of them, appended by --plant, at the end */
    int classes, size, channels, members;
    uint64_t seed;
    bool flip;
    const int32_t *labels; /* [rows], planted flips included */
    const float *probs;    /* [rows, classes] */
    double accuracy_single, accuracy_ensemble;
    double accuracy_single_members[64];
    double accuracy_without_leaks;
    /* what is too small to judge: rows of class c fewer than min_rows_per_class */
    uint64_t min_rows_per_class;
    bool label_check,
        own_probs; /* whether labels could be judged; whether --pred-probs was used */
    char label_note[256]; /* why not */
    /* Findings, sorted by kind, then score descending, then row. Of kind corrupt: row is
     * UINT32_MAX (the image is not in the file) and `other` the index for
     * dataset_skipped_at. Rows from dataset_rows(data) on are planted: they have no id in
     * the file. */
    detect_findings findings;
    const float *label_score;    /* [train_rows]; NULL without a label check */
    const uint8_t *label_filter; /* [train_rows] */
    double label_count;          /* estimate of wrong labels; NaN if unknown */
    uint64_t label_listed;       /* findings of kind label: the likeliest */
    assay_audit_counts counts;
    /* self-test: planted in this very run, in rows set aside */
    uint64_t self_labels, self_labels_found, self_copies, self_copies_found;
    audit_plant plant[8];
    int n_plant;
    /* test errors, worst (largest p_predicted) first, all of them */
    audit_test_error *error;
    size_t n_errors;
    att_trust trust;
    bool attribution;  /* whether influences were computed */
    const float *harm; /* [train_rows] predicted effect on the total test loss; NULL */
    const float *self_influence; /* [train_rows]; NULL */
    /* confusion[given * classes + predicted] over test rows */
    uint64_t *confusion;
};

#endif
