/* The tables: every finding and every cause, uncapped, for other programs and for
 * spreadsheets. Lines end in \n; quoting is RFC 4180's. `row` is the sample id in the
 * .beton. */
#include "report/write.h"

#include "base/json.h"
#include "report/text.h"

#include <string.h>

static void field_u64(buf *b, uint64_t v) {
    buf_fmt(b, "%llu", (unsigned long long)v);
}

static void comma(buf *b) {
    buf_add(b, ",", 1);
}

/* What a file that could not be read is called. */
static void skipped(const report_view *v,
                    const detect_finding *f,
                    const char **split,
                    const char **id,
                    const char **reason) {
    *split = *id = *reason = "";
    if (v->source.skipped_at && f->other < v->source.skipped)
        v->source.skipped_at(v->source.cookie, f->other, split, id, reason);
}

static bool in_file(const report_view *v, const detect_finding *f) {
    return f->row < v->a->rows;
}

/* Of copies the likely label is the other picture's, where it differs. */
static int likely_of(const report_view *v, const detect_finding *f) {
    if (f->likely >= 0)
        return f->likely;
    bool pair = f->kind == DETECT_LEAKAGE || f->kind == DETECT_COPY_EXACT ||
                f->kind == DETECT_COPY_NEAR;
    return pair && f->labels_differ ? report_label(v, f->other) : -1;
}

void report_issues_csv(buf *b, const report_view *v) {
    buf_str(b, "row,split,kind,score,given,likely,id\n");
    for (size_t i = 0; i < v->a->findings.count; i++) {
        const detect_finding *f = &v->a->findings.item[i];
        report_name name;
        const char *split, *id, *reason;
        if (in_file(v, f)) {
            field_u64(b, f->row);
            split = report_split(v, f->row);
        } else {
            skipped(v, f, &split, &id, &reason);
        }
        comma(b);
        text_csv(b, split);
        comma(b);
        buf_str(b, report_kind(f));
        comma(b);
        text_number(b, (double)f->score);
        comma(b);
        if (in_file(v, f))
            text_csv(b, report_class(v, report_label(v, f->row), name));
        comma(b);
        text_csv(b, report_class(v, likely_of(v, f), name));
        comma(b);
        text_csv(b, in_file(v, f) ? report_id(v, f->row, name) : id);
        buf_str(b, "\n");
    }
}

static void class_member(
    json_out *j, const report_view *v, const char *key, const char *index, int c) {
    report_name name;
    if (c < 0)
        return;
    json_kstr(j, key, report_class(v, c, name));
    json_kint(j, index, c);
}

void report_issues_jsonl(buf *b, const report_view *v) {
    for (size_t i = 0; i < v->a->findings.count; i++) {
        const detect_finding *f = &v->a->findings.item[i];
        report_name name;
        json_out j = json_out_make(b, 0);
        json_obj(&j);
        if (!in_file(v, f)) {
            const char *split, *id, *reason;
            skipped(v, f, &split, &id, &reason);
            json_key(&j, "row");
            json_none(&j);
            json_kstr(&j, "split", split);
            json_kstr(&j, "kind", report_kind(f));
            json_knum(&j, "score", (double)f->score);
            json_kstr(&j, "id", id);
            json_kstr(&j, "reason", reason);
            json_obj_end(&j);
            buf_str(b, "\n");
            continue;
        }
        json_kint(&j, "row", f->row);
        json_kstr(&j, "split", report_split(v, f->row));
        json_kstr(&j, "kind", report_kind(f));
        json_knum(&j, "score", (double)f->score);
        class_member(&j, v, "given", "given_class", report_label(v, f->row));
        class_member(&j, v, "likely", "likely_class", likely_of(v, f));
        json_kstr(&j, "id", report_id(v, f->row, name));
        if (f->kind == DETECT_LABEL)
            json_kbool(&j, "listed", i - v->first[DETECT_LABEL] < v->a->label_listed);
        if (f->kind != DETECT_LABEL && f->other != f->row) {
            json_kint(&j, "other", f->other);
            json_kstr(&j, "other_id", report_id(v, f->other, name));
            json_knum(&j, "similarity", (double)f->similarity);
            json_kint(&j, "group", f->group);
            json_kbool(&j, "exact", f->exact || f->kind == DETECT_COPY_EXACT);
            json_kbool(&j, "mirrored", f->mirrored);
            json_kbool(&j, "maybe", f->maybe);
            json_kbool(&j, "labels_differ", f->labels_differ);
        }
        if (report_planted(v, f->row))
            json_kbool(&j, "planted", true);
        json_obj_end(&j);
        buf_str(b, "\n");
    }
}

