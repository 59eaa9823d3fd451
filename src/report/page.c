/* The page: one HTML file that needs nothing else. C writes all that is read; the
 * embedded script only sorts, filters and opens details. The picture sheets take what
 * room is left. */
#include "report/page.h"

#include "base/hash.h"
#include "base/json.h"
#include "report/text.h"
#include "report/web.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- small pieces ---- */

size_t page_limit(const page *p, size_t cap) {
    return cap * (size_t)p->percent / 100;
}

void page_item_rank(page *p, size_t item) {
    p->rank = item < 12 ? 0 : 1;
}

void page_raw(page *p, const char *html) {
    buf_str(&p->b, html);
}

void page_text(page *p, const char *text) {
    text_html(&p->b, text);
}

void page_count(page *p, uint64_t n) {
    text_count(&p->b, n);
}

void page_class(page *p, int c) {
    report_name name;
    page_text(p, report_class(p->v, c, name));
}

void page_id(page *p, uint32_t row) {
    report_name name;
    page_text(p, report_id(p->v, row, name));
}

void page_short(page *p, double v, int decimals) {
    size_t at = p->b.len;
    text_fixed(&p->b, v, decimals);
    if (!p->b.failed && p->b.len > at + 1 && p->b.data[at] == '0') {
        memmove(p->b.data + at, p->b.data + at + 1, p->b.len - at);
        p->b.len--;
    }
}

void page_score(page *p, double score) {
    page_short(p, score, 2);
}

void page_effect(page *p, double effect) {
    if (!isfinite(effect)) {
        page_raw(p, "unknown");
        return;
    }
    if (effect < 0)
        page_raw(p, "\xE2\x88\x92"); /* minus */
    else
        page_raw(p, "+");
    /* Two digits that say something: among many rows, single effects are small. */
    double size = fabs(effect);
    page_short(p, size, size == 0 || size >= .095 ? 2 : size >= .0095 ? 3 : 4);
}

/* ---- tiles ---- */

static void want(page *p, uint32_t row) {
    if (p->status == ASSAY_OK)
        p->status = atlas_want(&p->tiles, row, p->rank);
}

void page_picture(page *p, uint32_t row) {
    if (p->collecting)
        want(p, row);
    int32_t tile = atlas_tile(&p->tiles, row);
    if (tile < 0) {
        page_raw(p, "<i class=\"t none\"></i>");
        return;
    }
    int columns = ATLAS_COLUMNS, at = tile % ATLAS_TILES;
    buf_fmt(&p->b, "<i class=\"t a%d\" style=\"--x:%d;--y:%d\"></i>",
            (int)(tile / ATLAS_TILES), at % columns, at / columns);
}

static void tell(page *p, uint32_t row) {
    if (p->status != ASSAY_OK || row >= p->v->a->rows || p->told[row])
        return;
    p->status =
        mem_grow(p->v->ctx, &p->row, p->n_rows, &p->cap, p->n_rows + 1, sizeof *p->row);
    if (p->status != ASSAY_OK)
        return;
    p->row[p->n_rows++] = row;
    p->told[row] = 1;
}

void page_button(page *p, uint32_t row, const char *kind) {
    tell(p, row);
    buf_fmt(&p->b,
            "<button type=\"button\" class=\"tile\" data-row=\"%u\" data-kind=\"%s\">",
            (unsigned)row, kind);
    page_picture(p, row);
}

void page_button_end(page *p) {
    page_raw(p, "</button>");
}

void page_flags(page *p, uint32_t row, uint8_t but) {
    static const struct {
        uint8_t flag;
        const char *text;
    } known[] = {{FLAG_LABEL, "!label"}, {FLAG_LEAKAGE, "!leak"}, {FLAG_COPY, "!copy"}};
    uint8_t flags = row < p->v->a->rows ? p->v->flags[row] & (uint8_t)~but : 0;
    for (size_t i = 0; i < 3; i++)
        if (flags & known[i].flag)
            buf_fmt(&p->b, "<span class=\"flag\">%s</span>", known[i].text);
}

/* ---- sections ---- */

