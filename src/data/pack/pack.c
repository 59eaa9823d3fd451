/* Packing: a source of any kind becomes one .beton. Rows are encoded in parallel, block
 * by block, and written in order, so that the bytes do not depend on the number of
 * threads. */
#include "data/pack/pack.h"

#include "base/pool.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS_PER_THREAD = 8, NAMED_FAILURES = 5 };

/* ---- encoding and writing ---- */

static assay_status encode_block(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    packer *p = arg;
    for (size_t i = begin; i < end; i++) {
        size_t row = p->row[p->block_at + i];
        ASSAY_TRY_AT(encode_row(&p->block[i], &p->source, row, p->block_at + i,
                                &p->encode, &p->scratch[worker]),
                     "%s: %s", p->path, import_id(&p->list, row));
        if (p->index_interval > 0 && !p->block[i].failed)
            ASSAY_TRY(emit_row_index(&p->block[i].row, &p->scratch[worker].decoder,
                                     p->index_interval));
    }
done:
    return status;
}

static assay_status start_writer(packer *p) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(emit_begin(&p->emit, p->ctx, p->out, &p->layout, p->rows, p->o.page_size));
    p->index_interval = p->o.index_interval == 0 ? jpeg_index_usual_interval(p->rows)
                                                 : p->o.index_interval;
    if (p->index_interval < 0)
        p->index_interval = 0;
    else
        ASSAY_TRY(emit_keep_index(&p->emit, p->index_interval));
    p->gray = true;
    buf_clear(&p->orientation);
    buf_str(&p->orientation, "[");
done:
    return status;
}

static assay_status write_row(packer *p, size_t at, const encoded_row *r) {
    assay_status status = emit_add(&p->emit, &r->row);
    if (status == ASSAY_E_SHAPE) /* the sample is at fault, not the disk */
        err_where("%s: %s", p->path, import_id(&p->list, p->row[at]));
    ASSAY_TRY(status);
    p->gray = p->gray && r->gray;
    if (r->orientation != 1)
        buf_fmt(&p->orientation, "%s[%zu,%d]", p->orientation.len > 1 ? "," : "", at,
                r->orientation);
done:
    return status;
}

static assay_status note_failure(packer *p, size_t row, const char *reason) {
    assay_status status = ASSAY_OK;
    if (p->failures == p->failure_cap)
        ASSAY_TRY(mem_grow(p->ctx, &p->failed, p->failures, &p->failure_cap,
                           p->failures + 1, sizeof *p->failed));
    pack_failure *f = &p->failed[p->failures++];
    *f = (pack_failure){.row = row};
    snprintf(f->reason, sizeof f->reason, "%s", reason);
done:
    return status;
}

/* Takes one encoded row. An image that is damaged, or larger than the page where that may
 * grow, ends the writing: the file is given up, and the rest is only looked through, so
 * that everything is known for a second time. */
static assay_status take_row(packer *p, size_t at, const encoded_row *r) {
    assay_status status = ASSAY_OK;
    uint64_t bytes = r->failed ? 0 : emit_row_bytes(&r->row);
    if (r->failed || (p->fit_page && bytes > p->o.page_size))
        emit_end(&p->emit);
    if (r->failed)
        ASSAY_TRY(note_failure(p, p->row[at], r->reason));
    else if (bytes > p->largest)
        p->largest = bytes;
    if (p->emit.writer != NULL)
        ASSAY_TRY(write_row(p, at, r));
done:
    return status;
}

static assay_status write_rows(packer *p) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(start_writer(p));
    progress_begin(p->ctx, "packing", (int64_t)p->rows,
                   p->list.no_image ? "rows" : "images");
    for (p->block_at = 0; p->block_at < p->rows; p->block_at += p->block_rows) {
        size_t n = p->rows - p->block_at;
        n = n < p->block_rows ? n : p->block_rows;
        ASSAY_TRY(assay_parallel_for(p->ctx, n, 1, encode_block, p));
        for (size_t i = 0; i < n; i++)
            ASSAY_TRY(take_row(p, p->block_at + i, &p->block[i]));
        progress_add(p->ctx, (int64_t)n);
    }
    progress_end(p->ctx);
done:
    return status;
}

static assay_status report_failures(const packer *p) {
    char n[32];
    buf where = buf_make(p->ctx);
    if (p->failures == 1) {
        err_set(ASSAY_E_FORMAT, "%s", p->failed[0].reason);
        err_where("%s: %s", p->path, import_id(&p->list, p->failed[0].row));
    } else {
        for (size_t i = 0; i < p->failures && i < NAMED_FAILURES; i++)
            buf_fmt(&where, "%s%.60s (%.24s)", i ? "; " : "",
                    import_id(&p->list, p->failed[i].row), p->failed[i].reason);
        if (p->failures > NAMED_FAILURES)
            buf_fmt(&where, "; and %zu more", p->failures - NAMED_FAILURES);
        err_set(ASSAY_E_FORMAT, "%s %s can't be decoded", import_number(n, p->failures),
                p->list.no_image ? "rows" : "images");
        err_where("%s: %s", p->path, where.data != NULL ? where.data : "");
    }
    buf_free(&where);
    err_help("repair or remove them, or pass --skip-corrupt to leave them out");
    return ASSAY_E_FORMAT;
}

/* After a first time that was given up: leaves the damaged images out, if that is wanted,
 * and fits the page to the largest of the others. */
