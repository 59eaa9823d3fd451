/* What the members of WebDataset samples mean. By extension: jpg, jpeg and png are the
 * image; cls is the label, a class number; [NAME.]json is a column of JSON; [NAME.]npy of
 * arrays, or of whole or decimal numbers where they are 0-dimensional int64 or float64;
 * everything else of bytes. A column is called NAME, or like the extension where there is
 * none. All samples have the same members. */
#include "data/source/values.h"
#include "data/source/wds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

/* "features.npy" -> "features", "npy" -> "npy", "caption.txt" -> "caption". */
static assay_status name_column(char name[17], const char *ext) {
    static const char *const known[] = {".npy", ".json", ".txt", ".bin"};
    size_t n = strlen(ext);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (value_ends(ext, known[i]) && n > strlen(known[i]))
            n -= strlen(known[i]);
    if (n > 16) {
        err_set(ASSAY_E_INVALID, "'%.*s' can't name a field: more than 16 characters",
                (int)n, ext);
        err_help("rename these members, or leave them out of the shards");
        return ASSAY_E_INVALID;
    }
    snprintf(name, 17, "%.*s", (int)n, ext);
    return ASSAY_OK;
}

static assay_status describe_array(import_column *c, const npy_array *a) {
    if (dtype_typestr(a->dtype) == NULL || a->ndim > 8)
        return err_set(ASSAY_E_UNSUPPORTED, "arrays of this type are not read");
    if (a->ndim == 0 && a->dtype == ASSAY_I64)
        c->type = BETON_INT;
    else if (a->ndim == 0 && a->dtype == ASSAY_F64)
        c->type = BETON_FLOAT;
    snprintf(c->typestr, sizeof c->typestr, "%s", dtype_typestr(a->dtype));
    c->ndim = a->ndim;
    memcpy(c->dim, a->dim, sizeof(int64_t) * (size_t)a->ndim);
    return ASSAY_OK;
}

static void tell_array(char *out, size_t room, const npy_array *a) {
    int n = snprintf(out, room, "%s [", dtype_typestr(a->dtype));
    for (int i = 0; i < a->ndim && n > 0 && (size_t)n < room; i++)
        n += snprintf(out + n, room - (size_t)n, "%s%lld", i ? "," : "",
                      (long long)a->dim[i]);
    if (n > 0 && (size_t)n < room)
        snprintf(out + n, room - (size_t)n, "]");
}

/* All arrays of a column must be alike. */
static assay_status check_arrays(const wds *w, size_t column, import_column *c) {
    assay_status status = ASSAY_OK;
    npy_array first = {0}, a;
    for (size_t i = 0; i < w->samples; i++) {
        const wds_member *m = wds_find(w, i, column);
        if (m == NULL)
            continue;
        status = npy_parse(&a, wds_bytes(w, i, m), (size_t)m->bytes);
        if (status != ASSAY_OK)
            return wds_failed_at(w, i, status);
        if (first.data == NULL) {
            first = a;
            status = describe_array(c, &a);
            if (status != ASSAY_OK)
                return wds_failed_at(w, i, status);
        } else if (a.dtype != first.dtype || a.ndim != first.ndim ||
                   memcmp(a.dim, first.dim, sizeof(int64_t) * (size_t)a.ndim) != 0) {
            char x[160], y[160];
            tell_array(x, sizeof x, &first);
            tell_array(y, sizeof y, &a);
            err_set(ASSAY_E_FORMAT, "arrays differ: %s, and %s in '%.100s'", x, y,
                    wds_key(w, i));
            err_help("arrays of one column must have one shape and element type");
            return wds_failed_at(w, 0, ASSAY_E_FORMAT);
        }
    }
    return status;
}

static assay_status add_column(wds *w, import_list *list, wds_kind *kind) {
    assay_status status = ASSAY_OK;
    import_column c = {.type = kind->form == WDS_JSON  ? BETON_JSON
                               : kind->form == WDS_NPY ? BETON_NDARRAY
                                                       : BETON_BYTES};
    ASSAY_TRY_AT(name_column(c.name, kind->ext), "%s", w->shard[0].path);
    kind->column = list->columns;
    if (kind->form == WDS_NPY)
        ASSAY_TRY(check_arrays(w, kind->column, &c));
    ASSAY_TRY_AT(import_add_column(list, &c), "%s: members '.%s'", w->shard[0].path,
                 kind->ext);
done:
    return status;
}

static assay_status name_kinds(wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    static const char *const images[] = {"jpg", "jpeg", "png"};
    bool image = false, table = false;
    for (size_t i = 0; i < w->kinds; i++) {
        for (size_t k = 0; k < sizeof images / sizeof images[0]; k++)
            if (strcmp(w->kind[i].ext, images[k]) == 0)
                w->kind[i].column = WDS_IMAGE;
        if (strcmp(w->kind[i].ext, "cls") == 0)
            w->kind[i].column = WDS_LABEL;
        image = image || w->kind[i].column == WDS_IMAGE;
        w->has_cls = w->has_cls || w->kind[i].column == WDS_LABEL;
    }
    list->no_image = !image;
    for (size_t i = 0; i < w->shards; i++)
        table = table || w->shard[i].table_bytes > 0;
    list->no_label = !w->has_cls && !(table && image);
    for (size_t i = 0; i < w->kinds; i++)
        if (w->kind[i].column == WDS_UNSET)
            ASSAY_TRY(add_column(w, list, &w->kind[i]));
done:
    return status;
}

/* ---- are they complete ---- */

