/* A folder of images: SRC/class/x.jpg, or SRC/train/class/x.jpg beside SRC/test or
 * SRC/val. A sample's id is its path below SRC, so the list is all the state there is.
 * Classes are in name order, or in that of a classes.txt or classes.json in SRC. */
#include "data/importer.h"

#include "base/os.h"
#include "data/source/labels.h"
#include "data/source/values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 28 };

typedef struct class_dir {
    char *name;
    int32_t label; /* -1: no images anywhere, left out */
    import_split split;
    const char *prefix; /* "train/" or "" */
    uint64_t images;
} class_dir;

typedef struct walk {
    assay_ctx *ctx;
    const char *root;
    class_dir *dir; /* sorted by name, then split */
    size_t dirs, cap;
    uint64_t others; /* files that are no images */
    char first_other[256];
} walk;

static assay_status is_dir(bool *out, const char *root, const char *rel) {
    char path[IMPORT_PATH_BYTES];
    assay_status status = import_path(path, root, rel);
    *out = status == ASSAY_OK && os_is_dir(path);
    return status;
}

static void count_other(walk *w, const char *rel) {
    if (w->others++ == 0)
        snprintf(w->first_other, sizeof w->first_other, "%.255s", rel);
}

/* ---- which folders are classes ---- */

/* Fills split and prefix for a folder's name, or says no. */
static bool split_of(const char *name, import_split *split) {
    static const struct {
        const char *name;
        import_split split;
    } known[] = {{"train", IMPORT_TRAIN}, {"training", IMPORT_TRAIN},
                 {"test", IMPORT_TEST},   {"val", IMPORT_VAL},
                 {"valid", IMPORT_VAL},   {"validation", IMPORT_VAL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) {
            *split = known[i].split;
            return true;
        }
    return false;
}

/* Whether all folders of the source are named like splits, one of them for training. */
static assay_status find_layout(bool *split, const char *root, const os_names *top) {
    assay_status status = ASSAY_OK;
    bool train = false, other = false;
    for (size_t i = 0; i < top->count; i++) {
        import_split s;
        bool dir;
        if (top->name[i][0] == '.')
            continue;
        ASSAY_TRY(is_dir(&dir, root, top->name[i]));
        if (dir && split_of(top->name[i], &s))
            train |= s == IMPORT_TRAIN;
        else
            other |= dir;
    }
done:
    *split = train && !other;
    return status;
}

/* prefix + name: the path of a class folder, or of a loose file, below the source. */
static assay_status
below(char out[IMPORT_PATH_BYTES], const char *prefix, const char *name) {
    int n = snprintf(out, IMPORT_PATH_BYTES, "%s%s", prefix, name);
    if (n < 0 || n >= IMPORT_PATH_BYTES)
        return err_set(ASSAY_E_INVALID, "path of more than %d bytes",
                       IMPORT_PATH_BYTES - 1);
    return ASSAY_OK;
}

static assay_status count_images(walk *w, class_dir *c, const char *rel) {
    assay_status status = ASSAY_OK;
    os_names files = {0};
    char path[IMPORT_PATH_BYTES];
    ASSAY_TRY(import_path(path, w->root, rel));
    ASSAY_TRY(os_list_dir(w->ctx, path, &files));
    for (size_t f = 0; f < files.count; f++) {
        if (files.name[f][0] == '.')
            continue;
        if (value_is_image(files.name[f])) {
            c->images++;
            continue;
        }
        ASSAY_TRY(import_path(path, rel, files.name[f]));
        count_other(w, path);
    }
done:
    os_names_free(&files);
    return status;
}

/* Files that say something of the images: no strangers among them. */
static bool is_about_the_source(const char *name) {
    return strcmp(name, "classes.txt") == 0 || strcmp(name, "classes.json") == 0 ||
           strcmp(name, "rows.csv") == 0;
}

/* Lists the class folders below root/prefix; prefix is "" or ends in a slash. */
static assay_status find_classes(walk *w, import_split split, const char *prefix) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    char path[IMPORT_PATH_BYTES], rel[IMPORT_PATH_BYTES];
    ASSAY_TRY(import_path(path, w->root, prefix));
    ASSAY_TRY(os_list_dir(w->ctx, path, &names));
    for (size_t i = 0; i < names.count; i++) {
        bool dir;
        if (names.name[i][0] == '.')
            continue;
        ASSAY_TRY(below(rel, prefix, names.name[i]));
        ASSAY_TRY(is_dir(&dir, w->root, rel));
        if (!dir) {
            if (prefix[0] != '\0' || !is_about_the_source(names.name[i]))
                count_other(w, rel);
            continue;
        }
        if (w->dirs == w->cap)
            ASSAY_TRY(
                mem_grow(w->ctx, &w->dir, w->dirs, &w->cap, w->dirs + 1, sizeof *w->dir));
        class_dir *c = &w->dir[w->dirs];
        *c = (class_dir){.split = split, .prefix = prefix, .label = -1};
        ASSAY_TRY(mem_strdup(w->ctx, &c->name, names.name[i]));
        w->dirs++;
        ASSAY_TRY(count_images(w, c, rel));
    }
done:
    os_names_free(&names);
    return status;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b) {
    const class_dir *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c : (int)x->split - (int)y->split;
}