static assay_status settle(packer *p) {
    if (p->failures > 0 && (!p->o.skip_corrupt || p->failures == p->rows))
        return report_failures(p);
    pack_drop_failed(p);
    while (p->fit_page && p->o.page_size < p->largest &&
           p->o.page_size < UINT64_C(1) << 31)
        p->o.page_size *= 2;
    p->fit_page = false;
    return ASSAY_OK;
}

/* ---- the whole ---- */

static assay_status open_source(packer *p, const data_importer *importer) {
    assay_status status = ASSAY_OK;
    size_t n = strlen(p->path);
    if (n > 6 && strcmp(p->path + n - 6, ".beton") == 0 && !os_is_dir(p->path) &&
        os_exists(p->path)) {
        err_set(ASSAY_E_INVALID, "the source is a .beton already");
        err_where("%s", p->path);
        err_help("use it where it lies");
        return ASSAY_E_INVALID;
    }
    if (importer == NULL && p->o.from != NULL)
        ASSAY_TRY(importer_find(&importer, p->o.from));
    else if (importer == NULL)
        ASSAY_TRY(importer_detect(&importer, p->ctx, p->path));
    p->source.importer = importer;
    ASSAY_TRY(importer->open(&p->state, &p->list, p->ctx, p->path));
    p->source.state = p->state;
    ASSAY_TRY(import_list_check(&p->list, p->path));
    ASSAY_TRY(pack_choose_rows(p));
    ASSAY_TRY(encode_layout(&p->layout, p->ctx, &p->list));
    for (size_t i = 0; i < p->list.notes; i++)
        log_line(p->ctx, ASSAY_LOG_INFO, "%s: %s", p->path, p->list.note[i]);
done:
    return status;
}

static assay_status make_scratch(packer *p) {
    assay_status status = ASSAY_OK;
    int workers = assay_ctx_threads(p->ctx);
    p->block_rows = (size_t)workers * BLOCK_ROWS_PER_THREAD;
    ASSAY_TRY(mem_new(p->ctx, &p->block, p->block_rows, sizeof *p->block));
    for (size_t i = 0; i < p->block_rows; i++)
        ASSAY_TRY(emit_row_make(&p->block[i].row, p->ctx, &p->layout));
    ASSAY_TRY(mem_new(p->ctx, &p->scratch, (size_t)workers, sizeof *p->scratch));
    for (; p->workers < workers; p->workers++)
        p->scratch[p->workers] = encode_scratch_make(p->ctx);
done:
    return status;
}

static void packer_free(packer *p) {
    emit_end(&p->emit);
    for (int i = 0; i < p->workers; i++)
        encode_scratch_free(&p->scratch[i]);
    for (size_t i = 0; p->block != NULL && i < p->block_rows; i++)
        emit_row_free(&p->block[i].row);
    mem_free(p->ctx, p->scratch);
    mem_free(p->ctx, p->block);
    mem_free(p->ctx, p->row);
    mem_free(p->ctx, p->failed);
    buf_free(&p->orientation);
    if (p->source.importer != NULL)
        p->source.importer->close(p->state);
    emit_layout_free(&p->layout, p->ctx);
    import_list_free(&p->list);
}

static void fill_result(const packer *p, assay_pack_result *r) {
    *r = (assay_pack_result){
        .rows = p->rows, .skipped = p->failures, .classes = (int)p->list.classes};
    for (size_t i = 0; i < p->splits; i++) {
        uint64_t n = p->split[i].end - p->split[i].begin;
        if (strcmp(p->split[i].name, "train") == 0)
            r->train_rows = n;
        else
            r->test_rows = n;
    }
    r->bytes = p->bytes;
    snprintf(r->importer, sizeof r->importer, "%s", p->source.importer->name);
    hash_hex(r->sha256, p->sha);
}

assay_status pack_with(assay_ctx *ctx,
                       const data_importer *importer,
                       const char *source,
                       const char *out,
                       const assay_pack_options *options,
                       assay_pack_result *result) {
    assay_status status = ASSAY_OK;
    packer p = {.ctx = ctx,
                .path = source,
                .out = out,
                .list = import_list_make(ctx),
                .source = {.list = &p.list},
                .orientation = buf_make(ctx)};
    if (result != NULL)
        *result = (assay_pack_result){0};
    if (ctx == NULL || source == NULL || out == NULL)
        return err_set(ASSAY_E_INVALID,
                       "assay_pack needs a context, a source and an output");
    ASSAY_TRY(pack_take_options(&p, options));
    ASSAY_TRY(pack_check_output(out, p.o.force != 0));
    ASSAY_TRY(open_source(&p, importer));
    ASSAY_TRY(make_scratch(&p));
    ASSAY_TRY(write_rows(&p));
    if (p.emit.writer == NULL) {
        ASSAY_TRY(settle(&p));
        ASSAY_TRY(write_rows(&p));
    }
    if (p.emit.writer == NULL) {
        err_set(ASSAY_E_FORMAT, "the source changed while it was read");
        err_where("%s", source);
        status = ASSAY_E_FORMAT;
        goto done;
    }
    ASSAY_TRY(pack_finish(&p));
    os_map map;
    ASSAY_TRY(os_map_file(&map, out, false));
    p.bytes = map.bytes;
    os_unmap(&map);
    if (result != NULL)
        fill_result(&p, result);
done:
    packer_free(&p);
    return status;
}

assay_status assay_pack(assay_ctx *ctx,
                        const char *source,
                        const char *out,
                        const assay_pack_options *options,
                        assay_pack_result *result) {
    return pack_with(ctx, NULL, source, out, options, result);
}
