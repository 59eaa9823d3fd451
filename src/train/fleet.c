/* A fleet: many models side by side, one per core for long stretches. Nothing is shared
 * but the data, which is only read, so a member's bytes do not depend on how many run
 * beside it. A model alone may have all threads for itself. */
#include "train/trainer.h"

#include "base/pool.h"

typedef struct fleet {
    assay_ctx *ctx;
    const train_data *data;
    const train_recipe *recipe;
    train_job *jobs;
} fleet;

static assay_status run(void *arg, int worker, size_t begin, size_t end) {
    (void)worker;
    fleet *f = arg;
    assay_status status = ASSAY_OK;
    for (size_t i = begin; i < end; i++)
        ASSAY_TRY(train_one(f->ctx, f->data, f->recipe, &f->jobs[i]));
done:
    return status;
}

assay_status train_fleet(assay_ctx *ctx,
                         const train_data *data,
                         const train_recipe *recipe,
                         train_job *jobs,
                         size_t n) {
    fleet f = {ctx, data, recipe, jobs};
    int64_t images = 0;
    for (size_t i = 0; i < n; i++)
        images += train_images(recipe, jobs[i].n_rows);
    progress_begin(ctx, "training", images, data->text ? "windows" : "images");
    assay_status status = n == 1 && jobs[0].wide /* the threads are for its shards */
                              ? run(&f, 0, 0, 1)
                              : assay_parallel_for(ctx, n, 1, run, &f);
    progress_end(ctx);
    return status;
}
