/* Members of a fleet, whatever each trains with: one per core, the longest first, each
 * handed over when it is done. One that fails by its numbers does not stop the others. */
#ifndef TRAIN_MEMBERS_H
#define TRAIN_MEMBERS_H

#include "train/trainer.h"

typedef struct train_member {
    const train_recipe *recipe; /* borrowed, as all here */
    const uint32_t *rows;
    size_t n_rows;
    uint64_t seed;
    const char *dir;      /* of its checkpoints; NULL: none are written */
    const char *identity; /* of a checkpoint */
    double cost;          /* what decides who is first */
    /* Filled. */
    bool failed; /* NUMERIC */
    double gflop;
} train_member;

/* What is done with a model, on the worker that trained it: NULL when its numbers failed
 * (the record then says why). It goes when this returns. */
typedef assay_status (*train_take_fn)(void *arg,
                                      int worker,
                                      size_t member,
                                      const trained_model *m);

/* CANCELLED ends at the next step. Other failures than NUMERIC end the whole. */
ASSAY_MUST_CHECK assay_status train_members(assay_ctx *ctx,
                                            const train_data *data,
                                            train_member *members,
                                            size_t n,
                                            train_take_fn take,
                                            void *arg);

#endif
