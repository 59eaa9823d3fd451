/* The answer: what was found, in sentences that are always the same. Where nothing was
 * found, the sentence says what was looked for and how well that was tested. */
#include "report/write.h"

#include "report/text.h"

#include <math.h>
#include <string.h>

/* Opens a line: what is appended next is its head. */
static void begin(report_answer *a, answer_tone tone, const char *section) {
    a->line[a->n++] =
        (answer_line){.tone = tone, .section = section, .head = a->text.len, .detail = 0};
}

static void detail(report_answer *a) {
    buf_add(&a->text, "", 1);
    a->line[a->n - 1].detail = a->text.len;
}

static void end(report_answer *a) {
    if (a->line[a->n - 1].detail == 0)
        detail(a);
    buf_add(&a->text, "", 1);
}

static bool tested_labels(const struct assay_audit *a) {
    return a->self_labels > 0;
}

static void self_labels(buf *b, const struct assay_audit *a) {
    text_counted(b, a->self_labels, "label");
    buf_str(b, " spoiled on purpose, ");
    text_count(b, a->self_labels_found);
    buf_str(b, a->self_labels_found == 1 ? " was caught" : " were caught");
}

static void self_copies(buf *b, const struct assay_audit *a) {
    text_count(b, a->self_copies);
    buf_str(b, a->self_copies == 1 ? " copy" : " copies");
    buf_str(b, " put there on purpose, ");
    text_count(b, a->self_copies_found);
    buf_str(b, a->self_copies_found == 1 ? " was found" : " were found");
}

/* "Roughly 3 labels in 100 look wrong." */
static void label_rate(buf *b, double count, double rows) {
    double rate = rows > 0 ? count / rows : 0;
    if (rate >= 0.0095) {
        double in_100 = round(rate * 100);
        buf_str(b, "Roughly ");
        text_counted(b, (uint64_t)in_100, "label");
        buf_str(b, in_100 == 1 ? " in 100 looks wrong." : " in 100 look wrong.");
    } else if (rate >= 0.00095) {
        double in_1000 = round(rate * 1000);
        buf_str(b, "Roughly ");
        text_counted(b, (uint64_t)in_1000, "label");
        buf_str(b, in_1000 == 1 ? " in 1,000 looks wrong." : " in 1,000 look wrong.");
    } else {
        double whole = fmax(1, round(count));
        buf_str(b, "Roughly ");
        text_counted(b, (uint64_t)whole, "label");
        buf_str(b, whole == 1 ? " looks wrong." : " look wrong.");
    }
}

static void label_line(report_answer *out, const report_view *v) {
    const struct assay_audit *a = v->a;
    buf *b = &out->text;
    if (!a->label_check) {
        begin(out, TONE_UNKNOWN, "labels");
        buf_str(b, "Labels were not judged.");
        detail(out);
        buf_str(b, a->label_note);
        if (a->label_note[0] && a->label_note[strlen(a->label_note) - 1] != '.')
            buf_str(b, ".");
        end(out);
        return;
    }
    const char *judge =
        a->own_probs ? "the probabilities given" : "models that never saw an image";
    if (a->label_listed == 0) {
        begin(out, TONE_CLEAR, "labels");
        buf_str(b, "No label looks wrong.");
        detail(out);
        buf_str(b, "Looked for: training labels that ");
        buf_str(b, judge);
        buf_str(b, " confidently contradict, among ");
        text_count(b, a->train_rows);
        buf_str(b, ". ");
    } else {
        begin(out, TONE_FOUND, "labels");
        if (isnan(a->label_count)) {
            text_counted(b, a->label_listed, "label");
            buf_str(b, a->label_listed == 1 ? " looks wrong." : " look wrong.");
        } else {
            label_rate(b, a->label_count, (double)a->train_rows);
        }
        detail(out);
        if (a->label_listed == 1)
            buf_str(b, "The likeliest one is listed");
        else {
            buf_str(b, "The ");
            text_count(b, a->label_listed);
            buf_str(b, " likeliest are listed");
        }
        if (v->count[DETECT_LABEL] > a->label_listed) {
            buf_str(b, ", of ");
            text_count(b, v->count[DETECT_LABEL]);
            buf_str(b, " that ");
            buf_str(b, judge);
            buf_str(b, " contradict");
        }
        buf_str(b, ". ");
    }
    if (tested_labels(a)) {
        buf_str(b, "Of ");
        self_labels(b, a);
        buf_str(b, ".");
    } else {
        buf_str(b, "No self-test was run: how many are missed is not known.");
    }
    end(out);
}