static void trimmed(const char *name, const char **from, size_t *n) {
    while (isspace((unsigned char)*name))
        name++;
    *from = name;
    *n = strlen(name);
    while (*n > 0 && isspace((unsigned char)name[*n - 1]))
        (*n)--;
}

static int by_trimmed(const void *a, const void *b) {
    const class_dir *const *x = a, *const *y = b;
    const char *p, *q;
    size_t n, m;
    trimmed((*x)->name, &p, &n);
    trimmed((*y)->name, &q, &m);
    int c = memcmp(p, q, n < m ? n : m);
    if (c != 0)
        return c;
    return n != m ? (n < m ? -1 : 1) : by_name(*x, *y);
}

static uint64_t images_named(const walk *w, const char *name) {
    uint64_t n = 0;
    for (size_t i = 0; i < w->dirs; i++)
        if (strcmp(w->dir[i].name, name) == 0)
            n += w->dir[i].images;
    return n;
}

static assay_status refuse_twins(const walk *w) {
    assay_status status = ASSAY_OK;
    const class_dir **sorted = NULL;
    ASSAY_TRY(mem_new(w->ctx, &sorted, w->dirs + 1, sizeof *sorted));
    for (size_t i = 0; i < w->dirs; i++)
        sorted[i] = &w->dir[i];
    qsort(sorted, w->dirs, sizeof *sorted, by_trimmed);
    for (size_t i = 1; i < w->dirs; i++) {
        const char *a = sorted[i - 1]->name, *b = sorted[i]->name, *p, *q;
        size_t n, m;
        trimmed(a, &p, &n);
        trimmed(b, &q, &m);
        if (n != m || memcmp(p, q, n) != 0 || strcmp(a, b) == 0)
            continue;
        char na[32], nb[32];
        err_set(ASSAY_E_FORMAT, "two classes have the same name after trimming spaces");
        err_where("%s/\"%s\" (%s images) and %s/\"%s\" (%s images)", w->root, a,
                  import_number(na, images_named(w, a)), w->root, b,
                  import_number(nb, images_named(w, b)));
        err_help("merge them, or rename one");
        status = ASSAY_E_FORMAT;
        goto done;
    }
done:
    mem_free(w->ctx, sorted);
    return status;
}

/* A class's name and the name of its folder, which may hold fewer characters. */
typedef struct known_class {
    char folder[200];
    int32_t label;
} known_class;

static int by_folder(const void *a, const void *b) {
    const known_class *x = a, *y = b;
    int c = strcmp(x->folder, y->folder);
    return c != 0 ? c : (x->label > y->label) - (x->label < y->label);
}

static int is_folder(const void *name, const void *b) {
    return strcmp(name, ((const known_class *)b)->folder);
}

/* Numbers the classes as a classes.txt or classes.json in the source does, if there is
 * one that names all folders with images. */
static assay_status number_as_told(walk *w, import_list *list, bool *told) {
    assay_status status = ASSAY_OK;
    known_class *known = NULL;
    ASSAY_TRY(label_read_classes(list, w->root));
    *told = list->classes > 0;
    if (!*told)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(w->ctx, &known, list->classes, sizeof *known));
    for (size_t c = 0; c < list->classes; c++) {
        value_file_name(known[c].folder, sizeof known[c].folder, list->class_name[c]);
        known[c].label = (int32_t)c;
    }
    qsort(known, list->classes, sizeof *known, by_folder);
    for (size_t i = 0; i < w->dirs && *told; i++) {
        const known_class *k =
            bsearch(w->dir[i].name, known, list->classes, sizeof *known, is_folder);
        *told = k != NULL || w->dir[i].images == 0;
        w->dir[i].label = k != NULL ? k->label : -1;
    }
    if (*told)
        goto done;
    while (list->classes > 0)
        mem_free(w->ctx, list->class_name[--list->classes]);
    for (size_t i = 0; i < w->dirs; i++)
        w->dir[i].label = -1;
    ASSAY_TRY(import_note(list, "the file of class names does not name all folders and "
                                "was passed over"));
done:
    mem_free(w->ctx, known);
    return status;
}

/* Numbers the classes that hold images, in name order. */
static assay_status number_classes(walk *w, import_list *list) {
    assay_status status = ASSAY_OK;
    bool told;
    qsort(w->dir, w->dirs, sizeof *w->dir, by_name);
    ASSAY_TRY(number_as_told(w, list, &told));
    for (size_t i = 0, end; i < w->dirs && !told; i = end) {
        uint64_t images = 0;
        for (end = i; end < w->dirs && strcmp(w->dir[i].name, w->dir[end].name) == 0;
             end++)
            images += w->dir[end].images;
        if (images == 0) {
            ASSAY_TRY(import_note(list, "class '%s' holds no images and was left out",
                                  w->dir[i].name));
            continue;
        }
        for (size_t k = i; k < end; k++)
            w->dir[k].label = (int32_t)list->classes;
        ASSAY_TRY(import_add_class(list, w->dir[i].name));
    }
done:
    return status;
}

