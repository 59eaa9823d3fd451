/* Matching names in both directions first, so that the message is about the whole file;
 * then one tensor after the other. */
#include "nn/state_dict.h"

#include "base/le.h"
#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LISTED = 4, LIST_BYTES = 320 };

/* The first names of several, and how many there are. */
typedef struct name_list {
    char text[LIST_BYTES];
    size_t used;
    int count;
} name_list;

static void list_add(name_list *l, const char *name) {
    if (l->count < LISTED) {
        int n = snprintf(l->text + l->used, sizeof l->text - l->used, "%s%.64s",
                         l->count ? ", " : "", name);
        l->used += (size_t)n;
    } else if (l->count == LISTED) {
        (void)snprintf(l->text + l->used, sizeof l->text - l->used, ", ...");
    }
    l->count++;
}

static bool counts_batches(const char *name) {
    static const char tail[] = "num_batches_tracked";
    size_t n = strlen(name), m = sizeof tail - 1;
    return n >= m && strcmp(name + n - m, tail) == 0;
}

static const st_tensor *find(const st_file *f, const char *name, st_tensor *room) {
    for (size_t i = 0; i < st_count(f); i++) {
        *room = st_at(f, i);
        if (strcmp(room->name, name) == 0)
            return room;
    }
    return NULL;
}

static size_t state_count(const nn_graph *g) {
    return nn_graph_param_count(g) + nn_graph_buffer_count(g);
}

/* Parameters first, then buffers; *to is where it lies. */
static nn_param_info
state_at(const nn_graph *g, const nn_weights *w, size_t i, float **to) {
    size_t params = nn_graph_param_count(g);
    nn_param_info p =
        i < params ? nn_graph_param_at(g, i) : nn_graph_buffer_at(g, i - params);
    *to = (i < params ? w->params : w->buffers) + p.offset;
    return p;
}

static assay_status
check_names(const st_file *f, const nn_graph *g, const nn_weights *w) {
    name_list missing = {.count = 0}, extra = {.count = 0};
    st_tensor t;
    float *to;
    for (size_t i = 0; i < state_count(g); i++) {
        nn_param_info p = state_at(g, w, i, &to);
        if (!find(f, p.name, &t))
            list_add(&missing, p.name);
    }
    for (size_t i = 0; i < st_count(f); i++) {
        const char *name = st_at(f, i).name;
        bool known = counts_batches(name);
        for (size_t k = 0; !known && k < state_count(g); k++)
            known = strcmp(state_at(g, w, k, &to).name, name) == 0;
        if (!known)
            list_add(&extra, name);
    }
    if (missing.count) {
        (void)err_set(ASSAY_E_NOTFOUND, "%d of the model's tensors are missing: %s",
                      missing.count, missing.text);
        if (extra.count)
            err_help("tensors that the model does not have: %s", extra.text);
        return ASSAY_E_NOTFOUND;
    }
    if (extra.count)
        return err_set(ASSAY_E_INVALID, "%d tensors are not the model's: %s", extra.count,
                       extra.text);
    return ASSAY_OK;
}

static const char *tensor_shape_text(const st_tensor *t, char out[128]) {
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < t->ndim && used < 100; i++)
        used += (size_t)snprintf(out + used, 128 - used, "%s%lld", i ? "," : "",
                                 (long long)t->dim[i]);
    return out;
}

static assay_status check_tensor(const st_tensor *t, const nn_param_info *p) {
    if (t->dtype != ASSAY_F32 && t->dtype != ASSAY_F64 && t->dtype != ASSAY_F16 &&
        t->dtype != ASSAY_BF16)
        return err_set(ASSAY_E_DTYPE, "tensor '%s' is %s, not f32, f64, f16 or bf16",
                       p->name, assay_dtype_name(t->dtype));
    bool same = t->ndim == p->shape.ndim;
    for (int i = 0; same && i < t->ndim; i++)
        same = t->dim[i] == p->shape.dim[i];
    if (same && t->bytes == p->count * assay_dtype_size(t->dtype))
        return ASSAY_OK;
    st_tensor want = {.ndim = p->shape.ndim};
    memcpy(want.dim, p->shape.dim, sizeof want.dim);
    char have_text[128], want_text[128];
    return err_set(ASSAY_E_SHAPE, "tensor '%s' is [%s], the model's is [%s]", p->name,
                   tensor_shape_text(t, have_text), tensor_shape_text(&want, want_text));
}

static float element(const st_tensor *t, size_t i) {
    const uint8_t *at = (const uint8_t *)t->data + i * assay_dtype_size(t->dtype);
    float v;
    switch (t->dtype) {
    case ASSAY_F64:
        return (float)le_f64_get(at);
    case ASSAY_F16:
        return ten_from_f16(le16_get(at));
    case ASSAY_BF16:
        return ten_from_bf16(le16_get(at));
    default:
        memcpy(&v, at, sizeof v);
        return v;
    }
}

assay_status state_dict_fill(const st_tensor *t, const nn_param_info *p, float *to) {
    assay_status status = check_tensor(t, p);
    for (size_t k = 0; status == ASSAY_OK && k < p->count; k++) {
        to[k] = element(t, k);
        if (!isfinite(to[k]))
            status =
                err_set(ASSAY_E_NUMERIC,
                        "tensor '%s' holds a number that is not finite in f32", p->name);
    }
    return status;
}

assay_status state_dict_read(const st_file *f, const nn_graph *g, nn_weights *w) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(check_names(f, g, w));
    for (size_t i = 0; i < state_count(g); i++) {
        st_tensor t;
        float *to;
        nn_param_info p = state_at(g, w, i, &to);
        ASSAY_TRY(st_find(f, p.name, &t));
        ASSAY_TRY(state_dict_fill(&t, &p, to));
    }
done:
    return status;
}

assay_status
state_dict_load(assay_ctx *ctx, const char *path, const nn_graph *g, nn_weights *w) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    ASSAY_TRY(st_open(&f, ctx, path));
    ASSAY_TRY_AT(state_dict_read(f, g, w), "%s", path);
done:
    st_close(f);
    return status;
}
