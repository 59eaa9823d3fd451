/* The page of an attribution: each target beside the rows that help and harm it most,
 * with bars for the scores. One file that needs nothing else, no script either. */
#include <assay/report.h>

#include "base/json.h"
#include "data/dataset.h"
#include "file/atomic.h"
#include "report/text.h"
#include "report/web.h"
#include "train/run_dir.h"

#include <math.h>
#include <string.h>

enum { MOST_SIDE = 112 /* of an embedded picture */ };

static const char STYLE[] =
    ".t0{display:grid;grid-template-columns:150px 1fr;gap:24px;background:var(--card);"
    "border:1px solid var(--line);border-radius:12px;padding:18px;margin:18px 0}"
    ".t0 img{width:128px;height:128px;object-fit:contain;image-rendering:pixelated;"
    "background:var(--sunk);border-radius:6px}"
    ".t0.said{grid-template-columns:1fr 2fr}.t0 blockquote{margin:0 0 8px;white-space:"
    "pre-wrap;font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}"
    ".t0.said li{width:100%}.t0.said li blockquote{color:var(--text)}"
    ".t0 .read{color:var(--muted)}"
    ".t0 h3{margin:0 0 8px;font-size:14px}.t0 ol{display:flex;flex-wrap:wrap;gap:10px;"
    "margin-bottom:14px}.t0 li{width:84px;font-size:12px;line-height:1.35}"
    ".t0 li img{width:84px;height:84px}.t0 li b{display:block;height:5px;"
    "border-radius:3px;margin:3px 0}.help b{background:var(--clear)}"
    ".harm b{background:var(--found)}.t0 li span{display:block;color:var(--muted)}"
    "@media(max-width:600px){.t0,.t0.said{grid-template-columns:1fr}}";

typedef struct book {
    assay_ctx *ctx;
    dataset *data; /* NULL: a text, all of which the document says */
    buf *b;
    char *work;
} book;

/* A row's picture, embedded. */
static assay_status picture(const book *k, uint64_t row) {
    assay_status status = ASSAY_OK;
    image im = image_make(k->ctx);
    image small = image_make(k->ctx);
    buf png = buf_make(k->ctx);
    ASSAY_TRY(dataset_image(k->data, row, &im));
    int longest = im.width > im.height ? im.width : im.height;
    if (longest > MOST_SIDE) {
        int w = im.width * MOST_SIDE / longest, h = im.height * MOST_SIDE / longest;
        w = w < 1 ? 1 : w;
        h = h < 1 ? 1 : h;
        ASSAY_TRY(image_resize_storage(&small, w, h));
        ASSAY_TRY(image_resize(k->ctx, im.rgb, im.width, im.height, 3, small.rgb, w, h));
    }
    ASSAY_TRY(image_encode_png(&png, longest > MOST_SIDE ? &small : &im));
    buf_str(k->b, "<img alt=\"\" src=\"data:image/png;base64,");
    text_base64(k->b, png.data, png.len);
    buf_str(k->b, "\">");
done:
    buf_free(&png);
    image_free(&small);
    image_free(&im);
    return status;
}

static double score_of(const json_val *row) {
    const json_val *score = json_get(row, "score");
    return json_get_num(score ? score : json_get(row, "weight"), 0);
}

static assay_status row_of(const book *k, const json_val *v, uint64_t *row) {
    int64_t n = json_get_int(json_get(v, "row"), -1);
    if (n < 0 || (uint64_t)n >= dataset_rows(k->data)) {
        (void)err_set(ASSAY_E_FORMAT, "the document speaks of row %lld of %llu",
                      (long long)n, (unsigned long long)dataset_rows(k->data));
        err_help("give the data that it was made from");
        return ASSAY_E_FORMAT;
    }
    *row = (uint64_t)n;
    return ASSAY_OK;
}

static assay_status list_picture(const book *k, const json_val *v) {
    assay_status status = ASSAY_OK;
    uint64_t row;
    ASSAY_TRY(row_of(k, v, &row));
    ASSAY_TRY(picture(k, row));
done:
    return status;
}

static void quote(const book *k, const char *prompt, const char *said) {
    buf_str(k->b, "<blockquote><span class=\"read\">");
    text_html(k->b, prompt);
    buf_str(k->b, "</span>");
    text_html(k->b, said);
    buf_str(k->b, "</blockquote>");
}

static assay_status list(const book *k,
                         const json_val *rows,
                         const char *title,
                         const char *kind,
                         double most) {
    assay_status status = ASSAY_OK;
    buf_fmt(k->b, "<h3>%s</h3>\n<ol class=\"%s\">\n", title, kind);
    for (size_t i = 0; i < json_len(rows); i++) {
        const json_val *v = json_at(rows, i);
        double score = score_of(v);
        buf_str(k->b, "<li>");
        if (k->data)
            ASSAY_TRY(list_picture(k, v));
        buf_fmt(k->b, "<b style=\"width:%d%%\"></b>",
                most > 0 ? (int)lround(100 * fabs(score) / most) : 0);
        text_html(k->b, json_get_str(json_get(v, "class"), ""));
        buf_fmt(k->b, "<span><span class=\"num\">%+.3g</span> row %lld", score,
                (long long)json_get_int(json_get(v, "row"), 0));
        if (!k->data)
            buf_fmt(k->b, ", byte %lld", (long long)json_get_int(json_get(v, "byte"), 0));
        buf_str(k->b, "</span>");
        if (!k->data)
            quote(k, "", json_get_str(json_get(v, "text"), ""));
        buf_str(k->b, "</li>\n");
    }
    if (json_len(rows) == 0)
        buf_str(k->b, "<li>none</li>\n");
    buf_str(k->b, "</ol>\n");
done:
    return status;
}