static void influence_line(buf *b,
                           const report_view *v,
                           const audit_test_error *e,
                           const char *direction,
                           uint32_t rank,
                           uint32_t row,
                           float effect) {
    report_name name;
    uint8_t flags = row < v->a->rows ? v->flags[row] : 0;
    field_u64(b, e->row);
    comma(b);
    buf_str(b, direction);
    comma(b);
    field_u64(b, rank);
    comma(b);
    field_u64(b, row);
    comma(b);
    text_number(b, (double)effect);
    comma(b);
    text_csv(b, report_class(v, e->given, name));
    comma(b);
    text_csv(b, report_class(v, e->predicted, name));
    comma(b);
    text_csv(b, report_class(v, report_label(v, row), name));
    comma(b);
    const char *separator = "";
    static const struct {
        uint8_t flag;
        const char *name;
    } said[] = {{FLAG_LABEL, "label"}, {FLAG_LEAKAGE, "leakage"}, {FLAG_COPY, "copy"}};
    for (size_t i = 0; i < 3; i++)
        if (flags & said[i].flag) {
            buf_str(b, separator);
            buf_str(b, said[i].name);
            separator = " ";
        }
    comma(b);
    text_csv(b, report_id(v, e->row, name));
    comma(b);
    text_csv(b, report_id(v, row, name));
    buf_str(b, "\n");
}

void report_influence_csv(buf *b, const report_view *v) {
    buf_str(b,
            "test_row,direction,rank,train_row,effect,given,predicted,train_given,flags,"
            "test_id,train_id\n");
    for (size_t i = 0; v->a->attribution && i < v->a->n_errors; i++) {
        const audit_test_error *e = &v->a->error[i];
        for (uint32_t k = 0; k < e->n_towards; k++)
            influence_line(b, v, e, "towards", k + 1, e->towards[k].row,
                           e->towards[k].effect);
        for (uint32_t k = 0; k < e->n_against; k++)
            influence_line(b, v, e, "against", k + 1, e->against[k].row,
                           e->against[k].effect);
    }
}

/* Only what needs no person to decide: exact extra copies. Files that could not be read
 * have no row to leave out; they are named in comments. */
void report_exclude(buf *b, const report_view *v) {
    report_name name;
    buf_fmt(b, "# assay-exclude 1  dataset=sha256:%s  rows=%llu\n", v->a->sha256,
            (unsigned long long)v->source.rows);
    buf_str(b, "row\tsplit\treason\tscore\tid\n");
    for (size_t i = 0; i < v->a->findings.count; i++) {
        const detect_finding *f = &v->a->findings.item[i];
        if (f->kind == DETECT_CORRUPT && !in_file(v, f)) {
            const char *split, *id, *reason;
            skipped(v, f, &split, &id, &reason);
            buf_str(b, "# corrupt\t");
            text_tsv(b, split);
            buf_str(b, "\t");
            text_tsv(b, id);
            buf_str(b, "\n");
        }
        bool copy = f->kind == DETECT_COPY_EXACT && f->row != f->other;
        if ((!copy && f->kind != DETECT_CORRUPT) || !in_file(v, f) ||
            report_planted(v, f->row))
            continue;
        buf_fmt(b, "%u\t%s\t%s\t", (unsigned)f->row, report_split(v, f->row),
                copy ? "copy" : "corrupt");
        text_fixed(b, (double)f->score, 2);
        buf_str(b, "\t");
        text_tsv(b, report_id(v, f->row, name));
        buf_str(b, "\n");
    }
}
