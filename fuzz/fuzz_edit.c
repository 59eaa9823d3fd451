/* Editing: a file is merged with itself, selected from and split. What comes out must be
 * sound but for images and JSON, which are copied unseen. An input is run twice, the
 * second time with the checksums of our section set right. */
#include <assay/data.h>

#include "base/le.h"
#include "beton_input.h"
#include "data_source.h"
#include "file/beton.h"
#include "fuzz.h"

#include <string.h>

/* What was written opens, and its checksums are right. */
static void check(const char *path, uint64_t rows) {
    beton_file *f;
    fuzz_must(beton_open(&f, fuzz_ctx(), path));
    fuzz_must(beton_verify(f));
    if (rows != 0 && beton_samples(f) != rows)
        abort();
    beton_close(f);
}

static void run(const uint8_t *data, size_t n) {
    data_source s = data_source_begin();
    char in[128], out[128], part[128];
    (void)snprintf(in, sizeof in, "%s/in.beton", s.folder);
    (void)snprintf(out, sizeof out, "%s/out.beton", s.folder);
    (void)snprintf(part, sizeof part, "%s/out-0.beton", s.folder);
    data_source_put(&s, "in.beton", data, n);
    const char *paths[2] = {in, in};
    static const char *const classes[] = {"0", "owl", NULL};
    assay_edit_options eo = ASSAY_EDIT_OPTIONS_INIT;
    assay_select_options so = ASSAY_SELECT_OPTIONS_INIT;
    assay_split_options po = ASSAY_SPLIT_OPTIONS_INIT;
    assay_edit_result r;
    eo.force = so.force = po.force = 1;
    if (assay_beton_merge(fuzz_ctx(), paths, 2, out, &eo, &r) == ASSAY_OK)
        check(out, r.rows);
    so.exclude = "1";
    if (assay_beton_select(fuzz_ctx(), in, out, &so, &r) == ASSAY_OK)
        check(out, r.rows);
    so.exclude = NULL;
    so.classes = classes;
    if (assay_beton_select(fuzz_ctx(), in, out, &so, &r) == ASSAY_OK)
        check(out, r.rows);
    po.fraction = 0.5;
    if (assay_beton_split(fuzz_ctx(), in, out, &po, NULL) == ASSAY_OK)
        check(part, 0);
    po.fraction = 0;
    po.by_split = 1;
    (void)!assay_beton_split(fuzz_ctx(), in, out, &po, NULL);
    data_source_end(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    run(data, n);
    uint8_t *copy = beton_input_resealed(data, n);
    run(copy, n);
    free(copy);
    return 0;
}

/* Labels, bytes and a custom field, with and without a section. */
bool fuzz_seed(buf *out, int i) {
    enum { SAMPLES = 4 };
    static const beton_field fields[] = {{.type = BETON_INT, .name = "label"},
                                         {.type = BETON_BYTES, .name = "bytes"},
                                         {.type = BETON_CUSTOM,
                                          .name = "own",
                                          .cell_bytes = 8,
                                          .cell_align = 1,
                                          .has_payload = true}};
    static const char classes[] = "[\"owl\",\"elk\"]",
                      info[] = "{\"channels\":3,\"orientation\":[[1,6]]}",
                      splits[] = "[{\"name\":\"train\",\"begin\":0,\"end\":3},"
                                 "{\"name\":\"test\",\"begin\":3,\"end\":4}]";
    beton_writer *w;
    char path[128];
    uint8_t *bytes;
    size_t n;
    if (i >= 2)
        return false;
    data_source s = data_source_begin();
    (void)snprintf(path, sizeof path, "%s/out.beton", s.folder);
    fuzz_must(beton_writer_create(
        &w, fuzz_ctx(), path,
        &(beton_writer_options){4096, SAMPLES, fields, i == 0 ? 3 : 2}));
    for (uint64_t k = 0; k < SAMPLES; k++) {
        uint8_t row[32] = {(uint8_t)(k % 2)};
        const beton_payload_in in[2] = {{1, "abcdef", k, 8}, {2, "xyz", 3 - k % 3, 24}};
        le64_put(row + 16, k);
        fuzz_must(beton_writer_add(w, row, in, i == 0 ? 2 : 1));
    }
    if (i == 0) {
        fuzz_must(beton_writer_tag(w, BETON_TAG_CLASSES, classes, strlen(classes)));
        fuzz_must(beton_writer_tag(w, BETON_TAG_SPLITS, splits, strlen(splits)));
        fuzz_must(beton_writer_tag(w, BETON_TAG_INFO, info, strlen(info)));
    }
    fuzz_must(beton_writer_commit(w));
    beton_writer_destroy(w);
    fuzz_must(os_read_file(fuzz_ctx(), path, SIZE_MAX / 2, &bytes, &n));
    buf_add(out, bytes, n);
    mem_free(fuzz_ctx(), bytes);
    data_source_end(&s);
    return true;
}
