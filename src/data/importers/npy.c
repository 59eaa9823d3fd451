/* Arrays of NumPy's: one of images and one of labels for each set, as files in a folder
 * or as members of an .npz. Their names say which is which: x_train and y_train, images
 * and labels, NAME_images and NAME_labels. Arrays of bytes that can be images are:
 * [N,H,W], [N,H,W,C], [N,C,H,W] with C 1 or 3, the channels last where both could be
 * meant. Everything else is a column "array". */
#include "data/importer.h"

#include "base/le.h"
#include "data/source/labels.h"
#include "data/source/spool.h"
#include "data/source/values.h"
#include "data/source/zip.h"
#include "file/npy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_SETS = 16, NAME_BYTES = 64, MAX_SIDE = 65535, MEMBERS = 256 };

typedef enum array_kind { ARRAY_IMAGES, ARRAY_LABELS } array_kind;

/* An array, with what keeps its bytes. */
typedef struct held_array {
    npy_array a;
    spool bytes; /* of a member of a zip */
    char *place; /* "x_train.npy" */
} held_array;

typedef struct array_set {
    char name[NAME_BYTES]; /* "train", "images" */
    import_split split;
    held_array part[2]; /* images, labels */
} array_set;

typedef struct arrays {
    assay_ctx *ctx;
    array_set set[MAX_SETS];
    int sets;
    bool planar; /* [N,C,H,W] */
    int channels;
} arrays;

/* ---- names ---- */

static bool ends_with(const char *name, size_t n, const char *end) {
    size_t m = strlen(end);
    return n > m && strncasecmp(name + n - m, end, m) == 0;
}

/* What a name without ".npy" means; false if it is none of these. */
static bool
parse_name(const char *name, size_t n, array_kind *kind, char set[NAME_BYTES]) {
    static const char *const plain[] = {"images", "labels", "x", "y"};
    static const char *const last[] = {"_images", "_labels", "_x", "_y"};
    static const char *const first[] = {"x_", "y_"};
    for (size_t i = 0; i < 4; i++)
        if (n == strlen(plain[i]) && strncasecmp(name, plain[i], n) == 0) {
            *kind = i % 2 == 0 ? ARRAY_IMAGES : ARRAY_LABELS;
            (void)snprintf(set, NAME_BYTES, "images");
            return true;
        }
    for (size_t i = 0; i < 2; i++)
        if (n > 2 && n - 2 < NAME_BYTES && strncasecmp(name, first[i], 2) == 0) {
            *kind = i == 0 ? ARRAY_IMAGES : ARRAY_LABELS;
            (void)snprintf(set, NAME_BYTES, "%.*s", (int)(n - 2), name + 2);
            return true;
        }
    for (size_t i = 0; i < 4; i++) {
        size_t m = strlen(last[i]);
        if (!ends_with(name, n, last[i]) || n - m >= NAME_BYTES)
            continue;
        *kind = i % 2 == 0 ? ARRAY_IMAGES : ARRAY_LABELS;
        (void)snprintf(set, NAME_BYTES, "%.*s", (int)(n - m), name);
        return true;
    }
    return false;
}

static bool parse_file(const char *name, array_kind *kind, char set[NAME_BYTES]) {
    size_t n = strlen(name);
    return value_ends(name, ".npy") && parse_name(name, n - 4, kind, set);
}

