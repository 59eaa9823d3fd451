/* The truth of a protocol: margins of models on subsets, kept on disk if asked for. */
#include "attribute/measure/lds.h"

#include "base/hash.h"
#include "base/os.h"
#include "base/rng.h"
#include "train/run_dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Name of the file that keeps margins: everything that decides its bytes. */
static assay_status
kept_path(char **out, const lds *l, const char *what, size_t seeds, size_t subsets) {
    const att_protocol *p = l->lab.protocol;
    char text[512], hex[65], name[40];
    hash_sha256 h;
    uint8_t digest[32];
    (void)snprintf(text, sizeof text,
                   "%s %d %s %s %d %zu %zu %zu %zu %.17g %d %d %.17g %.17g %.17g %.17g "
                   "%d %" PRIu64 "%s",
                   what, LDS_VERSION, p->name, p->model, p->size, p->rows, p->targets,
                   subsets, seeds, p->share, p->recipe.epochs, p->recipe.batch,
                   p->recipe.rate, p->recipe.momentum, p->recipe.weight_decay,
                   p->recipe.hold, p->recipe.nesterov, l->o.seed,
                   p->recipe.adam ? " adamw" : "");
    hash_sha256_init(&h);
    hash_sha256_str(&h, text);
    hash_sha256_str(&h, assay_isa_name());
    hash_sha256_str(&h, l->lab.card.dataset_sha256);
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    (void)snprintf(name, sizeof name, "%s-%.16s.npy", what, hex);
    return dir_path(out, l->ctx, l->o.keep, name);
}

static assay_status
kept_load(lds *l, const char *path, const int64_t dim[3], float *out, bool *found) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    *found = false;
    if (!os_exists(path))
        return ASSAY_OK;
    ASSAY_TRY(npy_open(&a, l->ctx, path, false));
    if (a.dtype != ASSAY_F32 || a.ndim != 3 || a.dim[0] != dim[0] || a.dim[1] != dim[1] ||
        a.dim[2] != dim[2])
        ASSAY_FAIL(ASSAY_E_FORMAT, "%s does not hold this protocol's margins", path);
    memcpy(out, a.data, a.bytes);
    *found = true;
done:
    npy_close(&a);
    return status;
}

/* Margins of `seeds` models on each subset, found or made. */
static assay_status margins(lds *l,
                            const char *what,
                            float *out,
                            const att_subsets *subsets,
                            size_t seeds,
                            uint64_t first_seed,
                            bool *found) {
    assay_status status = ASSAY_OK;
    const int64_t dim[] = {(int64_t)seeds, (int64_t)subsets->count,
                           (int64_t)l->lab.study.n_targets};
    char *path = NULL;
    *found = false;
    if (l->o.keep) {
        ASSAY_TRY(os_mkdirs(l->o.keep));
        ASSAY_TRY(kept_path(&path, l, what, seeds, subsets->count));
        ASSAY_TRY(kept_load(l, path, dim, out, found));
    }
    if (*found)
        goto done;
    progress_begin(l->ctx, what, dim[0] * dim[1], "models");
    ASSAY_TRY(att_subsets_truth(out, &l->lab.study, subsets, seeds, first_seed));
    progress_end(l->ctx);
    if (path)
        ASSAY_TRY(npy_put(l->ctx, path, ASSAY_F32, 3, dim, out));
done:
    mem_free(l->ctx, path);
    return status;
}

assay_status lds_truth_make(lds *l) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = l->lab.protocol;
    size_t each = p->subsets * p->targets;
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    ASSAY_TRY(att_subsets_draw(&l->subsets, &l->lab.study, p->subsets, p->share,
                               RNG_LDS_TRUTH, l->o.seed));
    ASSAY_TRY(mem_new(l->ctx, &l->truth, p->seeds * each, sizeof *l->truth));
    ASSAY_TRY(mem_new(l->ctx, &l->mean, each, sizeof *l->mean));
    ASSAY_TRY(margins(l, "truth", l->truth, &l->subsets, p->seeds,
                      lds_seed(l) + LDS_FIRST_TRUTH, &l->truth_kept));
    l->truth_seconds = 1e-9 * (double)(os_now_ns() - began);
    l->truth_cpu = 1e-9 * (double)(os_cpu_ns() - began_cpu);
    for (size_t s = 0; s < p->seeds; s++)
        for (size_t i = 0; i < each; i++) {
            l->mean[i] += l->truth[s * each + i] / (float)p->seeds;
            l->accuracy += (l->truth[s * each + i] > 0) / (double)(p->seeds * each);
        }
    ASSAY_TRY(stat_reliability(&l->reliability, l->ctx, l->truth, p->seeds, p->subsets,
                               p->targets));
done:
    return status;
}

assay_status lds_fit_make(lds *l) {
    assay_status status = ASSAY_OK;
    const att_protocol *p = l->lab.protocol;
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    bool found;
    if (l->fit)
        return ASSAY_OK;
    ASSAY_TRY(att_subsets_draw(&l->fit_subsets, &l->lab.study, p->fit_subsets, p->share,
                               RNG_LDS_FIT, l->o.seed));
    ASSAY_TRY(mem_new(l->ctx, &l->fit, p->fit_subsets * p->targets, sizeof *l->fit));
    ASSAY_TRY(margins(l, "fit", l->fit, &l->fit_subsets, 1, lds_seed(l) + LDS_FIRST_FIT,
                      &found));
    l->fit_seconds = 1e-9 * (double)(os_now_ns() - began);
    l->fit_cpu = 1e-9 * (double)(os_cpu_ns() - began_cpu);
done:
    return status;
}
