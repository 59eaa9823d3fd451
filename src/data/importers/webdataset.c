/* WebDataset: samples in tar shards. Members that follow each other and share a key (the
 * name up to the first dot of its last part) are one sample; what is behind the dot says
 * what a member is. The source is a shard, a folder of shards, or a pattern such as
 * train-{0000..0003}.tar. What is in a sample is decided in wds_columns.c. */
#include "data/importer.h"

#include "base/json.h"
#include "data/source/values.h"
#include "data/source/wds.h"

#include <string.h>

static int detect(assay_ctx *ctx, const char *path) {
    int answer = 0;
    if (!os_exists(path))
        return strchr(path, '{') != NULL && wds_is_shard(path) ? 20 : 0;
    if (!os_is_dir(path))
        return wds_is_shard(path) ? 20 : 0;
    os_names names = {0};
    if (os_list_dir(ctx, path, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++)
            if (names.name[i][0] != '.' && wds_is_shard(names.name[i]))
                answer = 15;
    os_names_free(&names);
    return answer;
}

static void close_shards(void *state) {
    wds *w = state;
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->shards; i++) {
        spool_close(&w->shard[i].bytes);
        mem_free(w->ctx, w->shard[i].path);
    }
    mem_free(w->ctx, w->shard);
    mem_free(w->ctx, w->sample);
    mem_free(w->ctx, w->member);
    for (size_t i = 0; i < w->kinds; i++)
        mem_free(w->ctx, w->kind[i].ext);
    mem_free(w->ctx, w->kind);
    buf_free(&w->keys);
    mem_free(w->ctx, w);
}

static assay_status
open_shards(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    wds *w = NULL;
    char folder[IMPORT_PATH_BYTES];
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &w, 1, sizeof *w));
    w->ctx = ctx;
    w->keys = buf_make(ctx);
    ASSAY_TRY(wds_find_shards(w, path));
    for (size_t i = 0; i < w->shards; i++)
        ASSAY_TRY(wds_read_shard(w, i));
    ASSAY_TRY(value_folder(folder, w->shard[0].path));
    ASSAY_TRY(label_read_classes(list, folder));
    ASSAY_TRY(wds_settle(w, list));
    *state = w;
    w = NULL;
done:
    close_shards(w);
    return status;
}

/* Row i of the list is sample i: both are in the order of the shards. */
static assay_status absent(const wds *w, const import_list *list, size_t row) {
    err_set(ASSAY_E_INTERNAL, "a sample without such a member was asked for it");
    err_where("%s: %s", wds_path(w, row), import_id(list, row));
    return ASSAY_E_INTERNAL;
}

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    const wds *w = state;
    const wds_member *m = wds_find(w, row, WDS_IMAGE);
    if (m == NULL)
        return absent(w, list, row);
    out->raw = false;
    out->data = wds_bytes(w, row, m);
    out->bytes = (size_t)m->bytes;
    return ASSAY_OK;
}

static assay_status fetch_cell(const void *state,
                               const import_list *list,
                               size_t row,
                               size_t column,
                               import_cell *out) {
    assay_status status = ASSAY_OK;
    const wds *w = state;
    const wds_member *m = wds_find(w, row, column);
    json_doc *doc = NULL;
    npy_array a;
    if (m == NULL)
        return absent(w, list, row);
    const wds_kind *kind = &w->kind[m->kind];
    const char *shard = wds_path(w, row);
    const uint8_t *data = wds_bytes(w, row, m);
    out->data = data;
    out->bytes = (size_t)m->bytes;
    if (kind->form == WDS_JSON) {
        ASSAY_TRY_AT(json_parse(&doc, w->ctx, (const char *)data, out->bytes),
                     "%s: %s.%s", shard, import_id(list, row), kind->ext);
    } else if (kind->form == WDS_NPY) {
        ASSAY_TRY_AT(npy_parse(&a, data, out->bytes), "%s: %s.%s", shard,
                     import_id(list, row), kind->ext);
        out->data = a.data;
        out->bytes = a.bytes;
        if (list->column[column].type == BETON_INT)
            out->integer = (int64_t)le64_get(a.data);
        if (list->column[column].type == BETON_FLOAT)
            out->number = le_f64_get(a.data);
    }
done:
    json_doc_destroy(doc);
    return status;
}

const data_importer assay_importer_webdataset = {
    .name = "webdataset",
    .summary = "tar shards of samples: a .tar (.gz, .zst, .xz), a folder of them, or "
               "train-{0000..0003}.tar",
    .detect = detect,
    .open = open_shards,
    .fetch = fetch,
    .fetch_cell = fetch_cell,
    .close = close_shards,
};
