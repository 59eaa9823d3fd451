/* What an audit would do, from a look at the source: nothing is written. */
#include "audit/run.h"

#include "base/os.h"
#include "data/importer.h"

#include <string.h>

/* Processor time per image and pixel of a training step and of one gradient, measured
 * with the model "cnn" on a Sapphire-Rapids-class core; other machines differ by the
 * factor between low and high. */
static const double step_ns_per_pixel = 170, gradient_ns_per_pixel = 250;

static assay_status look(assay_audit_plan *plan,
                         int *side,
                         assay_ctx *ctx,
                         const char *source,
                         const assay_audit_options *o) {
    assay_status status = ASSAY_OK;
    const data_importer *imp = NULL;
    void *state = NULL;
    import_list list = import_list_make(ctx);
    import_image first = {.ctx = ctx};
    if (o->from)
        ASSAY_TRY(importer_find(&imp, o->from));
    else
        ASSAY_TRY(importer_detect(&imp, ctx, source));
    ASSAY_TRY(imp->open(&state, &list, ctx, source));
    ASSAY_TRY(import_list_check(&list, source));
    if (list.no_image || list.no_label) {
        err_set(ASSAY_E_UNSUPPORTED, "the source has no %s",
                list.no_image ? "images" : "labels");
        err_where("%s", source);
        err_help("an audit looks at labelled images; 'assay pack' takes any source");
        status = ASSAY_E_UNSUPPORTED;
        goto done;
    }
    uint64_t train = import_count(&list, IMPORT_TRAIN),
             test = import_count(&list, IMPORT_TEST);
    if (!test)
        test = import_count(&list, IMPORT_VAL);
    if (!test) {
        test = train / 5;
        train -= test;
    }
    if (o->limit) {
        train = train < (uint64_t)o->limit ? train : (uint64_t)o->limit;
        test = test < (uint64_t)o->limit ? test : (uint64_t)o->limit;
    }
    plan->train_rows = train;
    plan->test_rows = test;
    plan->classes = (int)list.classes;
    ASSAY_TRY(imp->fetch(state, &list, 0, &first));
    if (first.raw) {
        *side = first.width > first.height ? first.width : first.height;
    } else {
        image_info info;
        ASSAY_TRY(image_peek(ctx, first.data, first.bytes, &info));
        *side = info.width > info.height ? info.width : info.height;
    }
done:
    import_image_free(&first);
    if (imp)
        imp->close(state);
    import_list_free(&list);
    return status;
}

static assay_status
look_beton(assay_audit_plan *plan, int *side, assay_ctx *ctx, const char *source) {
    assay_status status = ASSAY_OK;
    dataset *d = NULL;
    int least, most;
    ASSAY_TRY(dataset_open(&d, ctx, source));
    plan->train_rows = dataset_train_rows(d);
    plan->test_rows = dataset_rows(d) - plan->train_rows;
    plan->classes = dataset_classes(d);
    dataset_sizes(d, &least, side, &most);
done:
    dataset_close(d);
    return status;
}

assay_status assay_audit_dry_run(assay_ctx *ctx,
                                 const char *source,
                                 const assay_audit_options *options,
                                 assay_audit_plan *plan) {
    assay_status status = ASSAY_OK;
    assay_audit_options o;
    int side = 0;
    size_t n = strlen(source);
    memset(plan, 0, sizeof *plan);
    ASSAY_TRY(options_check(options, &o));
    if (n > 6 && strcmp(source + n - 6, ".beton") == 0)
        ASSAY_TRY(look_beton(plan, &side, ctx, source));
    else
        ASSAY_TRY(look(plan, &side, ctx, source, &o));
    plan->rows = plan->train_rows + plan->test_rows;
    plan->members = o.members;
    plan->train_size = o.train_size ? o.train_size : side < 64 ? side : 64;
    assay_train_options t = ASSAY_TRAIN_OPTIONS_INIT;
    train_recipe recipe;
    t.model = o.model;
    t.epochs = o.epochs;
    ASSAY_TRY(train_recipe_make(&recipe, &t, plan->train_rows, plan->train_size, false));
    double pixels = (double)plan->train_size * plan->train_size, m = o.members;
    double rows = (double)plan->rows, k = plan->classes;
    double seen = (double)plan->train_rows * 2 / 3;
    plan->disk_bytes =
        (uint64_t)(rows * pixels * 6 + m * rows * (o.sketch * 4.0 + k * 4));
    plan->memory_bytes =
        (uint64_t)(rows * k * 4 * (m + 3) + m * o.sketch * o.sketch * 16.0 + 2e8);
    double cpu =
        m * (seen * recipe.epochs * step_ns_per_pixel + rows * gradient_ns_per_pixel) *
        pixels * 1e-9;
    double wall = cpu / assay_ctx_threads(ctx) + 5;
    plan->seconds_low = 0.7 * wall;
    plan->seconds_high = 2 * wall;
done:
    return status;
}
