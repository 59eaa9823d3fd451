/* Merge, append, select, split: which rows of which files. */
#include "data/pack/edit.h"

#include "base/le.h"
#include "base/options.h"
#include "base/rng.h"
#include "data/pack/pack.h"
#include "data/pack/pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, MAX_SHARDS = 100000 };

static bool keep_all(const void *arg, const edit_row *r) {
    (void)arg;
    (void)r;
    return true;
}

/* ---- merge, append ---- */

assay_status assay_beton_merge(assay_ctx *ctx,
                               const char *const *paths,
                               size_t n,
                               const char *out,
                               const assay_edit_options *options,
                               assay_edit_result *result) {
    assay_status status = ASSAY_OK;
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    edit e = {0};
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_edit_options"));
    ASSAY_TRY(pack_check_output(out, o.force != 0));
    ASSAY_TRY(edit_open(&e, ctx, paths, n));
    ASSAY_TRY(edit_choose(&e, keep_all, NULL));
    ASSAY_TRY(edit_write(&e, out, o.page_size, o.force != 0, result));
done:
    edit_free(&e);
    return status;
}

assay_status assay_beton_append(assay_ctx *ctx,
                                const char *path,
                                const char *more,
                                const char *out,
                                const assay_edit_options *options,
                                assay_edit_result *result) {
    assay_status status = ASSAY_OK;
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    const char *paths[2] = {path, more};
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_edit_options"));
    if (out == NULL)
        o.force = 1; /* in place: the file is its own replacement's source */
    ASSAY_TRY(assay_beton_merge(ctx, paths, 2, out != NULL ? out : path, &o, result));
done:
    return status;
}

/* ---- select ---- */

typedef struct selection {
    const edit *e;
    uint8_t *on;     /* by sample */
    int split;       /* -1: all */
    uint8_t *wanted; /* by class; NULL: all */
    size_t classes;
} selection;

static bool keep_selected(const void *arg, const edit_row *r) {
    const selection *s = arg;
    if (!s->on[r->sample] || (s->split >= 0 && r->split != (size_t)s->split))
        return false;
    if (s->wanted == NULL)
        return true;
    int64_t label =
        (int64_t)le64_get(beton_cell(s->e->file[0].f, r->sample, s->e->label_field));
    return label >= 0 && (uint64_t)label < s->classes && s->wanted[label];
}

static assay_status find_split(selection *s, const char *name) {
    buf names = buf_make(s->e->ctx);
    for (size_t i = 0; i < s->e->split_names; i++) {
        if (strcmp(s->e->split_name[i], name) == 0) {
            s->split = (int)i;
            buf_free(&names);
            return ASSAY_OK;
        }
        buf_fmt(&names, "%s%s", i ? ", " : "", s->e->split_name[i]);
    }
    err_set(ASSAY_E_INVALID, "the file has no split '%s'", name);
    err_where("%s", s->e->file[0].path);
    err_help("its splits are: %s", names.data != NULL ? names.data : "none");
    buf_free(&names);
    return ASSAY_E_INVALID;
}

/* The number of a class by its name, or, where classes have none, its number. */
static assay_status find_class(const selection *s, const char *name, size_t *out) {
    const edit *e = s->e;
    for (size_t i = 0; i < e->classes; i++)
        if (strcmp(e->class_name[i], name) == 0) {
            *out = i;
            return ASSAY_OK;
        }
    char *end;
    unsigned long v = strtoul(name, &end, 10);
    if (e->classes == 0 && end != name && *end == '\0' && v < s->classes) {
        *out = v;
        return ASSAY_OK;
    }
    err_set(ASSAY_E_INVALID, "the file has no class '%s'", name);
    err_where("%s", e->file[0].path);
    err_help(e->classes > 0 ? "assay info lists its classes"
                            : "its classes have no names: give numbers");
    return ASSAY_E_INVALID;
}

static assay_status find_classes(selection *s, const char *const *names) {
    assay_status status = ASSAY_OK;
    s->classes = s->e->classes > 0 ? s->e->classes : SECTION_MAX_CLASSES;
    if (s->e->label_field < 0) {
        err_set(ASSAY_E_INVALID, "no field is known to hold labels");
        err_where("%s", s->e->file[0].path);
        err_help("labels are the integer field called 'label', or the only one");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(s->e->ctx, &s->wanted, s->classes, 1));
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t c;
        ASSAY_TRY(find_class(s, names[i], &c));
        s->wanted[c] = 1;
    }
done:
    return status;
}

static assay_status select_rows(selection *s, const assay_select_options *o) {
    assay_status status = ASSAY_OK;
    const edit_file *f = &s->e->file[0];
    uint64_t n = beton_samples(f->f);
    char hex[65] = "";
    if (f->said.hash != NULL)
        hash_hex(hex, f->said.hash);
    ASSAY_TRY(mem_new(s->e->ctx, &s->on, (size_t)n + 1, 1));
    if (o->rows != NULL)
        ASSAY_TRY(pick_rows(s->e->ctx, s->on, n, o->rows, 1, NULL));
    else
        memset(s->on, 1, (size_t)n);
    if (o->exclude != NULL)
        ASSAY_TRY(pick_rows(s->e->ctx, s->on, n, o->exclude, 0, hex[0] ? hex : NULL));
    if (o->split != NULL)
        ASSAY_TRY(find_split(s, o->split));
    if (o->classes != NULL && o->classes[0] != NULL)
        ASSAY_TRY(find_classes(s, o->classes));
done:
    return status;
}

