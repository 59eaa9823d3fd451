/* What is the same for batches of every kind. */
#include "train/batches.h"

#include <math.h>

const batches_kind *batches_kind_of(const train_data *data) {
    return data->text        ? &batches_of_tokens
           : data->sentences ? &batches_of_sentences
                             : &batches_of_pixels;
}

size_t batches_held(const train_recipe *recipe, size_t n_rows) {
    return (size_t)(recipe->validation * (double)n_rows);
}

int batches_size(const train_recipe *recipe, size_t n_rows) {
    n_rows -= batches_held(recipe, n_rows);
    return n_rows < (size_t)recipe->batch ? (int)n_rows : recipe->batch;
}

assay_status batches_create(batches *out,
                            assay_ctx *ctx,
                            const train_data *data,
                            const train_recipe *recipe,
                            const train_job *job) {
    *out = (batches){.kind = batches_kind_of(data),
                     .ctx = ctx,
                     .data = data,
                     .batch = batches_size(recipe, job->n_rows)};
    assay_status status = out->kind->start(out, recipe, job);
    if (status != ASSAY_OK)
        batches_destroy(out);
    return status;
}

void batches_destroy(batches *b) {
    if (b->kind)
        b->kind->end(b);
    *b = (batches){0};
}

assay_status batches_epoch(batches *b, uint32_t epoch) {
    return b->kind->epoch(b, epoch);
}

assay_status batches_next(batches *b, train_batch *out) {
    return b->kind->next(b, out);
}

assay_status batches_measure(batches *b, const trained_model *m, train_measure *out) {
    *out = (train_measure){(double)NAN, (double)NAN};
    return b->kind->measure ? b->kind->measure(b, m, out) : ASSAY_OK;
}
