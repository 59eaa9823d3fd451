/* Putting paths together. */
#include "train/run_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

assay_status dir_path(char **out, assay_ctx *ctx, const char *dir, const char *name) {
    size_t n = strlen(dir) + strlen(name) + 2;
    assay_status status = mem_new(ctx, out, n, 1);
    if (status == ASSAY_OK)
        (void)snprintf(*out, n, "%s%s%s", dir,
                       *dir && dir[strlen(dir) - 1] == '/' ? "" : "/", name);
    return status;
}

assay_status dir_member(char **out, assay_ctx *ctx, const char *dir, int member) {
    char name[32];
    (void)snprintf(name, sizeof name, "member-%d", member);
    return dir_path(out, ctx, dir, name);
}

assay_status work_dir_make(char **out, assay_ctx *ctx, const char *what) {
    const char *base = getenv("TMPDIR");
    char name[64];
    (void)snprintf(name, sizeof name, "assay-%.32s-XXXXXX", what);
    assay_status status = dir_path(out, ctx, base && *base ? base : "/tmp", name);
    if (status != ASSAY_OK)
        return status;
    if (!mkdtemp(*out)) {
        (void)err_set(ASSAY_E_INVALID, "can't make a folder for work files");
        err_where("%s", *out);
        err_help("point TMPDIR to a folder that can be written to");
        mem_free(ctx, *out);
        *out = NULL;
        return ASSAY_E_INVALID;
    }
    return ASSAY_OK;
}
