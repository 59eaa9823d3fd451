/* Influences on one test row, from the stores of an audit that has run (or runs now). */
#include "audit/run.h"

#include "base/os.h"

#include <math.h>
#include <string.h>

static void
put_row(const audit_run *r, json_out *j, uint32_t row, float effect, float score) {
    const struct assay_audit *a = r->a;
    json_obj(j);
    json_kint(j, "row", row);
    json_kstr(j, "id", dataset_id(a->data, row));
    json_kstr(j, "label", dataset_class_name(a->data, r->labels[row]));
    json_knum(j, "effect", effect);
    json_knum(j, "score", score);
    json_kbool(j, "flagged", a->label_filter && a->label_filter[row]);
    json_obj_end(j);
}

static void put_side(const audit_run *r,
                     json_out *j,
                     const char *name,
                     const att_top *list,
                     int top,
                     int want,
                     int sign,
                     float margin) {
    double slope = r->a->trust.slope > 0 ? r->a->trust.slope : 1;
    double whole = fabs((double)margin) > 1e-3 ? fabs((double)margin) : 1e-3;
    int put = 0;
    json_key(j, name);
    json_arr(j);
    for (int i = 0; i < top && put < want; i++) {
        if (!((double)list[i].score * sign > 0))
            break;
        if (r->self_label[list[i].row])
            continue;
        put_row(r, j, list[i].row, (float)(slope * (double)list[i].score / whole),
                list[i].score);
        put++;
    }
    json_arr_end(j);
}

static assay_status write_why(audit_run *r, uint32_t row, int top, buf *b) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    att_top *list = NULL;
    audit_test_error e;
    /* Rows spoiled by the self-test are left out, so a few more are asked for. */
    int ask = top + top / 4 + 16;
    ask = (uint64_t)ask > a->train_rows ? (int)a->train_rows : ask;
    ASSAY_TRY(mem_new(r->ctx, &list, 2 * (size_t)ask, sizeof *list));
    ASSAY_TRY(influence_open(r));
    ASSAY_TRY(influence_row(r, row, ask, &e, list));
    json_out j = json_out_make(b, 2);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.why/1");
    json_kstr(&j, "dataset", a->sha256);
    json_kint(&j, "test", (int64_t)(row - a->train_rows));
    json_kint(&j, "row", row);
    json_kstr(&j, "id", dataset_id(a->data, row));
    json_kstr(&j, "label", dataset_class_name(a->data, e.given));
    json_kstr(&j, "predicted", dataset_class_name(a->data, e.predicted));
    json_knum(&j, "p_label", e.p_given);
    json_knum(&j, "p_predicted", e.p_predicted);
    json_knum(&j, "margin", e.margin);
    json_key(&j, "trust");
    json_obj(&j);
    json_knum(&j, "correlation", a->trust.correlation);
    json_knum(&j, "low", a->trust.low);
    json_knum(&j, "high", a->trust.high);
    json_obj_end(&j);
    if (e.removal)
        json_kint(&j, "removal_flips_after", e.removal);
    put_side(r, &j, "for", list, ask, top, 1, e.margin);
    put_side(r, &j, "against", list + ask, ask, top, -1, e.margin);
    json_obj_end(&j);
    ASSAY_TRY(buf_check(b));
done:
    mem_free(r->ctx, list);
    return status;
}

assay_status assay_why(assay_ctx *ctx,
                       const char *source,
                       const char *out,
                       const assay_audit_options *options,
                       int64_t test,
                       int top,
                       char **json) {
    assay_status status = ASSAY_OK;
    audit_run r = {0};
    options_saved saved = {0};
    buf b = buf_make(ctx);
    *json = NULL;
    if (top < 1 || top > 1000)
        ASSAY_FAIL(ASSAY_E_INVALID, "top %d; 1 to 1000 are possible", top);
    /* An audit that is there answers for the options it was made with. */
    bool there = options_load(&saved, ctx, out) == ASSAY_OK;
    ASSAY_TRY(audit_run_open(&r, ctx, source, out, there ? &saved.opt : options));
    ASSAY_TRY(audit_phases(&r, PHASE_CHECKS));
    if (test < 0 || (uint64_t)test >= r.base_rows - r.a->train_rows) {
        err_set(ASSAY_E_NOTFOUND, "there is no test row %lld", (long long)test);
        err_help("this dataset has test rows 0 to %llu",
                 (unsigned long long)(r.base_rows - r.a->train_rows - 1));
        status = ASSAY_E_NOTFOUND;
        goto done;
    }
    ASSAY_TRY(write_why(&r, (uint32_t)(r.a->train_rows + (uint64_t)test), top, &b));
    ASSAY_TRY(mem_strdup(ctx, json, b.data));
done:
    audit_run_close(&r, false);
    options_free(&saved);
    buf_free(&b);
    return status;
}
