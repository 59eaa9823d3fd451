/* The page's grids: leakage, labels, test errors, copies, files. Each item carries what
 * sorting and filtering need in data attributes, so the script moves what C has written
 * and makes nothing. */
#include "report/page.h"

#include "report/text.h"

#include <math.h>

/* Attributes that the script sorts and filters by: given class, the other class, score,
 * row. */
static void keys(page *p, int given, int other, double score, uint32_t row) {
    buf_fmt(&p->b, " data-g=\"%d\" data-l=\"%d\" data-r=\"%u\" data-s=\"", given, other,
            (unsigned)row);
    text_fixed(&p->b, score, 4);
    page_raw(p, "\"");
}

/* ---- labels ---- */

static void label_item(page *p, const detect_finding *f) {
    int given = report_label(p->v, f->row);
    page_raw(p, "<li");
    keys(p, given, f->likely, (double)f->score, f->row);
    page_raw(p, ">");
    page_button(p, f->row, "label");
    page_raw(p, "<span class=\"cap\"><s title=\"given\">");
    page_class(p, given);
    page_raw(p, "</s> <b><span class=\"sr\">looks like </span><span "
                "aria-hidden=\"true\">\xE2\x86\x92 "
                "</span>");
    page_class(p, f->likely);
    page_raw(p, "</b></span><span class=\"num\"><span class=\"sr\">score </span>");
    page_score(p, (double)f->score);
    page_raw(p, "</span>");
    page_flags(p, f->row, FLAG_LABEL);
    page_button_end(p);
    page_raw(p, "</li>\n");
}

void page_labels(page *p) {
    const report_view *v = p->v;
    const struct assay_audit *a = v->a;
    size_t listed = a->label_listed < v->count[DETECT_LABEL] ? (size_t)a->label_listed
                                                             : v->count[DETECT_LABEL];
    size_t shown = page_limit(p, 200);
    shown = shown < listed ? shown : listed;
    page_section(
        p, "labels", "Labels", listed,
        listed ? "Worst first. The label given is struck through; the arrow shows what "
                 "models that never saw the picture say instead."
               : NULL);
    if (listed == 0) {
        page_nothing(p, "labels");
        page_section_end(p);
        return;
    }
    page_capped(p, "label", listed, shown, "issues.csv");
    page_sorts(p, "labels",
               "score\0worst first\0given\0label given\0other\0looks like\0row\0row\0");
    page_raw(p, "<ol class=\"grid tiles\" id=\"grid-labels\" data-grid=\"labels\" "
                "data-page=\"60\">\n");
    for (size_t i = 0; i < shown; i++) {
        page_item_rank(p, i);
        label_item(p, &a->findings.item[v->first[DETECT_LABEL] + i]);
    }
    page_raw(p, "</ol>\n");
    page_section_end(p);
}

/* ---- leakage ---- */

static void pair_side(page *p, const char *where, uint32_t row) {
    page_button(p, row, "leakage");
    buf_fmt(&p->b, "<span class=\"cap\"><em>%s</em> <b>", where);
    page_class(p, report_label(p->v, row));
    page_raw(p, "</b></span>");
    page_flags(p, row, FLAG_LEAKAGE);
    page_button_end(p);
}

static void pair_item(page *p, const detect_finding *f) {
    page_raw(p, "<li");
    keys(p, report_label(p->v, f->row), report_label(p->v, f->other),
         (double)f->similarity, f->row);
    page_raw(p, ">");
    pair_side(p, report_planted(p->v, f->row) ? "planted" : "test", f->row);
    page_raw(p, "<span class=\"same\" aria-hidden=\"true\">");
    page_raw(p, f->exact ? "=</span>" : "\xE2\x89\x88</span>");
    pair_side(p, "train", f->other);
    page_raw(p, "<p class=\"note\">");
    if (f->exact) {
        page_raw(p, "equal pixels");
    } else {
        page_raw(p, "alike ");
        buf_fmt(&p->b, "<span class=\"num\">");
        page_short(p, (double)f->similarity, 3);
        page_raw(p, "</span>");
    }
    if (f->mirrored)
        page_raw(p, ", mirrored");
    page_raw(p, f->labels_differ
                    ? "<br><strong class=\"bad\">\xE2\x89\xA0 labels differ</strong>"
                    : "<br>labels agree");
    page_raw(p, "</p></li>\n");
}

