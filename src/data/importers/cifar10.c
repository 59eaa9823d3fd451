/* CIFAR-10's binary version: records of one label byte and 3 x 32 x 32 planar RGB bytes.
 * A folder of data_batch_*.bin and test_batch.bin (gzip and xz are unpacked), or one such
 * file alone. */
#include "data/importer.h"

#include "base/os.h"
#include "data/stream.h"

#include <stdio.h>
#include <string.h>

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    RECORD = 1 + 3 * PLANE,
    CLASSES = 10,
    MAX_BATCHES = 64
};
static const size_t max_bytes = (size_t)1 << 31; /* of one batch */

typedef struct batch {
    uint8_t *data;
    size_t records;
    char name[64]; /* "data_batch_1" */
    import_split split;
} batch;

typedef struct cifar {
    assay_ctx *ctx;
    batch part[MAX_BATCHES];
    int parts;
} cifar;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Length of the name before ".bin", ".bin.gz" or ".bin.xz"; 0 if it is none of these. */
static size_t stem(const char *name) {
    const char *dot = strstr(name, ".bin");
    if (dot == NULL || (strcmp(dot, ".bin") != 0 && strcmp(dot, ".bin.gz") != 0 &&
                        strcmp(dot, ".bin.xz") != 0))
        return 0;
    return (size_t)(dot - name);
}

static bool is_batch(const char *name) {
    return stem(name) > 0 &&
           (strncmp(name, "data_batch", 10) == 0 || strncmp(name, "test_batch", 10) == 0);
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
    if (bytes == 0 || bytes % RECORD != 0) {
        err_set(ASSAY_E_FORMAT, "%zu bytes are not a whole number of records of %d",
                bytes, RECORD);
        err_where("%s", path);
        err_help("the file is cut short, or is not CIFAR-10's binary version");
        status = ASSAY_E_FORMAT;
        goto done;
    }
    b->records = bytes / RECORD;
    for (size_t i = 0; i < b->records; i++) {
        if (b->data[i * RECORD] < CLASSES)
            continue;
        err_set(ASSAY_E_FORMAT, "label %d where 0 to 9 are possible",
                b->data[i * RECORD]);
        err_where("%s, record %zu at byte %zu", path, i, i * RECORD);
        status = ASSAY_E_FORMAT;
        goto done;
    }
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
        if (!is_batch(name))
            continue;
        const char *last = c->parts > 0 ? c->part[c->parts - 1].name : "";
        if (strlen(last) == stem(name) && strncmp(last, name, stem(name)) == 0)
            continue;
        ASSAY_TRY(add_batch(c, folder, name));
    }
    if (c->parts == 0) {
        err_set(ASSAY_E_FORMAT, "no CIFAR-10 batches in this folder");
        err_where("%s", folder);
        err_help(
            "they are called data_batch_1.bin to data_batch_5.bin and test_batch.bin");
        status = ASSAY_E_FORMAT;
    }
done:
    os_names_free(&names);
    return status;
}

/* batches.meta.txt names the classes, one a line; without it they are the published ten.
 */
static assay_status name_classes(const cifar *c, import_list *list, const char *folder) {
    static const char *const known[CLASSES] = {"airplane", "automobile", "bird", "cat",
                                               "deer",     "dog",        "frog", "horse",
                                               "ship",     "truck"};
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    uint8_t *text = NULL;
    size_t bytes = 0;
    ASSAY_TRY(import_path(path, folder, "batches.meta.txt"));
    if (os_exists(path)) {
        ASSAY_TRY(os_read_file(c->ctx, path, 1 << 16, &text, &bytes));
        for (char *line = (char *)text; *line != '\0' && list->classes < CLASSES;) {
            size_t len = strcspn(line, "\r\n");
            char *next = line + len + strspn(line + len, "\r\n");
            line[len] = '\0';
            if (len > 0)
                ASSAY_TRY(import_add_class(list, line));
            line = next;
        }
        if (list->classes < CLASSES) {
            err_set(ASSAY_E_FORMAT, "%zu class names where 10 are needed", list->classes);
            err_where("%s", path);
            status = ASSAY_E_FORMAT;
        }
        goto done;
    }
    for (int i = 0; i < CLASSES; i++)
        ASSAY_TRY(import_add_class(list, known[i]));
done:
    mem_free(c->ctx, text);
    return status;
}

/* ---- the importer ---- */

static int detect(assay_ctx *ctx, const char *path) {
    int answer = 0;
    if (!os_is_dir(path))
        return is_batch(base_name(path)) ? 20 : 0;
    os_names names = {0};
    if (os_list_dir(ctx, path, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++)
            if (is_batch(names.name[i]))
                answer = 20;
    os_names_free(&names);
    return answer;
}

static void close_cifar(void *state) {
    cifar *c = state;
    if (c == NULL)
        return;
    for (int i = 0; i < c->parts; i++)
        mem_free(c->ctx, c->part[i].data);
    mem_free(c->ctx, c);
}

static assay_status
open_cifar(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    cifar *c = NULL;
    char folder[IMPORT_PATH_BYTES];
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &c, 1, sizeof *c));
    c->ctx = ctx;
    const char *file = os_is_dir(path) ? path + strlen(path) : base_name(path);
    int n = snprintf(folder, sizeof folder, "%.*s", (int)(file - path), path);
    if (n < 0 || n >= (int)sizeof folder)
        ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", IMPORT_PATH_BYTES - 1);
    if (n == 0)
        snprintf(folder, sizeof folder, ".");
    ASSAY_TRY(*file == '\0' ? add_folder(c, folder) : add_batch(c, folder, file));
    ASSAY_TRY(name_classes(c, list, folder));
    for (int b = 0; b < c->parts; b++)
        for (size_t i = 0; i < c->part[b].records; i++) {
            char id[96];
            snprintf(id, sizeof id, "%s/%zu", c->part[b].name, i);
            ASSAY_TRY(import_add(list, c->part[b].split, c->part[b].data[i * RECORD],
                                 (uint64_t)b << 48 | i, id));
        }
    *state = c;
    c = NULL;
done:
    close_cifar(c);
    return status;
}

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    assay_status status = ASSAY_OK;
    const cifar *c = state;
    uint64_t ref = list->row[row].ref;
    const uint8_t *planes =
        c->part[ref >> 48].data + (size_t)(ref & 0xffffffffffff) * RECORD + 1;
    if (out->own_cap < 3 * PLANE)
        ASSAY_TRY(mem_grow(out->ctx, &out->own, 0, &out->own_cap, 3 * PLANE, 1));
    for (size_t i = 0; i < PLANE; i++)
        for (size_t ch = 0; ch < 3; ch++)
            out->own[3 * i + ch] = planes[ch * PLANE + i];
    out->raw = true;
    out->width = out->height = SIDE;
    out->channels = 3;
    out->bytes = 3 * PLANE;
    out->data = out->own;
done:
    return status;
}

const data_importer assay_importer_cifar10 = {
    .name = "cifar10",
    .summary =
        "CIFAR-10's binary batches: data_batch_*.bin and test_batch.bin, .gz and .xz too",
    .detect = detect,
    .open = open_cifar,
    .fetch = fetch,
    .close = close_cifar,
};