static int detect(assay_ctx *ctx, const char *path) {
    array_kind kind;
    char set[NAME_BYTES];
    int answer = 0;
    os_names names = {0};
    if (!os_exists(path))
        return 0;
    if (!os_is_dir(path)) {
        const char *base = value_base(path);
        bool images = parse_file(base, &kind, set) && kind == ARRAY_IMAGES;
        return images || value_ends(base, ".npz") ? 20 : 0;
    }
    if (os_list_dir(ctx, path, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++)
            if (parse_file(names.name[i], &kind, set) && kind == ARRAY_IMAGES)
                answer = 15;
    os_names_free(&names);
    return answer;
}

/* ---- gathering ---- */

static void close_arrays(void *state) {
    arrays *x = state;
    if (x == NULL)
        return;
    for (int i = 0; i < x->sets; i++)
        for (int k = 0; k < 2; k++) {
            held_array *h = &x->set[i].part[k];
            npy_close(&h->a);
            spool_close(&h->bytes);
            mem_free(x->ctx, h->place);
        }
    mem_free(x->ctx, x);
}

/* The place for an array of that set and kind. */
static assay_status place_for(
    arrays *x, const char *set, array_kind kind, const char *place, held_array **out) {
    assay_status status = ASSAY_OK;
    int i = 0;
    while (i < x->sets && strcasecmp(x->set[i].name, set) != 0)
        i++;
    if (i == MAX_SETS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than %d sets of arrays", MAX_SETS);
    if (i == x->sets) {
        array_set *s = &x->set[x->sets++];
        *s = (array_set){
            .part = {{.bytes = {.map = {.fd = -1}}}, {.bytes = {.map = {.fd = -1}}}}};
        (void)snprintf(s->name, sizeof s->name, "%s", set);
        if (!value_split(&s->split, set, strlen(set)))
            s->split = IMPORT_TRAIN;
    }
    *out = &x->set[i].part[kind];
    if ((*out)->place != NULL)
        ASSAY_FAIL(ASSAY_E_FORMAT, "'%.100s' and '%.100s' are the same to us",
                   (*out)->place, place);
    status = mem_strdup(x->ctx, &(*out)->place, place);
done:
    return status;
}

/* Files in a folder; of the set named `only`, if not NULL. */
static assay_status add_files(arrays *x, const char *folder, const char *only) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    char path[IMPORT_PATH_BYTES], set[NAME_BYTES];
    array_kind kind;
    held_array *h;
    ASSAY_TRY(os_list_dir(x->ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!parse_file(names.name[i], &kind, set) ||
            (only != NULL && strcmp(set, only) != 0))
            continue;
        ASSAY_TRY(import_path(path, folder, names.name[i]));
        ASSAY_TRY_AT(place_for(x, set, kind, names.name[i], &h), "%s", folder);
        ASSAY_TRY(npy_open(&h->a, x->ctx, path, false));
    }
done:
    os_names_free(&names);
    return status;
}

static assay_status read_member(void *from, void *dst, size_t n, size_t *got) {
    return zip_read(from, dst, n, got);
}

static assay_status add_members(arrays *x, const char *path) {
    assay_status status = ASSAY_OK;
    zip_reader *z = NULL;
    os_map map;
    char set[NAME_BYTES];
    array_kind kind;
    held_array *h;
    const char *name;
    ASSAY_TRY(os_map_file(&map, path, false));
    uint64_t limit = (uint64_t)map.bytes * 1100 + (1 << 24);
    os_unmap(&map);
    ASSAY_TRY(zip_open(&z, x->ctx, path));
    for (int i = 0;; i++) {
        ASSAY_TRY(zip_next(z, &name));
        if (name == NULL)
            break;
        if (i == MEMBERS)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than %d arrays in %s", MEMBERS, path);
        if (!parse_file(name, &kind, set))
            continue;
        ASSAY_TRY_AT(place_for(x, set, kind, name, &h), "%s", path);
        ASSAY_TRY(spool_fill(&h->bytes, read_member, z, limit, path));
        limit -= h->bytes.bytes;
        ASSAY_TRY_AT(npy_parse(&h->a, h->bytes.data, h->bytes.bytes), "%s: %s", path,
                     name);
    }
done:
    zip_close(z);
    return status;
}

/* ---- what they are ---- */

static bool is_channels(int64_t n) {
    return n == 1 || n == 3;
}

static bool is_side(int64_t n) {
    return n >= 1 && n <= MAX_SIDE;
}

/* Whether rows of the array are images, and how they lie. */
static bool are_images(const npy_array *a, bool *planar, int *channels) {
    *planar = false;
    *channels = 1;
    if (a->dtype != ASSAY_U8)
        return false;
    if (a->ndim == 3)
        return is_side(a->dim[1]) && is_side(a->dim[2]);
    if (a->ndim != 4)
        return false;
    if (is_channels(a->dim[3])) {
        *channels = (int)a->dim[3];
        return is_side(a->dim[1]) && is_side(a->dim[2]);
    }
    *planar = true;
    *channels = (int)a->dim[1];
    return is_channels(a->dim[1]) && is_side(a->dim[2]) && is_side(a->dim[3]);
}

static size_t row_bytes(const npy_array *a) {
    return a->dim[0] > 0 ? a->bytes / (size_t)a->dim[0] : 0;
}

static assay_status check_rows(const array_set *s, const char *source) {
    const held_array *x = &s->part[ARRAY_IMAGES], *y = &s->part[ARRAY_LABELS];
    if (x->place == NULL) {
        err_set(ASSAY_E_FORMAT, "no images go with the labels '%s'", y->place);
        err_where("%s", source);
        return ASSAY_E_FORMAT;
    }
    if (x->a.ndim < 2 || (x->a.dim[0] > 0 && row_bytes(&x->a) == 0)) {
        err_set(ASSAY_E_SHAPE, "images need at least two dimensions, rows first");
        err_where("%s: %s", source, x->place);
        return ASSAY_E_SHAPE;
    }
    if (y->place == NULL)
        return ASSAY_OK;
    bool flat = y->a.ndim == 1 || (y->a.ndim == 2 && y->a.dim[1] == 1);
    if (!flat || y->a.dtype < ASSAY_I8 || y->a.dtype > ASSAY_U64) {
        err_set(ASSAY_E_SHAPE, "labels must be whole numbers of shape [N] or [N,1]");
        err_where("%s: %s", source, y->place);
        err_help("one-hot rows become numbers with numpy's argmax(1)");
        return ASSAY_E_SHAPE;
    }
    if (y->a.dim[0] != x->a.dim[0]) {
        char a[32], b[32];
        err_set(ASSAY_E_FORMAT, "%s labels for %s images",
                import_number(a, (uint64_t)y->a.dim[0]),
                import_number(b, (uint64_t)x->a.dim[0]));
        err_where("%s: %s beside %s", source, y->place, x->place);
        return ASSAY_E_FORMAT;
    }
    return ASSAY_OK;
}

/* All sets must be alike: images all, or arrays of one shape and type; labelled all or
 * none. */
static assay_status check_alike(const arrays *x, const char *source) {
    const held_array *first = &x->set[0].part[ARRAY_IMAGES];
    bool planar, other_planar;
    int channels, other_channels;
    bool images = are_images(&first->a, &planar, &channels);
    for (int i = 1; i < x->sets; i++) {
        const held_array *h = &x->set[i].part[ARRAY_IMAGES];
        bool same = are_images(&h->a, &other_planar, &other_channels) == images;
        if (images)
            same = same && planar == other_planar && channels == other_channels;
        else
            same = same && h->a.dtype == first->a.dtype && h->a.ndim == first->a.ndim &&
                   memcmp(h->a.dim + 1, first->a.dim + 1,
                          sizeof(int64_t) * (size_t)(h->a.ndim - 1)) == 0;
        bool labelled = (x->set[i].part[ARRAY_LABELS].place != NULL) ==
                        (x->set[0].part[ARRAY_LABELS].place != NULL);
        if (same && labelled)
            continue;
        err_set(ASSAY_E_FORMAT,
                same ? "of '%.100s' and '%.100s' one has no labels"
                     : "'%.100s' and '%.100s' are of different types or "
                       "shapes",
                first->place, h->place);
        err_where("%s", source);
        return ASSAY_E_FORMAT;
    }
    return ASSAY_OK;
}

/* ---- rows ---- */

/* A whole number at a place of an array; false if it passes int64. */
static bool label_at(const npy_array *a, size_t i, int64_t *out) {
    size_t item = assay_dtype_size(a->dtype);
    const uint8_t *p = a->data + i * item;
    uint64_t v = 0;
    for (size_t k = 0; k < item; k++)
        v |= (uint64_t)p[k] << 8 * k;
    bool is_signed = a->dtype == ASSAY_I8 || a->dtype == ASSAY_I16 ||
                     a->dtype == ASSAY_I32 || a->dtype == ASSAY_I64;
    if (is_signed && item < 8 && v >> (8 * item - 1) != 0)
        v |= UINT64_MAX << 8 * item;
    memcpy(out, &v, sizeof v);
    return is_signed || v <= INT64_MAX;
}

static assay_status add_rows(const arrays *x, import_list *list, const char *source) {
    assay_status status = ASSAY_OK;
    int64_t most = -1, label = 0;
    for (int i = 0; i < x->sets; i++) {
        const array_set *s = &x->set[i];
        const npy_array *y = &s->part[ARRAY_LABELS].a;
        for (int64_t k = 0; k < s->part[ARRAY_IMAGES].a.dim[0]; k++) {
            char id[NAME_BYTES + 24];
            if (!list->no_label) {
                if (!label_at(y, (size_t)k, &label))
                    label = INT64_MAX;
                ASSAY_TRY_AT(label_check(list, label), "%s: %s, row %lld", source,
                             s->part[ARRAY_LABELS].place, (long long)k);
            }
            most = label > most ? label : most;
            (void)snprintf(id, sizeof id, "%s/%lld", s->name, (long long)k);
            ASSAY_TRY(import_add(list, s->split, (int32_t)label,
                                 (uint64_t)i << 56 | (uint64_t)k, id));
        }
    }
    if (!list->no_label)
        ASSAY_TRY_AT(label_number_classes(list, most), "%s", source);
done:
    return status;
}

static assay_status settle(arrays *x, import_list *list, const char *source) {
    assay_status status = ASSAY_OK;
    if (x->sets == 0) {
        err_set(ASSAY_E_FORMAT, "no arrays of images");
        err_where("%s", source);
        err_help("they are called x_train and y_train, images and labels, or NAME_images "
                 "and NAME_labels");
        return ASSAY_E_FORMAT;
    }
    for (int i = 0; i < x->sets; i++)
        ASSAY_TRY(check_rows(&x->set[i], source));
    ASSAY_TRY(check_alike(x, source));
    const npy_array *a = &x->set[0].part[ARRAY_IMAGES].a;
    list->no_image = !are_images(a, &x->planar, &x->channels);
    list->no_label = x->set[0].part[ARRAY_LABELS].place == NULL;
    if (list->no_image) {
        import_column c = {.type = BETON_NDARRAY, .name = "array", .ndim = a->ndim - 1};
        (void)snprintf(c.typestr, sizeof c.typestr, "%s", dtype_typestr(a->dtype));
        memcpy(c.dim, a->dim + 1, sizeof(int64_t) * (size_t)c.ndim);
        ASSAY_TRY(import_add_column(list, &c));
    }
    ASSAY_TRY(add_rows(x, list, source));
done:
    return status;
}

static assay_status
open_arrays(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    arrays *x = NULL;
    char folder[IMPORT_PATH_BYTES], set[NAME_BYTES];
    array_kind kind;
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &x, 1, sizeof *x));
    x->ctx = ctx;
    if (os_is_dir(path)) {
        ASSAY_TRY(label_read_classes(list, path));
        ASSAY_TRY(add_files(x, path, NULL));
    } else {
        ASSAY_TRY(value_folder(folder, path));
        ASSAY_TRY(label_read_classes(list, folder));
        if (parse_file(value_base(path), &kind, set))
            ASSAY_TRY(add_files(x, folder, set));
        else
            ASSAY_TRY(add_members(x, path));
    }
    ASSAY_TRY(settle(x, list, path));
    *state = x;
    x = NULL;
