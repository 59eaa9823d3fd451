/* Reading CIFAR's batches: a folder of them, or one alone; gzip and xz are unpacked. */
#include "data/source/cifar.h"

#include "base/os.h"
#include "data/source/labels.h"
#include "data/source/stream.h"
#include "data/source/values.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, MAX_BATCHES = 64 };
static const size_t max_bytes = (size_t)1 << 31; /* of one batch */

typedef struct batch {
    uint8_t *data;
    size_t records;
    char name[64]; /* "data_batch_1" */
    import_split split;
} batch;

typedef struct cifar {
    assay_ctx *ctx;
    const cifar_layout *layout;
    size_t record; /* bytes */
    batch part[MAX_BATCHES];
    int parts;
} cifar;

/* Length of the name before ".bin", ".bin.gz" or ".bin.xz"; 0 if it is none of these. */
static size_t stem(const char *name) {
    const char *dot = strstr(name, ".bin");
    if (dot == NULL || (strcmp(dot, ".bin") != 0 && strcmp(dot, ".bin.gz") != 0 &&
                        strcmp(dot, ".bin.xz") != 0))
        return 0;
    return (size_t)(dot - name);
}

static bool is_batch(const cifar_layout *layout, const char *name) {
    for (int i = 0; i < 2; i++)
        if (strncmp(name, layout->first[i], strlen(layout->first[i])) == 0)
            return stem(name) > 0;
    return false;
}

bool cifar_is(assay_ctx *ctx, const cifar_layout *layout, const char *path) {
    bool found = false;
    os_names names = {0};
    if (!os_is_dir(path))
        return is_batch(layout, value_base(path));
    if (os_list_dir(ctx, path, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++)
            found = found || is_batch(layout, names.name[i]);
    os_names_free(&names);
    return found;
}

static assay_status check_records(const cifar *c, const batch *b, const char *path) {
    const cifar_layout *o = c->layout;
    for (size_t i = 0; i < b->records; i++)
        for (size_t k = 0; k < o->labels; k++) {
            int label = b->data[i * c->record + k];
            if (label < o->most[k])
                continue;
            err_set(ASSAY_E_FORMAT, "label %d where 0 to %d are possible", label,
                    o->most[k] - 1);
            err_where("%s, record %zu at byte %zu", path, i, i * c->record + k);
            return ASSAY_E_FORMAT;
        }
    return ASSAY_OK;
}

static assay_status add_batch(cifar *c, const char *folder, const char *name) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    char path[IMPORT_PATH_BYTES];
    size_t bytes = 0, n = stem(name);
    if (c->parts == MAX_BATCHES)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than %d batches", MAX_BATCHES);
    batch *b = &c->part[c->parts];
    *b = (batch){.split = strncmp(name, "test", 4) == 0 ? IMPORT_TEST : IMPORT_TRAIN};
    snprintf(b->name, sizeof b->name, "%.*s", (int)(n < sizeof b->name ? n : 0), name);
    c->parts++;
    ASSAY_TRY(import_path(path, folder, name));
    ASSAY_TRY(stream_open(&s, c->ctx, path));
    ASSAY_TRY(stream_rest(s, max_bytes, &b->data, &bytes));
    if (bytes == 0 || bytes % c->record != 0) {
        err_set(ASSAY_E_FORMAT, "%zu bytes are not a whole number of records of %zu",
                bytes, c->record);
        err_where("%s", path);
        err_help("the file is cut short, or is not %s's binary version", c->layout->name);
        status = ASSAY_E_FORMAT;
        goto done;
    }
    b->records = bytes / c->record;
    ASSAY_TRY(check_records(c, b, path));
done:
    stream_close(s);
    return status;
}

/* All batches of a folder; of x.bin and x.bin.gz the first. */
static assay_status add_folder(cifar *c, const char *folder) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    ASSAY_TRY(os_list_dir(c->ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.name[i];
        if (!is_batch(c->layout, name))
            continue;
        const char *last = c->parts > 0 ? c->part[c->parts - 1].name : "";
        if (strlen(last) == stem(name) && strncmp(last, name, stem(name)) == 0)
            continue;
        ASSAY_TRY(add_batch(c, folder, name));
    }
    if (c->parts == 0) {
        err_set(ASSAY_E_FORMAT, "no %s batches in this folder", c->layout->name);
        err_where("%s", folder);
        err_help("%s", c->layout->files);
        status = ASSAY_E_FORMAT;
    }
done:
    os_names_free(&names);
    return status;
}

/* A file beside the batches names the classes, one a line; without it they have their
 * published names, or numbers. */