static void leakage_line(report_answer *out, const report_view *v) {
    const struct assay_audit *a = v->a;
    buf *b = &out->text;
    uint64_t tests = v->source.rows - a->train_rows;
    if (v->n_leaks == 0) {
        begin(out, TONE_CLEAR, "leakage");
        buf_str(b, "No test image was found in training.");
        detail(out);
        buf_str(b, "Looked for: exact and near copies, also mirrored, of ");
        text_counted(b, tests, "test image");
        buf_str(b, " among ");
        text_counted(b, a->train_rows, "training image");
        buf_str(b, ". ");
    } else {
        begin(out, TONE_FOUND, "leakage");
        text_counted(b, v->n_leaks, "test image");
        buf_str(b,
                v->n_leaks == 1 ? " also sits in training." : " also sit in training.");
        detail(out);
        uint64_t differ = 0, planted = 0;
        for (size_t i = 0; i < v->n_leaks; i++) {
            differ += v->leak[i]->labels_differ;
            planted += report_planted(v, v->leak[i]->row);
        }
        if (planted) {
            text_count(b, planted);
            buf_str(b,
                    planted == 1 ? " of them was planted. " : " of them were planted. ");
        }
        if (differ) {
            text_count(b, differ);
            buf_str(b, differ == 1 ? " carries another label there. "
                                   : " carry another label there. ");
        }
        if (!isnan(a->accuracy_without_leaks)) {
            buf_str(b, "Without them accuracy is ");
            text_percent(b, a->accuracy_without_leaks);
            buf_str(b, ". ");
        }
    }
    if (a->self_copies) {
        buf_str(b, "Of ");
        self_copies(b, a);
        buf_str(b, ".");
    } else {
        buf_str(b, "No self-test was run: how many are missed is not known.");
    }
    end(out);
}

static void copy_line(report_answer *out, const report_view *v) {
    buf *b = &out->text;
    if (v->n_copies == 0) {
        begin(out, TONE_CLEAR, "copies");
        buf_str(b, "No copies were found within training or within test.");
        detail(out);
        buf_str(
            b,
            "Looked for: equal pixels, and near copies that are far more alike than any "
            "other image.");
        end(out);
        return;
    }
    uint64_t exact = 0, differ = 0;
    for (size_t i = 0; i < v->n_copies; i++)
        exact += v->copy[i]->kind == DETECT_COPY_EXACT;
    for (size_t i = 0; i < v->n_groups; i++)
        differ += v->group[i].labels_differ;
    begin(out, TONE_FOUND, "copies");
    text_count(b, v->n_copies);
    buf_str(b,
            v->n_copies == 1 ? " image is an extra copy." : " images are extra copies.");
    detail(out);
    text_count(b, exact);
    buf_str(b, " exact, ");
    text_count(b, v->n_copies - exact);
    buf_str(b, " near, in ");
    text_counted(b, v->n_groups, "group");
    if (differ) {
        buf_str(b, "; in ");
        text_count(b, differ);
        buf_str(b, " the labels differ");
    }
    buf_str(b, ".");
    end(out);
}