void page_leakage(page *p) {
    const report_view *v = p->v;
    size_t shown = page_limit(p, 100);
    shown = shown < v->n_leaks ? shown : v->n_leaks;
    page_section(
        p, "leakage", "Leakage", v->n_leaks,
        v->n_leaks ? "Test images of which training holds a copy: they count for less as "
                     "evidence. Pairs whose labels differ come first."
                   : NULL);
    if (v->n_leaks == 0) {
        page_nothing(p, "leakage");
        page_section_end(p);
        return;
    }
    page_capped(p, "pair", v->n_leaks, shown, "issues.csv");
    page_sorts(
        p, "leakage",
        "order\0labels differ first\0score\0most alike\0given\0test label\0row\0row\0");
    page_raw(p, "<ol class=\"grid pairs\" id=\"grid-leakage\" data-grid=\"leakage\" "
                "data-page=\"24\">\n");
    for (size_t i = 0; i < shown; i++) {
        page_item_rank(p, i);
        pair_item(p, v->leak[i]);
    }
    page_raw(p, "</ol>\n");
    page_section_end(p);
}

/* ---- test errors ---- */

enum { CAUSES_SHOWN = 5 };

static void cause(page *p, uint32_t row, float effect) {
    page_raw(p, "<li>");
    page_button(p, row, "cause");
    page_raw(p, "<span class=\"num\">");
    page_effect(p, (double)effect);
    page_raw(p, "</span><span class=\"cap\"><b>");
    page_class(p, report_label(p->v, row));
    page_raw(p, "</b></span>");
    page_flags(p, row, 0);
    page_button_end(p);
    page_raw(p, "</li>");
}

static void push(page *p, const audit_test_error *e, bool towards) {
    uint32_t n = towards ? e->n_towards : e->n_against;
    page_raw(p, towards ? "<div class=\"push for\"><h4>pushed towards \xE2\x80\x9C"
                        : "<div class=\"push against\"><h4>pushed towards \xE2\x80\x9C");
    page_class(p, towards ? e->predicted : e->given);
    page_raw(p, "\xE2\x80\x9D</h4><ol>");
    for (uint32_t i = 0; i < n && i < CAUSES_SHOWN; i++)
        if (towards)
            cause(p, e->towards[i].row, e->towards[i].effect);
        else
            cause(p, e->against[i].row, e->against[i].effect);
    if (n == 0)
        page_raw(p, "<li class=\"none\">none found</li>");
    page_raw(p, "</ol></div>");
}

static void removal(page *p, const audit_test_error *e) {
    page_raw(p, "<p class=\"note\">");
    if (e->removal > 0) {
        page_raw(p, "Training without the ");
        if (e->removal > 1) {
            page_count(p, e->removal);
            page_raw(p, " images");
        } else {
            page_raw(p, "image");
        }
        page_raw(p, " that pushed hardest towards \xE2\x80\x9C");
        page_class(p, e->predicted);
        page_raw(p, "\xE2\x80\x9D is predicted to turn this answer to \xE2\x80\x9C");
        page_class(p, e->given);
        page_raw(p, "\xE2\x80\x9D");
    } else {
        page_raw(p,
                 "Leaving out the hardest pushers is not predicted to turn this answer");
    }
    page_raw(p, " (trust ");
    page_effect(p, p->v->a->trust.correlation);
    page_raw(p, ").</p>");
}

static void error_item(page *p, const audit_test_error *e) {
    page_raw(p, "<li");
    keys(p, e->given, e->predicted, (double)e->p_predicted, e->row);
    page_raw(p, "><div class=\"asked\">");
    page_button(p, e->row, "error");
    page_raw(p, "<span class=\"sr\">");
    page_id(p, e->row);
    page_raw(p, "</span>");
    page_button_end(p);
    page_raw(p, "<div><p class=\"said\">said <b>");
    page_class(p, e->predicted);
    page_raw(p, "</b> <span class=\"num\">");
    text_percent(&p->b, (double)e->p_predicted);
    page_raw(p, "</span></p><p class=\"said\">labelled <b>");
    page_class(p, e->given);
    page_raw(p, "</b> <span class=\"num\">");
    text_percent(&p->b, (double)e->p_given);
    page_raw(p, "</span></p><p class=\"id\">");
    page_id(p, e->row);
    page_raw(p, "</p>");
    page_flags(p, e->row, 0);
    page_raw(p, "</div></div>");
    if (p->v->a->attribution) {
        push(p, e, true);
        push(p, e, false);
        removal(p, e);
    }
    page_raw(p, "</li>\n");
}

static void trust_note(page *p) {
    const struct assay_audit *a = p->v->a;
    page_raw(p, "<p class=\"trust\"><b>How far to trust the numbers:</b> ");
    if (!a->attribution) {
        page_raw(p, "influences were not computed, so no causes are shown.</p>\n");
        return;
    }
    page_raw(
        p,
        "each is the predicted effect of having trained on an image, on the scale where "
        "1 flips the answer; below 0 it pushed away from the label. Predicted and actual "
        "differences between the models correlate <span class=\"num\">");
    page_effect(p, a->trust.correlation);
    page_raw(p, "</span> (95 % interval <span class=\"num\">");
    page_effect(p, a->trust.low);
    page_raw(p, "</span> to <span class=\"num\">");
    page_effect(p, a->trust.high);
    page_raw(
        p, "</span>; 1 would be perfect, 0 chance). <b class=\"flag\">!label</b> marks a "
           "training image whose own label looks wrong.</p>\n");
}

