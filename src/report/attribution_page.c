/* The page of an attribution: each target beside the rows that help and harm it most,
 * with bars for the scores. One file that needs nothing else, no script either. */
#include <assay/report.h>

#include "attribute/shown.h"
#include "base/json.h"
#include "data/dataset.h"
#include "file/atomic.h"
#include "report/text.h"
#include "report/web.h"
#include "train/run_dir.h"

#include <math.h>
#include <string.h>

enum {
    MOST_SIDE = 112,      /* of an embedded picture */
    SMALL = 48,           /* up to this side a picture keeps every pixel */
    QUALITY = 85,         /* of larger ones, JPEGs */
    MOST_BYTES = 8000000, /* of a page */
    LINKS_FROM = 4        /* so many targets get a list of links to them */
};

static const char STYLE[] =
    "nav{position:static;font-size:13px;margin:14px 0}nav "
    "a{margin-right:14px;white-space:nowrap}"
    "nav summary{cursor:pointer;padding:4px 0}"
    ".t0{content-visibility:auto;contain-intrinsic-size:auto "
    "620px;display:grid;grid-template-columns:150px 1fr;gap:24px;background:var(--card);"
    "border:1px solid var(--line);border-radius:12px;padding:18px;margin:18px 0}"
    ".t0 img{width:128px;height:128px;object-fit:contain;image-rendering:pixelated;"
    "background:var(--sunk);border-radius:6px}"
    ".t0.said{grid-template-columns:1fr 2fr}.t0 blockquote{margin:0 0 8px;white-space:"
    "pre-wrap;font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}"
    ".t0.said li{width:100%}.t0.said li blockquote{color:var(--text)}"
    ".t0 .read{color:var(--muted)}"
    ".t0 h3{margin:0 0 8px;font-size:14px}.t0 ol{display:flex;flex-wrap:wrap;gap:9px;"
    "margin-bottom:14px}.t0 li{width:82px;font-size:12px;line-height:1.35}"
    ".t0 li img{width:82px;height:82px}.t0 li b{display:block;height:5px;"
    "border-radius:3px;margin:3px 0}.help b{background:var(--clear)}"
    ".harm b{background:var(--found)}.t0 li span{display:block;color:var(--muted)}"
    "@media(max-width:600px){.t0,.t0.said{grid-template-columns:1fr}}";

typedef struct book {
    assay_ctx *ctx;
    dataset *data; /* NULL: a text, all of which the document says */
    buf *b;
} book;

/* Small ones bit for bit, larger ones as people store photographs. */
static assay_status encode(buf *out, const image *im) {
    bool small = im->width <= SMALL && im->height <= SMALL;
    return small ? image_encode_png(out, im) : image_encode_jpeg(out, im, QUALITY, true);
}

