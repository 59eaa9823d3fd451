/* Packing: a source of any kind becomes one .beton. Rows are encoded in parallel, block
 * by block, and written in order, so that the bytes do not depend on the number of
 * threads. */
#include <assay/data.h>

#include "base/json.h"
#include "base/le.h"
#include "base/options.h"
#include "base/pool.h"
#include "data/encode.h"
#include "data/identity.h"
#include "data/importer.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK_ROWS_PER_THREAD = 8,
    DEFAULT_QUALITY = 90,
    DEFAULT_PAGE = 1 << 23,
    NAMED_FAILURES = 5
};

typedef struct failure {
    size_t row; /* in the list */
    char reason[256];
} failure;

typedef struct packer {
    assay_ctx *ctx;
    assay_pack_options o;
    encode_options encode;
    const char *source, *out;
    const data_importer *importer;
    void *state;
    import_list list;
    size_t *row; /* chosen rows of the list, in file order */
    size_t rows;
    data_split split[2];
    size_t splits;
    encode_scratch *scratch; /* per worker */
    int workers;
    encoded_row *block;
    size_t block_rows, block_at;
    beton_writer *writer; /* NULL: given up, see write_rows */
    bool fit_page;        /* the page may grow to hold the largest image */
    uint64_t largest;     /* payload */
    identity id;
    bool gray;
    buf orientation; /* JSON pairs */
    failure *failed;
    size_t failures, failure_cap;
    uint8_t sha[32];
    uint64_t bytes;
} packer;

/* ---- options ---- */

static assay_status bad_option(const char *what, const char *help) {
    err_set(ASSAY_E_INVALID, "%s", what);
    err_help("%s", help);
    return ASSAY_E_INVALID;
}

static assay_status take_options(packer *p, const assay_pack_options *given) {
    static const char *const modes[] = {"auto", "raw", "jpg", "keep"};
    assay_status status = ASSAY_OK;
    p->o = (assay_pack_options)ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(options_take(&p->o, sizeof p->o, given, "assay_pack_options"));
    if (p->o.quality == 0)
        p->o.quality = DEFAULT_QUALITY;
    p->fit_page = p->o.page_size == 0;
    if (p->fit_page)
        p->o.page_size = DEFAULT_PAGE;
    if (p->o.quality < 1 || p->o.quality > 100)
        return bad_option("a JPEG quality lies between 1 and 100", "90 is FFCV's");
    if (p->o.max_resolution < 0 || p->o.limit < 0)
        return bad_option("a limit can't be negative", "0 means no limit");
    if ((p->o.page_size & (p->o.page_size - 1)) != 0 || p->o.page_size < (1 << 21) ||
        p->o.page_size >= UINT64_C(1) << 32)
        return bad_option("a page is a power of two from 2 MiB to 2 GiB",
                          "8 MiB is usual");
    p->encode =
        (encode_options){.quality = p->o.quality, .max_resolution = p->o.max_resolution};
    const char *mode = p->o.mode != NULL ? p->o.mode : "auto";
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i]) == 0) {
            p->encode.mode = (encode_mode)i;
            return ASSAY_OK;
        }
    err_set(ASSAY_E_INVALID, "no mode is called '%s'", mode);
    err_help("there are: raw, jpg, keep");
    status = ASSAY_E_INVALID;
done:
    return status;
}

static assay_status check_output(const packer *p) {
    if (!os_exists(p->out))
        return ASSAY_OK;
    if (os_is_dir(p->out))
        err_set(ASSAY_E_INVALID, "the output is a folder");
    else if (!p->o.force)
        err_set(ASSAY_E_INVALID, "the output exists already");
    else
        return ASSAY_OK;
    err_where("%s", p->out);
    err_help("pass --force to replace a file, or another name");
    return ASSAY_E_INVALID;
}

/* ---- which rows, in which order ---- */

