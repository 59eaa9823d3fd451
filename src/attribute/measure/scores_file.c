/* Scores that were made elsewhere, from .npy. */
#include "attribute/measure/scores_file.h"

#include "file/npy.h"

#include <math.h>
#include <string.h>

assay_status
att_scores_read(float *out, const att_study *s, const char *protocol, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    ASSAY_TRY(npy_open(&a, s->ctx, path, false));
    if (a.dtype != ASSAY_F32 || a.ndim != 2 || a.dim[0] != (int64_t)s->n_rows ||
        a.dim[1] < (int64_t)s->n_targets) {
        (void)err_set(ASSAY_E_SHAPE, "scores are not f32 [%zu rows, %zu targets or more]",
                      s->n_rows, s->n_targets);
        err_where("%s", path);
        err_help("write them in the order of protocol %s's rows and targets", protocol);
        status = ASSAY_E_SHAPE;
        goto done;
    }
    for (size_t i = 0; i < s->n_rows; i++)
        memcpy(out + i * s->n_targets, a.data + i * (size_t)a.dim[1] * sizeof(float),
               s->n_targets * sizeof(float));
    for (size_t i = 0; i < s->n_rows * s->n_targets; i++)
        if (!isfinite(out[i])) {
            (void)err_set(ASSAY_E_NUMERIC,
                          "the score of row %zu for target %zu is not "
                          "finite",
                          i / s->n_targets, i % s->n_targets);
            err_where("%s", path);
            status = ASSAY_E_NUMERIC;
            goto done;
        }
done:
    npy_close(&a);
    return status;
}