/* A row's picture, embedded. */
static assay_status picture(const book *k, uint64_t row) {
    assay_status status = ASSAY_OK;
    image im = image_make(k->ctx);
    image small = image_make(k->ctx);
    buf coded = buf_make(k->ctx);
    ASSAY_TRY(dataset_image(k->data, row, &im));
    int longest = im.width > im.height ? im.width : im.height;
    if (longest > MOST_SIDE) {
        int w = im.width * MOST_SIDE / longest, h = im.height * MOST_SIDE / longest;
        w = w < 1 ? 1 : w;
        h = h < 1 ? 1 : h;
        ASSAY_TRY(image_resize_storage(&small, w, h));
        ASSAY_TRY(image_resize(k->ctx, im.rgb, im.width, im.height, 3, small.rgb, w, h));
    }
    ASSAY_TRY(encode(&coded, longest > MOST_SIDE ? &small : &im));
    buf_fmt(k->b, "<img alt=\"row %llu", (unsigned long long)row);
    buf_fmt(k->b, "\" src=\"data:image/%s;base64,",
            memcmp(coded.data, "\x89PNG", 4) == 0 ? "png" : "jpeg");
    text_base64(k->b, coded.data, coded.len);
    buf_str(k->b, "\">");
done:
    buf_free(&coded);
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

/* Three digits, and no powers of ten where a person would write none. */
static void signed_number(const book *k, double v) {
    bool plain = fabs(v) >= 1000 && fabs(v) < 1e7;
    buf_str(k->b, "<span class=\"num\">");
    buf_fmt(k->b, plain ? "%+.0f" : "%+.3g", v);
    buf_str(k->b, "</span>");
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
        buf_str(k->b, "<span>");
        signed_number(k, score);
        buf_fmt(k->b, " row %lld", (long long)json_get_int(json_get(v, "row"), 0));
        if (json_get(v, "byte"))
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
    buf_str(k->b, "<span class=\"num\">");
    text_percent(k->b, 1 / (1 + exp(-json_get_num(json_get(v, "margin"), 0))));
    buf_str(k->b, "</span></p>");
}

/* What a target is called in its heading and in links to it. */
static void title(const book *k, const json_val *v) {
    const char *kind = json_get_str(json_get(v, "kind"), "");
    if (json_get(v, "class"))
        text_html(k->b, json_get_str(json_get(v, "class"), ""));
    else
        buf_str(k->b, strcmp(kind, "given") == 0       ? "Asked about"
                      : strcmp(kind, "generated") == 0 ? "Written by the model"
                                                       : "Of the part held out");
}

static void heading(const book *k, const json_val *v, size_t i) {
    buf_fmt(k->b, "<h2 id=\"t%zu\">", i);
    title(k, v);
    buf_str(k->b, "</h2>");
}

static assay_status about_image(const book *k, const json_val *v, size_t i) {
    assay_status status = ASSAY_OK;
    uint64_t row;
    ASSAY_TRY(row_of(k, v, &row));
    ASSAY_TRY(picture(k, row));
    heading(k, v, i);
    buf_str(k->b, "<p class=\"id\">");
    text_html(k->b, json_get_str(json_get(v, "id"), ""));
    buf_fmt(k->b, "<br>row %llu</p><p>mean margin of its label: probability ",
            (unsigned long long)row);
    probability(k, v);
done:
    return status;
}

/* Of a text, or a sentence with a label. */
static void about_passage(const book *k, const json_val *v, size_t i) {
    const json_val *tokens = json_get(v, "tokens");
    heading(k, v, i);
    quote(k, json_get_str(json_get(v, "prompt"), ""),
          json_get_str(json_get(v, "text"), ""));
    buf_str(k->b, "<p>");
    if (tokens) {
        text_counted(k->b, (uint64_t)json_get_int(tokens, 0), "token");
        buf_str(k->b, ", their mean margin: probability ");
    } else {
        buf_fmt(k->b, "row %lld, mean margin of its label: probability ",
                (long long)json_get_int(json_get(v, "row"), 0));
    }
    probability(k, v);
}

static assay_status target(const book *k, const json_val *v, size_t i) {
    assay_status status = ASSAY_OK;
    const json_val *helpful = json_get(v, "helpful"), *harmful = json_get(v, "harmful");
    double most = 0;
    for (size_t r = 0; r < json_len(helpful); r++)
        most = fmax(most, fabs(score_of(json_at(helpful, r))));
    for (size_t r = 0; r < json_len(harmful); r++)
        most = fmax(most, fabs(score_of(json_at(harmful, r))));
    buf_fmt(k->b, "<section class=\"%s\" aria-labelledby=\"t%zu\"><div>",
            k->data ? "t0" : "t0 said", i);
    if (k->data)
        ASSAY_TRY(about_image(k, v, i));
    else
        about_passage(k, v, i);
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
    bool text = json_get(json_at(json_get(doc, "targets"), 0), "tokens") != NULL;
    buf_str(k->b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\">"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                  "'none'; img-src data:; style-src 'unsafe-inline'\">"
                  "<title>What made the model say this</title>\n<style>");
    buf_add(k->b, report_css, report_css_bytes);
    buf_str(k->b, STYLE);
    buf_str(k->b,
            "</style></head><body>\n<div class=\"top\"><div><h1>What made the model "
            "say this</h1><p>");
    text_count(k->b, json_len(json_get(doc, "targets")));
    buf_str(k->b,
            text ? " passages and the windows of the training text that help and harm "
                   "them most, by "
                 : " test rows and the training rows that help and harm them most, by ");
    text_html(k->b, method);
    buf_str(k->b, " over ");
    text_counted(k->b, (uint64_t)json_get_int(json_get(doc, "models"), 0), "model");
    buf_str(k->b, " (");
    text_html(k->b, json_get_str(json_get(doc, "model"), ""));
    buf_str(k->b, ") on ");
    text_counted(k->b, (uint64_t)json_get_int(json_get(doc, "rows"), 0),
                 text ? "window" : "row");
    buf_str(k->b, ".</p></div></div>\n<main>\n");
}

/* Links to the first `n` targets, for those who go by keys. */
static void links(const book *k, const json_val *targets, size_t n) {
    buf_fmt(k->b, "<nav aria-label=\"targets\"><details><summary>%zu targets</summary>",
            n);
    for (size_t i = 0; i < n; i++) {
        buf_fmt(k->b, "<a href=\"#t%zu\">%zu ", i, i + 1);
        title(k, json_at(targets, i));
        buf_str(k->b, "</a>\n");
    }
    buf_str(k->b, "</details></nav>\n");
}

/* All targets that fit, in a text of their own, since links to them come first. */
static assay_status body(const book *k, const json_val *targets) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(k->ctx);
    book inside = {.ctx = k->ctx, .data = k->data, .b = &text};
    size_t all = json_len(targets), shown = 0, kept = 0;
    for (; shown < all; shown++) {
        ASSAY_TRY(target(&inside, json_at(targets, shown), shown));
        ASSAY_TRY(buf_check(&text));
        if (shown > 0 && k->b->len + text.len + (shown + 1) * 64 > MOST_BYTES)
            break;
        kept = text.len;
    }
    if (shown >= LINKS_FROM)
        links(k, targets, shown);
    if (shown < all)
        buf_fmt(
            k->b,
            "<p>These are the first %zu: a page holds 8 MB. The document (--json) and "
            "the table (--csv) have all.</p>\n",
            shown);
    if (all == 0)
        buf_str(k->b, "<p>Nothing was asked about.</p>\n");
    buf_add(k->b, text.data, kept);
done:
    buf_free(&text);
    return status;
}

