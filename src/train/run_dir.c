/* Putting paths together. */
#include "train/run_dir.h"

#include <stdio.h>
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
