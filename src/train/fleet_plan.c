/* Subsets, seeds and settings out of a fleet's options. Everything is drawn by (seed,
 * number), so that a longer fleet begins with a shorter one's members. */
#include "train/fleet_plan.h"

#include "base/rng.h"
#include "file/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MODELS = 10000000, MOST_SETTINGS = 10000, MOST_FOLDS = 1000 };
/* Places of the subset's stream. */
enum { DRAW_SUBSET = 1 << 24, DRAW_FOLD = 1 << 25, DRAW_SEED = 1 << 26 };

/* ---- settings ---- */

/* One varied setting: "lr=0.1,0.01". */
typedef struct axis {
    const char *name, *values; /* up to '=', up to ';' */
    size_t name_len, values_len, count;
} axis;

enum { MOST_AXES = 8 };

static assay_status bad_sweep(const char *sweep) {
    (void)err_set(ASSAY_E_INVALID, "sweep can't be \"%.200s\"", sweep);
    err_help("give up to %d settings as lr=0.1,0.01 with ; between, at most %d "
             "combinations",
             MOST_AXES, MOST_SETTINGS);
    return ASSAY_E_INVALID;
}

static assay_status
axes_read(axis a[MOST_AXES], int *n, size_t *grid, const char *sweep) {
    *n = 0;
    *grid = 1;
    for (const char *p = sweep; p && *p;) {
        size_t len = strcspn(p, ";");
        const char *is = memchr(p, '=', len);
        if (!is || is == p || is + 1 == p + len || *n == MOST_AXES)
            return bad_sweep(sweep);
        axis *x = &a[(*n)++];
        *x = (axis){p, is + 1, (size_t)(is - p), len - (size_t)(is + 1 - p), 1};
        for (size_t i = 0; i < x->values_len; i++)
            x->count += x->values[i] == ',';
        *grid *= x->count;
        if (*grid > MOST_SETTINGS)
            return bad_sweep(sweep);
        p += len + (p[len] == ';');
    }
    return ASSAY_OK;
}

/* "name=value " of the axis, its value number `at`. */
static size_t axis_put(char *out, size_t cap, const axis *x, size_t at) {
    const char *v = x->values, *end = x->values + x->values_len;
    for (; at > 0; at--)
        v = (const char *)memchr(v, ',', (size_t)(end - v)) + 1;
    const char *comma = memchr(v, ',', (size_t)(end - v));
    int n = snprintf(out, cap, "%.*s=%.*s ", (int)x->name_len, x->name,
                     (int)((comma ? comma : end) - v), v);
    return n < 0 || (size_t)n >= cap ? cap : (size_t)n;
}

static assay_status
varied_make(fleet_plan *p, const axis *a, int n, size_t at, const char *sweep) {
    char line[RECIPE_LINE] = "";
    size_t used = 0, stride = 1;
    for (int i = 0; i < n; i++)
        stride *= a[i].count;
    size_t rest = at;
    for (int i = 0; i < n; i++) {
        stride /= a[i].count;
        used += axis_put(line + used, sizeof line - used, &a[i], rest / stride);
        rest %= stride;
        if (used >= sizeof line)
            return bad_sweep(sweep);
    }
    if (used > 0)
        line[used - 1] = '\0';
    return mem_strdup(p->ctx, &p->varied[at], line);
}

static assay_status settings_make(fleet_plan *p, const assay_fleet_options *o) {
    assay_status status = ASSAY_OK;
    axis a[MOST_AXES];
    int n;
    ASSAY_TRY(axes_read(a, &n, &p->settings, o->sweep));
    ASSAY_TRY(mem_new(p->ctx, &p->varied, p->settings, sizeof *p->varied));
    ASSAY_TRY(mem_new(p->ctx, &p->recipe, p->settings, sizeof *p->recipe));
    for (size_t i = 0; i < p->settings; i++)
        ASSAY_TRY(varied_make(p, a, n, i, o->sweep));
done:
    return status;
}