static void assign_splits(packer *p) {
    int kinds = 0;
    for (int s = 0; s < IMPORT_SPLITS; s++)
        kinds += import_count(&p->list, (import_split)s) > 0;
    if (kinds > 1)
        return;
    for (size_t i = 0; i < p->list.rows; i++)
        p->list.row[i].split =
            identity_in_test(import_id(&p->list, i)) ? IMPORT_TEST : IMPORT_TRAIN;
}

/* Appends the rows of a split, thinned evenly to the limit. */
static void append_split(packer *p, import_split s) {
    size_t n = import_count(&p->list, s), at = 0, taken = 0;
    size_t want = p->o.limit > 0 && (uint64_t)p->o.limit < n ? (size_t)p->o.limit : n;
    data_split *out = &p->split[p->splits++];
    *out = (data_split){.begin = p->rows};
    snprintf(out->name, sizeof out->name, "%s", import_split_name(s));
    for (size_t i = 0; i < p->list.rows; i++) {
        if (p->list.row[i].split != s)
            continue;
        /* row `at` of n is the taken-th of `want` evenly spaced ones */
        if (taken < want && at == taken * n / want) {
            p->row[p->rows++] = i;
            taken++;
        }
        at++;
    }
    out->end = p->rows;
}

static assay_status choose_rows(packer *p) {
    assay_status status = ASSAY_OK;
    assign_splits(p);
    ASSAY_TRY(mem_new(p->ctx, &p->row, p->list.rows, sizeof *p->row));
    if (p->o.split != NULL) {
        for (int s = 0; s < IMPORT_SPLITS; s++)
            if (strcmp(p->o.split, import_split_name((import_split)s)) == 0 &&
                import_count(&p->list, (import_split)s) > 0) {
                append_split(p, (import_split)s);
                return ASSAY_OK;
            }
        err_set(ASSAY_E_INVALID, "the source has no split '%s'", p->o.split);
        err_where("%s", p->source);
        err_help("its splits are: train%s%s",
                 import_count(&p->list, IMPORT_TEST) ? ", test" : "",
                 import_count(&p->list, IMPORT_VAL) ? ", val" : "");
        return ASSAY_E_INVALID;
    }
    bool test = import_count(&p->list, IMPORT_TEST) > 0;
    size_t val = import_count(&p->list, IMPORT_VAL);
    append_split(p, IMPORT_TRAIN);
    append_split(p, test || val == 0 ? IMPORT_TEST : IMPORT_VAL);
    if (test && val > 0) {
        char n[32];
        ASSAY_TRY(import_note(
            &p->list, "the %s images of val were left out (--split val packs them)",
            import_number(n, val)));
    }
done:
    return status;
}

/* Takes the failed rows out of the chosen ones. Both lists are in file order. */
static void drop_failed(packer *p) {
    size_t kept = 0, f = 0;
    for (size_t s = 0; s < p->splits; s++) {
        data_split *split = &p->split[s];
        uint64_t begin = split->begin, end = split->end;
        split->begin = kept;
        for (uint64_t i = begin; i < end; i++) {
            if (f < p->failures && p->failed[f].row == p->row[i])
                f++;
            else
                p->row[kept++] = p->row[i];
        }
        split->end = kept;
    }
    p->rows = kept;
}

/* ---- encoding and writing ---- */

static assay_status encode_block(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    packer *p = arg;
    for (size_t i = begin; i < end; i++) {
        size_t row = p->row[p->block_at + i];
        ASSAY_TRY_AT(encode_row(&p->block[i], p->importer, p->state, &p->list, row,
                                &p->encode, &p->scratch[worker]),
                     "%s: %s", p->source, import_id(&p->list, row));
    }
done:
    return status;
}

static assay_status start_writer(packer *p) {
    assay_status status = ASSAY_OK;
    const beton_field fields[2] = {{.type = BETON_IMAGE, .name = "image"},
                                   {.type = BETON_INT, .name = "label"}};
    ASSAY_TRY(
        beton_writer_create(&p->writer, p->ctx, p->out,
                            &(beton_writer_options){.page_size = (uint32_t)p->o.page_size,
                                                    .samples = p->rows,
                                                    .fields = fields,
                                                    .n_fields = 2}));
    const beton_field *laid[2] = {beton_writer_field(p->writer, 0),
                                  beton_writer_field(p->writer, 1)};
    identity_begin(&p->id, laid, 2, p->rows);
    p->gray = true;
    buf_clear(&p->orientation);
    buf_str(&p->orientation, "[");
done:
    return status;
}