assay_status assay_beton_select(assay_ctx *ctx,
                                const char *path,
                                const char *out,
                                const assay_select_options *options,
                                assay_edit_result *result) {
    assay_status status = ASSAY_OK;
    assay_select_options o = ASSAY_SELECT_OPTIONS_INIT;
    edit e = {0};
    selection s = {.e = &e, .split = -1};
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_select_options"));
    ASSAY_TRY(pack_check_output(out, o.force != 0));
    ASSAY_TRY(edit_open(&e, ctx, &path, 1));
    ASSAY_TRY(select_rows(&s, &o));
    ASSAY_TRY_AT(edit_choose(&e, keep_selected, &s), "%s", path);
    ASSAY_TRY(edit_write(&e, out, o.page_size, o.force != 0, result));
done:
    mem_free(ctx, s.on);
    mem_free(ctx, s.wanted);
    edit_free(&e);
    return status;
}

/* ---- split ---- */

typedef struct part {
    const assay_split_options *o;
    int number; /* of the file that is written */
    int shards;
} part;

static bool keep_part(const void *arg, const edit_row *r) {
    const part *p = arg;
    if (p->o->by_split)
        return r->split == (size_t)p->number;
    if (p->o->shards > 0) /* shard k has rows k n / N to (k + 1) n / N of each split */
        return r->at >= (uint64_t)p->number * r->of / (uint64_t)p->shards &&
               r->at < (uint64_t)(p->number + 1) * r->of / (uint64_t)p->shards;
    rng_perm perm = rng_perm_make(r->of, p->o->seed, RNG_PACK, 2 + (uint32_t)r->split);
    uint64_t first = (uint64_t)(p->o->fraction * (double)r->of + 0.5);
    return (rng_perm_at(&perm, r->at) < first) == (p->number == 0);
}

static assay_status check_split_options(const assay_split_options *o) {
    int ways = (o->shards != 0) + (o->fraction != 0) + (o->by_split != 0);
    const char *what = NULL;
    if (ways != 1)
        what =
            "a file is split into shards, by a fraction or by its splits: one of these";
    else if (o->shards < 0 || o->shards > MAX_SHARDS)
        what = "a number of shards lies between 1 and 100000";
    else if (o->shards == 0 && !o->by_split && !(o->fraction > 0 && o->fraction < 1))
        what = "a fraction lies between 0 and 1";
    if (what == NULL)
        return ASSAY_OK;
    err_set(ASSAY_E_INVALID, "%s", what);
    err_help("for example --shards=4, --fraction=0.8 or --by-split");
    return ASSAY_E_INVALID;
}

/* "dir/x.beton" and "train": "dir/x-train.beton". */
static assay_status
name_part(char path[PATH_BYTES], const char *out, const char *part_name) {
    const char *slash = strrchr(out, '/');
    const char *dot = strrchr(slash != NULL ? slash : out, '.');
    size_t stem = dot != NULL ? (size_t)(dot - out) : strlen(out);
    int n = snprintf(path, PATH_BYTES, "%.*s-%s%s", (int)(stem < PATH_BYTES ? stem : 0),
                     out, part_name, out + stem);
    if (stem >= PATH_BYTES || n < 0 || n >= PATH_BYTES)
        return err_set(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 1);
    return ASSAY_OK;
}

static assay_status part_path(char path[PATH_BYTES],
                              const edit *e,
                              const assay_split_options *o,
                              const char *out,
                              int number) {
    char text[16];
    (void)snprintf(text, sizeof text, "%d", number);
    return name_part(path, out, o->by_split ? e->split_name[number] : text);
}

assay_status assay_beton_split(assay_ctx *ctx,
                               const char *path,
                               const char *out,
                               const assay_split_options *options,
                               int *files) {
    assay_status status = ASSAY_OK;
    assay_split_options o = ASSAY_SPLIT_OPTIONS_INIT;
    edit e = {0};
    char name[PATH_BYTES];
    int done_files = 0;
    if (files != NULL)
        *files = 0;
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_split_options"));
    ASSAY_TRY(check_split_options(&o));
    ASSAY_TRY(edit_open(&e, ctx, &path, 1));
    if (o.by_split && e.split_names == 0) {
        err_set(ASSAY_E_INVALID, "the file names no splits");
        err_where("%s", path);
        err_help("use --fraction");
        status = ASSAY_E_INVALID;
        goto done;
    }
    part p = {.o = &o, .shards = o.shards};
    int n = o.by_split ? (int)e.split_names : o.shards > 0 ? o.shards : 2;
    for (p.number = 0; p.number < n; p.number++) {
        ASSAY_TRY(part_path(name, &e, &o, out, p.number));
        ASSAY_TRY(pack_check_output(name, o.force != 0));
    }
    for (p.number = 0; p.number < n; p.number++) {
        ASSAY_TRY(part_path(name, &e, &o, out, p.number));
        ASSAY_TRY_AT(edit_choose(&e, keep_part, &p), "%s", name);
        ASSAY_TRY(edit_write(&e, name, o.page_size, o.force != 0, NULL));
        done_files++;
    }
done:
    if (files != NULL)
        *files = done_files;
    edit_free(&e);
    return status;
}
