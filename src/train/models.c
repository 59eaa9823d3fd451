/* The models of a finished run's folder, or the one of a file. */
#include "train/models.h"

#include "train/onnx_model.h"
#include "train/run_dir.h"

#include "base/json.h"
#include "base/os.h"

#include <string.h>

enum { MOST_MEMBERS = 999, RUN_BYTES = 1 << 20 };

/* Members of a finished run; 0: one model. */
static assay_status run_read(assay_ctx *ctx, const char *dir, int *members) {
    assay_status status = ASSAY_OK;
    char *path = NULL;
    uint8_t *text = NULL;
    json_doc *doc = NULL;
    size_t bytes;
    ASSAY_TRY(dir_path(&path, ctx, dir, RUN_FILE));
    ASSAY_TRY(os_read_file(ctx, path, RUN_BYTES, &text, &bytes));
    ASSAY_TRY_AT(json_parse(&doc, ctx, (const char *)text, bytes), "%s", path);
    const json_val *run = json_root(doc);
    int64_t n = json_get_int(json_get(run, "members"), -1);
    if (strcmp(json_get_str(json_get(run, "schema"), ""), RUN_SCHEMA) != 0 || n < 0 ||
        n > MOST_MEMBERS) {
        (void)err_set(ASSAY_E_FORMAT, "this does not describe a run");
        ASSAY_TRY_AT(ASSAY_E_FORMAT, "%s", path);
    }
    if (!json_get_bool(json_get(run, "finished"), false)) {
        (void)err_set(ASSAY_E_NOTFOUND, "the run is not finished");
        err_help("continue it: assay train SOURCE -o %s", dir);
        ASSAY_TRY_AT(ASSAY_E_NOTFOUND, "%s", path);
    }
    *members = (int)n;
done:
    json_doc_destroy(doc);
    mem_free(ctx, text);
    mem_free(ctx, path);
    return status;
}

static assay_status
load_one(trained_model *out, assay_ctx *ctx, const char *dir, int member) {
    assay_status status = ASSAY_OK;
    char *folder = NULL, *path = NULL;
    if (member >= 0)
        ASSAY_TRY(dir_member(&folder, ctx, dir, member));
    ASSAY_TRY(dir_path(&path, ctx, folder ? folder : dir, RUN_MODEL));
    ASSAY_TRY(model_load(out, ctx, path));
done:
    mem_free(ctx, path);
    mem_free(ctx, folder);
    return status;
}

static bool is_onnx(const char *path) {
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".onnx") == 0;
}

assay_status
models_load(trained_model **out, int *count, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    int members = 0, n = 1;
    trained_model *model = NULL;
    bool folder = os_is_dir(path);
    *out = NULL;
    *count = 0;
    if (folder)
        ASSAY_TRY(run_read(ctx, path, &members));
    n = members ? members : 1;
    ASSAY_TRY(mem_new(ctx, &model, (size_t)n, sizeof *model));
    if (!folder)
        ASSAY_TRY(is_onnx(path) ? onnx_model_load(&model[0], ctx, path)
                                : model_load(&model[0], ctx, path));
    else if (!members)
        ASSAY_TRY(load_one(&model[0], ctx, path, -1));
    for (int m = 0; m < members; m++)
        ASSAY_TRY(load_one(&model[m], ctx, path, m));
    for (int m = 1; m < n; m++) {
        const model_card *a = &model[0].card, *b = &model[m].card;
        if (a->classes != b->classes || a->size != b->size || a->channels != b->channels)
            ASSAY_FAIL(ASSAY_E_SHAPE, "members 0 and %d do not belong together", m);
    }
    *out = model;
    *count = n;
    model = NULL;
done:
    models_free(model, n, ctx);
    return status;
}

void models_free(trained_model *model, int count, assay_ctx *ctx) {
    for (int m = 0; model && m < count; m++)
        model_free(&model[m]);
    mem_free(ctx, model);
}