void page_section(
    page *p, const char *id, const char *title, uint64_t count, const char *lead) {
    buf_fmt(&p->b, "<section id=\"%s\" tabindex=\"-1\">\n<h2>%s", id, title);
    if (count > 0) {
        page_raw(p, " <span class=\"count\">");
        page_count(p, count);
        page_raw(p, "</span>");
    }
    page_raw(p, "</h2>\n");
    if (lead)
        buf_fmt(&p->b, "<p class=\"lead\">%s</p>\n", lead);
    p->rank = 0;
}

void page_capped(
    page *p, const char *what, uint64_t all, size_t shown, const char *where) {
    if (shown >= all)
        return;
    page_raw(p, "<p class=\"shown\">This page shows the first ");
    page_count(p, shown);
    buf_fmt(&p->b, " of ");
    text_counted(&p->b, all, what);
    buf_fmt(&p->b, "; all are in %s.</p>\n", where);
}

void page_section_end(page *p) {
    page_raw(p, "</section>\n");
}

static const answer_line *line_of(const page *p, const char *section) {
    for (int i = 0; i < p->answer->n; i++) {
        const char *s = p->answer->line[i].section;
        if (s && strcmp(s, section) == 0)
            return &p->answer->line[i];
    }
    return NULL;
}

void page_nothing(page *p, const char *section) {
    const answer_line *line = line_of(p, section);
    if (!line)
        return;
    page_raw(p, "<p class=\"nothing\"><b>");
    page_text(p, p->answer->text.data + line->head);
    page_raw(p, "</b> ");
    page_text(p, p->answer->text.data + line->detail);
    page_raw(p, "</p>\n");
}

void page_sorts(page *p, const char *grid, const char *orders) {
    buf_fmt(&p->b,
            "<div class=\"bar needs-script\"><label>sort <select data-sort=\"%s\">",
            grid);
    for (const char *o = orders; *o;) {
        const char *text = o + strlen(o) + 1;
        buf_fmt(&p->b, "<option value=\"%s\">%s</option>", o, text);
        o = text + strlen(text) + 1;
    }
    buf_fmt(&p->b,
            "</select></label><span class=\"state\" data-state=\"%s\"></span></div>\n",
            grid);
}

/* ---- the answer ---- */

static const char *icon(answer_tone tone) {
    /* shapes differ, so that colour is not needed */
    switch (tone) {
    case TONE_FOUND:
        return "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path "
               "d=\"M12 3 22.5 "
               "21h-21z\"/><path class=\"in\" d=\"M12 9.5v5.5M12 17.6v.8\"/></svg>";
    case TONE_CLEAR:
        return "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle "
               "cx=\"12\" "
               "cy=\"12\" r=\"10\"/><path class=\"in\" d=\"m7 12.5 3.4 3.4L17 "
               "8.8\"/></svg>";
    case TONE_UNKNOWN:
        return "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle "
               "class=\"ring\" "
               "cx=\"12\" cy=\"12\" r=\"9\"/><path class=\"out\" d=\"M9.5 9.6a2.6 2.6 0 "
               "1 1 3.6 "
               "2.6c-.8.4-1.1.9-1.1 1.7M12 16.6v.8\"/></svg>";
    default:
        return "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path "
               "d=\"M3 20V10h4.5"
               "v10zM9.8 20V4h4.5v16zM16.5 20v-7H21v7z\"/></svg>";
    }
}

enum { PREVIEW = 6 };

/* The first pictures of a section beside its sentence: what was found, at a glance. */
static size_t preview_rows(const page *p, const char *section, uint32_t row[PREVIEW]) {
    const report_view *v = p->v;
    size_t n = 0;
    if (strcmp(section, "labels") == 0)
        for (; n < PREVIEW && n < v->a->label_listed && n < v->count[DETECT_LABEL]; n++)
            row[n] = v->a->findings.item[v->first[DETECT_LABEL] + n].row;
    else if (strcmp(section, "leakage") == 0)
        for (; n < PREVIEW && n < v->n_leaks; n++)
            row[n] = v->leak[n]->row;
    else if (strcmp(section, "copies") == 0)
        for (; n < PREVIEW && n < v->n_groups; n++)
            row[n] = v->group[n].kept;
    else if (strcmp(section, "errors") == 0)
        for (; n < PREVIEW && n < v->a->n_errors; n++)
            row[n] = v->a->error[n].row;
    return n;
}

