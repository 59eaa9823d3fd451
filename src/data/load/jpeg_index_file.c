/* Indexing the JPEGs of a .beton that is there already, into a file beside it. */
#include <assay/data.h>

#include "base/options.h"
#include "base/pool.h"
#include "data/image_cell.h"
#include "data/load/jpeg_index.h"
#include "file/atomic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { GRAIN = 16, MAX_INTERVAL = 64 };

/* Of one worker. */
typedef struct index_worker {
    jpeg_decoder *decoder;
    buf index;
} index_worker;

typedef struct indexer {
    assay_ctx *ctx;
    assay_index_options o;
    beton_file *file;
    int field;
    buf output;
    jpeg_index_set *set;
    index_worker *worker;
    int workers;
    atomic_uint_least64_t left, raw;
} indexer;

/* ---- options ---- */

static assay_status take_options(indexer *ix, const assay_index_options *given) {
    assay_status status = ASSAY_OK;
    ix->o = (assay_index_options)ASSAY_INDEX_OPTIONS_INIT;
    ASSAY_TRY(options_take(&ix->o, sizeof ix->o, given, "assay_index_options"));
    if (ix->o.interval < 0 || ix->o.interval > MAX_INTERVAL) {
        status = err_set(ASSAY_E_INVALID, "an index every %d MCUs", ix->o.interval);
        err_help("give an interval from 1 to %d; 8 is usual", (int)MAX_INTERVAL);
    }
done:
    return status;
}

static assay_status find_field(indexer *ix) {
    assay_status status = ASSAY_OK;
    const char *path = beton_path(ix->file);
    ix->field = -1;
    for (int i = 0; i < beton_fields(ix->file) && ix->field < 0; i++) {
        const beton_field *f = beton_field_at(ix->file, i);
        if (f->type == BETON_IMAGE &&
            (ix->o.field == NULL || strcmp(f->name, ix->o.field) == 0))
            ix->field = i;
    }
    if (ix->field >= 0)
        return ASSAY_OK;
    if (ix->o.field != NULL)
        status = err_set(ASSAY_E_NOTFOUND, "no image field '%.64s'", ix->o.field);
    else
        status = err_set(ASSAY_E_UNSUPPORTED, "the file has no image field");
    err_where("%s", path);
    err_help("see what it holds: assay info FILE");
    return status;
}

static assay_status check_output(indexer *ix) {
    assay_status status = ASSAY_OK;
    size_t n;
    if (ix->o.output != NULL)
        buf_str(&ix->output, ix->o.output);
    else
        buf_fmt(&ix->output, "%s%s", beton_path(ix->file), JPEG_INDEX_SUFFIX);
    ASSAY_TRY(buf_check(&ix->output));
    if (!ix->o.force && beton_tag(ix->file, BETON_TAG_JPEG_INDEX, &n) != NULL) {
        status = err_set(ASSAY_E_INVALID, "the file holds a JPEG index already");
        err_where("%s", beton_path(ix->file));
        err_help("pass --force to write one beside it all the same");
    } else if (os_exists(ix->output.data) &&
               (!ix->o.force || os_is_dir(ix->output.data))) {
        status = err_set(ASSAY_E_INVALID, os_is_dir(ix->output.data)
                                              ? "the output is a folder"
                                              : "the output exists already");
        err_where("%s", ix->output.data);
        err_help("pass --force to replace a file, or another name");
    }
done:
    return status;
}

/* ---- indexing ---- */

static assay_status index_one(indexer *ix, index_worker *w, uint64_t sample) {
    assay_status status = ASSAY_OK;
    const uint8_t *data;
    uint64_t bytes;
    image_cell c = image_cell_get(beton_cell(ix->file, sample, ix->field));
    if (c.mode == CELL_RAW) {
        (void)atomic_fetch_add(&ix->raw, 1);
        return ASSAY_OK;
    }
    ASSAY_TRY(image_cell_payload(ix->file, sample, ix->field, &c, &data, &bytes));
    buf_clear(&w->index);
    ASSAY_TRY(
        jpeg_index_build(&w->index, w->decoder, data, (size_t)bytes, ix->o.interval));
    jpeg_index index = {(const uint8_t *)w->index.data, w->index.len};
    ASSAY_TRY(jpeg_index_put(ix->set, sample, &index));
done:
    if (status == ASSAY_E_UNSUPPORTED || status == ASSAY_E_FORMAT) {
        (void)atomic_fetch_add(&ix->left, 1);
        return ASSAY_OK;
    }
    return status;
}

