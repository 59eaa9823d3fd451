/* Phases: their keys, their clock, and the arrays they leave behind. */
#include "audit/run.h"

#include "base/os.h"
#include "file/atomic.h"
#include "file/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[PHASE_COUNT] = {
    "import", "pixels", "training", "predicting", "gradients", "attribution", "checks",
};

const char *phase_name(enum audit_phase phase) {
    return names[phase];
}

void phase_begin(audit_run *r, enum audit_phase phase) {
    progress_phase(r->ctx, (int)phase + 1, PHASE_COUNT);
    r->phase_ns = os_now_ns();
    r->phase_cpu_ns = os_cpu_ns();
}

void phase_end(audit_run *r, enum audit_phase phase) {
    r->seconds[phase] += (double)(os_now_ns() - r->phase_ns) * 1e-9;
    r->cpu[phase] += (double)(os_cpu_ns() - r->phase_cpu_ns) * 1e-9;
    os_sample_memory();
}

hash_sha256 phase_key_begin(const char *name, const char *parent) {
    hash_sha256 h;
    hash_sha256_init(&h);
    hash_sha256_str(&h, assay_version());
    hash_sha256_str(&h, assay_isa_name());
    hash_sha256_str(&h, name);
    hash_sha256_str(&h, parent);
    return h;
}

void phase_key_end(hash_sha256 *h, char out[65]) {
    uint8_t digest[32];
    hash_sha256_end(h, digest);
    hash_hex(out, digest);
}

void audit_file(const audit_run *r, char out[AUDIT_PATH], const char *fmt, ...) {
    int n = snprintf(out, AUDIT_PATH, "%s/", r->out);
    if (n < 0 || n >= AUDIT_PATH)
        n = 0;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out + n, (size_t)(AUDIT_PATH - n), fmt, ap);
    va_end(ap);
}

/* ---- times ---- */

assay_status phase_timing_write(const audit_run *r) {
    assay_status status = ASSAY_OK;
    char path[AUDIT_PATH];
    uint8_t *text = NULL;
    size_t bytes = 0;
    json_doc *old = NULL;
    buf b = buf_make(r->ctx);
    audit_file(r, path, "run/timing.json");
    /* Times of earlier, interrupted runs of the same audit are kept: a phase's cost is
     * what it took in all. A file that can't be read starts anew. */
    const json_val *root = NULL;
    if (os_exists(path) &&
        os_read_file(r->ctx, path, 1 << 20, &text, &bytes) == ASSAY_OK &&
        json_parse(&old, r->ctx, (const char *)text, bytes) == ASSAY_OK) {
        const json_val *candidate = json_root(old);
        const char *key = json_get_str(json_get(candidate, "audit"), "");
        if (strcmp(key, r->a->key) == 0)
            root = candidate;
    }
    const json_val *before = json_get(root, "seconds");
    json_out j = json_out_make(&b, 2);
    double total = 0, cpu = json_get_num(json_get(root, "cpu_seconds"), 0);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.timing/1");
    json_kstr(&j, "audit", r->a->key);
    json_key(&j, "seconds");
    json_obj(&j);
    for (int p = 0; p < PHASE_COUNT; p++) {
        double s = r->seconds[p] + json_get_num(json_get(before, names[p]), 0);
        json_knum(&j, names[p], s);
        total += s;
        cpu += r->cpu[p];
    }
    json_knum(&j, "total", total);
    json_obj_end(&j);
    json_knum(&j, "cpu_seconds", cpu);
    uint64_t peak = assay_peak_bytes();
    uint64_t peak_before = (uint64_t)json_get_num(json_get(root, "peak_bytes"), 0);
    json_kint(&j, "peak_bytes", (int64_t)(peak > peak_before ? peak : peak_before));
    json_kint(&j, "threads", assay_ctx_threads(r->ctx));
    json_obj_end(&j);
    buf_str(&b, "\n");
    ASSAY_TRY(buf_check(&b));
    ASSAY_TRY(atomic_put(r->ctx, path, b.data, b.len));
done:
    json_doc_destroy(old);
    mem_free(r->ctx, text);
    buf_free(&b);
    return status;
}

/* ---- arrays under a key ---- */

static size_t item_bytes(const cache_item *it) {
    size_t n = assay_dtype_size(it->dtype);
    for (int d = 0; d < it->ndim; d++)
        n *= (size_t)it->dim[d];
    return n;
}

static bool same_shape(const st_tensor *t, const cache_item *it) {
    if (t->dtype != it->dtype || t->ndim != it->ndim)
        return false;
    for (int d = 0; d < it->ndim; d++)
        if (t->dim[d] != it->dim[d])
            return false;
    return t->bytes == item_bytes(it);
}

assay_status cache_load(const audit_run *r,
                        const char *path,
                        const char *key,
                        const cache_item *items,
                        size_t n,
                        bool *hit) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    *hit = false;
    if (r->opt.no_resume || !os_exists(path))
        return ASSAY_OK;
    if (st_open(&f, r->ctx, path) != ASSAY_OK) {
        log_line(r->ctx, ASSAY_LOG_WARN, "%s is damaged and is made again", path);
        return ASSAY_OK;
    }
    const char *have = st_metadata(f, "key");
    if (have == NULL || strcmp(have, key) != 0)
        goto done;
    for (size_t i = 0; i < n; i++) {
        st_tensor t;
        if (st_find(f, items[i].name, &t) != ASSAY_OK || !same_shape(&t, &items[i]))
            goto done;
    }
    for (size_t i = 0; i < n; i++) {
        st_tensor t;
        ASSAY_TRY(st_find(f, items[i].name, &t));
        if (t.bytes)
            memcpy(items[i].data, t.data, t.bytes);
    }
    *hit = true;
done:
    st_close(f);
    return status;
}

assay_status cache_save(const audit_run *r,
                        const char *path,
                        const char *key,
                        const cache_item *items,
                        size_t n) {
    assay_status status = ASSAY_OK;
    st_tensor *t = NULL;
    ASSAY_TRY(mem_new(r->ctx, &t, n, sizeof *t));
    for (size_t i = 0; i < n; i++) {
        t[i].name = items[i].name;
        t[i].dtype = items[i].dtype;
        t[i].ndim = items[i].ndim;
        for (int d = 0; d < items[i].ndim; d++)
            t[i].dim[d] = items[i].dim[d];
        t[i].data = items[i].data;
        t[i].bytes = item_bytes(&items[i]);
    }
    const st_pair meta[] = {{"key", key}};
    ASSAY_TRY(st_put(r->ctx, path, t, n, meta, 1));
done:
    mem_free(r->ctx, t);
    return status;
}