done:
    close_arrays(x);
    return status;
}

/* ---- values ---- */

static const uint8_t *
row_of(const arrays *x, const import_list *list, size_t row, const npy_array **a) {
    uint64_t ref = list->row[row].ref;
    *a = &x->set[ref >> 56].part[ARRAY_IMAGES].a;
    return (*a)->data + (size_t)(ref & 0xffffffffffffff) * row_bytes(*a);
}

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    assay_status status = ASSAY_OK;
    const arrays *x = state;
    const npy_array *a;
    const uint8_t *data = row_of(x, list, row, &a);
    size_t channels = (size_t)x->channels;
    out->raw = true;
    out->height = (int)a->dim[x->planar ? 2 : 1];
    out->width = (int)a->dim[x->planar ? 3 : 2];
    out->channels = x->channels;
    out->bytes = row_bytes(a);
    out->data = data;
    if (!x->planar || channels == 1)
        goto done;
    if (out->own_cap < out->bytes)
        ASSAY_TRY(mem_grow(out->ctx, &out->own, 0, &out->own_cap, out->bytes, 1));
    size_t plane = out->bytes / channels;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            out->own[channels * i + c] = data[c * plane + i];
    out->data = out->own;
done:
    return status;
}

static assay_status fetch_cell(const void *state,
                               const import_list *list,
                               size_t row,
                               size_t column,
                               import_cell *out) {
    const npy_array *a;
    (void)column;
    out->data = row_of(state, list, row, &a);
    out->bytes = row_bytes(a);
    return ASSAY_OK;
}

const data_importer assay_importer_npy = {
    .name = "npy",
    .summary = "NumPy arrays of images and labels: x_train.npy with y_train.npy, "
               "images.npy with labels.npy, or an .npz of such",
    .detect = detect,
    .open = open_arrays,
    .fetch = fetch,
    .fetch_cell = fetch_cell,
    .close = close_arrays,
};
