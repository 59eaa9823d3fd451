/* Exporting: opens the .beton, chooses and names rows, lets an exporter write them into a
 * temporary folder beside the output, and puts that in place. */
#include "data/exporter.h"

#include "base/options.h"
#include "data/image_cell.h"
#include "data/source/labels.h"
#include "data/source/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define X(n) extern const data_exporter assay_exporter_##n;
#include "exporter_table.inc"
#undef X

static const data_exporter *const table[] = {
#define X(n) &assay_exporter_##n,
#include "exporter_table.inc"
#undef X
};

/* What an export leaves in its folder, so that --force knows what it may replace. */
#define MARK ".assay-export"

size_t exporter_count(void) {
    return sizeof table / sizeof table[0];
}

const data_exporter *exporter_at(size_t i) {
    return i < exporter_count() ? table[i] : NULL;
}

size_t assay_exporter_count(void) {
    return exporter_count();
}

const char *assay_exporter_name(size_t i) {
    const data_exporter *d = exporter_at(i);
    return d ? d->name : NULL;
}

const char *assay_exporter_summary(size_t i) {
    const data_exporter *d = exporter_at(i);
    return d ? d->summary : NULL;
}

assay_status exporter_find(const data_exporter **out, const char *name) {
    char names[256] = "";
    size_t used = 0;
    *out = NULL;
    for (size_t i = 0; i < exporter_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return ASSAY_OK;
        }
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                         table[i]->name);
        if (n > 0 && (size_t)n < sizeof names - used)
            used += (size_t)n;
    }
    err_set(ASSAY_E_INVALID, "no exporter is called '%s'", name);
    err_help("there are: %s", names);
    return ASSAY_E_INVALID;
}

/* ---- the file ---- */

/* The field called `name` of a type, or the only one of that type: of integers, in files
 * of FFCV's, whose labels may have any name. -1: none. */
static int find_field(const beton_file *f, beton_type type, const char *name) {
    int only = -1, found = 0;
    for (int i = 0; i < beton_fields(f); i++) {
        const beton_field *field = beton_field_at(f, i);
        if (field->type != type)
            continue;
        if (strcmp(field->name, name) == 0)
            return i;
        only = i;
        found++;
    }
    bool may = type == BETON_IMAGE || !beton_has_section(f);
    return found == 1 && may ? only : -1;
}

static assay_status open_fields(export_job *e) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(beton_open(&e->file, e->ctx, e->path));
    e->fields = beton_fields(e->file);
    ASSAY_TRY(mem_new(e->ctx, &e->type, (size_t)e->fields + 1, sizeof *e->type));
    for (int i = 0; i < e->fields; i++) {
        const beton_field *f = beton_field_at(e->file, i);
        e->kind[i] = field_for(f->type);
        if (e->kind[i] == NULL) {
            err_set(ASSAY_E_UNSUPPORTED, "fields of type %d are not read", (int)f->type);
            err_where("%s: field '%s'", e->path, f->name);
            return ASSAY_E_UNSUPPORTED;
        }
        ASSAY_TRY_AT(e->kind[i]->plan(&e->type[i], e->ctx, f), "%s: field '%s'", e->path,
                     f->name);
    }
    e->image = find_field(e->file, BETON_IMAGE, "image");
    e->label = find_field(e->file, BETON_INT, "label");
    ASSAY_TRY(data_section_read(&e->said, e->ctx, e->file));
done:
    return status;
}

/* The classes that the file names; otherwise as many numbers as the labels need. */
static assay_status name_classes(export_job *e) {
    assay_status status = ASSAY_OK;
    int64_t most = -1;
    char number[24];
    if (e->label < 0)
        return ASSAY_OK;
    for (uint64_t i = 0; e->said.classes == 0 && i < beton_samples(e->file); i++) {
        int64_t v = (int64_t)le64_get(beton_cell(e->file, i, e->label));
        if (v < 0 || v >= SECTION_MAX_CLASSES ||
            !label_plausible(v, beton_samples(e->file))) { /* numbers like any other */
            e->label = -1;
            return ASSAY_OK;
        }
        most = v > most ? v : most;
    }
    size_t n = e->said.classes > 0 ? e->said.classes : (size_t)(most + 1);
    ASSAY_TRY(mem_new(e->ctx, &e->class_name, n + 1, sizeof *e->class_name));
    for (; e->classes < n; e->classes++) {
        (void)snprintf(number, sizeof number, "%zu", e->classes);
        ASSAY_TRY(
            mem_strdup(e->ctx, &e->class_name[e->classes],
                       e->said.classes > 0 ? e->said.class_name[e->classes] : number));
    }
done:
    return status;
}