assay_status
fleet_plan_recipes(fleet_plan *p, const assay_fleet_options *o, int size, bool flip_ok) {
    assay_status status = ASSAY_OK;
    assay_train_options t = ASSAY_TRAIN_OPTIONS_INIT;
    for (size_t i = 0; i < p->settings; i++) {
        char line[2 * RECIPE_LINE];
        if (o->train)
            t = *o->train;
        int n = snprintf(line, sizeof line, "%s %s", t.settings ? t.settings : "",
                         p->varied[i]);
        if (n < 0 || (size_t)n >= sizeof line)
            ASSAY_FAIL(ASSAY_E_INVALID, "settings of %d letters", n);
        t.settings = line;
        ASSAY_TRY_AT(train_recipe_make(&p->recipe[i], &t, p->typical, size, flip_ok),
                     "%s", p->varied[i]);
    }
done:
    return status;
}

/* ---- subsets ---- */

/* Random ones: a share of the active rows, drawn without replacement. */
static assay_status
draw(fleet_plan *p, const fleet_rows *r, double share, uint64_t seed) {
    assay_status status = ASSAY_OK;
    uint32_t *active = NULL;
    size_t n = 0;
    ASSAY_TRY(mem_new(p->ctx, &active, r->rows + 1, sizeof *active));
    for (size_t i = 0; i < r->rows; i++)
        if (r->active[i])
            active[n++] = (uint32_t)i;
    size_t each = (size_t)floor(share * (double)n + 0.5);
    if (each < 2)
        ASSAY_FAIL(ASSAY_E_INVALID, "subsets of %zu of %zu rows are too small", each, n);
    for (size_t k = 0; k < p->subsets; k++) {
        rng_perm order = rng_perm_make(n, seed, RNG_SUBSET, DRAW_SUBSET + (uint32_t)k);
        for (size_t i = 0; i < each; i++)
            p->mask[k * p->rows + active[rng_perm_at(&order, i)]] = 1;
    }
done:
    mem_free(p->ctx, active);
    return status;
}

/* Active rows class by class are shuffled and dealt to the folds in turn. */
static assay_status
fold(fleet_plan *p, const fleet_rows *r, size_t folds, uint64_t seed) {
    assay_status status = ASSAY_OK;
    uint32_t *row = NULL;
    ASSAY_TRY(mem_new(p->ctx, &row, r->rows + 1, sizeof *row));
    for (size_t k = 0; k < p->subsets; k++)
        memcpy(p->mask + k * p->rows, r->active, p->rows);
    for (size_t block = 0; block * folds < p->subsets; block++) {
        size_t dealt = 0;
        for (int c = 0; c < r->classes; c++) {
            size_t n = 0;
            for (size_t i = 0; i < r->rows; i++)
                if (r->active[i] && r->labels[i] == c)
                    row[n++] = (uint32_t)i;
            if (n == 0)
                continue;
            rng_perm order = rng_perm_make(
                n, seed, RNG_SUBSET,
                DRAW_FOLD + (uint32_t)(block * (size_t)r->classes) + (uint32_t)c);
            for (size_t i = 0; i < n; i++, dealt++) {
                size_t k = block * folds + dealt % folds;
                if (k < p->subsets)
                    p->mask[k * p->rows + row[rng_perm_at(&order, i)]] = 0;
            }
        }
    }
done:
    mem_free(p->ctx, row);
    return status;
}

static assay_status given(fleet_plan *p, const fleet_rows *r, const char *path) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    ASSAY_TRY(npy_open(&a, p->ctx, path, false));
    if (a.dtype != ASSAY_U8 && a.dtype != ASSAY_BOOL) {
        (void)err_set(ASSAY_E_DTYPE, "masks are bytes or truth values");
        ASSAY_TRY_AT(ASSAY_E_DTYPE, "%s", path);
    }
    if (a.ndim != 2 || a.dim[0] != (int64_t)p->subsets || a.dim[1] != (int64_t)p->rows) {
        (void)err_set(ASSAY_E_SHAPE, "masks of %zu subsets and %zu training rows needed",
                      p->subsets, p->rows);
        err_help("one row of bytes for each subset; models are subsets times seeds times "
                 "settings");
        ASSAY_TRY_AT(ASSAY_E_SHAPE, "%s", path);
    }
    for (size_t k = 0; k < p->subsets; k++) {
        size_t n = 0;
        for (size_t i = 0; i < p->rows; i++) {
            uint8_t bit = a.data[k * p->rows + i];
            if (bit > 1)
                ASSAY_FAIL(ASSAY_E_FORMAT, "%s: a mask holds %d, not 0 or 1", path, bit);
            p->mask[k * p->rows + i] = bit && r->active[i];
            n += p->mask[k * p->rows + i];
        }
        if (n < 2)
            ASSAY_FAIL(ASSAY_E_FORMAT, "%s: subset %zu has %zu rows", path, k, n);
    }