static assay_status write_row(packer *p, size_t at, const encoded_row *r) {
    assay_status status = ASSAY_OK;
    uint8_t row[64] = {0};
    const beton_field *image_field = beton_writer_field(p->writer, 0);
    const beton_field *label_field = beton_writer_field(p->writer, 1);
    uint8_t *cell = row + image_field->cell_offset;
    cell[0] = r->stored;
    le16_put(cell + 1, (uint16_t)r->width);
    le16_put(cell + 3, (uint16_t)r->height);
    le64_put(row + label_field->cell_offset,
             (uint64_t)(int64_t)p->list.row[p->row[at]].label);
    identity_cell(&p->id, image_field, cell, r->digest);
    identity_cell(&p->id, label_field, row + label_field->cell_offset, NULL);
    beton_payload_in payload = {.field = 0,
                                .data = r->payload.data,
                                .bytes = r->payload.len,
                                .ptr_offset = image_field->cell_offset +
                                              beton_ptr_offset(BETON_IMAGE)};
    status = beton_writer_add(p->writer, row, &payload, 1);
    if (status == ASSAY_E_SHAPE) /* the image is at fault, not the disk */
        err_where("%s: %s", p->source, import_id(&p->list, p->row[at]));
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
    failure *f = &p->failed[p->failures++];
    *f = (failure){.row = row};
    snprintf(f->reason, sizeof f->reason, "%s", reason);
done:
    return status;
}

/* Takes one encoded row. An image that is damaged, or larger than the page where that may
 * grow, ends the writing: the file is given up, and the rest is only looked through, so
 * that everything is known for a second time. */
static assay_status take_row(packer *p, size_t at, const encoded_row *r) {
    assay_status status = ASSAY_OK;
    bool fits = r->failed || !p->fit_page || r->payload.len <= p->o.page_size;
    if (r->failed || !fits) {
        beton_writer_destroy(p->writer);
        p->writer = NULL;
    }
    if (r->failed)
        ASSAY_TRY(note_failure(p, p->row[at], r->reason));
    else if (r->payload.len > p->largest)
        p->largest = r->payload.len;
    if (p->writer != NULL)
        ASSAY_TRY(write_row(p, at, r));
done:
    return status;
}

static assay_status write_rows(packer *p) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(start_writer(p));
    progress_begin(p->ctx, "packing", (int64_t)p->rows, "images");
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
        err_where("%s: %s", p->source, import_id(&p->list, p->failed[0].row));
    } else {
        for (size_t i = 0; i < p->failures && i < NAMED_FAILURES; i++)
            buf_fmt(&where, "%s%.60s (%.24s)", i ? "; " : "",
                    import_id(&p->list, p->failed[i].row), p->failed[i].reason);
        if (p->failures > NAMED_FAILURES)
            buf_fmt(&where, "; and %zu more", p->failures - NAMED_FAILURES);
        err_set(ASSAY_E_FORMAT, "%s images can't be decoded",
                import_number(n, p->failures));
        err_where("%s: %s", p->source, where.data != NULL ? where.data : "");
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
    drop_failed(p);
    while (p->fit_page && p->o.page_size < p->largest &&
           p->o.page_size < UINT64_C(1) << 31)
        p->o.page_size *= 2;
    p->fit_page = false;
    return ASSAY_OK;
}

/* ---- our section ---- */

static assay_status put_tag(packer *p, uint32_t tag, buf *b) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(buf_check(b));
    ASSAY_TRY(beton_writer_tag(p->writer, tag, b->data, b->len));
done:
    return status;
}