static assay_status write_page(book *k, const json_val *root, const char *path) {
    assay_status status = ASSAY_OK;
    head(k, root);
    ASSAY_TRY(body(k, json_get(root, "targets")));
    buf_fmt(k->b, "</main>\n<footer><p>assay %s</p></footer>\n</body></html>\n",
            assay_version());
    ASSAY_TRY(buf_check(k->b));
    ASSAY_TRY(atomic_put(k->ctx, path, k->b->data, k->b->len));
done:
    return status;
}

static assay_status
read_document(json_doc **out, const json_val **root, assay_ctx *ctx, const char *json) {
    assay_status status = json_parse(out, ctx, json, strlen(json));
    if (status != ASSAY_OK)
        return status;
    *root = json_root(*out);
    if (json_is_arr(json_get(*root, "targets")))
        return ASSAY_OK;
    (void)err_set(ASSAY_E_FORMAT, "this is no document of an attribution");
    err_help("give what assay_attribute or assay_datamodels said");
    return ASSAY_E_FORMAT;
}

/* ---- of data that are open ---- */

typedef struct wish {
    assay_ctx *ctx;
    const char *path;
} wish;

static assay_status look(void *cookie, dataset *data, const char *json) {
    const wish *w = cookie;
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    const json_val *root;
    buf text = buf_make(w->ctx);
    book k = {.ctx = w->ctx, .data = data, .b = &text};
    ASSAY_TRY(read_document(&doc, &root, w->ctx, json));
    ASSAY_TRY(write_page(&k, root, w->path));
done:
    json_doc_destroy(doc);
    buf_free(&text);
    return status;
}

assay_status assay_attribute_with_page(assay_ctx *ctx,
                                       const char *source,
                                       const assay_attribute_options *options,
                                       const char *path,
                                       char **json) {
    wish w = {ctx, path};
    const att_viewer viewer = {look, &w};
    return att_attribute(json, ctx, source, options, path ? &viewer : NULL);
}

assay_status assay_datamodels_with_page(assay_ctx *ctx,
                                        const char *source,
                                        const assay_datamodels_options *options,
                                        const char *path,
                                        char **json) {
    wish w = {ctx, path};
    const att_viewer viewer = {look, &w};
    return att_datamodels(json, ctx, source, options, path ? &viewer : NULL);
}

/* ---- of data that have to be opened ---- */

static assay_status
open_data(dataset **data, char **work, assay_ctx *ctx, const char *source) {
    assay_status status = ASSAY_OK;
    char *packed = NULL;
    const assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(work_dir_make(work, ctx, "page"));
    ASSAY_TRY(dir_path(&packed, ctx, *work, "data.beton"));
    ASSAY_TRY(dataset_open_any(data, ctx, source, packed, &pack));
done:
    mem_free(ctx, packed);
    return status;
}

assay_status assay_attribution_page(assay_ctx *ctx,
                                    const char *source,
                                    const char *json,
                                    const char *path) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    const json_val *root;
    char *work = NULL;
    buf text = buf_make(ctx);
    book k = {.ctx = ctx, .b = &text};
    ASSAY_TRY(read_document(&doc, &root, ctx, json));
    if (!json_get(json_at(json_get(root, "targets"), 0), "text"))
        ASSAY_TRY(open_data(&k.data, &work, ctx, source));
    ASSAY_TRY(write_page(&k, root, path));
done:
    json_doc_destroy(doc);
    buf_free(&text);
    dataset_close(k.data);
    if (work && os_remove_tree(work) != ASSAY_OK)
        log_line(ctx, ASSAY_LOG_WARN, "work files are left in %s", work);
    mem_free(ctx, work);
    return status;
}