/* ---- rows ---- */

/* Rows of a split, thinned evenly to the limit. */
static void append_split(export_job *e, uint64_t begin, uint64_t end, size_t split) {
    uint64_t n = end - begin, want = n;
    if (e->o.limit > 0 && (uint64_t)e->o.limit < n)
        want = (uint64_t)e->o.limit;
    for (uint64_t i = 0; i < want; i++) /* i * n / want without overflow */
        e->row[e->rows++] =
            (export_row){.sample = begin + i * (n / want) + i * (n % want) / want,
                         .split = (uint32_t)split};
}

static assay_status no_split(const export_job *e) {
    buf names = buf_make(e->ctx);
    for (size_t i = 0; i < e->said.splits; i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", e->said.split[i].name);
    err_set(ASSAY_E_INVALID, "the file has no split '%s'", e->o.split);
    err_where("%s", e->path);
    if (e->said.splits > 0)
        err_help("its splits are: %.200s", names.data != NULL ? names.data : "");
    else
        err_help("it names no splits at all");
    buf_free(&names);
    return ASSAY_E_INVALID;
}

static assay_status choose_rows(export_job *e) {
    assay_status status = ASSAY_OK;
    uint64_t samples = beton_samples(e->file);
    if (samples > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than 2^32 - 1 samples");
    ASSAY_TRY(mem_new(e->ctx, &e->row, (size_t)samples + 1, sizeof *e->row));
    for (size_t i = 0; i < e->said.splits; i++) {
        const data_split *s = &e->said.split[i];
        if (e->o.split != NULL && strcmp(e->o.split, s->name) != 0)
            continue;
        value_file_name(e->split[e->splits].name, sizeof e->split[0].name, s->name);
        append_split(e, s->begin, s->end, e->splits++);
    }
    if (e->o.split != NULL && e->splits == 0)
        return no_split(e);
    if (e->said.splits == 0) {
        e->splits = 1;
        append_split(e, 0, samples, 0);
    }
done:
    return status;
}

typedef struct named_row {
    const char *name;
    size_t row;
} named_row;

static int by_name(const void *a, const void *b) {
    const named_row *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

/* All rows' names in order. *twins: how many have the name of an earlier one. */
static assay_status sort_names(const export_job *e, named_row *sorted, size_t *twins) {
    assay_status status = ASSAY_OK;
    *twins = 0;
    ASSAY_TRY(buf_check(&e->names));
    for (size_t i = 0; i < e->rows; i++)
        sorted[i] = (named_row){export_name(e, &e->row[i]), i};
    if (e->rows > 1)
        qsort(sorted, e->rows, sizeof *sorted, by_name);
    for (size_t i = 1; i < e->rows; i++)
        *twins += strcmp(sorted[i - 1].name, sorted[i].name) == 0;
done:
    return status;
}

/* Names rows; those whose names are taken get their number behind it. */
static assay_status name_rows(export_job *e, const data_exporter *x) {
    assay_status status = ASSAY_OK;
    char name[EXPORT_NAME_BYTES], number[24];
    named_row *sorted = NULL;
    bool *again = NULL;
    size_t twins;
    for (size_t i = 0; i < e->rows; i++) {
        export_row *r = &e->row[i];
        (void)snprintf(number, sizeof number, "%08llu", (unsigned long long)r->sample);
        const char *id = number;
        if (e->said.id_bytes != NULL)
            id = e->said.id_bytes + le64_get(e->said.id_at + 8 * r->sample);
        x->name_row(name, e, r, id);
        r->name_at = e->names.len;
        buf_add(&e->names, name, strlen(name) + 1);
    }
    ASSAY_TRY(mem_new(e->ctx, &sorted, e->rows + 1, sizeof *sorted));
    ASSAY_TRY(mem_new(e->ctx, &again, e->rows + 1, sizeof *again));
    ASSAY_TRY(sort_names(e, sorted, &twins));
    if (twins == 0)
        goto done;
    for (size_t i = 1; i < e->rows; i++)
        again[sorted[i].row] = strcmp(sorted[i - 1].name, sorted[i].name) == 0;
    for (size_t i = 0; i < e->rows; i++) {
        export_row *r = &e->row[i];
        if (!again[i])
            continue;
        (void)snprintf(name, sizeof name, "%s", export_name(e, r));
        r->name_at = e->names.len;
        buf_fmt(&e->names, "%s~%llu", name, (unsigned long long)r->sample);
        buf_add(&e->names, "", 1);
        ASSAY_TRY(buf_check(&e->names));
    }
    ASSAY_TRY(sort_names(e, sorted, &twins));
    if (twins > 0) {
        err_set(ASSAY_E_FORMAT, "%zu samples can't be told apart by their ids", twins);
        err_where("%s", e->path);
        status = ASSAY_E_FORMAT;
    }
done:
    mem_free(e->ctx, sorted);
    mem_free(e->ctx, again);
    return status;
}

/* ---- for exporters ---- */

const char *export_name(const export_job *e, const export_row *row) {
    return e->names.data + row->name_at;
}

assay_status
export_value(const export_job *e, const export_row *row, int field, field_value *v) {
    assay_status status =
        e->kind[field]->read(v, e->file, &e->type[field], row->sample, field);
    if (status != ASSAY_OK && assay_last_error()->where[0] == '\0')
        err_where("%s: sample %llu, field '%s'", e->path, (unsigned long long)row->sample,
                  beton_field_at(e->file, field)->name);
    return status;
}

assay_status export_image(const export_job *e,
                          const export_row *row,
                          int field,
                          buf *scratch,
                          const uint8_t **data,
                          size_t *bytes,
                          const char **ext) {
    assay_status status = ASSAY_OK;
    field_value v;
    ASSAY_TRY(export_value(e, row, field, &v));
    *ext = v.mode == CELL_JPEG ? "jpg" : "png";
    *data = v.data;
    *bytes = (size_t)v.bytes;
    if (v.mode == CELL_JPEG)
        goto done;
    buf_clear(scratch);
    ASSAY_TRY_AT(e->kind[field]->dump(scratch, e->ctx, &e->type[field], &v, ".png"),
                 "%s: sample %llu", e->path, (unsigned long long)row->sample);
    ASSAY_TRY(buf_check(scratch));
    *data = (const uint8_t *)scratch->data;
    *bytes = scratch->len;
done:
    return status;
}

assay_status export_label(const export_job *e, const export_row *row, int64_t *label) {
    *label = (int64_t)le64_get(beton_cell(e->file, row->sample, e->label));
    if (*label >= 0 && (uint64_t)*label < e->classes)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "label %lld where there are %zu classes", (long long)*label,
            e->classes);
    err_where("%s: sample %llu", e->path, (unsigned long long)row->sample);
    return ASSAY_E_FORMAT;
}

static assay_status write_failed(int err, const char *path) {
    assay_status status = err_errno(err == EFBIG ? ASSAY_E_NOSPC : ASSAY_E_INVALID, err,
                                    "can't write the file");
    err_where("%s", path);
    return status;
}

assay_status export_put(export_job *e, const char *name, const void *data, size_t bytes) {
    assay_status status = ASSAY_OK;
    char path[8192];
    (void)snprintf(path, sizeof path, "%s/%s", e->folder, name);
    FILE *f = fopen(path, "wbx");
    if (f == NULL)
        return write_failed(errno, path);
    if (bytes > 0 && fwrite(data, 1, bytes, f) != bytes)
        status = write_failed(errno, path);
    if (fclose(f) != 0 && status == ASSAY_OK)
        status = write_failed(errno, path);
    e->done.files++;
    e->done.bytes += bytes;
    return status;
}

assay_status export_classes(export_job *e) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(e->ctx);
    json_out j = json_out_make(&b, 1);
    if (e->label < 0)
        return ASSAY_OK;
    json_arr(&j);
    for (size_t i = 0; i < e->classes; i++)
        json_str(&j, e->class_name[i]);
    json_arr_end(&j);
    buf_str(&b, "\n");
    ASSAY_TRY(buf_check(&b));
    ASSAY_TRY(export_put(e, "classes.json", b.data, b.len));
done:
    buf_free(&b);
    return status;
}

/* ---- the output ---- */

/* Whether --force may replace it: an empty folder, or one that an export made. */
static assay_status may_replace(assay_ctx *ctx, const char *out, bool *may) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    *may = false;
    if (!os_is_dir(out))
        return ASSAY_OK;
    ASSAY_TRY(os_list_dir(ctx, out, &names));
    *may = names.count == 0;
    for (size_t i = 0; i < names.count; i++)
        *may = *may || strcmp(names.name[i], MARK) == 0;
done:
    os_names_free(&names);
    return status;
}

