/* The range test of learning rates (Smith 2017, arXiv 1506.01186, section 3.3): the rate
 * doubles every few steps until training breaks; what came before is stable. */
#include "train/train_run.h"
#include "train/trainer_inside.h"

#include "base/options.h"

#include <math.h>

enum { STEPS = 50 }; /* at each rate */

#define FIRST_RATE 1e-4
#define BROKEN     1.5  /* times the least loss so far */
#define UNLEARNT   1.05 /* times the first rate's loss: chance, where classes are many */

typedef struct range_test {
    trainer t;
    int64_t at; /* steps taken */
    assay_rate_range *out;
} range_test;

/* STEPS steps at one rate; the mean loss of their second half, infinite when a loss was
 * not finite. */
static assay_status rate_try(range_test *r, double rate, double *loss) {
    assay_status status = ASSAY_OK;
    trainer *t = &r->t;
    epoch_sums late = {0};
    train_pace pace = schedule_pace(t->schedule, &t->schedule_options, 0, INT64_MAX);
    pace.rate = rate;
    *loss = INFINITY;
    for (int i = 0; i < STEPS; i++, r->at++) {
        train_batch b;
        epoch_sums early = {0};
        if (r->at % t->batches.count == 0)
            ASSAY_TRY(batches_epoch(&t->batches, (uint32_t)(r->at / t->batches.count)));
        status = trainer_step(t, r->at, pace, &b, i < STEPS / 2 ? &early : &late);
        if (status == ASSAY_E_NUMERIC)
            return ASSAY_OK;
        ASSAY_TRY(status);
        progress_add(t->ctx, b.n);
    }
    *loss = late.loss / (double)late.examples;
done:
    return status;
}

static assay_status rates_try(range_test *r) {
    assay_status status = ASSAY_OK;
    assay_rate_range *out = r->out;
    double least = INFINITY;
    for (double rate = FIRST_RATE; out->rows < ASSAY_RATE_ROWS && !out->broke;
         rate *= 2) {
        assay_rate_row *row = &out->row[out->rows++];
        row->rate = rate;
        ASSAY_TRY(rate_try(r, rate, &row->loss));
        least = row->loss < least ? row->loss : least;
        out->broke =
            !(row->loss <= BROKEN * least && row->loss <= UNLEARNT * out->row[0].loss);
    }
    out->stable = out->row[out->rows - 1].rate / (out->broke ? 4 : 2);
done:
    return status;
}

assay_status assay_find_rate(assay_ctx *ctx,
                             const char *source,
                             const char *out,
                             const assay_train_options *options,
                             assay_rate_range *result) {
    assay_status status = ASSAY_OK;
    run r = {.ctx = ctx, .source = source, .out = out, .o = ASSAY_TRAIN_OPTIONS_INIT};
    range_test test = {.out = result};
    *result = (assay_rate_range){0};
    ASSAY_TRY(options_take(&r.o, sizeof r.o, options, "assay_train_options"));
    r.o.members = 0;
    ASSAY_TRY(run_data(&r));
    const train_data data = run_train_data(&r);
    const train_job job = {
        .rows = r.train, .n_rows = r.n_train, .seed = r.o.seed, .wide = true};
    test.t = (trainer){.ctx = ctx,
                       .data = &data,
                       .recipe = &r.recipe,
                       .job = &job,
                       .model = {.ctx = ctx}};
    ASSAY_TRY(trainer_check(&data, &r.recipe, &job));
    ASSAY_TRY(trainer_start(&test.t));
    progress_phase(ctx, 0, 0);
    progress_begin(ctx, "trying rates",
                   (int64_t)STEPS * ASSAY_RATE_ROWS * test.t.batches.batch, "examples");
    status = rates_try(&test);
    progress_end(ctx);
done:
    trainer_end(&test.t);
    run_free(&r);
    return status;
}
