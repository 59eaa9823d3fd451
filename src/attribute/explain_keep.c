/* Features of rows and targets in a folder: made where they are not there, by one call or
 * by shards of which each has a folder of its own below; and TRAK's scores over them. */
#include "attribute/explain.h"

#include "attribute/given/stream.h"
#include "attribute/gradient/project.h"
#include "train/run_dir.h"

#include <stdio.h>

/* <keep>/<what>-<m><end> */
static assay_status
name(char **out, const explain *e, const char *what, int m, const char *end) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s-%d%s", what, m, end);
    return dir_path(out, e->ctx, e->o.keep, text);
}

/* Parts of the rows that shards left of a member in their folders. */
typedef struct shards {
    assay_ctx *ctx;
    att_part *part;
    size_t count, cap;
} shards;

static void shards_free(shards *x) {
    for (size_t i = 0; i < x->count; i++) {
        mem_free(x->ctx, x->part[i].features);
        mem_free(x->ctx, x->part[i].weights);
    }
    mem_free(x->ctx, x->part);
}

static assay_status
part_name(char **out, const explain *e, const char *folder, const char *what, int m) {
    char text[96];
    (void)snprintf(text, sizeof text, "%.60s/%s-%d", folder, what, m);
    return dir_path(out, e->ctx, e->o.keep, text);
}

static assay_status shards_find(shards *out, const explain *e, int m) {
    assay_status status = ASSAY_OK;
    os_names all = {0};
    ASSAY_TRY(os_list_dir(e->ctx, e->o.keep, &all));
    for (size_t i = 0; i < all.count; i++) {
        int shard, of, end = 0;
        if (sscanf(all.name[i], "shard-%6d-of-%6d%n", &shard, &of, &end) != 2 ||
            all.name[i][end] || shard < 1 || shard > of)
            continue;
        ASSAY_TRY(mem_grow(e->ctx, &out->part, out->count, &out->cap, out->count + 1,
                           sizeof *out->part));
        att_part *part = &out->part[out->count++];
        *part = att_project_part(e->lab.study.n_rows, shard, of);
        ASSAY_TRY(part_name(&part->features, e, all.name[i], "features", m));
        ASSAY_TRY(part_name(&part->weights, e, all.name[i], "weights", m));
    }
done:
    os_names_free(&all);
    return status;
}

/* Makes what is not there of a member's stores. */
static assay_status member_keep(const explain *e, int m) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const att_member member = explain_member(e, m);
    const struct {
        const char *what, *features, *weights;
        const uint32_t *rows;
        size_t n;
    } part[] = {{"rows", "features", "weights", s->rows, s->n_rows},
                {"targets", "targets", "target-weights", s->targets, s->n_targets}};
    char *features = NULL, *weights = NULL;
    shards found = {.ctx = e->ctx};
    att_project p = {0};
    ASSAY_TRY(att_project_open(&p, &member, &e->settings));
    ASSAY_TRY(shards_find(&found, e, m));
    for (int i = 0; i < 2; i++) {
        ASSAY_TRY(name(&features, e, part[i].features, m, ""));
        ASSAY_TRY(name(&weights, e, part[i].weights, m, ""));
        ASSAY_TRY(att_project_keep(&p, part[i].rows, part[i].n, part[i].what, features,
                                   weights, found.part, i == 0 ? found.count : 0));
        mem_free(e->ctx, features);
        mem_free(e->ctx, weights);
        features = weights = NULL;
    }
done:
    att_project_close(&p);
    shards_free(&found);
    mem_free(e->ctx, features);
    mem_free(e->ctx, weights);
    return status;
}

/* A shard's features, and nothing more. */
static assay_status shard_keep(const explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    att_part part = att_project_part(s->n_rows, e->o.shard, e->o.shards);
    att_project p = {0};
    char folder[40], *path = NULL;
    (void)snprintf(folder, sizeof folder, "shard-%d-of-%d", e->o.shard, e->o.shards);
    ASSAY_TRY(dir_path(&path, e->ctx, e->o.keep, folder));
    ASSAY_TRY(os_mkdirs(path));
    progress_begin(e->ctx, "features", (int64_t)(part.n * (size_t)e->models), "rows");
    for (int m = 0; part.n && m < e->models; m++) {
        const att_member member = explain_member(e, m);
        ASSAY_TRY(att_project_open(&p, &member, &e->settings));
        ASSAY_TRY(part_name(&part.features, e, folder, "features", m));
        ASSAY_TRY(part_name(&part.weights, e, folder, "weights", m));
        ASSAY_TRY(att_project_keep(&p, s->rows + part.first, part.n, "rows",
                                   part.features, part.weights, NULL, 0));
        att_project_close(&p);
        mem_free(e->ctx, part.features);
        mem_free(e->ctx, part.weights);
        part.features = part.weights = NULL;
    }
    progress_end(e->ctx);
done:
    att_project_close(&p);
    mem_free(e->ctx, part.features);
    mem_free(e->ctx, part.weights);
    mem_free(e->ctx, path);
    return status;
}

static assay_status member_add(given *g, const explain *e, int m) {
    assay_status status = ASSAY_OK;
    char *features = NULL, *targets = NULL, *weights = NULL;
    ASSAY_TRY(name(&features, e, "features", m, ".npy"));
    ASSAY_TRY(name(&targets, e, "targets", m, ".npy"));
    ASSAY_TRY(name(&weights, e, "weights", m, ".npy"));
    ASSAY_TRY(given_add(g, features, targets, weights));
done:
    mem_free(e->ctx, features);
    mem_free(e->ctx, targets);
    mem_free(e->ctx, weights);
    return status;
}

static assay_status score(explain *e) {
    assay_status status = ASSAY_OK;
    const att_study *s = &e->lab.study;
    const stream_options o = {
        .ridge = e->settings.ridge, .top = e->o.top, .scores = e->o.scores};
    given g = {.ctx = e->ctx};
    ASSAY_TRY(os_mkdirs(e->o.keep));
    progress_begin(e->ctx, "features",
                   (int64_t)((s->n_rows + s->n_targets) * (size_t)e->models), "rows");
    for (int m = 0; m < e->models; m++)
        ASSAY_TRY(member_keep(e, m));
    progress_end(e->ctx);
    for (int m = 0; m < e->models; m++)
        ASSAY_TRY(member_add(&g, e, m));
    ASSAY_TRY(stream_scores(e->top, &g, &o));
done:
    given_free(&g);
    return status;
}

assay_status explain_keep(explain *e) {
    return e->o.shards ? shard_keep(e) : score(e);
}