static assay_status check_output(assay_ctx *ctx, const char *out, int force) {
    assay_status status = ASSAY_OK;
    bool may = false;
    if (!os_exists(out))
        return ASSAY_OK;
    if (force)
        ASSAY_TRY(may_replace(ctx, out, &may));
    if (may)
        return ASSAY_OK;
    err_set(ASSAY_E_INVALID, force ? "the output is not a folder that an export wrote"
                                   : "the output exists already");
    err_where("%s", out);
    err_help(force ? "remove it yourself, or give another name"
                   : "pass --force to replace an earlier export, or another name");
    status = ASSAY_E_INVALID;
done:
    return status;
}

static assay_status begin_output(export_job *e, const char *out) {
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/')
        n--;
    int len = snprintf(e->folder, sizeof e->folder, "%.*s.tmp-%ld", (int)n, out,
                       (long)getpid());
    if (n == 0 || len < 0 || (size_t)len >= sizeof e->folder - EXPORT_NAME_BYTES)
        return err_set(ASSAY_E_INVALID, "the output's name is empty or too long");
    assay_status status = os_remove_tree(e->folder);
    return status == ASSAY_OK ? os_mkdirs(e->folder) : status;
}

/* The mark, and the folder under its name; what lay there before goes last. */
static assay_status end_output(export_job *e, const char *out) {
    assay_status status = ASSAY_OK;
    static const char text[] = "written by assay export\n";
    char old[4200];
    assay_export_result done = e->done;
    bool replace = os_exists(out);
    ASSAY_TRY(export_put(e, MARK, text, sizeof text - 1));
    e->done = done;
    (void)snprintf(old, sizeof old, "%s-old", e->folder);
    if (replace && rename(out, old) != 0) {
        status = write_failed(errno, out);
        goto done;
    }
    if (rename(e->folder, out) != 0) {
        status = write_failed(errno, out);
        if (replace)
            (void)rename(old, out);
        goto done;
    }
    if (replace)
        ASSAY_TRY(os_remove_tree(old));
done:
    return status;
}