static void answer_section(page *p) {
    static const char *const tone[] = {"found", "clear", "unknown", "plain"};
    page_raw(p,
             "<section id=\"answer\" tabindex=\"-1\"><h2 class=\"sr\">Answer</h2>\n<ul "
             "class=\"answer\">\n");
    for (int i = 0; i < p->answer->n; i++) {
        const answer_line *l = &p->answer->line[i];
        buf_fmt(&p->b, "<li class=\"%s\">%s<div><p class=\"head\">", tone[l->tone],
                icon(l->tone));
        page_text(p, p->answer->text.data + l->head);
        page_raw(p, "</p><p class=\"detail\">");
        page_text(p, p->answer->text.data + l->detail);
        page_raw(p, "</p></div>");
        uint32_t row[PREVIEW];
        size_t n = l->section ? preview_rows(p, l->section, row) : 0;
        if (n > 0) {
            buf_fmt(&p->b, "<a class=\"peek\" href=\"#%s\" aria-label=\"see %s\">",
                    l->section, l->section);
            for (size_t k = 0; k < n; k++)
                page_picture(p, row[k]);
            page_raw(p, "</a>");
        }
        page_raw(p, "</li>\n");
    }
    page_raw(p, "</ul>\n");
    page_section_end(p);
}

/* ---- the frame ---- */

static void
link_to(page *p, const char *id, const char *name, uint64_t n, bool counted, int key) {
    buf_fmt(&p->b, "<a href=\"#%s\" data-key=\"%d\">%s", id, key, name);
    if (counted) {
        page_raw(p, " <span class=\"count\">");
        page_count(p, n);
        page_raw(p, "</span>");
    }
    page_raw(p, "</a>");
}

static void navigation(page *p) {
    const report_view *v = p->v;
    int key = 1;
    page_raw(p, "<nav aria-label=\"Sections\"><div class=\"links\">");
    link_to(p, "answer", "Answer", 0, false, key++);
    link_to(p, "leakage", "Leakage", v->n_leaks, true, key++);
    link_to(p, "labels", "Labels", v->a->label_listed, v->a->label_check, key++);
    link_to(p, "errors", "Errors", v->a->n_errors, true, key++);
    link_to(p, "copies", "Copies", v->n_copies, true, key++);
    if (v->source.skipped)
        link_to(p, "files", "Files", v->source.skipped, true, key++);
    link_to(p, "classes", "Classes", (uint64_t)v->a->classes, true, key++);
    link_to(p, "made", "How made", 0, false, key);
    page_raw(p, "</div>\n<div class=\"filters needs-script\" role=\"search\">");
    static const char *const select[] = {"given", "other"};
    static const char *const name[] = {"label", "looks like"};
    for (int i = 0; i < 2; i++) {
        buf_fmt(&p->b, "<label>%s <select id=\"f-%s\"><option value=\"\">all</option>",
                name[i], select[i]);
        for (int c = 0; c < v->a->classes; c++) {
            buf_fmt(&p->b, "<option value=\"%d\">", c);
            page_class(p, c);
            page_raw(p, "</option>");
        }
        page_raw(p, "</select></label>");
    }
    page_raw(
        p, "<label>find <input id=\"f-find\" type=\"search\" placeholder=\"name or row\" "
           "autocomplete=\"off\" spellcheck=\"false\"></label><button type=\"button\" "
           "id=\"f-clear\" hidden>clear filters</button></div></nav>\n");
}

static void top(page *p) {
    const struct assay_audit *a = p->v->a;
    page_raw(p, "<header class=\"top\"><div><h1>");
    page_text(p, a->title);
    page_raw(p, "</h1><p class=\"facts\">");
    page_count(p, a->train_rows);
    page_raw(p, " train \xC2\xB7 ");
    page_count(p, p->v->source.rows - a->train_rows);
    page_raw(p, " test \xC2\xB7 ");
    text_count(&p->b, (uint64_t)a->classes);
    page_raw(p, a->classes == 1 ? " class" : " classes");
    if (a->planted_rows) {
        page_raw(p, " \xC2\xB7 ");
        page_count(p, a->planted_rows);
        page_raw(p, " planted rows");
    }
    page_raw(p, "</p></div><div class=\"tools needs-script\"><button type=\"button\" "
                "id=\"theme\" "
                "aria-pressed=\"false\">Dark</button><button type=\"button\" id=\"help\" "
                "aria-label=\"Keys\">?</button></div></header>\n");
}