static assay_status name_classes(const cifar *c, import_list *list, const char *folder) {
    assay_status status = ASSAY_OK;
    const cifar_layout *o = c->layout;
    size_t need = (size_t)o->most[o->labels - 1];
    char path[IMPORT_PATH_BYTES];
    uint8_t *text = NULL;
    size_t bytes = 0;
    ASSAY_TRY(import_path(path, folder, o->classes_file));
    if (!os_exists(path)) {
        for (size_t i = 0; o->known != NULL && i < need; i++)
            ASSAY_TRY(import_add_class(list, o->known[i]));
        ASSAY_TRY(label_number_classes(list, (int64_t)need - 1));
        goto done;
    }
    ASSAY_TRY(os_read_file(c->ctx, path, 1 << 16, &text, &bytes));
    for (char *line = (char *)text; *line != '\0' && list->classes < need;) {
        size_t len = strcspn(line, "\r\n");
        char *next = line + len + strspn(line + len, "\r\n");
        line[len] = '\0';
        if (len > 0)
            ASSAY_TRY(import_add_class(list, line));
        line = next;
    }
    if (list->classes < need) {
        err_set(ASSAY_E_FORMAT, "%zu class names where %zu are needed", list->classes,
                need);
        err_where("%s", path);
        status = ASSAY_E_FORMAT;
    }
done:
    mem_free(c->ctx, text);
    return status;
}

void cifar_close(void *state) {
    cifar *c = state;
    if (c == NULL)
        return;
    for (int i = 0; i < c->parts; i++)
        mem_free(c->ctx, c->part[i].data);
    mem_free(c->ctx, c);
}

static assay_status add_rows(const cifar *c, import_list *list) {
    assay_status status = ASSAY_OK;
    size_t label = c->layout->labels - 1;
    for (int b = 0; b < c->parts; b++)
        for (size_t i = 0; i < c->part[b].records; i++) {
            char id[96];
            snprintf(id, sizeof id, "%s/%zu", c->part[b].name, i);
            ASSAY_TRY(import_add(list, c->part[b].split,
                                 c->part[b].data[i * c->record + label],
                                 (uint64_t)b << 48 | i, id));
        }
done:
    return status;
}

assay_status cifar_open(void **state,
                        import_list *list,
                        assay_ctx *ctx,
                        const cifar_layout *layout,
                        const char *path) {
    assay_status status = ASSAY_OK;
    cifar *c = NULL;
    char folder[IMPORT_PATH_BYTES];
    bool all = os_is_dir(path);
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &c, 1, sizeof *c));
    c->ctx = ctx;
    c->layout = layout;
    c->record = layout->labels + PIXELS;
    if (all) {
        ASSAY_TRY(add_folder(c, path));
    } else {
        ASSAY_TRY(value_folder(folder, path));
        ASSAY_TRY(add_batch(c, folder, value_base(path)));
    }
    ASSAY_TRY(name_classes(c, list, all ? path : folder));
    if (layout->coarse != NULL) {
        import_column column = {.type = BETON_INT};
        snprintf(column.name, sizeof column.name, "%s", layout->coarse);
        ASSAY_TRY(import_add_column(list, &column));
    }
    ASSAY_TRY(add_rows(c, list));
    *state = c;
    c = NULL;
done:
    cifar_close(c);
    return status;
}

static const uint8_t *record_of(const cifar *c, const import_list *list, size_t row) {
    uint64_t ref = list->row[row].ref;
    return c->part[ref >> 48].data + (size_t)(ref & 0xffffffffffff) * c->record;
}

assay_status
cifar_fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    assay_status status = ASSAY_OK;
    const cifar *c = state;
    const uint8_t *planes = record_of(c, list, row) + c->layout->labels;
    if (out->own_cap < PIXELS)
        ASSAY_TRY(mem_grow(out->ctx, &out->own, 0, &out->own_cap, PIXELS, 1));
    for (size_t i = 0; i < PLANE; i++)
        for (size_t ch = 0; ch < 3; ch++)
            out->own[3 * i + ch] = planes[ch * PLANE + i];
    out->raw = true;
    out->width = out->height = SIDE;
    out->channels = 3;
    out->bytes = PIXELS;
    out->data = out->own;
done:
    return status;
}

assay_status cifar_fetch_coarse(const void *state,
                                const import_list *list,
                                size_t row,
                                size_t column,
                                import_cell *out) {
    (void)column;
    out->integer = record_of(state, list, row)[0];
    return ASSAY_OK;
}