static assay_status write_names(packer *p) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(p->ctx);
    json_out j = json_out_make(&b, 0);
    json_arr(&j);
    for (size_t i = 0; i < p->list.classes; i++)
        json_str(&j, p->list.class_name[i]);
    json_arr_end(&j);
    ASSAY_TRY(put_tag(p, BETON_TAG_CLASSES, &b));
    buf_clear(&b);
    j = json_out_make(&b, 0);
    json_arr(&j);
    for (size_t i = 0; i < p->splits; i++) {
        json_obj(&j);
        json_kstr(&j, "name", p->split[i].name);
        json_kint(&j, "begin", (int64_t)p->split[i].begin);
        json_kint(&j, "end", (int64_t)p->split[i].end);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    ASSAY_TRY(put_tag(p, BETON_TAG_SPLITS, &b));
done:
    buf_free(&b);
    return status;
}

/* u64 count, u64 offsets[count + 1], and the ids, each with its NUL. */
static assay_status write_ids(packer *p) {
    assay_status status = ASSAY_OK;
    buf b = buf_make(p->ctx);
    uint8_t number[8];
    uint64_t at = 0;
    le64_put(number, p->rows);
    buf_add(&b, number, 8);
    for (size_t i = 0; i <= p->rows; i++) {
        le64_put(number, at);
        buf_add(&b, number, 8);
        if (i < p->rows)
            at += strlen(import_id(&p->list, p->row[i])) + 1;
    }
    for (size_t i = 0; i < p->rows; i++) {
        const char *id = import_id(&p->list, p->row[i]);
        buf_add(&b, id, strlen(id) + 1);
    }
    ASSAY_TRY(put_tag(p, BETON_TAG_IDS, &b));
done:
    buf_free(&b);
    return status;
}

/* Where the file came from, without paths and times: the same source gives the same
 * bytes. */