static void dialogs(page *p) {
    page_raw(
        p,
        "<dialog id=\"detail\" aria-labelledby=\"d-title\"><div "
        "id=\"d-body\"></div></dialog>\n"
        "<dialog id=\"keys\" aria-labelledby=\"k-title\"><h2 id=\"k-title\">Keys</h2><dl>"
        "<dt><kbd>\xE2\x86\x90 \xE2\x86\x91 \xE2\x86\x93 \xE2\x86\x92</kbd></dt><dd>move "
        "in a grid</dd>"
        "<dt><kbd>Enter</kbd></dt><dd>open the picture</dd>"
        "<dt><kbd>\xE2\x86\x90 \xE2\x86\x92</kbd></dt><dd>in an open picture: the one "
        "before, the "
        "next</dd>"
        "<dt><kbd>Esc</kbd></dt><dd>close</dd>"
        "<dt><kbd>/</kbd></dt><dd>find</dd>"
        "<dt><kbd>1</kbd> \xE2\x80\x93 <kbd>9</kbd></dt><dd>go to a section</dd>"
        "<dt><kbd>?</kbd></dt><dd>this list</dd></dl>"
        "<form method=\"dialog\"><button>Close</button></form></dialog>\n"
        "<p id=\"live\" class=\"sr\" role=\"status\" aria-live=\"polite\"></p>\n");
}

/* What the details of a row say: [id, split, given, flags, score in thousandths or -1,
 * tile, [class, thousandths, ...]]. */
static void row_details(page *p, json_out *j, uint32_t row) {
    const report_view *v = p->v;
    report_name name;
    json_arr(j);
    json_str(j, report_id(v, row, name));
    json_str(j, report_planted(v, row) ? "planted" : report_split(v, row));
    json_int(j, report_label(v, row));
    json_int(j, v->flags[row]);
    bool scored = v->a->label_score && row < v->a->train_rows;
    json_int(j, scored ? lround((double)v->a->label_score[row] * 1000) : -1);
    json_int(j, atlas_tile(&p->tiles, row));
    json_arr(j);
    int told[4], n = 0;
    for (; n < 4 && n < v->a->classes && v->a->probs; n++) {
        int best = -1;
        for (int c = 0; c < v->a->classes; c++) {
            bool before = false;
            for (int k = 0; k < n; k++)
                before = before || told[k] == c;
            if (!before &&
                (best < 0 || report_prob(v, row, c) > report_prob(v, row, best)))
                best = c;
        }
        told[n] = best;
        json_int(j, best);
        json_int(j, lround((double)report_prob(v, row, best) * 1000));
    }
    json_arr_end(j);
    json_arr_end(j);
}

static void details(page *p) {
    const struct assay_audit *a = p->v->a;
    report_name name;
    json_out j = json_out_make(&p->b, 0);
    page_raw(p, "<script type=\"application/json\" id=\"data\">");
    json_obj(&j);
    json_kstr(&j, "schema", "assay.page/1");
    json_kstr(&j, "audit", a->key);
    json_kint(&j, "trained", (int64_t)a->train_rows);
    json_kint(&j, "columns", ATLAS_COLUMNS);
    json_kint(&j, "tiles", ATLAS_TILES);
    json_key(&j, "classes");
    json_arr(&j);
    for (int c = 0; c < a->classes; c++)
        json_str(&j, report_class(p->v, c, name));
    json_arr_end(&j);
    json_key(&j, "rows");
    json_obj(&j);
    for (size_t i = 0; i < p->n_rows; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%u", (unsigned)p->row[i]);
        json_key(&j, key);
        row_details(p, &j, p->row[i]);
    }
    json_obj_end(&j);
    json_obj_end(&j);
    page_raw(p, "</script>\n");
}

/* All that depends on the audit but the sheets. */
static void body(page *p) {
    memset(p->told, 0, p->v->a->rows + 1);
    p->n_rows = 0;
    buf_clear(&p->b);
    page_raw(p, "<body>\n<a class=\"skip\" href=\"#answer\">Skip to the answer</a>\n");
    p->rank = 0;
    top(p);
    navigation(p);
    page_raw(p, "<main>\n");
    answer_section(p);
    page_leakage(p);
    page_labels(p);
    page_errors(p);
    page_copies(p);
    page_files(p);
    page_classes(p);
    page_made(p);
    page_raw(p, "</main>\n<footer>Written by assay ");
    page_text(p, assay_version());
    page_raw(p, ". This file needs no network and sends nothing.</footer>\n");
    dialogs(p);
    details(p);
}

