/* The page's last sections: accuracy and confusion by class, and how this was made. */
#include "report/page.h"

#include "report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- accuracy ---- */

static uint64_t *listed_by_class(page *p) {
    const report_view *v = p->v;
    uint64_t *n = NULL;
    p->status = mem_new(v->ctx, &n, (size_t)v->a->classes + 1, sizeof *n);
    for (uint64_t i = 0; p->status == ASSAY_OK && i < v->a->label_listed; i++) {
        if (i >= v->count[DETECT_LABEL])
            break;
        int c = report_label(v, v->a->findings.item[v->first[DETECT_LABEL] + i].row);
        if (c >= 0 && c < v->a->classes)
            n[c]++;
    }
    return n;
}

static void bars(page *p) {
    const report_view *v = p->v;
    uint64_t *listed = listed_by_class(p);
    if (p->status != ASSAY_OK)
        return;
    page_raw(
        p,
        "<table class=\"bars\"><caption class=\"sr\">Accuracy by "
        "class</caption><thead><tr>"
        "<th scope=\"col\">class</th><th scope=\"col\">test accuracy</th>"
        "<th scope=\"col\" class=\"r\">test</th><th scope=\"col\" class=\"r\">train</th>"
        "<th scope=\"col\" class=\"r\">labels listed</th></tr></thead><tbody>\n");
    for (int c = 0; c < v->a->classes; c++) {
        uint64_t tests = v->class_test[c];
        page_raw(p, "<tr><th scope=\"row\">");
        page_class(p, c);
        page_raw(p, "</th><td class=\"share\">");
        if (tests) {
            double share = (double)v->class_right[c] / (double)tests;
            page_raw(p,
                     "<span class=\"track\" aria-hidden=\"true\"><span style=\"width:");
            text_fixed(&p->b, share * 100, 1);
            page_raw(p, "%\"></span></span><span class=\"num\">");
            text_percent(&p->b, share);
            page_raw(p, "</span>");
        } else {
            page_raw(p, "no test image");
        }
        page_raw(p, "</td><td class=\"num r\">");
        page_count(p, tests);
        page_raw(p, "</td><td class=\"num r\">");
        page_count(p, v->class_train[c]);
        page_raw(p, "</td><td class=\"num r\">");
        page_count(p, listed[c]);
        page_raw(p, "</td></tr>\n");
    }
    page_raw(p, "</tbody></table>\n");
    mem_free(v->ctx, listed);
}

/* ---- confusion ---- */

enum { TABLE_CLASSES = 24, PAIRS_SHOWN = 60 };

/* Depth of a cell's colour in [0,1]: mistakes against the most common one, hits against
 * all. */
static double depth(const struct assay_audit *a,
                    size_t given,
                    size_t said,
                    uint64_t most,
                    uint64_t tests) {
    uint64_t n = a->confusion[given * (size_t)a->classes + said];
    if (given == said)
        return tests ? (double)n / (double)tests : 0;
    return most ? sqrt((double)n / (double)most) : 0;
}

static uint64_t most_mistaken(const struct assay_audit *a) {
    size_t k = (size_t)a->classes;
    uint64_t most = 0;
    for (size_t i = 0; i < k * k; i++)
        if (i / k != i % k && a->confusion[i] > most)
            most = a->confusion[i];
    return most;
}