static assay_status index_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    indexer *ix = arg;
    for (size_t i = begin; i < end; i++)
        ASSAY_TRY(index_one(ix, &ix->worker[worker], i));
    progress_add(ix->ctx, (int64_t)(end - begin));
done:
    return status;
}

static assay_status make_workers(indexer *ix) {
    assay_status status = ASSAY_OK;
    int n = assay_ctx_threads(ix->ctx);
    ASSAY_TRY(mem_new(ix->ctx, &ix->worker, (size_t)n, sizeof *ix->worker));
    for (; ix->workers < n; ix->workers++) {
        index_worker *w = &ix->worker[ix->workers];
        w->index = buf_make(ix->ctx);
        ASSAY_TRY(jpeg_decoder_create(&w->decoder, ix->ctx));
    }
done:
    return status;
}

static void free_all(indexer *ix) {
    for (int i = 0; i < ix->workers; i++) {
        jpeg_decoder_destroy(ix->worker[i].decoder);
        buf_free(&ix->worker[i].index);
    }
    mem_free(ix->ctx, ix->worker);
    jpeg_index_close(ix->set);
    beton_close(ix->file);
    buf_free(&ix->output);
}

static assay_status write_out(indexer *ix) {
    assay_status status = ASSAY_OK;
    buf bytes = buf_make(ix->ctx);
    if (jpeg_index_describe(ix->set).indexed == 0) {
        status = err_set(ASSAY_E_UNSUPPORTED, ix->left == 0
                                                  ? "the file's images are all raw"
                                                  : "none of the JPEGs can be indexed");
        err_where("%s", beton_path(ix->file));
        err_help("they load without an index");
        goto done;
    }
    ASSAY_TRY(jpeg_index_store(ix->set, &bytes));
    ASSAY_TRY(atomic_put(ix->ctx, ix->output.data, bytes.data, bytes.len));
done:
    buf_free(&bytes);
    return status;
}

static assay_status fill_result(indexer *ix, assay_index_result *r) {
    assay_status status = ASSAY_OK;
    jpeg_index_facts facts = jpeg_index_describe(ix->set);
    os_map map = {.fd = -1};
    ASSAY_TRY(os_map_file(&map, beton_path(ix->file), false));
    *r = (assay_index_result){.images = facts.samples,
                              .indexed = facts.indexed,
                              .left = ix->left,
                              .raw = ix->raw,
                              .bytes = facts.bytes,
                              .file_bytes = map.bytes,
                              .interval = facts.interval};
done:
    os_unmap(&map);
    return status;
}

assay_status assay_index(assay_ctx *ctx,
                         const char *path,
                         const assay_index_options *options,
                         assay_index_result *result) {
    assay_status status = ASSAY_OK;
    indexer ix = {.ctx = ctx, .output = buf_make(ctx)};
    if (result != NULL)
        *result = (assay_index_result){0};
    if (ctx == NULL || path == NULL)
        return err_set(ASSAY_E_INVALID, "assay_index needs a context and a file");
    ASSAY_TRY(take_options(&ix, options));
    ASSAY_TRY(beton_open(&ix.file, ctx, path));
    ASSAY_TRY(find_field(&ix));
    ASSAY_TRY(check_output(&ix));
    uint64_t n = beton_samples(ix.file);
    if (ix.o.interval == 0)
        ix.o.interval = jpeg_index_usual_interval(n);
    ASSAY_TRY(jpeg_index_collect(&ix.set, ctx, ix.file, ix.field, ix.o.interval));
    ASSAY_TRY(make_workers(&ix));
    progress_begin(ctx, "indexing", (int64_t)n, "images");
    ASSAY_TRY(assay_parallel_for(ctx, (size_t)n, GRAIN, index_rows, &ix));
    progress_end(ctx);
    ASSAY_TRY(write_out(&ix));
    if (result != NULL)
        ASSAY_TRY(fill_result(&ix, result));
done:
    free_all(&ix);
    return status;
}