static assay_status take_options(export_job *e, const assay_export_options *given) {
    assay_status status = ASSAY_OK;
    e->o = (assay_export_options)ASSAY_EXPORT_OPTIONS_INIT;
    ASSAY_TRY(options_take(&e->o, sizeof e->o, given, "assay_export_options"));
    if (e->o.limit < 0 || e->o.shard_rows < 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "a limit can't be negative");
    if (e->o.to == NULL)
        e->o.to = "folder";
    if (e->o.shard_bytes == 0)
        e->o.shard_bytes = UINT64_C(1) << 30;
done:
    return status;
}

static void job_free(export_job *e) {
    for (size_t i = 0; i < e->classes; i++)
        mem_free(e->ctx, e->class_name[i]);
    mem_free(e->ctx, e->class_name);
    mem_free(e->ctx, e->row);
    mem_free(e->ctx, e->type);
    buf_free(&e->names);
    data_section_free(&e->said);
    beton_close(e->file);
    mem_free(e->ctx, e);
}

/* Removes what was begun, keeping the words of why it ended. */
static void clean_up(const export_job *e, assay_status why) {
    err_record record;
    err_save(&record);
    if (e->folder[0] != '\0' && os_remove_tree(e->folder) != ASSAY_OK)
        log_line(e->ctx, ASSAY_LOG_WARN, "%s stays behind: %s", e->folder,
                 assay_last_error()->message);
    if (why != ASSAY_OK)
        err_restore(&record);
}

assay_status assay_export(assay_ctx *ctx,
                          const char *path,
                          const char *out,
                          const assay_export_options *options,
                          assay_export_result *result) {
    assay_status status = ASSAY_OK;
    const data_exporter *x;
    export_job *e = NULL;
    if (result != NULL)
        *result = (assay_export_result){0};
    if (ctx == NULL || path == NULL || out == NULL)
        return err_set(ASSAY_E_INVALID,
                       "assay_export needs a context, a file and an output");
    ASSAY_TRY(mem_new(ctx, &e, 1, sizeof *e));
    e->ctx = ctx;
    e->path = path;
    e->names = buf_make(ctx);
    ASSAY_TRY(take_options(e, options));
    ASSAY_TRY(exporter_find(&x, e->o.to));
    ASSAY_TRY(check_output(ctx, out, e->o.force));
    ASSAY_TRY(open_fields(e));
    ASSAY_TRY(name_classes(e));
    ASSAY_TRY(x->check(e));
    ASSAY_TRY(choose_rows(e));
    ASSAY_TRY(name_rows(e, x));
    ASSAY_TRY(begin_output(e, out));
    progress_begin(ctx, "exporting", (int64_t)e->rows, "rows");
    ASSAY_TRY(x->run(e));
    progress_end(ctx);
    e->done.rows = e->rows;
    ASSAY_TRY(end_output(e, out));
    if (result != NULL)
        *result = e->done;
done:
    if (e != NULL) {
        if (status != ASSAY_OK)
            clean_up(e, status);
        job_free(e);
    }
    return status;
}
