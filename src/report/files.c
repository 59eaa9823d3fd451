/* The files of a report: each written from one view, each whole or not at all. */
#include "report/page.h"

#include "file/atomic.h"

#include <string.h>

enum { LARGEST_PAGE = 8000000 };

typedef void (*table_fn)(buf *b, const report_view *v);

static assay_status
put(const report_view *v, const char *folder, const char *name, const buf *b) {
    assay_status status = ASSAY_OK;
    buf path = buf_make(v->ctx);
    buf_fmt(&path, "%s/%s", folder, name);
    ASSAY_TRY(buf_check(&path));
    ASSAY_TRY(atomic_put(v->ctx, path.data, b->data ? b->data : "", b->len));
done:
    buf_free(&path);
    return status;
}

assay_status report_write(assay_ctx *ctx,
                          const struct assay_audit *a,
                          const report_source *source,
                          const char *folder,
                          const assay_report_options *options) {
    static const struct {
        const char *name;
        table_fn write;
    } table[] = {
        {"audit.json", report_json},           {"issues.csv", report_issues_csv},
        {"issues.jsonl", report_issues_jsonl}, {"influence.csv", report_influence_csv},
        {"exclude.txt", report_exclude},
    };
    assay_status status = ASSAY_OK;
    report_view view = {0};
    buf text = buf_make(ctx);
    ASSAY_TRY(report_view_create(&view, ctx, a, source));
    view.command = options->command;
    int percent = options->page_items > 0 ? options->page_items : 100;
    uint64_t largest = options->page_size > 0 ? options->page_size : LARGEST_PAGE;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ASSAY_TRY(ctx_check(ctx));
        buf_clear(&text);
        table[i].write(&text, &view);
        ASSAY_TRY(buf_check(&text));
        ASSAY_TRY(put(&view, folder, table[i].name, &text));
    }
    buf_clear(&text);
    ASSAY_TRY(report_page(&text, &view, percent, largest));
    ASSAY_TRY(put(&view, folder, "audit.html", &text));
done:
    buf_free(&text);
    report_view_free(&view);
    return status;
}