static void probability(const book *k, const json_val *v) {
    text_percent(k->b, 1 / (1 + exp(-json_get_num(json_get(v, "margin"), 0))));
    buf_str(k->b, "</p>");
}

static assay_status about_image(const book *k, const json_val *v) {
    assay_status status = ASSAY_OK;
    uint64_t row;
    ASSAY_TRY(row_of(k, v, &row));
    ASSAY_TRY(picture(k, row));
    buf_str(k->b, "<h2>");
    text_html(k->b, json_get_str(json_get(v, "class"), ""));
    buf_fmt(k->b,
            "</h2><p class=\"id\">row %llu</p><p>mean margin of its label: probability ",
            (unsigned long long)row);
    probability(k, v);
done:
    return status;
}

static assay_status about_passage(const book *k, const json_val *v) {
    buf_str(k->b, "<h2>");
    text_html(k->b, json_get_str(json_get(v, "kind"), ""));
    buf_str(k->b, "</h2>");
    quote(k, json_get_str(json_get(v, "prompt"), ""),
          json_get_str(json_get(v, "text"), ""));
    buf_fmt(k->b, "<p>%lld tokens, their mean margin: probability ",
            (long long)json_get_int(json_get(v, "tokens"), 0));
    probability(k, v);
    return ASSAY_OK;
}

static assay_status target(const book *k, const json_val *v) {
    assay_status status = ASSAY_OK;
    const json_val *helpful = json_get(v, "helpful"), *harmful = json_get(v, "harmful");
    double most = 0;
    for (size_t i = 0; i < json_len(helpful); i++)
        most = fmax(most, fabs(score_of(json_at(helpful, i))));
    for (size_t i = 0; i < json_len(harmful); i++)
        most = fmax(most, fabs(score_of(json_at(harmful, i))));
    buf_str(k->b,
            k->data ? "<section class=\"t0\"><div>" : "<section class=\"t0 said\"><div>");
    ASSAY_TRY(k->data ? about_image(k, v) : about_passage(k, v));
    buf_str(k->b, "</div><div>\n");
    ASSAY_TRY(
        list(k, helpful, "Helpful: trained on, they raise its margin", "help", most));
    ASSAY_TRY(list(k, harmful, "Harmful: trained on, they lower it", "harm", most));
    buf_str(k->b, "</div></section>\n");
done:
    return status;
}

static void head(const book *k, const json_val *doc) {
    const char *method = json_get_str(json_get(doc, "method"), "datamodels");
    buf_str(k->b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\">"
                  "<title>What made the model say this</title>\n<style>");
    buf_add(k->b, report_css, report_css_bytes);
    buf_str(k->b, STYLE);
    buf_str(k->b,
            "</style></head><body>\n<div class=\"top\"><div><h1>What made the model "
            "say this</h1><p>");
    text_count(k->b, json_len(json_get(doc, "targets")));
    buf_str(k->b,
            k->data ? " test rows and the training rows that help and harm them most, by "
                    : " passages and the windows of the training text that help "
                      "and harm them most, by ");
    text_html(k->b, method);
    buf_str(k->b, " over ");
    text_counted(k->b, (uint64_t)json_get_int(json_get(doc, "models"), 0), "model");
    buf_str(k->b, " (");
    text_html(k->b, json_get_str(json_get(doc, "model"), ""));
    buf_str(k->b, ") on ");
    text_counted(k->b, (uint64_t)json_get_int(json_get(doc, "rows"), 0),
                 k->data ? "row" : "window");
    buf_str(k->b, ".</p></div></div>\n<main>\n");
}

static assay_status open_data(book *k, const char *source) {
    assay_status status = ASSAY_OK;
    char *packed = NULL;
    const assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(work_dir_make(&k->work, k->ctx, "page"));
    ASSAY_TRY(dir_path(&packed, k->ctx, k->work, "data.beton"));
    ASSAY_TRY(dataset_open_any(&k->data, k->ctx, source, packed, &pack));
done:
    mem_free(k->ctx, packed);
    return status;
}

assay_status assay_attribution_page(assay_ctx *ctx,
                                    const char *source,
                                    const char *json,
                                    const char *path) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    buf text = buf_make(ctx);
    book k = {.ctx = ctx, .b = &text};
    ASSAY_TRY(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *root = json_root(doc), *targets = json_get(root, "targets");
    if (!json_is_arr(targets)) {
        (void)err_set(ASSAY_E_FORMAT, "this is no document of an attribution");
        err_help("give what assay_attribute or assay_datamodels said");
        status = ASSAY_E_FORMAT;
        goto done;
    }
    if (!json_get(json_at(targets, 0), "text"))
        ASSAY_TRY(open_data(&k, source));
    head(&k, root);
    for (size_t i = 0; i < json_len(targets); i++)
        ASSAY_TRY(target(&k, json_at(targets, i)));
    buf_fmt(&text, "</main>\n<footer><p>assay %s</p></footer>\n</body></html>\n",
            assay_version());
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(atomic_put(ctx, path, text.data, text.len));
done:
    json_doc_destroy(doc);
    buf_free(&text);
    dataset_close(k.data);
    if (k.work && os_remove_tree(k.work) != ASSAY_OK)
        log_line(ctx, ASSAY_LOG_WARN, "work files are left in %s", k.work);
    mem_free(ctx, k.work);
    return status;
}