done:
    npy_close(&a);
    return status;
}

/* ---- all ---- */

static assay_status check(const fleet_plan *p, const assay_fleet_options *o) {
    size_t each = p->settings * p->seeds;
    if (o->models < 1 || o->models > MOST_MODELS || (size_t)o->models % each != 0) {
        (void)err_set(ASSAY_E_INVALID, "%d models of %zu seeds and %zu settings",
                      o->models, p->seeds, p->settings);
        err_help(
            "models count all: subsets times seeds times settings, a multiple of %zu",
            each);
        return ASSAY_E_INVALID;
    }
    if (!(o->subset > 0 && o->subset <= 1)) {
        (void)err_set(ASSAY_E_INVALID, "a subset of %g of the rows", o->subset);
        err_help("give a share above 0, up to 1");
        return ASSAY_E_INVALID;
    }
    if (o->folds < 0 || o->folds == 1 || o->folds > MOST_FOLDS) {
        (void)err_set(ASSAY_E_INVALID, "%d folds", o->folds);
        err_help("give 2 to %d, or 0 for random subsets", MOST_FOLDS);
        return ASSAY_E_INVALID;
    }
    return ASSAY_OK;
}

assay_status fleet_plan_make(fleet_plan *out,
                             assay_ctx *ctx,
                             const assay_fleet_options *o,
                             const fleet_rows *rows) {
    assay_status status = ASSAY_OK;
    uint64_t seed = o->train ? o->train->seed : 0;
    *out = (fleet_plan){.ctx = ctx, .rows = rows->rows};
    if (o->seeds < 1 || o->seeds > MOST_MODELS)
        return err_set(ASSAY_E_INVALID, "%d seeds", o->seeds);
    out->seeds = (size_t)o->seeds;
    ASSAY_TRY(settings_make(out, o));
    ASSAY_TRY(check(out, o));
    out->models = (size_t)o->models;
    out->subsets = out->models / (out->seeds * out->settings);
    ASSAY_TRY(mem_new(ctx, &out->mask, out->subsets, out->rows));
    ASSAY_TRY(mem_new(ctx, &out->seed, out->models, sizeof *out->seed));
    if (o->masks)
        ASSAY_TRY(given(out, rows, o->masks));
    else if (o->folds)
        ASSAY_TRY(fold(out, rows, (size_t)o->folds, seed));
    else
        ASSAY_TRY(draw(out, rows, o->subset, seed));
    for (size_t m = 0; m < out->models; m++) { /* settings share starts and orders */
        uint32_t word[4];
        rng_philox(word, seed, RNG_SUBSET, DRAW_SEED, m / out->settings, 0);
        out->seed[m] = (uint64_t)word[1] << 32 | word[0];
    }
    for (size_t i = 0; i < out->rows; i++)
        out->typical += out->mask[i];
done:
    if (status != ASSAY_OK)
        fleet_plan_free(out);
    return status;
}

void fleet_plan_free(fleet_plan *p) {
    for (size_t i = 0; p->varied && i < p->settings; i++)
        mem_free(p->ctx, p->varied[i]);
    mem_free(p->ctx, p->varied);
    mem_free(p->ctx, p->recipe);
    mem_free(p->ctx, p->mask);
    mem_free(p->ctx, p->seed);
    *p = (fleet_plan){0};
}