/* How large a tile is shown: a whole multiple of its own pixels where it is small. */
static int shown_size(int side, int about) {
    int times = (about + side / 2) / side;
    if (times > 1)
        return side * times;
    return side < about ? side : about;
}

static void head(page *p, buf *out) {
    hash_sha256 h;
    uint8_t digest[32];
    hash_sha256_init(&h);
    hash_sha256_add(&h, report_js, report_js_bytes);
    hash_sha256_end(&h, digest);
    buf_str(out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-");
    text_base64(out, digest, sizeof digest);
    buf_str(
        out,
        "'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    text_html(out, p->v->a->title);
    buf_str(out,
            " \xC2\xB7 audit</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n");
    buf_add(out, report_css, report_css_bytes);
    const atlas *t = &p->tiles;
    if (t->side > 0) {
        /* --r: a place in a sheet over the picture in it */
        static const struct {
            const char *name;
            int about;
        } size[] = {
            {"wide", 104}, {"phone", 84}, {"small", 56}, {"peek", 48}, {"big", 224}};
        buf_str(out, ":root{");
        for (size_t i = 0; i < sizeof size / sizeof *size; i++)
            buf_fmt(out, "--%s:%dpx;", size[i].name, shown_size(t->side, size[i].about));
        buf_fmt(out, "--r:%d/%d;--w:%d}\n", t->cell, t->side, t->columns);
    }
    for (int i = 0; i < t->n_sheets; i++) {
        buf_fmt(out, ".a%d{background-image:url(data:image/jpeg;base64,", i);
        buf_add(out, t->sheet[i].data, t->sheet[i].len);
        buf_str(out, ")}\n");
    }
    buf_str(out, "</style>\n</head>\n");
}

static void tail(buf *out) {
    buf_str(out, "<script>");
    buf_add(out, report_js, report_js_bytes);
    buf_str(out, "</script>\n</body>\n</html>\n");
}

/* Sizes around the body and the sheets: a little more than head and tail take. */
static uint64_t frame_bytes(void) {
    return report_css_bytes + report_js_bytes + 4096;
}

assay_status report_page(buf *out, const report_view *v, int percent, uint64_t largest) {
    assay_status status = ASSAY_OK;
    report_answer answer = {0};
    page p = {.v = v, .answer = &answer, .percent = percent, .b = buf_make(v->ctx)};
    uint64_t taken;
    ASSAY_TRY(report_answer_make(&answer, v));
    ASSAY_TRY(mem_new(v->ctx, &p.told, v->a->rows + 1, 1));
    for (;;) {
        ASSAY_TRY(atlas_create(&p.tiles, v));
        p.collecting = true;
        body(&p);
        p.collecting = false;
        ASSAY_TRY(p.status);
        ASSAY_TRY(atlas_assign(&p.tiles));
        body(&p); /* now with its tiles: the longest it gets */
        ASSAY_TRY(p.status);
        ASSAY_TRY(buf_check(&p.b));
        taken = frame_bytes() + p.b.len;
        if (taken <= largest || p.percent <= 1)
            break;
        p.percent /= 2; /* words alone are too long: fewer items */
        atlas_free(&p.tiles);
    }
    if (taken > largest)
        ASSAY_FAIL(ASSAY_E_INVALID, "a page of %llu bytes is too small for this audit",
                   (unsigned long long)largest);
    ASSAY_TRY(atlas_draw(&p.tiles, largest - taken));
    if (p.tiles.shown < p.tiles.n)
        body(&p);
    ASSAY_TRY(p.status);
    ASSAY_TRY(buf_check(&p.b));
    head(&p, out);
    buf_add(out, p.b.data, p.b.len);
    tail(out);
    ASSAY_TRY(buf_check(out));
done:
    atlas_free(&p.tiles);
    mem_free(v->ctx, p.told);
    mem_free(v->ctx, p.row);
    buf_free(&p.b);
    report_answer_free(&answer);
    return status;
}