static void confusion_table(page *p) {
    const report_view *v = p->v;
    const struct assay_audit *a = v->a;
    size_t k = (size_t)a->classes;
    uint64_t most = most_mistaken(a);
    page_raw(p, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                "aria-label=\"Confusion table\">"
                "<table class=\"confusion\"><caption>Rows: the label. Columns: the "
                "answer. A cell "
                "filters labels and errors to its pair.</caption><thead><tr><td></td>");
    for (size_t said = 0; said < k; said++) {
        page_raw(p, "<th scope=\"col\"><span>");
        page_class(p, (int)said);
        page_raw(p, "</span></th>");
    }
    page_raw(p, "</tr></thead><tbody>\n");
    for (size_t given = 0; given < k; given++) {
        page_raw(p, "<tr><th scope=\"row\"><span>");
        page_class(p, (int)given);
        page_raw(p, "</span></th>");
        for (size_t said = 0; said < k; said++) {
            uint64_t n = a->confusion[given * k + said];
            if (n == 0) {
                page_raw(p, "<td class=\"zero\"><span class=\"sr\">0</span></td>");
                continue;
            }
            buf_fmt(&p->b,
                    "<td class=\"%s\" style=\"--p:", given == said ? "hit" : "miss");
            text_fixed(&p->b, depth(a, given, said, most, v->class_test[given]), 2);
            buf_fmt(&p->b, "\">");
            if (given == said) {
                page_count(p, n);
            } else {
                buf_fmt(&p->b, "<button type=\"button\" data-pair=\"%zu,%zu\">", given,
                        said);
                page_count(p, n);
                page_raw(p, "<span class=\"sr\"> labelled ");
                page_class(p, (int)given);
                page_raw(p, ", answered ");
                page_class(p, (int)said);
                page_raw(p, "</span></button>");
            }
            page_raw(p, "</td>");
        }
        page_raw(p, "</tr>\n");
    }
    page_raw(p, "</tbody></table></div>\n");
}

typedef struct confused {
    uint64_t n;
    uint32_t given, said;
} confused;

static int by_count(const void *x, const void *y) {
    const confused *a = x, *b = y;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    if (a->given != b->given)
        return a->given < b->given ? -1 : 1;
    return a->said < b->said ? -1 : a->said > b->said;
}

/* With many classes: the pairs most often confused. */
static void confusion_list(page *p) {
    const struct assay_audit *a = p->v->a;
    size_t k = (size_t)a->classes, n = 0;
    confused *pair = NULL;
    p->status = mem_new(p->v->ctx, &pair, k * k, sizeof *pair);
    if (p->status != ASSAY_OK)
        return;
    for (size_t i = 0; i < k * k; i++)
        if (i / k != i % k && a->confusion[i] > 0)
            pair[n++] = (confused){a->confusion[i], (uint32_t)(i / k), (uint32_t)(i % k)};
    if (n > 0)
        qsort(pair, n, sizeof *pair, by_count);
    page_raw(
        p, "<h3>Most often confused</h3><table class=\"plain\"><thead><tr><th>label</th>"
           "<th>answer</th><th class=\"r\">test images</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n && i < PAIRS_SHOWN; i++) {
        page_raw(p, "<tr><td>");
        page_class(p, (int)pair[i].given);
        page_raw(p, "</td><td>");
        page_class(p, (int)pair[i].said);
        buf_fmt(&p->b,
                "</td><td class=\"num r\"><button type=\"button\" data-pair=\"%u,%u\">",
                (unsigned)pair[i].given, (unsigned)pair[i].said);
        page_count(p, pair[i].n);
        page_raw(p, "</button></td></tr>\n");
    }
    page_raw(p, "</tbody></table>\n");
    mem_free(p->v->ctx, pair);
}

/* ---- typical and worst ---- */

enum { EXTREMES = 5, EXTREME_CLASSES = 40 };

typedef struct extremes {
    uint32_t typical[EXTREMES], worst[EXTREMES];
    int n_typical, n_worst;
} extremes;

/* Keeps `row` among the first EXTREMES by `sign` x score; equal scores by row. */
static void
keep_extreme(uint32_t *list, int *n, const float *score, uint32_t row, float sign) {
    int at = *n;
    while (at > 0 && sign * score[row] < sign * score[list[at - 1]])
        at--;
    if (at == EXTREMES)
        return;
    int last = *n < EXTREMES ? *n : EXTREMES - 1;
    memmove(list + at + 1, list + at, (size_t)(last - at) * sizeof *list);
    list[at] = row;
    *n = last + 1;
}

