/* The names in a run's folder. */
#ifndef TRAIN_RUN_DIR_H
#define TRAIN_RUN_DIR_H

#include "base/ctx.h"

#define RUN_MODEL      "model.safetensors"
#define RUN_CHECKPOINT "checkpoint.safetensors"
#define RUN_METRICS    "metrics.jsonl"
#define RUN_KERNELS    "kernels.txt" /* which kernels bf16 ran on */
#define RUN_FILE       "run.json"
#define RUN_SCHEMA     "assay-run-1"

/* dir/name, owned by the caller. */
ASSAY_MUST_CHECK assay_status dir_path(char **out,
                                       assay_ctx *ctx,
                                       const char *dir,
                                       const char *name);
/* dir/member-<i>, owned by the caller. */
ASSAY_MUST_CHECK assay_status dir_member(char **out,
                                         assay_ctx *ctx,
                                         const char *dir,
                                         int member);

/* A folder of work files below TMPDIR or /tmp, which the caller removes (os_remove_tree)
 * and whose name it frees: assay-<what>-XXXXXX. INVALID */
ASSAY_MUST_CHECK assay_status work_dir_make(char **out, assay_ctx *ctx, const char *what);

#endif
