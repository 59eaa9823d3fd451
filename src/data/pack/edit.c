/* The engine of editing: open, compare, choose, copy. */
#include "data/pack/edit.h"

#include "base/le.h"
#include "base/pool.h"
#include "data/image_cell.h"
#include "data/pack/pack.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILES = 1 << 20, BLOCK_ROWS = 1024, GRAIN = 16, LEAST_PAGE = 1 << 21 };

/* ---- opening ---- */

static assay_status unequal(const edit *e, const edit_file *f, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
static assay_status unequal(const edit *e, const edit_file *f, const char *fmt, ...) {
    char what[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    err_set(ASSAY_E_INVALID, "the files have different fields: %s", what);
    err_where("%s and %s", e->file[0].path, f->path);
    err_help("assay info shows the fields of a file");
    return ASSAY_E_INVALID;
}

static assay_status compare_fields(const edit *e, const edit_file *f) {
    const beton_file *first = e->file[0].f;
    if (beton_fields(f->f) != beton_fields(first))
        return unequal(e, f, "%d and %d of them", beton_fields(first),
                       beton_fields(f->f));
    for (int i = 0; i < beton_fields(first); i++) {
        const beton_field *a = beton_field_at(first, i), *b = beton_field_at(f->f, i);
        if (strcmp(a->name, b->name) != 0)
            return unequal(e, f, "field %d is called '%s' and '%s'", i, a->name, b->name);
        if (a->type != b->type)
            return unequal(e, f, "'%s' has type %s and %s", a->name,
                           field_for(a->type)->name, field_for(b->type)->name);
        if (memcmp(a->args, b->args, sizeof a->args) != 0)
            return unequal(e, f, "'%s' has another shape or element type", a->name);
        if (a->cell_bytes != b->cell_bytes || a->cell_align != b->cell_align ||
            a->has_payload != b->has_payload || a->ptr_offset != b->ptr_offset)
            return unequal(e, f, "'%s' has another cell", a->name);
    }
    return ASSAY_OK;
}

static bool is_carried(uint32_t tag) {
    static const uint32_t tags[] = {
        BETON_TAG_CHECKSUMS, BETON_TAG_CLASSES, BETON_TAG_SPLITS, BETON_TAG_IDS,
        BETON_TAG_IDENTITY,  BETON_TAG_INFO,    BETON_TAG_CUSTOM, BETON_TAG_JPEG_INDEX};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static void note_dropped(const edit *e, const edit_file *f) {
    uint32_t tag;
    for (size_t i = 0; (tag = beton_tag_at(f->f, i)) != 0; i++)
        if (!is_carried(tag)) {
            char name[5] = "";
            for (int k = 0; k < 4; k++) {
                uint32_t c = tag >> 8 * k & 255;
                name[k] = c >= 0x20 && c <= 0x7E ? (char)c : '?';
            }
            log_line(e->ctx, ASSAY_LOG_WARN,
                     "%s: what its tag %s says would be stale and is dropped", f->path,
                     name);
        }
}

/* The entries of the index go along with their rows. */
static assay_status open_index(const edit *e, edit_file *f) {
    assay_status status = ASSAY_OK;
    char note[256] = "";
    for (int i = 0; i < beton_fields(f->f); i++)
        if (beton_field_at(f->f, i)->type == BETON_IMAGE) {
            ASSAY_TRY(jpeg_index_open(&f->index, e->ctx, f->f, i, "auto", note));
            break;
        }
    if (note[0] != '\0')
        log_line(e->ctx, ASSAY_LOG_WARN, "%s: %s", f->path, note);
done:
    return status;
}

/* The page that holds every sample of a file: its own, or as many bytes as the file has,
 * so that a small file can't ask for gigabytes. */
static uint64_t page_of(const edit_file *f) {
    struct stat st;
    uint64_t page = beton_page_size(f->f);
    uint64_t bytes = stat(f->path, &st) == 0 ? (uint64_t)st.st_size : UINT32_MAX;
    while (page / 2 >= LEAST_PAGE && page / 2 >= bytes)
        page /= 2;
    return page;
}

static assay_status open_one(edit *e, edit_file *f, const char *path) {
    assay_status status = ASSAY_OK;
    f->path = path;
    ASSAY_TRY(beton_open(&f->f, e->ctx, path));
    ASSAY_TRY(data_section_read(&f->said, e->ctx, f->f));
    if (beton_samples(f->f) >> 40 != 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%s: 2^40 samples or more", path);
    uint64_t page = page_of(f);
    if (page > e->page_size)
        e->page_size = page;
    ASSAY_TRY(compare_fields(e, f));
    ASSAY_TRY(edit_read_info(e, f));
    ASSAY_TRY(open_index(e, f));
    note_dropped(e, f);
done:
    return status;
}

static assay_status plan_fields(edit *e) {
    assay_status status = ASSAY_OK;
    const beton_file *f = e->file[0].f;
    beton_field *field = NULL;
    int n = beton_fields(f), ints = 0;
    ASSAY_TRY(mem_new(e->ctx, &field, (size_t)n, sizeof *field));
    ASSAY_TRY(mem_new(e->ctx, &e->type, (size_t)n, sizeof *e->type));
    for (int i = 0; i < n; i++) {
        field[i] = *beton_field_at(f, i);
        ASSAY_TRY_AT(field_for(field[i].type)->plan(&e->type[i], e->ctx, &field[i]),
                     "%s: field '%s'", e->file[0].path, field[i].name);
        if (field[i].type == BETON_INT && ints++ == 0)
            e->label_field = i;
    }
    int named = beton_field_find(f, "label");
    if (named >= 0 && field[named].type == BETON_INT)
        e->label_field = named;
    else if (ints != 1)
        e->label_field = -1;
    ASSAY_TRY(emit_layout_make(&e->layout, e->ctx, field, n));
done:
    mem_free(e->ctx, field);
    return status;
}

/* Names become parts of paths. */
static assay_status add_split_name(edit *e, const char *name) {
    for (const char *c = name; *c || c == name; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return err_set(ASSAY_E_FORMAT, "'%s' can't name a split", name);
    for (size_t i = 0; i < e->split_names; i++)
        if (strcmp(e->split_name[i], name) == 0)
            return ASSAY_OK;
    if (e->split_names == SECTION_MAX_SPLITS)
        return err_set(ASSAY_E_UNSUPPORTED, "more than %d splits", SECTION_MAX_SPLITS);
    (void)snprintf(e->split_name[e->split_names++], sizeof e->split_name[0], "%s", name);
    return ASSAY_OK;
}

/* Training rows come first. */
static assay_status unite_splits(edit *e) {
    assay_status status = ASSAY_OK;
    bool any = false;
    for (size_t i = 0; i < e->files; i++)
        any = any || e->file[i].said.splits > 0;
    if (!any)
        return ASSAY_OK;
    for (size_t i = 0; i < e->files; i++) {
        const data_section *said = &e->file[i].said;
        bool trains = said->splits == 0;
        for (size_t s = 0; s < said->splits; s++)
            trains = trains || strcmp(said->split[s].name, "train") == 0;
        if (trains)
            ASSAY_TRY(add_split_name(e, "train"));
    }
    for (size_t i = 0; i < e->files; i++)
        for (size_t s = 0; s < e->file[i].said.splits; s++)
            ASSAY_TRY(add_split_name(e, e->file[i].said.split[s].name));
done:
    return status;
}

assay_status edit_open(edit *e, assay_ctx *ctx, const char *const *paths, size_t n) {
    assay_status status = ASSAY_OK;
    *e = (edit){.ctx = ctx, .label_field = -1};
    if (n == 0 || n > MAX_FILES)
        ASSAY_FAIL(ASSAY_E_INVALID, "%zu files, where 1 to %d can be edited", n,
                   MAX_FILES);
    ASSAY_TRY(mem_new(ctx, &e->file, n, sizeof *e->file));
    for (e->files = 0; e->files < n;) {
        edit_file *f = &e->file[e->files++];
        ASSAY_TRY(open_one(e, f, paths[e->files - 1]));
    }
    ASSAY_TRY(plan_fields(e));
    ASSAY_TRY(edit_unite_classes(e));
    ASSAY_TRY(unite_splits(e));
done:
    return status;
}

void edit_free(edit *e) {
    if (e->ctx == NULL)
        return;
    for (size_t i = 0; i < e->files; i++) {
        data_section_free(&e->file[i].said);
        mem_free(e->ctx, e->file[i].label);
        mem_free(e->ctx, e->file[i].orientation);
        jpeg_index_close(e->file[i].index);
        beton_close(e->file[i].f);
    }
    for (size_t i = 0; i < e->classes; i++)
        mem_free(e->ctx, e->class_name[i]);
    mem_free(e->ctx, e->class_name);
    mem_free(e->ctx, e->file);
    mem_free(e->ctx, e->type);
    mem_free(e->ctx, e->pick);
    emit_layout_free(&e->layout, e->ctx);
    *e = (edit){0};
}

/* ---- choosing ---- */

static assay_status choose_range(edit *e,
                                 edit_row r,
                                 uint64_t begin,
                                 uint64_t end,
                                 bool (*keep)(const void *, const edit_row *),
                                 const void *arg) {
    assay_status status = ASSAY_OK;
    r.of = end - begin;
    for (r.at = 0; r.at < r.of; r.at++) {
        r.sample = begin + r.at;
        if (!keep(arg, &r))
            continue;
        if (e->picks == e->pick_cap)
            ASSAY_TRY(mem_grow(e->ctx, &e->pick, e->picks, &e->pick_cap, e->picks + 1,
                               sizeof *e->pick));
        e->pick[e->picks++] = (uint64_t)r.file << 40 | r.sample;
    }
done:
    return status;
}

/* The rows of one file that belong to split `r.split`. */
static assay_status choose_file(edit *e,
                                edit_row r,
                                bool (*keep)(const void *, const edit_row *),
                                const void *arg) {
    assay_status status = ASSAY_OK;
    const edit_file *f = &e->file[r.file];
    if (f->said.splits == 0 &&
        (e->split_names == 0 || strcmp(e->split_name[r.split], "train") == 0))
        return choose_range(e, r, 0, beton_samples(f->f), keep, arg);
    for (size_t s = 0; s < f->said.splits; s++)
        if (strcmp(f->said.split[s].name, e->split_name[r.split]) == 0)
            ASSAY_TRY(choose_range(e, r, f->said.split[s].begin, f->said.split[s].end,
                                   keep, arg));
done:
    return status;
}

assay_status
edit_choose(edit *e, bool (*keep)(const void *arg, const edit_row *r), const void *arg) {
    assay_status status = ASSAY_OK;
    size_t names = e->split_names > 0 ? e->split_names : 1;
    e->picks = e->splits = 0;
    for (size_t s = 0; s < names; s++) {
        uint64_t begin = e->picks;
        for (size_t i = 0; i < e->files; i++)
            ASSAY_TRY(choose_file(e, (edit_row){.file = i, .split = s}, keep, arg));
        if (e->split_names == 0)
            continue;
        data_split *split = &e->split[e->splits++];
        *split = (data_split){.begin = begin, .end = e->picks};
        memcpy(split->name, e->split_name[s], sizeof split->name);
    }
    if (e->picks == 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "no rows are left");
done:
    return status;
}

/* ---- copying ---- */

typedef struct copier {
    const edit *e;
    size_t first; /* of the block, in pick */
    emit_row *row;
} copier;

static assay_status
copy_payload(emit_row *r, const edit *e, const edit_file *f, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    const beton_field *d = &e->layout.field[field];
    field_value v = {0};
    if (d->type == BETON_CUSTOM)
        ASSAY_TRY(beton_payload(f->f, sample, field,
                                le64_get(beton_cell(f->f, sample, field) + d->ptr_offset),
                                0, &v.data, &v.bytes));
    else
        ASSAY_TRY(field_for(d->type)->read(&v, f->f, &e->type[field], sample, field));
    emit_row_borrow(r, v.data, v.bytes);
done:
    return status;
}

static assay_status copy_row(emit_row *r, const edit *e, uint64_t pick) {
    assay_status status = ASSAY_OK;
    uint64_t sample;
    jpeg_index index;
    const edit_file *f = edit_file_of(e, pick, &sample);
    emit_row_clear(r);
    for (int k = 0; k < e->layout.fields; k++) {
        const beton_field *d = &e->layout.field[k];
        uint8_t *cell = emit_row_cell(r, k);
        memcpy(cell, beton_cell(f->f, sample, k), d->cell_bytes);
        if (k == e->label_field && f->label != NULL) {
            int64_t label = (int64_t)le64_get(cell);
            if (label < 0 || (uint64_t)label >= f->said.classes) {
                err_set(ASSAY_E_FORMAT, "label %lld, where 0 to %zu have names",
                        (long long)label, f->said.classes - 1);
                err_where("%s: sample %llu, field '%s'", f->path,
                          (unsigned long long)sample, d->name);
                return ASSAY_E_FORMAT;
            }
            le64_put(cell, (uint64_t)f->label[label]);
        }
        if (d->has_payload)
            ASSAY_TRY(copy_payload(r, e, f, sample, k));
    }
    if (f->index != NULL && jpeg_index_at(f->index, sample, &index))
        buf_add(&r->index, index.data, index.bytes);
    ASSAY_TRY(buf_check(&r->index));
    ASSAY_TRY(emit_row_seal(r));
done:
    return status;
}

static assay_status copy_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    const copier *c = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        ASSAY_TRY(copy_row(&c->row[i], c->e, c->e->pick[c->first + i]));
done:
    return status;
}

static const char *id_of(const void *arg, uint64_t row) {
    const edit *e = arg;
    uint64_t sample;
    const edit_file *f = edit_file_of(e, e->pick[row], &sample);
    const char *id = data_section_id(&f->said, sample);
    return id != NULL ? id : "";
}

static assay_status write_rows(const edit *e, emit *to) {
    assay_status status = ASSAY_OK;
    copier c = {.e = e};
    size_t made = 0;
    ASSAY_TRY(mem_new(e->ctx, &c.row, BLOCK_ROWS, sizeof *c.row));
    for (; made < BLOCK_ROWS && made < e->picks; made++)
        ASSAY_TRY(emit_row_make(&c.row[made], e->ctx, &e->layout));
    progress_begin(e->ctx, "copying", (int64_t)e->picks, "rows");
    for (c.first = 0; c.first < e->picks; c.first += BLOCK_ROWS) {
        size_t n = e->picks - c.first < BLOCK_ROWS ? e->picks - c.first : BLOCK_ROWS;
        ASSAY_TRY(assay_parallel_for(e->ctx, n, GRAIN, copy_rows, &c));
        for (size_t i = 0; i < n; i++)
            ASSAY_TRY(emit_add(to, &c.row[i]));
        progress_add(e->ctx, (int64_t)n);
    }
    progress_end(e->ctx);
done:
    for (size_t i = 0; i < made; i++)
        emit_row_free(&c.row[i]);
    mem_free(e->ctx, c.row);
    return status;
}

static assay_status
fill_result(const edit *e, const char *out, const uint8_t sha[32], assay_edit_result *r) {
    assay_status status = ASSAY_OK;
    os_map map;
    if (r == NULL)
        return ASSAY_OK;
    *r = (assay_edit_result){.rows = e->picks, .classes = (int)e->classes};
    for (size_t s = 0; s < e->splits; s++)
        if (strcmp(e->split[s].name, "train") == 0)
            r->train_rows = e->split[s].end - e->split[s].begin;
    hash_hex(r->sha256, sha);
    ASSAY_TRY(os_map_file(&map, out, false));
    r->bytes = map.bytes;
    os_unmap(&map);
done:
    return status;
}

assay_status edit_write(const edit *e,
                        const char *out,
                        uint64_t page_size,
                        bool force,
                        assay_edit_result *result) {
    assay_status status = ASSAY_OK;
    emit to = {0};
    buf info = buf_make(e->ctx);
    uint8_t sha[32];
    bool ids = false;
    ASSAY_TRY(pack_check_output(out, force));
    if (page_size == 0)
        page_size = e->page_size > 4096 ? e->page_size : 4096;
    if (page_size > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_INVALID, "a page is a power of two below 4 GiB");
    ASSAY_TRY(edit_write_info(e, &info));
    ASSAY_TRY(emit_begin(&to, e->ctx, out, &e->layout, e->picks, page_size));
    for (size_t i = 0; i < e->files && to.index == NULL; i++)
        if (e->file[i].index != NULL)
            ASSAY_TRY(
                emit_keep_index(&to, jpeg_index_describe(e->file[i].index).interval));
    ASSAY_TRY(write_rows(e, &to));
    for (size_t i = 0; i < e->files; i++)
        ids = ids || e->file[i].said.id_bytes != NULL;
    ASSAY_TRY(emit_commit(&to,
                          &(emit_names){.class_name = (const char *const *)e->class_name,
                                        .classes = e->classes,
                                        .split = e->split,
                                        .splits = e->splits,
                                        .id = ids ? id_of : NULL,
                                        .id_arg = e,
                                        .info = &info},
                          sha));
    ASSAY_TRY(fill_result(e, out, sha, result));
done:
    emit_end(&to);
    buf_free(&info);
    return status;
}
