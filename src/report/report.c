/* The room's face: reports of an audit, with names and pictures from its dataset. */
#include "report/write.h"

#include "base/options.h"

/* ---- the dataset as a source ---- */

static const char *source_class(const void *cookie, int c) {
    return dataset_class_name(cookie, c);
}

static const char *source_id(const void *cookie, uint64_t row) {
    return dataset_id(cookie, row);
}

static void source_skipped(const void *cookie,
                           size_t i,
                           const char **split,
                           const char **id,
                           const char **reason) {
    dataset_skipped_at(cookie, i, split, id, reason);
}

static assay_status source_picture(const void *cookie, uint64_t row, image *out) {
    return dataset_image(cookie, row, out);
}

static report_source source_of(const struct assay_audit *a) {
    if (!a->data)
        return (report_source){.rows = a->rows - a->planted_rows};
    int least = 0, median = 0, most = 0;
    dataset_sizes(a->data, &least, &median, &most);
    return (report_source){.cookie = a->data,
                           .rows = a->rows - a->planted_rows,
                           .class_name = source_class,
                           .id = source_id,
                           .skipped = dataset_skipped(a->data),
                           .skipped_at = source_skipped,
                           .picture = source_picture,
                           .side = median};
}

/* ---- the public functions ---- */

assay_status assay_audit_report(assay_ctx *ctx,
                                const assay_audit *audit,
                                const char *folder,
                                const assay_report_options *options) {
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    assay_status status = options_take(&o, sizeof o, options, "assay_report_options");
    if (status != ASSAY_OK)
        return status;
    report_source source = source_of(audit);
    return report_write(ctx, audit, &source, folder, &o);
}

assay_status assay_audit_json(assay_ctx *ctx, const assay_audit *audit, char **json) {
    assay_status status = ASSAY_OK;
    report_view view = {0};
    buf text = buf_make(ctx);
    report_source source = source_of(audit);
    *json = NULL;
    ASSAY_TRY(report_view_create(&view, ctx, audit, &source));
    report_json(&text, &view);
    ASSAY_TRY(buf_check(&text));
    *json = text.data; /* mem_alloc'd, as assay_string_free expects */
    text = buf_make(ctx);
done:
    buf_free(&text);
    report_view_free(&view);
    return status;
}

assay_status assay_audit_answer(assay_ctx *ctx, const assay_audit *audit, char **text) {
    assay_status status = ASSAY_OK;
    report_view view = {0};
    report_answer answer = {0};
    buf out = buf_make(ctx);
    report_source source = source_of(audit);
    *text = NULL;
    ASSAY_TRY(report_view_create(&view, ctx, audit, &source));
    ASSAY_TRY(report_answer_make(&answer, &view));
    report_answer_text(&out, &answer);
    ASSAY_TRY(buf_check(&out));
    *text = out.data;
    out = buf_make(ctx);
done:
    buf_free(&out);
    report_answer_free(&answer);
    report_view_free(&view);
    return status;
}