static void file_line(report_answer *out, const report_view *v) {
    buf *b = &out->text;
    if (v->source.skipped == 0)
        return;
    begin(out, TONE_FOUND, "files");
    text_counted(b, v->source.skipped, "file");
    buf_str(b, " could not be read.");
    detail(out);
    buf_str(b, "Left out of everything below; named in issues.csv.");
    end(out);
}

static void accuracy_line(report_answer *out, const report_view *v) {
    const struct assay_audit *a = v->a;
    buf *b = &out->text;
    if (v->source.rows == a->train_rows) {
        begin(out, TONE_UNKNOWN, "errors");
        buf_str(b, "Accuracy is not known: there are no test images.");
        end(out);
        return;
    }
    begin(out, TONE_PLAIN, "errors");
    buf_str(b, "Accuracy ");
    text_percent(b, a->accuracy_single);
    buf_str(b, " for one model, ");
    text_percent(b, a->accuracy_ensemble);
    buf_fmt(b, " for %d together.", a->members);
    detail(out);
    text_counted(b, v->source.rows - a->train_rows, "test image");
    buf_str(b, ", ");
    text_count(b, a->n_errors);
    buf_str(b, " answered wrongly.");
    end(out);
}

static void plant_line(report_answer *out, const audit_plant *p) {
    buf *b = &out->text;
    begin(out, TONE_PLAIN, "made");
    buf_str(b, "Planted ");
    buf_str(b, p->kind);
    buf_str(b, ": ");
    text_count(b, p->count);
    if (!isnan(p->recall)) {
        buf_str(b, ", of which ");
        text_percent(b, p->recall);
        buf_str(b, " were found");
    }
    buf_str(b, ".");
    detail(out);
    if (!isnan(p->auroc)) {
        buf_str(b, "AUROC ");
        text_fixed(b, p->auroc, 4);
        buf_str(b, " (plain 1 - p: ");
        text_fixed(b, p->auroc_plain, 4);
        buf_str(b, "). ");
    }
    if (!isnan(p->precision_at_count)) {
        buf_str(b, "Of the ");
        text_count(b, p->count);
        buf_str(b, " top-ranked, ");
        text_percent(b, p->precision_at_count);
        buf_str(b, " were planted (plain: ");
        text_percent(b, p->precision_plain);
        buf_str(b, "). ");
    }
    text_count(b, p->unplanted);
    buf_str(b, " reported that were not planted.");
    end(out);
}

assay_status report_answer_make(report_answer *out, const report_view *v) {
    *out = (report_answer){.text = buf_make(v->ctx)};
    label_line(out, v);
    leakage_line(out, v);
    copy_line(out, v);
    file_line(out, v);
    accuracy_line(out, v);
    for (int i = 0; i < v->a->n_plant; i++)
        plant_line(out, &v->a->plant[i]);
    assay_status status = buf_check(&out->text);
    if (status != ASSAY_OK)
        report_answer_free(out);
    return status;
}

void report_answer_free(report_answer *a) {
    buf_free(&a->text);
    a->n = 0;
}

/* Words onto lines of at most `width` columns; lines after the first are indented. */
static void wrap(buf *b, const char *text, size_t *column, size_t width) {
    while (*text) {
        size_t word = strcspn(text, " ");
        /* "91.2 %" stays whole */
        if (text[word] == ' ' && text[word + 1] == '%')
            word += 1 + strcspn(text + word + 1, " ");
        if (word && *column > 0 && *column + 1 + word > width) {
            buf_str(b, "\n  ");
            *column = 2;
        } else if (word && *column > 0) {
            buf_str(b, " ");
            ++*column;
        }
        buf_add(b, text, word);
        *column += word;
        text += word;
        text += strspn(text, " ");
    }
}

void report_answer_text(buf *b, const report_answer *a) {
    for (int i = 0; i < a->n; i++) {
        size_t column = 0;
        wrap(b, a->text.data + a->line[i].head, &column, 78);
        wrap(b, a->text.data + a->line[i].detail, &column, 78);
        buf_str(b, "\n");
    }
}