void page_errors(page *p) {
    const struct assay_audit *a = p->v->a;
    size_t shown = page_limit(p, 100);
    shown = shown < a->n_errors ? shown : a->n_errors;
    page_section(p, "errors", "Test errors", a->n_errors,
                 a->n_errors
                     ? "Which training images caused this? Most confident mistakes first."
                     : "The models together answered every test image as labelled.");
    if (a->n_errors == 0) {
        page_section_end(p);
        return;
    }
    trust_note(p);
    page_capped(p, "error", a->n_errors, shown, "influence.csv");
    page_sorts(p, "errors",
               "score\0most confident\0given\0label given\0other\0answer\0row\0row\0");
    page_raw(p, "<ol class=\"grid errors\" id=\"grid-errors\" data-grid=\"errors\" "
                "data-page=\"8\">\n");
    for (size_t i = 0; i < shown; i++) {
        page_item_rank(p, i);
        error_item(p, &a->error[i]);
    }
    page_raw(p, "</ol>\n");
    page_section_end(p);
}

/* ---- copies ---- */

enum { EXTRA_SHOWN = 2 };

static void copy_member(page *p, uint32_t row, const char *role) {
    buf_fmt(&p->b, "<li class=\"%s\">", role);
    page_button(p, row, "copy");
    buf_fmt(&p->b, "<span class=\"cap\"><em>%s</em> <b>", role);
    page_class(p, report_label(p->v, row));
    page_raw(p, "</b></span>");
    page_flags(p, row, FLAG_COPY);
    page_button_end(p);
    page_raw(p, "</li>");
}

static void copy_item(page *p, const copy_group *g) {
    const report_view *v = p->v;
    page_raw(p, "<li");
    keys(p, report_label(v, g->kept), report_label(v, v->copy[g->first]->row),
         (double)g->count, g->kept);
    page_raw(p, "><ol class=\"strip\">");
    copy_member(p, g->kept, "kept");
    for (uint32_t i = 0; i < g->count && i < EXTRA_SHOWN; i++)
        copy_member(p, v->copy[g->first + i]->row, "extra");
    page_raw(p, "</ol><p class=\"note\">");
    if (g->count > EXTRA_SHOWN) {
        page_raw(p, "and ");
        page_count(p, g->count - EXTRA_SHOWN);
        page_raw(p, " more<br>");
    }
    buf_fmt(&p->b, "%s, %s", g->exact ? "equal pixels" : "near copy",
            report_split(v, g->kept));
    page_raw(p, g->labels_differ
                    ? "<br><strong class=\"bad\">\xE2\x89\xA0 labels differ</strong>"
                    : "<br>labels agree");
    page_raw(p, "</p></li>\n");
}

void page_copies(page *p) {
    const report_view *v = p->v;
    size_t shown = page_limit(p, 100);
    shown = shown < v->n_groups ? shown : v->n_groups;
    page_section(p, "copies", "Copies", v->n_copies,
                 v->n_groups
                     ? "Groups of the same picture within training or within test; the "
                       "framed one is kept. Exact extra copies are in exclude.txt."
                     : NULL);
    if (v->n_groups == 0) {
        page_nothing(p, "copies");
        page_section_end(p);
        return;
    }
    page_capped(p, "group", v->n_groups, shown, "issues.csv");
    page_sorts(
        p, "copies",
        "order\0labels differ first\0score\0most copies\0given\0label\0row\0row\0");
    page_raw(p, "<ol class=\"grid strips\" id=\"grid-copies\" data-grid=\"copies\" "
                "data-page=\"24\">\n");
    for (size_t i = 0; i < shown; i++) {
        page_item_rank(p, i);
        copy_item(p, &v->group[i]);
    }
    page_raw(p, "</ol>\n");
    page_section_end(p);
}

/* ---- files ---- */

void page_files(page *p) {
    const report_source *s = &p->v->source;
    size_t shown = page_limit(p, 60);
    shown = shown < s->skipped ? shown : s->skipped;
    if (s->skipped == 0)
        return;
    page_section(p, "files", "Files", s->skipped,
                 "Files that could not be read. They are in no figure of this page.");
    page_raw(
        p,
        "<table class=\"plain\"><thead><tr><th>split</th><th>file</th><th>why</th></tr>"
        "</thead><tbody>\n");
    for (size_t i = 0; i < shown; i++) {
        const char *split = "", *id = "", *reason = "";
        s->skipped_at(s->cookie, i, &split, &id, &reason);
        page_raw(p, "<tr><td>");
        page_text(p, split);
        page_raw(p, "</td><td class=\"id\">");
        page_text(p, id);
        page_raw(p, "</td><td>");
        page_text(p, reason);
        page_raw(p, "</td></tr>\n");
    }
    page_raw(p, "</tbody></table>\n");
    page_section_end(p);
}
