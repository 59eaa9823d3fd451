/* audit.json: the audit's figures under names that stay. No times: those are in
 * run/timing.json. */
#include "report/write.h"

#include "base/json.h"

#include <math.h>

size_t report_thresholds(const report_view *v, report_threshold out[8]) {
    size_t n = 0;
    const struct assay_audit *a = v->a;
    out[n++] = (report_threshold){"copy_similarity", "near copy: correlation at least",
                                  DETECT_COPY_SIMILARITY};
    out[n++] = (report_threshold){
        "copy_ratio", "near copy: (1 - c1) / (1 - c2) to the next neighbour, at most",
        DETECT_COPY_RATIO};
    if (a->label_check && a->label_listed > 0 &&
        v->count[DETECT_LABEL] >= a->label_listed)
        out[n++] = (report_threshold){
            "label_score", "label: lowest score listed",
            (double)a->findings.item[v->first[DETECT_LABEL] + a->label_listed - 1].score};
    out[n++] =
        (report_threshold){"min_rows_per_class", "label: rows a class needs to be judged",
                           (double)a->min_rows_per_class};
    return n;
}

static void ku64(json_out *j, const char *key, uint64_t v) {
    json_key(j, key);
    json_u64(j, v);
}

static void dataset_part(json_out *j, const report_view *v) {
    const struct assay_audit *a = v->a;
    json_key(j, "dataset");
    json_obj(j);
    json_kstr(j, "title", a->title);
    json_kstr(j, "sha256", a->sha256);
    ku64(j, "rows", v->source.rows);
    ku64(j, "train_rows", a->train_rows);
    ku64(j, "test_rows", v->source.rows - a->train_rows);
    ku64(j, "planted_rows", a->planted_rows);
    json_kint(j, "size", a->size);
    json_kint(j, "channels", a->channels);
    json_obj_end(j);
}

static void accuracy_part(json_out *j, const struct assay_audit *a) {
    json_key(j, "accuracy");
    json_obj(j);
    json_knum(j, "single", a->accuracy_single);
    json_knum(j, "ensemble", a->accuracy_ensemble);
    json_knum(j, "without_leaks", a->accuracy_without_leaks);
    json_key(j, "members");
    json_arr(j);
    for (int i = 0; i < a->members && i < 64; i++)
        json_num(j, a->accuracy_single_members[i]);
    json_arr_end(j);
    json_obj_end(j);
}

static void count_part(json_out *j, const report_view *v) {
    const assay_audit_counts *c = &v->a->counts;
    json_key(j, "counts");
    json_obj(j);
    ku64(j, "label", c->label);
    ku64(j, "leakage", c->leakage);
    ku64(j, "copy_exact", c->copy_exact);
    ku64(j, "copy_near", c->copy_near);
    ku64(j, "corrupt", c->corrupt);
    ku64(j, "leakage_maybe", v->maybe_leaks);
    ku64(j, "copy_near_maybe", v->maybe_copies);
    ku64(j, "test_errors", v->a->n_errors);
    json_obj_end(j);
}

static void label_part(json_out *j, const report_view *v) {
    const struct assay_audit *a = v->a;
    json_key(j, "labels");
    json_obj(j);
    json_kbool(j, "checked", a->label_check);
    if (!a->label_check)
        json_kstr(j, "note", a->label_note);
    json_knum(j, "estimate", a->label_check ? a->label_count : NAN);
    ku64(j, "listed", a->label_listed);
    ku64(j, "contradicted", v->count[DETECT_LABEL]);
    json_kbool(j, "own_probs", a->own_probs);
    json_obj_end(j);
}

static void test_part(json_out *j, const struct assay_audit *a) {
    json_key(j, "self_test");
    json_obj(j);
    ku64(j, "labels", a->self_labels);
    ku64(j, "labels_found", a->self_labels_found);
    ku64(j, "copies", a->self_copies);
    ku64(j, "copies_found", a->self_copies_found);
    json_obj_end(j);
    json_key(j, "planted");
    json_arr(j);
    for (int i = 0; i < a->n_plant; i++) {
        const audit_plant *p = &a->plant[i];
        json_obj(j);
        json_kstr(j, "kind", p->kind);
        ku64(j, "count", p->count);
        json_knum(j, "auroc", p->auroc);
        json_knum(j, "auroc_plain", p->auroc_plain);
        json_knum(j, "precision_at_count", p->precision_at_count);
        json_knum(j, "precision_plain", p->precision_plain);
        json_knum(j, "recall", p->recall);
        ku64(j, "unplanted", p->unplanted);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static void trust_part(json_out *j, const struct assay_audit *a) {
    json_key(j, "trust");
    if (!a->attribution) {
        json_none(j);
        return;
    }
    json_obj(j);
    json_knum(j, "correlation", a->trust.correlation);
    json_knum(j, "low", a->trust.low);
    json_knum(j, "high", a->trust.high);
    json_knum(j, "slope", a->trust.slope);
    json_obj_end(j);
}

static void class_part(json_out *j, const report_view *v) {
    const struct assay_audit *a = v->a;
    size_t k = (size_t)a->classes;
    report_name name;
    json_key(j, "classes");
    json_arr(j);
    for (size_t c = 0; c < k; c++) {
        json_obj(j);
        json_kstr(j, "name", report_class(v, (int)c, name));
        ku64(j, "train", v->class_train[c]);
        ku64(j, "test", v->class_test[c]);
        json_knum(j, "accuracy",
                  v->class_test[c] ? (double)v->class_right[c] / (double)v->class_test[c]
                                   : NAN);
        json_obj_end(j);
    }
    json_arr_end(j);
    if (!a->confusion)
        return;
    json_key(j, "confusion"); /* [given][predicted] over test rows */
    json_arr(j);
    for (size_t c = 0; c < k; c++) {
        json_arr(j);
        for (size_t said = 0; said < k; said++)
            json_u64(j, a->confusion[c * k + said]);
        json_arr_end(j);
    }
    json_arr_end(j);
}

void report_json(buf *b, const report_view *v) {
    const struct assay_audit *a = v->a;
    json_out j = json_out_make(b, 1);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.audit/1");
    json_kstr(&j, "version", assay_version());
    json_kstr(&j, "key", a->key);
    dataset_part(&j, v);
    accuracy_part(&j, a);
    count_part(&j, v);
    label_part(&j, v);
    test_part(&j, a);
    json_kbool(&j, "attribution", a->attribution);
    trust_part(&j, a);
    report_threshold t[8];
    size_t n = report_thresholds(v, t);
    json_key(&j, "thresholds");
    json_obj(&j);
    for (size_t i = 0; i < n; i++)
        json_knum(&j, t[i].name, t[i].value);
    json_obj_end(&j);
    json_key(&j, "seed");
    json_u64(&j, a->seed);
    json_kint(&j, "members", a->members);
    json_kbool(&j, "flip", a->flip);
    json_kstr(&j, "isa", a->isa);
    json_kstr(&j, "recipe", a->recipe);
    json_kstr(&j, "options", a->options_text);
    class_part(&j, v);
    json_obj_end(&j);
    buf_str(b, "\n");
}
