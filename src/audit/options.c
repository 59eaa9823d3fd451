/* What an audit was asked to do: checked, written down, read back. */
#include "audit/run.h"

#include "base/options.h"
#include "base/os.h"
#include "file/atomic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

assay_status options_check(const assay_audit_options *in, assay_audit_options *out) {
    assay_status status = ASSAY_OK;
    *out = (assay_audit_options)ASSAY_AUDIT_OPTIONS_INIT;
    ASSAY_TRY(options_take(out, sizeof *out, in, "audit"));
    if (!out->members)
        out->members = 6;
    if (!out->sketch)
        out->sketch = 512;
    if (!(out->ridge > 0))
        out->ridge = 1;
    if (out->members < 3 || out->members > 60 || out->members % 3) {
        err_set(ASSAY_E_INVALID, "%d members can't share the rows evenly", out->members);
        err_help("take 3, 6, 9, ... up to 60: each row is left out by a third of them");
        return ASSAY_E_INVALID;
    }
    if (out->sketch < 16 || out->sketch > 16384)
        ASSAY_FAIL(ASSAY_E_INVALID, "a sketch of %d numbers; 16 to 16384 are possible",
                   out->sketch);
    if (out->ridge > 1e6)
        ASSAY_FAIL(ASSAY_E_INVALID, "a ridge of %g; it is relative, and around 1",
                   out->ridge);
    if (out->limit < 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "a negative limit");
done:
    return status;
}

assay_status options_save(const audit_run *r) {
    assay_status status = ASSAY_OK;
    const assay_audit_options *o = &r->opt;
    char path[AUDIT_PATH];
    buf b = buf_make(r->ctx);
    json_out j = json_out_make(&b, 2);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.audit.options/1");
    json_kstr(&j, "title", r->a->title);
    json_kstr(&j, "audit", r->a->key);
    json_kstr(&j, "dataset", r->a->sha256);
    json_kint(&j, "members", o->members);
    json_kstr(&j, "model", o->model ? o->model : "");
    json_kint(&j, "train_size", o->train_size);
    json_kint(&j, "epochs", o->epochs);
    json_kint(&j, "batch", o->batch);
    json_knum(&j, "lr", o->lr);
    json_kint(&j, "flip", o->flip);
    json_kint(&j, "translate", o->translate);
    json_kint(&j, "sketch", o->sketch);
    json_knum(&j, "ridge", o->ridge);
    json_kstr(&j, "pred_probs", o->pred_probs ? o->pred_probs : "");
    json_kstr(&j, "exclude", o->exclude ? o->exclude : "");
    json_kstr(&j, "from", o->from ? o->from : "");
    json_kint(&j, "limit", o->limit);
    json_kbool(&j, "self_test", !o->no_self_test);
    /* A seed is 64 bits wide; JSON numbers are not. */
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    json_kstr(&j, "seed", seed);
    json_key(&j, "plant");
    json_arr(&j);
    for (size_t i = 0; o->plant && o->plant[i]; i++)
        json_str(&j, o->plant[i]);
    json_arr_end(&j);
    json_obj_end(&j);
    buf_str(&b, "\n");
    ASSAY_TRY(buf_check(&b));
    audit_file(r, path, "run/options.json");
    ASSAY_TRY(atomic_put(r->ctx, path, b.data, b.len));
done:
    buf_free(&b);
    return status;
}

static const char *text_or_null(const json_val *v) {
    const char *s = json_get_str(v, "");
    return *s ? s : NULL;
}

assay_status options_load(options_saved *out, assay_ctx *ctx, const char *folder) {
    assay_status status = ASSAY_OK;
    char path[AUDIT_PATH];
    uint8_t *text = NULL;
    size_t bytes = 0;
    memset(out, 0, sizeof *out);
    int n = snprintf(path, sizeof path, "%s/run/options.json", folder);
    if (n < 0 || (size_t)n >= sizeof path)
        ASSAY_FAIL(ASSAY_E_INVALID, "a path of more than %d bytes", AUDIT_PATH);
    ASSAY_TRY(os_read_file(ctx, path, 1 << 20, &text, &bytes));
    ASSAY_TRY_AT(json_parse(&out->doc, ctx, (const char *)text, bytes), "%s", path);
    const json_val *v = json_root(out->doc);
    assay_audit_options *o = &out->opt;
    *o = (assay_audit_options)ASSAY_AUDIT_OPTIONS_INIT;
    out->title = json_get_str(json_get(v, "title"), "");
    o->members = (int)json_get_int(json_get(v, "members"), 0);
    o->model = text_or_null(json_get(v, "model"));
    o->train_size = (int)json_get_int(json_get(v, "train_size"), 0);
    o->epochs = (int)json_get_int(json_get(v, "epochs"), 0);
    o->batch = (int)json_get_int(json_get(v, "batch"), 0);
    o->lr = json_get_num(json_get(v, "lr"), 0);
    o->flip = (int)json_get_int(json_get(v, "flip"), -1);
    o->translate = (int)json_get_int(json_get(v, "translate"), -1);
    o->sketch = (int)json_get_int(json_get(v, "sketch"), 0);
    o->ridge = json_get_num(json_get(v, "ridge"), 0);
    o->pred_probs = text_or_null(json_get(v, "pred_probs"));
    o->exclude = text_or_null(json_get(v, "exclude"));
    o->from = text_or_null(json_get(v, "from"));
    o->limit = json_get_int(json_get(v, "limit"), 0);
    o->no_self_test = !json_get_bool(json_get(v, "self_test"), true);
    const char *seed = json_get_str(json_get(v, "seed"), "0");
    for (; *seed >= '0' && *seed <= '9'; seed++)
        o->seed = o->seed * 10 + (uint64_t)(*seed - '0');
    const json_val *plant = json_get(v, "plant");
    for (size_t i = 0; i < json_len(plant) && i < 8; i++)
        out->plant[i] = json_get_str(json_at(plant, i), "");
    if (json_len(plant))
        o->plant = out->plant;
done:
    mem_free(ctx, text);
    if (status != ASSAY_OK)
        options_free(out);
    return status;
}

void options_free(options_saved *s) {
    json_doc_destroy(s->doc);
    memset(s, 0, sizeof *s);
}