static const char *name_of(const wds *w, size_t column) {
    if (column == WDS_IMAGE)
        return "jpg or .png";
    for (size_t i = 0; i < w->kinds; i++)
        if (w->kind[i].column == column)
            return w->kind[i].ext;
    return "";
}

static assay_status check_sample(const wds *w, const import_list *list, size_t sample) {
    size_t images = 0, need = list->columns + !list->no_image + w->has_cls;
    const wds_sample *s = &w->sample[sample];
    for (size_t i = 0; i < s->members; i++)
        images += w->kind[w->member[s->first + i].kind].column == WDS_IMAGE;
    if (images > 1)
        return err_set(ASSAY_E_FORMAT, "a sample with two images");
    if (s->members == need)
        return ASSAY_OK;
    size_t missing = WDS_UNSET;
    if (!list->no_image && images == 0)
        missing = WDS_IMAGE;
    else if (w->has_cls && wds_find(w, sample, WDS_LABEL) == NULL)
        missing = WDS_LABEL;
    for (size_t c = 0; c < list->columns && missing == WDS_UNSET; c++)
        if (wds_find(w, sample, c) == NULL)
            missing = c;
    err_set(ASSAY_E_FORMAT, "the sample has no member .%s", name_of(w, missing));
    err_help("all samples must have the same members");
    return ASSAY_E_FORMAT;
}

/* ---- rows ---- */

typedef struct keyed {
    const char *key;
    size_t sample;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    int c = strcmp(x->key, y->key);
    return c != 0 ? c : (x->sample > y->sample) - (x->sample < y->sample);
}

/* Whether keys are unique over all shards. Twice in one shard is an error. */
static assay_status check_keys(const wds *w, bool *unique) {
    assay_status status = ASSAY_OK;
    keyed *sorted = NULL;
    *unique = true;
    ASSAY_TRY(mem_new(w->ctx, &sorted, w->samples + 1, sizeof *sorted));
    for (size_t i = 0; i < w->samples; i++)
        sorted[i] = (keyed){wds_key(w, i), i};
    if (w->samples > 1)
        qsort(sorted, w->samples, sizeof *sorted, by_key);
    for (size_t i = 1; i < w->samples; i++) {
        const keyed *a = &sorted[i - 1], *b = &sorted[i];
        if (strcmp(a->key, b->key) != 0)
            continue;
        *unique = false;
        if (w->sample[a->sample].shard != w->sample[b->sample].shard)
            continue;
        err_set(ASSAY_E_FORMAT, "two samples have the key '%.200s'", a->key);
        err_where("%s", wds_path(w, a->sample));
        err_help("the members of a sample must follow each other, and keys be unique");
        status = ASSAY_E_FORMAT;
        goto done;
    }
done:
    mem_free(w->ctx, sorted);
    return status;
}

static size_t stem_of(const char *base) {
    const char *tar = NULL;
    for (const char *p = base; (p = strstr(p, ".t")) != NULL; p++)
        tar = p;
    return tar != NULL ? (size_t)(tar - base) : strlen(base);
}

/* Splits: by the shards' names, if any begins with one; else by the first folder of the
 * keys, if all begin with one. */
static assay_status add_rows(const wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    bool unique, by_shard = false, by_folder = true;
    import_split split;
    char id[2 * IMPORT_PATH_BYTES];
    ASSAY_TRY(check_keys(w, &unique));
    for (size_t i = 0; i < w->shards; i++)
        by_shard = by_shard || value_split_prefix(&split, value_base(w->shard[i].path));
    for (size_t i = 0; i < w->samples && by_folder; i++) {
        const char *key = wds_key(w, i), *slash = strchr(key, '/');
        by_folder = slash != NULL && value_split(&split, key, (size_t)(slash - key));
    }
    for (size_t i = 0; i < w->samples; i++) {
        const char *base = value_base(wds_path(w, i)), *key = wds_key(w, i);
        split = IMPORT_TRAIN;
        if (by_shard)
            (void)value_split_prefix(&split, base);
        else if (by_folder)
            (void)value_split(&split, key, (size_t)(strchr(key, '/') - key));
        snprintf(id, sizeof id, "%.*s%s%s", unique ? 0 : (int)stem_of(base), base,
                 unique ? "" : "/", key);
        ASSAY_TRY(import_add(list, split, 0, i, id));
    }
done:
    return status;
}

static assay_status add_notes(const wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    char n[32];
    if (w->links > 0)
        ASSAY_TRY(import_note(
            list, "%s members are links or devices and were passed over, first %s",
            import_number(n, w->links), w->first_link));
    if (w->nameless > 0)
        ASSAY_TRY(import_note(
            list, "%s members have no extension and were passed over, first %s",
            import_number(n, w->nameless), w->first_nameless));
    if (w->unmarked > 0)
        ASSAY_TRY(import_note(list, "%s shards lack the mark of a tar's end",
                              import_number(n, w->unmarked)));
done:
    return status;
}

assay_status wds_settle(wds *w, import_list *list) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(name_kinds(w, list));
    ASSAY_TRY(add_rows(w, list));
    for (size_t i = 0; i < w->samples; i++) {
        status = check_sample(w, list, i);
        if (status != ASSAY_OK)
            return wds_failed_at(w, i, status);
    }
    if (w->has_cls)
        ASSAY_TRY(wds_read_cls(w, list));
    else if (!list->no_label)
        ASSAY_TRY(wds_read_tables(w, list));
    ASSAY_TRY(add_notes(w, list));
done:
    return status;
}
