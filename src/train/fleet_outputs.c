/* Out of logits: margins, losses, hits. */
#include "train/fleet_outputs.h"

#include "train/run_dir.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct kind {
    const char *name;
    bool per_class; /* classes numbers for each row, else one */
    float (*of)(const float *z, int32_t label, int classes);
} kind;

/* log of the sum of exp(z) but z[skip]. */
static double log_sum(const float *z, int classes, int skip) {
    double top = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++)
        if (c != skip && (double)z[c] > top)
            top = (double)z[c];
    for (int c = 0; c < classes; c++)
        if (c != skip)
            sum += exp((double)z[c] - top);
    return top + log(sum);
}

/* log p / (1 - p) */
static float margin(const float *z, int32_t label, int classes) {
    return (float)((double)z[label] - log_sum(z, classes, label));
}

static float loss(const float *z, int32_t label, int classes) {
    return (float)(log_sum(z, classes, -1) - (double)z[label]);
}

static float correct(const float *z, int32_t label, int classes) {
    int best = 0;
    for (int c = 1; c < classes; c++)
        best = z[c] > z[best] ? c : best;
    return best == label ? 1.0F : 0.0F;
}

static const kind kinds[FLEET_OUTPUTS] = {{"margins", false, margin},
                                          {"logits", true, NULL},
                                          {"correct", false, correct},
                                          {"loss", false, loss}};

/* ---- names ---- */

static int kind_find(const char *name, size_t n) {
    for (int i = 0; i < FLEET_OUTPUTS; i++)
        if (strlen(kinds[i].name) == n && memcmp(kinds[i].name, name, n) == 0)
            return i;
    return -1;
}

static assay_status names_read(fleet_outputs *o, const char *names) {
    bool have[FLEET_OUTPUTS] = {false};
    for (const char *p = names;; p++) {
        size_t n = strcspn(p, ",");
        int k = kind_find(p, n);
        if (k < 0 || have[k]) {
            (void)err_set(ASSAY_E_INVALID, "outputs can't be \"%.80s\"", names);
            err_help("choose from margins, logits, correct, loss; with commas between");
            return ASSAY_E_INVALID;
        }
        have[k] = true;
        o->kind[o->n++] = k;
        p += n;
        if (!*p)
            return ASSAY_OK;
    }
}

assay_status fleet_outputs_check(const char *names) {
    fleet_outputs o = {0};
    return names_read(&o, names);
}

static size_t width(const fleet_outputs *o, int i) {
    return kinds[o->kind[i]].per_class ? o->shape.rows * (size_t)o->shape.classes
                                       : o->shape.rows;
}

/* ---- files ---- */

static void identity_make(char out[160], const fleet_outputs *o, int i) {
    (void)snprintf(out, 160, "%s of fleet %.100s", kinds[o->kind[i]].name, o->shape.key);
}

static bool fits(const fleet_outputs *o, int i, const char *identity) {
    const row_store *s = o->store[i];
    return strcmp(store_identity(s), identity) == 0 &&
           store_rows(s) == (int64_t)o->shape.models &&
           store_cols(s) == (int64_t)width(o, i) && store_block_rows(s) == 1;
}

static assay_status open_all(fleet_outputs *o, const char *dir, bool look) {
    assay_status status = ASSAY_OK;
    char *path = NULL, identity[160];
    ASSAY_TRY(names_read(o, o->shape.names));
    for (int i = 0; i < o->n; i++) {
        ASSAY_TRY(dir_path(&path, o->ctx, dir, kinds[o->kind[i]].name));
        identity_make(identity, o, i);
        if (look)
            ASSAY_TRY(store_open_part(&o->store[i], o->ctx, path));
        else
            ASSAY_TRY(store_open(&o->store[i], o->ctx, path, identity,
                                 (int64_t)o->shape.models, (int64_t)width(o, i), 1));
        if (!fits(o, i, identity)) {
            (void)err_set(ASSAY_E_FORMAT, "these are outputs of another fleet");
            ASSAY_TRY_AT(ASSAY_E_FORMAT, "%s", path);
        }
        mem_free(o->ctx, path);
        path = NULL;
    }
done:
    mem_free(o->ctx, path);
    if (status != ASSAY_OK)
        fleet_outputs_free(o);
    return status;
}

assay_status fleet_outputs_open(fleet_outputs *out,
                                assay_ctx *ctx,
                                const char *dir,
                                const fleet_shape *shape) {
    *out = (fleet_outputs){.ctx = ctx, .shape = *shape};
    return open_all(out, dir, false);
}

assay_status fleet_outputs_look(fleet_outputs *out,
                                assay_ctx *ctx,
                                const char *dir,
                                const fleet_shape *shape) {
    *out = (fleet_outputs){.ctx = ctx, .shape = *shape};
    return open_all(out, dir, true);
}

assay_status fleet_outputs_close(fleet_outputs *o) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < o->n; i++) {
        assay_status one = store_close(&o->store[i]);
        status = status == ASSAY_OK ? one : status;
    }
    fleet_outputs_free(o);
    return status;
}

void fleet_outputs_free(fleet_outputs *o) {
    for (int i = 0; i < o->n; i++)
        store_destroy(o->store[i]);
    *o = (fleet_outputs){0};
}

void fleet_outputs_remove(assay_ctx *ctx, const char *dir) {
    static const char *const ends[] = {".rows.json", ".npy", ".sums"};
    for (int k = 0; k < FLEET_OUTPUTS; k++)
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
            char name[40], *path;
            (void)snprintf(name, sizeof name, "%s%s", kinds[k].name, ends[e]);
            if (dir_path(&path, ctx, dir, name) != ASSAY_OK)
                return;
            (void)unlink(path);
            mem_free(ctx, path);
        }
}

/* ---- rows ---- */

bool fleet_outputs_done(const fleet_outputs *o, size_t model) {
    for (int i = 0; i < o->n; i++)
        if (!store_block_done(o->store[i], (int64_t)model))
            return false;
    return true;
}

bool fleet_outputs_failed(const fleet_outputs *o, size_t model) {
    return isnan(store_row_read(o->store[0], (int64_t)model)[0]);
}

static void fill(float *to,
                 const kind *k,
                 const fleet_shape *s,
                 const float *logits,
                 const int32_t *labels) {
    size_t classes = (size_t)s->classes, n = k->per_class ? s->rows * classes : s->rows;
    if (!logits)
        for (size_t i = 0; i < n; i++)
            to[i] = NAN;
    else if (k->per_class)
        memcpy(to, logits, n * sizeof *to);
    else
        for (size_t i = 0; i < n; i++)
            to[i] = k->of(logits + i * classes, labels[i], s->classes);
}

void fleet_outputs_put(fleet_outputs *o,
                       size_t model,
                       const float *logits,
                       const int32_t *labels) {
    for (int i = 0; i < o->n; i++) {
        row_store *s = o->store[i];
        if (store_block_done(s, (int64_t)model))
            continue;
        fill(store_row(s, (int64_t)model), &kinds[o->kind[i]], &o->shape, logits, labels);
        store_block_note(s, (int64_t)model);
    }
}

void fleet_outputs_copy(fleet_outputs *o, size_t i, const fleet_outputs *from, size_t j) {
    for (int k = 0; k < o->n; k++) {
        row_store *s = o->store[k];
        if (store_block_done(s, (int64_t)i))
            continue;
        memcpy(store_row(s, (int64_t)i), store_row_read(from->store[k], (int64_t)j),
               width(o, k) * sizeof(float));
        store_block_note(s, (int64_t)i);
    }
}
