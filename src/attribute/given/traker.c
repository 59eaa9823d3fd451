/* The files of TRAK's authors' library: <save_dir>/id_<m>.json names the models, <m>/
 * holds grads.mmap, out_to_loss.mmap, <experiment>_grads.mmap and _is_featurized.mmap,
 * which flags the rows that are done. All are .npy files whatever their names say. */
#include "attribute/given/given.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* dir/model/name, owned by the caller. */
static assay_status
inside(char **out, assay_ctx *ctx, const char *dir, const char *model, const char *name) {
    buf b = buf_make(ctx);
    buf_fmt(&b, "%s/%s/%s", dir, model, name);
    assay_status status = buf_check(&b);
    if (status == ASSAY_OK)
        status = mem_strdup(ctx, out, b.data);
    buf_free(&b);
    return status;
}

/* Whether all rows have been featurized. */
static assay_status flags_check(assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {.map = {.fd = -1}};
    size_t missing = 0;
    if (!os_exists(path))
        return ASSAY_OK; /* stores that were copied without it */
    ASSAY_TRY(npy_open(&a, ctx, path, false));
    if (a.dtype != ASSAY_I32 || a.ndim < 1 ||
        (int64_t)(a.bytes / sizeof(int32_t)) != a.dim[0]) {
        (void)err_set(ASSAY_E_DTYPE, "flags of rows are int32, one a row");
        err_where("%s", path);
        status = ASSAY_E_DTYPE;
        goto done;
    }
    for (int64_t i = 0; i < a.dim[0]; i++)
        missing += ((const int32_t *)(const void *)a.data)[i] == 0;
    if (missing) {
        (void)err_set(ASSAY_E_FORMAT, "%zu rows have no features yet", missing);
        err_where("%s", path);
        err_help("let TRAKer.featurize come to its end");
        status = ASSAY_E_FORMAT;
    }
done:
    npy_close(&a);
    return status;
}

static assay_status
add_model(given *g, const char *dir, const char *experiment, const char *model) {
    assay_status status = ASSAY_OK;
    char *path[4] = {0}, targets[300];
    (void)snprintf(targets, sizeof targets, "%.255s_grads.mmap", experiment);
    const char *name[] = {"grads.mmap", targets, "out_to_loss.mmap",
                          "_is_featurized.mmap"};
    for (int i = 0; i < 4; i++)
        ASSAY_TRY(inside(&path[i], g->ctx, dir, model, name[i]));
    if (!os_exists(path[0])) {
        (void)err_set(ASSAY_E_NOTFOUND, "the gradients of model %s are not there", model);
        err_where("%s", path[0]);
        err_help("finalize_features(del_grads=True) removes them: featurize without it");
        status = ASSAY_E_NOTFOUND;
        goto done;
    }
    if (!os_exists(path[1])) {
        (void)err_set(ASSAY_E_NOTFOUND, "model %s has no experiment \"%s\"", model,
                      experiment);
        err_where("%s", path[1]);
        err_help("experiments.json names those there are");
        status = ASSAY_E_NOTFOUND;
        goto done;
    }
    ASSAY_TRY(flags_check(g->ctx, path[3]));
    ASSAY_TRY(given_add(g, path[0], path[1], os_exists(path[2]) ? path[2] : NULL));
done:
    for (int i = 0; i < 4; i++)
        mem_free(g->ctx, path[i]);
    return status;
}

assay_status given_add_traker(given *g, const char *dir, const char *experiment) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    size_t before = g->members;
    ASSAY_TRY(os_list_dir(g->ctx, dir, &names));
    for (size_t i = 0; i < names.count; i++) {
        char model[24];
        int end = 0;
        if (sscanf(names.name[i], "id_%20[0-9].json%n", model, &end) == 1 && end > 0 &&
            !names.name[i][end])
            ASSAY_TRY(add_model(g, dir, experiment, model));
    }
    if (g->members == before) {
        (void)err_set(ASSAY_E_NOTFOUND, "there are no models of TRAKer's here");
        err_where("%s", dir);
        err_help("give the save_dir, where id_0.json lies");
        status = ASSAY_E_NOTFOUND;
    }
done:
    os_names_free(&names);
    return status;
}
