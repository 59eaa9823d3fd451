/* How near kernels of projected gradients come to the exact one. On the first rows of a
 * dataset and the MLP of protocol a, trained as there: the mean error of an element of
 * Phi Phi' over the root mean square of the exact kernel's, for each projector and
 * dimension. Independent maps would fall as one over the root of the dimension.
 *
 *   projections DATA [rows=400] [projector=all]
 */
#include <assay/assay.h>

#include "attribute/algebra/matmul.h"
#include "attribute/ensemble.h"
#include "attribute/gradient/project.h"
#include "attribute/study/lab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static assay_status
kernel(float *out, int *dim, const att_member *m, const char *projector, int want) {
    assay_status status = ASSAY_OK;
    att_settings o = ATT_SETTINGS_INIT;
    att_features f = {0};
    size_t n = m->study->n_rows;
    o.projector = projector;
    o.dim = want;
    ASSAY_TRY(att_project_study(&f, m, &o));
    *dim = f.dim;
    ASSAY_TRY(mat_mul_nt(m->study->ctx, out, f.phi, f.phi, n, n, (size_t)f.dim));
done:
    att_features_free(&f);
    return status;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = NULL;
    att_lab lab = {0};
    att_ensemble models = {0};
    float *exact = NULL, *near = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: projections DATA [rows] [projector]\n");
        return 2;
    }
    const att_protocol p = att_protocol_of(
        "mlp", argc > 2 ? strtol(argv[2], NULL, 10) : 400, 1, .5, 0, 0, 0);
    ASSAY_TRY(assay_ctx_create(&ctx, NULL));
    ASSAY_TRY(att_lab_open(&lab, ctx, argv[1], &p));
    const att_study *s = &lab.study;
    size_t cells = s->n_rows * s->n_rows;
    double square = 0;
    int dim;
    ASSAY_TRY(att_ensemble_train(&models, s, 1, att_steps(&s->recipe, s->n_rows / 2), 5));
    const att_member m = att_ensemble_member(&models, 0);
    ASSAY_TRY(mem_new(ctx, &exact, cells, sizeof *exact));
    ASSAY_TRY(mem_new(ctx, &near, cells, sizeof *near));
    ASSAY_TRY(kernel(exact, &dim, &m, "none", 1));
    for (size_t i = 0; i < cells; i++)
        square += (double)exact[i] * (double)exact[i];
    printf("| projector | 64 | 256 | 1,024 | 4,096 |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < att_projector_count(); k++) {
        const att_projector *projector = att_projector_at(k);
        if (projector->whole || (argc > 3 && strcmp(argv[3], projector->name) != 0))
            continue;
        printf("| %s", projector->name);
        for (int want = 64; want <= 4096; want *= 4) {
            double off = 0;
            ASSAY_TRY(kernel(near, &dim, &m, projector->name, want));
            for (size_t i = 0; i < cells; i++)
                off += ((double)near[i] - (double)exact[i]) *
                       ((double)near[i] - (double)exact[i]);
            printf(" | %.4f", sqrt(off / square));
            fflush(stdout);
        }
        printf(" |\n");
    }
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "error: %s\n  --> %s\n  help: %s\n", assay_last_error()->message,
                assay_last_error()->where, assay_last_error()->help);
    if (ctx) {
        mem_free(ctx, exact);
        mem_free(ctx, near);
    }
    att_ensemble_free(&models);
    att_lab_close(&lab);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 1;
}
