/* One audit under way: where its files lie, its phases, its clock. Private to the room.
 */
#ifndef AUDIT_RUN_H
#define AUDIT_RUN_H

#include "audit/result.h"

#include "base/hash.h"
#include "base/json.h"

enum { AUDIT_PATH = 4096, AUDIT_REMOVAL_LIST = 50 };

/* What was planted, on request or for the self-test. */
typedef struct audit_planting {
    char kind[16]; /* "labels", "copies", "shifts" */
    double amount; /* rows, or a share if `share` */
    bool share;
    uint64_t count; /* rows, once the data is known */
    uint64_t first; /* copies, shifts: row of the first copy */
} audit_planting;

enum audit_phase {
    PHASE_IMPORT,
    PHASE_PIXELS,
    PHASE_TRAINING,
    PHASE_PREDICTING,
    PHASE_GRADIENTS,
    PHASE_ATTRIBUTION,
    PHASE_CHECKS,
    PHASE_COUNT
};

typedef struct audit_run {
    assay_ctx *ctx;
    const char *source, *out;
    assay_audit_options opt;
    audit_planting plant[8];
    int n_plant;
    struct assay_audit *a;

    char key[PHASE_COUNT][65]; /* each covers what the phase depends on */
    double seconds[PHASE_COUNT], cpu[PHASE_COUNT];
    uint64_t phase_ns, phase_cpu_ns;

    uint64_t base_rows;  /* of the dataset */
    uint64_t total_rows; /* with planted rows and the self-test's copies behind them */
    uint64_t self_first; /* first self-test copy; base + planted */
    int32_t *labels;     /* [total] as given (planted flips included, self-test's not) */
    int32_t *trained_labels; /* [total] as trained: self-test flips included */
    uint8_t *planted_label;  /* [train] flags */
    uint8_t *self_label;     /* [train] flags */
    uint32_t *copy_of;       /* [total - base] source row of each appended row */
    uint8_t *active;         /* [train]; 0: excluded from training */
    npy_array pixels;        /* [total, size, size, channels] */
    uint8_t *seen;           /* [members, train] */
    train_recipe recipe;
    trained_model *model;   /* [members] */
    char (*model_hash)[65]; /* [members] */
    float *logits;          /* [members, total, classes] */
    float *probs;           /* [total, classes] */
    float *judge;      /* [total, classes]: probs, or --pred-probs for the label check */
    row_store **store; /* [members] */
    float *q; /* [train], borrowed by trak */
    att_trak *trak;
} audit_run;

/* plant.c */
ASSAY_MUST_CHECK assay_status plant_parse(audit_run *r);
/* Labels and appended rows: fills labels, flags, copy_of and counts; no pixels yet. */
ASSAY_MUST_CHECK assay_status plant_rows(audit_run *r);
/* Pixels of the appended rows, degraded as their kind says, behind the dataset's own. */
ASSAY_MUST_CHECK assay_status plant_pixels(audit_run *r);
/* run/planted.csv: row, kind, source row, label given, label before. */
ASSAY_MUST_CHECK assay_status plant_write(const audit_run *r);

/* members.c */
ASSAY_MUST_CHECK assay_status members_train(audit_run *r);
ASSAY_MUST_CHECK assay_status members_predict(audit_run *r);

/* influence.c */
ASSAY_MUST_CHECK assay_status influence_features(audit_run *r);
/* Kernel factors over the stores; for influence_errors and for why. */
ASSAY_MUST_CHECK assay_status influence_open(audit_run *r);
ASSAY_MUST_CHECK assay_status influence_errors(audit_run *r);
/* Fills an error record's causes for any test row, from open kernels. */
ASSAY_MUST_CHECK assay_status
influence_row(audit_run *r, uint32_t row, int top, audit_test_error *e, att_top *list);
void influence_describe(const audit_run *r, uint32_t row, audit_test_error *e);

/* checks.c */
ASSAY_MUST_CHECK assay_status checks_run(audit_run *r);

/* options.c */
ASSAY_MUST_CHECK assay_status options_check(const assay_audit_options *in,
                                            assay_audit_options *out);
/* run/options.json: what the folder's audit was asked to do; read back by why. */
ASSAY_MUST_CHECK assay_status options_save(const audit_run *r);
typedef struct options_saved {
    json_doc *doc; /* owns the strings */
    assay_audit_options opt;
    const char *plant[9];
    const char *title;
} options_saved;
/* NOTFOUND if the folder holds no audit. */
ASSAY_MUST_CHECK assay_status options_load(options_saved *out,
                                           assay_ctx *ctx,
                                           const char *folder);
void options_free(options_saved *s);

/* phase.c */
void phase_begin(audit_run *r, enum audit_phase phase);
void phase_end(audit_run *r, enum audit_phase phase);
const char *phase_name(enum audit_phase phase);
/* Starts a key: version, instruction set, the key of what it stands on. */
hash_sha256 phase_key_begin(const char *name, const char *parent);
void phase_key_end(hash_sha256 *h, char out[65]);
/* Adds this run's times to run/timing.json. */
ASSAY_MUST_CHECK assay_status phase_timing_write(const audit_run *r);
void audit_file(const audit_run *r, char out[AUDIT_PATH], const char *fmt, ...)
    ASSAY_PRINTF(3, 4);

/* Arrays kept under a key: a .safetensors that any tool opens. */
typedef struct cache_item {
    const char *name;
    assay_dtype dtype;
    int ndim;
    int64_t dim[4];
    void *data;
} cache_item;
/* Fills the items' memory from the file; *hit false when it is absent, damaged, of
 * another key, or of other shapes. */
ASSAY_MUST_CHECK assay_status cache_load(const audit_run *r,
                                         const char *path,
                                         const char *key,
                                         const cache_item *items,
                                         size_t n,
                                         bool *hit);
ASSAY_MUST_CHECK assay_status cache_save(const audit_run *r,
                                         const char *path,
                                         const char *key,
                                         const cache_item *items,
                                         size_t n);

/* audit.c: the phases in order, up to and with `last`. */
ASSAY_MUST_CHECK assay_status audit_phases(audit_run *r, enum audit_phase last);
ASSAY_MUST_CHECK assay_status audit_run_open(audit_run *r,
                                             assay_ctx *ctx,
                                             const char *source,
                                             const char *out,
                                             const assay_audit_options *options);
void audit_run_close(audit_run *r, bool keep_result);

#endif