static assay_status write_info(packer *p) {
    static const char *const modes[] = {"auto", "raw", "jpg", "keep"};
    assay_status status = ASSAY_OK;
    buf b = buf_make(p->ctx);
    json_out j = json_out_make(&b, 0);
    json_obj(&j);
    json_kstr(&j, "assay", assay_version());
    json_kstr(&j, "importer", p->importer->name);
    json_kstr(&j, "mode", modes[p->encode.mode]);
    json_kint(&j, "quality", p->encode.quality);
    json_kint(&j, "max_resolution", p->encode.max_resolution);
    json_kint(&j, "limit", p->o.limit);
    json_kstr(&j, "split", p->o.split != NULL ? p->o.split : "all");
    json_kint(&j, "channels", p->gray ? 1 : 3);
    json_key(&j, "notes");
    json_arr(&j);
    for (size_t i = 0; i < p->list.notes; i++)
        json_str(&j, p->list.note[i]);
    json_arr_end(&j);
    json_key(&j, "skipped");
    json_arr(&j);
    for (size_t i = 0; i < p->failures; i++) {
        json_obj(&j);
        json_kstr(&j, "split", import_split_name(p->list.row[p->failed[i].row].split));
        json_kstr(&j, "id", import_id(&p->list, p->failed[i].row));
        json_kstr(&j, "reason", p->failed[i].reason);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    /* The pairs (row, EXIF orientation) are text already: they go before the closing
     * brace. */
    ASSAY_TRY(buf_check(&b));
    ASSAY_TRY(buf_check(&p->orientation));
    b.len--;
    buf_fmt(&b, ",\"orientation\":");
    buf_str(&b, p->orientation.data);
    buf_str(&b, "]}");
    ASSAY_TRY(put_tag(p, BETON_TAG_INFO, &b));
done:
    buf_free(&b);
    return status;
}

static assay_status finish(packer *p) {
    assay_status status = ASSAY_OK;
    identity_end(&p->id, (const char *const *)p->list.class_name, p->list.classes,
                 p->split, p->splits, p->sha);
    ASSAY_TRY(write_names(p));
    ASSAY_TRY(write_ids(p));
    ASSAY_TRY(beton_writer_tag(p->writer, BETON_TAG_IDENTITY, p->sha, sizeof p->sha));
    ASSAY_TRY(write_info(p));
    ASSAY_TRY(beton_writer_commit(p->writer));
done:
    return status;
}

/* ---- the whole ---- */

static assay_status open_source(packer *p) {
    assay_status status = ASSAY_OK;
    size_t n = strlen(p->source);
    if (n > 6 && strcmp(p->source + n - 6, ".beton") == 0 && !os_is_dir(p->source) &&
        os_exists(p->source)) {
        err_set(ASSAY_E_INVALID, "the source is a .beton already");
        err_where("%s", p->source);
        err_help("use it where it lies");
        return ASSAY_E_INVALID;
    }
    if (p->o.from != NULL)
        ASSAY_TRY(importer_find(&p->importer, p->o.from));
    else
        ASSAY_TRY(importer_detect(&p->importer, p->ctx, p->source));
    ASSAY_TRY(p->importer->open(&p->state, &p->list, p->ctx, p->source));
    ASSAY_TRY(import_list_check(&p->list, p->source));
    ASSAY_TRY(choose_rows(p));
    for (size_t i = 0; i < p->list.notes; i++)
        log_line(p->ctx, ASSAY_LOG_INFO, "%s: %s", p->source, p->list.note[i]);
done:
    return status;
}

static assay_status make_scratch(packer *p) {
    assay_status status = ASSAY_OK;
    int workers = assay_ctx_threads(p->ctx);
    p->block_rows = (size_t)workers * BLOCK_ROWS_PER_THREAD;
    ASSAY_TRY(mem_new(p->ctx, &p->block, p->block_rows, sizeof *p->block));
    for (size_t i = 0; i < p->block_rows; i++)
        p->block[i].payload = buf_make(p->ctx);
    ASSAY_TRY(mem_new(p->ctx, &p->scratch, (size_t)workers, sizeof *p->scratch));
    for (; p->workers < workers; p->workers++)
        p->scratch[p->workers] = encode_scratch_make(p->ctx);
done:
    return status;
}

static void packer_free(packer *p) {
    beton_writer_destroy(p->writer);
    for (int i = 0; i < p->workers; i++)
        encode_scratch_free(&p->scratch[i]);
    for (size_t i = 0; p->block != NULL && i < p->block_rows; i++)
        buf_free(&p->block[i].payload);
    mem_free(p->ctx, p->scratch);
    mem_free(p->ctx, p->block);
    mem_free(p->ctx, p->row);
    mem_free(p->ctx, p->failed);
    buf_free(&p->orientation);
    if (p->importer != NULL)
        p->importer->close(p->state);
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
    snprintf(r->importer, sizeof r->importer, "%s", p->importer->name);
    hash_hex(r->sha256, p->sha);
}

assay_status assay_pack(assay_ctx *ctx,
                        const char *source,
                        const char *out,
                        const assay_pack_options *options,
                        assay_pack_result *result) {
    assay_status status = ASSAY_OK;
    packer p = {.ctx = ctx,
                .source = source,
                .out = out,
                .list = import_list_make(ctx),
                .orientation = buf_make(ctx)};
    if (result != NULL)
        *result = (assay_pack_result){0};
    if (ctx == NULL || source == NULL || out == NULL)
        return err_set(ASSAY_E_INVALID,
                       "assay_pack needs a context, a source and an output");
    ASSAY_TRY(take_options(&p, options));
    ASSAY_TRY(check_output(&p));
    ASSAY_TRY(open_source(&p));
    ASSAY_TRY(make_scratch(&p));
    ASSAY_TRY(write_rows(&p));
    if (p.writer == NULL) {
        ASSAY_TRY(settle(&p));
        ASSAY_TRY(write_rows(&p));
    }
    if (p.writer == NULL) {
        err_set(ASSAY_E_FORMAT, "the source changed while it was read");
        err_where("%s", source);
        status = ASSAY_E_FORMAT;
        goto done;
    }
    ASSAY_TRY(finish(&p));
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