static void extreme_tiles(page *p, const uint32_t *row, int n) {
    page_raw(p, "<ol class=\"strip\">");
    for (int i = 0; i < n; i++) {
        page_raw(p, "<li>");
        page_button(p, row[i], "class");
        page_raw(p, "<span class=\"sr\">");
        page_id(p, row[i]);
        page_raw(p, "</span><span class=\"num\">");
        page_score(p, (double)p->v->a->label_score[row[i]]);
        page_raw(p, "</span>");
        page_button_end(p);
        page_raw(p, "</li>");
    }
    page_raw(p, "</ol>");
}

static void typical(page *p) {
    const struct assay_audit *a = p->v->a;
    int k = a->classes < EXTREME_CLASSES ? a->classes : EXTREME_CLASSES;
    extremes *e = NULL;
    if (!a->label_score)
        return;
    p->status = mem_new(p->v->ctx, &e, (size_t)k, sizeof *e);
    if (p->status != ASSAY_OK)
        return;
    for (uint32_t row = 0; row < a->train_rows; row++) {
        int c = a->labels[row];
        if (c < 0 || c >= k || !(a->label_score[row] >= 0))
            continue;
        keep_extreme(e[c].typical, &e[c].n_typical, a->label_score, row, 1);
        keep_extreme(e[c].worst, &e[c].n_worst, a->label_score, row, -1);
    }
    page_raw(p,
             "<h3>Most typical and worst</h3><p class=\"lead\">Training images by label "
             "score: the "
             "five that agree best with their label, and the five that agree least.</p>\n"
             "<ul class=\"grid extremes\" data-grid=\"classes\">\n");
    for (int c = 0; c < k; c++) {
        page_raw(p, "<li><h4>");
        page_class(p, c);
        page_raw(p, "</h4><div><span class=\"what\">typical</span>");
        extreme_tiles(p, e[c].typical, e[c].n_typical);
        page_raw(p, "</div><div><span class=\"what\">worst</span>");
        extreme_tiles(p, e[c].worst, e[c].n_worst);
        page_raw(p, "</div></li>\n");
    }
    page_raw(p, "</ul>\n");
    mem_free(p->v->ctx, e);
}

void page_classes(page *p) {
    const struct assay_audit *a = p->v->a;
    page_section(p, "classes", "Classes", (uint64_t)a->classes, NULL);
    bars(p);
    if (a->confusion && a->classes <= TABLE_CLASSES)
        confusion_table(p);
    else if (a->confusion)
        confusion_list(p);
    p->rank = 2;
    typical(p);
    page_section_end(p);
}

/* ---- how this was made ---- */

static void term(page *p, const char *name) {
    page_raw(p, "<dt>");
    page_text(p, name);
    page_raw(p, "</dt><dd>");
}

static void fact(page *p, const char *name, const char *value) {
    if (!*value)
        return;
    term(p, name);
    page_text(p, value);
    page_raw(p, "</dd>\n");
}

static void plants(page *p) {
    const struct assay_audit *a = p->v->a;
    if (a->n_plant == 0)
        return;
    page_raw(p,
             "<h3>Planted on request</h3><table class=\"plain\"><thead><tr><th>kind</th>"
             "<th class=\"r\">planted</th><th class=\"r\">found</th><th "
             "class=\"r\">AUROC (plain)</th>"
             "<th class=\"r\">right among first (plain)</th><th class=\"r\">unplanted "
             "reported</th>"
             "</tr></thead><tbody>\n");
    for (int i = 0; i < a->n_plant; i++) {
        const audit_plant *t = &a->plant[i];
        page_raw(p, "<tr><td>");
        page_text(p, t->kind);
        page_raw(p, "</td><td class=\"num r\">");
        page_count(p, t->count);
        page_raw(p, "</td><td class=\"num r\">");
        text_percent(&p->b, t->recall);
        page_raw(p, "</td><td class=\"num r\">");
        text_fixed(&p->b, t->auroc, 4);
        page_raw(p, " (");
        text_fixed(&p->b, t->auroc_plain, 4);
        page_raw(p, ")</td><td class=\"num r\">");
        text_percent(&p->b, t->precision_at_count);
        page_raw(p, " (");
        text_percent(&p->b, t->precision_plain);
        page_raw(p, ")</td><td class=\"num r\">");
        page_count(p, t->unplanted);
        page_raw(p, "</td></tr>\n");
    }
    page_raw(p, "</tbody></table>\n");
}

