/* Members side by side. The order they start in changes nothing but when they are done.
 */
#include "train/members.h"

#include "base/pool.h"

#include <stdlib.h>

typedef struct work {
    assay_ctx *ctx;
    const train_data *data;
    train_member *member;
    size_t *order;
    train_take_fn take;
    void *arg;
} work;

typedef struct place {
    double cost;
    size_t member;
} place;

static int longest_first(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->cost < y->cost || x->cost > y->cost)
        return x->cost > y->cost ? -1 : 1;
    return x->member > y->member ? 1 : -1;
}

static assay_status order_make(work *w, size_t n) {
    assay_status status = ASSAY_OK;
    place *all = NULL;
    ASSAY_TRY(mem_new(w->ctx, &w->order, n, sizeof *w->order));
    ASSAY_TRY(mem_new(w->ctx, &all, n, sizeof *all));
    for (size_t i = 0; i < n; i++)
        all[i] = (place){w->member[i].cost, i};
    qsort(all, n, sizeof *all, longest_first);
    for (size_t i = 0; i < n; i++)
        w->order[i] = all[i].member;
done:
    mem_free(w->ctx, all);
    return status;
}

static assay_status one(work *w, int worker, size_t i) {
    train_member *m = &w->member[i];
    trained_model model = {.ctx = w->ctx};
    train_job job = {.dir = m->dir,
                     .rows = m->rows,
                     .n_rows = m->n_rows,
                     .seed = m->seed,
                     .identity = m->identity,
                     .result = &model};
    assay_status status = train_one(w->ctx, w->data, m->recipe, &job);
    m->failed = status == ASSAY_E_NUMERIC;
    m->gflop = job.gflop;
    if (status == ASSAY_OK || m->failed)
        status = w->take(w->arg, worker, i, m->failed ? NULL : &model);
    model_free(&model);
    return status;
}

static assay_status run(void *arg, int worker, size_t begin, size_t end) {
    work *w = arg;
    assay_status status = ASSAY_OK;
    for (size_t i = begin; i < end && status == ASSAY_OK; i++)
        status = one(w, worker, w->order[i]);
    return status;
}

assay_status train_members(assay_ctx *ctx,
                           const train_data *data,
                           train_member *members,
                           size_t n,
                           train_take_fn take,
                           void *arg) {
    assay_status status = ASSAY_OK;
    work w = {.ctx = ctx, .data = data, .member = members, .take = take, .arg = arg};
    int64_t images = 0;
    for (size_t i = 0; i < n; i++)
        images += train_images(members[i].recipe, members[i].n_rows);
    ASSAY_TRY(order_make(&w, n));
    progress_begin(ctx, "training", images, "images");
    status = assay_parallel_for(ctx, n, 1, run, &w);
    progress_end(ctx);
done:
    mem_free(ctx, w.order);
    return status;
}
