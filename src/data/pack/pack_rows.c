/* Which rows of a source go into the file, and in which order: training rows first. */
#include "data/pack/pack.h"

#include "base/rng.h"
#include "data/pack/pick.h"

#include <stdio.h>
#include <string.h>

static void assign_splits(packer *p) {
    int kinds = 0;
    for (int s = 0; s < IMPORT_SPLITS; s++)
        kinds += import_count(&p->list, (import_split)s) > 0;
    if (kinds > 1)
        return;
    for (size_t i = 0; i < p->list.rows; i++)
        p->list.row[i].split =
            identity_in_test(import_id(&p->list, i)) ? IMPORT_TEST : IMPORT_TRAIN;
}

/* Appends the rows of a split, thinned evenly to the limit. */
static void append_split(packer *p, import_split s) {
    size_t n = import_count(&p->list, s), at = 0, taken = 0;
    size_t want = p->o.limit > 0 && (uint64_t)p->o.limit < n ? (size_t)p->o.limit : n;
    data_split *out = &p->split[p->splits++];
    *out = (data_split){.begin = p->rows};
    snprintf(out->name, sizeof out->name, "%s", import_split_name(s));
    for (size_t i = 0; i < p->list.rows; i++) {
        if (p->list.row[i].split != s)
            continue;
        /* row `at` of n is the taken-th of `want` evenly spaced ones */
        if (taken < want && at == taken * n / want) {
            p->row[p->rows++] = i;
            taken++;
        }
        at++;
    }
    out->end = p->rows;
}

static assay_status by_split(packer *p) {
    assay_status status = ASSAY_OK;
    assign_splits(p);
    ASSAY_TRY(mem_new(p->ctx, &p->row, p->list.rows, sizeof *p->row));
    if (p->o.split != NULL) {
        for (int s = 0; s < IMPORT_SPLITS; s++)
            if (strcmp(p->o.split, import_split_name((import_split)s)) == 0 &&
                import_count(&p->list, (import_split)s) > 0) {
                append_split(p, (import_split)s);
                return ASSAY_OK;
            }
        err_set(ASSAY_E_INVALID, "the source has no split '%s'", p->o.split);
        err_where("%s", p->path);
        err_help("its splits are: train%s%s",
                 import_count(&p->list, IMPORT_TEST) ? ", test" : "",
                 import_count(&p->list, IMPORT_VAL) ? ", val" : "");
        return ASSAY_E_INVALID;
    }
    bool test = import_count(&p->list, IMPORT_TEST) > 0;
    size_t val = import_count(&p->list, IMPORT_VAL);
    append_split(p, IMPORT_TRAIN);
    append_split(p, test || val == 0 ? IMPORT_TEST : IMPORT_VAL);
    if (test && val > 0) {
        char n[32];
        ASSAY_TRY(import_note(&p->list,
                              "the %s rows of val were left out (--split val packs them)",
                              import_number(n, val)));
    }
done:
    return status;
}

/* Of the rows chosen so far those that `rows` names. */
static assay_status by_number(packer *p) {
    assay_status status = ASSAY_OK;
    uint8_t *on = NULL;
    size_t kept = 0;
    ASSAY_TRY(mem_new(p->ctx, &on, p->rows + 1, 1));
    ASSAY_TRY(pick_rows(p->ctx, on, p->rows, p->o.rows, 1, NULL));
    for (size_t s = 0; s < p->splits; s++) {
        size_t begin = (size_t)p->split[s].begin, end = (size_t)p->split[s].end;
        p->split[s].begin = kept;
        for (size_t i = begin; i < end; i++)
            if (on[i])
                p->row[kept++] = p->row[i];
        p->split[s].end = kept;
    }
    p->rows = kept;
    if (kept == 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "no rows are left to pack");
done:
    mem_free(p->ctx, on);
    return status;
}

/* Each split in an order drawn by the seed (Fisher and Yates). */
static void shuffle(packer *p) {
    for (size_t s = 0; s < p->splits; s++) {
        rng r = rng_at(p->o.seed, RNG_PACK, 1, s);
        size_t *row = p->row + p->split[s].begin;
        for (size_t n = (size_t)(p->split[s].end - p->split[s].begin); n > 1; n--) {
            size_t k = (size_t)rng_below(&r, n), t = row[n - 1];
            row[n - 1] = row[k];
            row[k] = t;
        }
    }
}

assay_status pack_choose_rows(packer *p) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(by_split(p));
    if (p->o.rows != NULL)
        ASSAY_TRY(by_number(p));
    if (p->o.shuffle)
        shuffle(p);
done:
    return status;
}

void pack_drop_failed(packer *p) {
    size_t kept = 0, f = 0;
    for (size_t s = 0; s < p->splits; s++) {
        data_split *split = &p->split[s];
        uint64_t begin = split->begin, end = split->end;
        split->begin = kept;
        for (uint64_t i = begin; i < end; i++) {
            if (f < p->failures && p->failed[f].row == p->row[i])
                f++;
            else
                p->row[kept++] = p->row[i];
        }
        split->end = kept;
    }
    p->rows = kept;
}