static void self_test(page *p) {
    const struct assay_audit *a = p->v->a;
    term(p, "self-test");
    if (a->self_labels == 0 && a->self_copies == 0) {
        page_raw(p, "not run</dd>\n");
        return;
    }
    page_raw(p, "labels spoiled on purpose ");
    page_count(p, a->self_labels);
    page_raw(p, ", caught ");
    page_count(p, a->self_labels_found);
    page_raw(p, "; copies put among the test images ");
    page_count(p, a->self_copies);
    page_raw(p, ", found ");
    page_count(p, a->self_copies_found);
    page_raw(p, ". None of them is listed above.</dd>\n");
}

void page_made(page *p) {
    const report_view *v = p->v;
    const struct assay_audit *a = v->a;
    page_section(p, "made", "How this was made", 0, NULL);
    if (v->command && *v->command) {
        page_raw(p, "<pre tabindex=\"0\">");
        page_text(p, v->command);
        page_raw(p, "</pre>\n");
    }
    page_raw(p, "<dl class=\"terms\">\n");
    term(p, "version");
    page_text(p, "assay ");
    page_text(p, assay_version());
    page_raw(p, "</dd>\n");
    fact(p, "instruction set", a->isa);
    term(p, "dataset");
    page_raw(p, "<code>sha256:");
    page_text(p, a->sha256);
    page_raw(p, "</code></dd>\n");
    term(p, "audit");
    page_raw(p, "<code>");
    page_text(p, a->key);
    page_raw(p, "</code></dd>\n");
    term(p, "seed");
    buf_fmt(&p->b, "%llu</dd>\n", (unsigned long long)a->seed);
    term(p, "models");
    buf_fmt(
        &p->b,
        "%d, each trained on two thirds of the rows; a row is judged by those that never "
        "saw it%s</dd>\n",
        a->members, a->own_probs ? "; labels by the probabilities given" : "");
    fact(p, "recipe", a->recipe);
    fact(p, "options", a->options_text);
    term(p, "mirroring");
    page_raw(p, a->flip ? "yes: mirrored images keep their label here</dd>\n"
                        : "no: not seen to keep the label here</dd>\n");
    self_test(p);
    term(p, "thresholds");
    report_threshold t[8];
    size_t n = report_thresholds(v, t);
    page_raw(p, "<ul>");
    for (size_t i = 0; i < n; i++) {
        page_raw(p, "<li>");
        page_text(p, t[i].text);
        page_raw(p, " <span class=\"num\">");
        text_number(&p->b, round(t[i].value * 1e4) / 1e4);
        page_raw(p, "</span></li>");
    }
    page_raw(p, "</ul></dd>\n");
    if (v->maybe_leaks + v->maybe_copies > 0) {
        term(p, "unsure copies");
        page_count(p, v->maybe_leaks + v->maybe_copies);
        page_raw(p, " pairs are alike, but not far more than other images are; they are "
                    "in issues.csv "
                    "alone, as leakage_maybe and copy_near_maybe</dd>\n");
    }
    page_raw(p, "</dl>\n");
    plants(p);
    page_raw(p,
             "<h3>What this can't tell</h3><ul class=\"limits\">"
             "<li>A score ranks; it is not the probability that a label is wrong. Rare "
             "and odd "
             "images score high with a right label.</li>"
             "<li>Models as small as these miss what a person sees at once, and mistakes "
             "that a "
             "whole class shares can't be seen at all.</li>"
             "<li>An influence is predicted from gradients, not measured by training "
             "again.</li>"
             "<li>Copies are compared at small size: crops, shifts by a pixel and strong "
             "retouching may be missed.</li></ul>\n"
             "<p class=\"lead\">Beside this page: <b>issues.csv</b> (every finding, "
             "uncapped), "
             "<b>influence.csv</b>, <b>audit.json</b>, <b>exclude.txt</b> (exact extra "
             "copies; for "
             "<code>assay train --exclude</code>).</p>\n");
    page_section_end(p);
}