static assay_status add_rows(const walk *w, import_list *list, import_split split) {
    assay_status status = ASSAY_OK;
    os_names files = {0};
    char rel[IMPORT_PATH_BYTES], path[IMPORT_PATH_BYTES];
    for (size_t i = 0; i < w->dirs; i++) {
        const class_dir *c = &w->dir[i];
        if (c->split != split || c->label < 0)
            continue;
        ASSAY_TRY(below(rel, c->prefix, c->name));
        ASSAY_TRY(import_path(path, w->root, rel));
        ASSAY_TRY(os_list_dir(w->ctx, path, &files));
        for (size_t f = 0; f < files.count; f++) {
            if (files.name[f][0] == '.' || !value_is_image(files.name[f]))
                continue;
            ASSAY_TRY(import_path(path, rel, files.name[f]));
            ASSAY_TRY(import_add(list, split, c->label, 0, path));
        }
        os_names_free(&files);
    }
done:
    os_names_free(&files);
    return status;
}

/* ---- the importer ---- */

typedef struct folder {
    assay_ctx *ctx;
    char *root;
} folder;

static int detect(assay_ctx *ctx, const char *path) {
    (void)ctx;
    return os_is_dir(path) ? 1 : 0;
}

static void close_folder(void *state) {
    folder *s = state;
    if (s == NULL)
        return;
    mem_free(s->ctx, s->root);
    mem_free(s->ctx, s);
}

static assay_status find_splits(walk *w, const os_names *top) {
    assay_status status = ASSAY_OK;
    static const char *const prefix[] = {"train/", "training/", "test/",
                                         "val/",   "valid/",    "validation/"};
    for (size_t i = 0; i < top->count; i++)
        for (size_t p = 0; p < sizeof prefix / sizeof prefix[0]; p++) {
            import_split s;
            bool dir;
            size_t n = strlen(top->name[i]);
            if (strncmp(top->name[i], prefix[p], n) != 0 || prefix[p][n] != '/')
                continue;
            ASSAY_TRY(is_dir(&dir, w->root, top->name[i]));
            if (dir && split_of(top->name[i], &s))
                ASSAY_TRY(find_classes(w, s, prefix[p]));
        }
done:
    return status;
}

static assay_status
open_folder(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    folder *s = NULL;
    os_names top = {0};
    walk w = {.ctx = ctx, .root = path};
    bool by_split = false;
    *state = NULL;
    if (!os_is_dir(path)) {
        err_set(os_exists(path) ? ASSAY_E_FORMAT : ASSAY_E_NOTFOUND, "not a folder");
        err_where("%s", path);
        status = assay_last_error()->status;
        goto done;
    }
    ASSAY_TRY(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    ASSAY_TRY(mem_strdup(ctx, &s->root, path));
    ASSAY_TRY(os_list_dir(ctx, path, &top));
    ASSAY_TRY(find_layout(&by_split, path, &top));
    if (by_split)
        ASSAY_TRY(find_splits(&w, &top));
    else
        ASSAY_TRY(find_classes(&w, IMPORT_TRAIN, ""));
    if (w.dirs == 0) {
        bool loose = w.others > 0;
        err_set(ASSAY_E_FORMAT, loose ? "files but no class folders"
                                      : "the folder is empty: no class folders");
        err_where("%s", path);
        err_help("put the images of each class into a folder named like the class");
        status = ASSAY_E_FORMAT;
        goto done;
    }
    ASSAY_TRY(refuse_twins(&w));
    ASSAY_TRY(number_classes(&w, list));
    for (int k = 0; k < IMPORT_SPLITS; k++)
        ASSAY_TRY(add_rows(&w, list, (import_split)k));
    if (w.others > 0) {
        char n[32];
        ASSAY_TRY(import_note(list,
                              "%s files are not images and were passed over, first %s",
                              import_number(n, w.others), w.first_other));
    }
    *state = s;
    s = NULL;
done:
    for (size_t i = 0; i < w.dirs; i++)
        mem_free(ctx, w.dir[i].name);
    mem_free(ctx, w.dir);
    os_names_free(&top);
    close_folder(s);
    return status;
}

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    assay_status status = ASSAY_OK;
    const folder *s = state;
    char path[IMPORT_PATH_BYTES];
    mem_free(out->ctx, out->own);
    out->own = NULL;
    ASSAY_TRY(import_path(path, s->root, import_id(list, row)));
    ASSAY_TRY(os_read_file(out->ctx, path, FILE_LIMIT, &out->own, &out->bytes));
    out->raw = false;
    out->data = out->own;
done:
    return status;
}

const data_importer assay_importer_folder = {
    .name = "folder",
    .summary =
        "one folder of JPEG or PNG images per class, also below train/ and test/ or val/",
    .detect = detect,
    .open = open_folder,
    .fetch = fetch,
    .close = close_folder,
};
