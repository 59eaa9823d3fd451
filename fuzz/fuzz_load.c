/* The loader over hostile .beton files: an epoch of every field, windows of the images,
 * and damaged samples left out. */
#include <assay/load.h>

#include "beton_input.h"
#include "data_source.h"
#include "fuzz.h"

#include "data/field.h"
#include "data/image_cell.h"

#include <string.h>

enum { BATCHES = 4 };

static void touch_batch(const assay_batch *b) {
    for (int k = 0; k < b->columns; k++) {
        const assay_batch_column *c = &b->column[k];
        size_t n = assay_dtype_size(c->dtype);
        for (int i = 0; i < c->ndim; i++)
            n *= (size_t)c->dim[i];
        fuzz_touch(c->data, n);
    }
}

static void load(const char *path, const char *pipeline, int skip) {
    assay_loader *l = NULL;
    assay_batch b;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 5;
    o.threads = -1;
    o.skip_damaged = skip;
    if (assay_loader_create(&l, fuzz_ctx(), &path, 1, pipeline, &o) != ASSAY_OK)
        return;
    bool more = assay_loader_epoch(l, 1) == ASSAY_OK;
    for (int i = 0; i < BATCHES && more; i++) {
        more = assay_loader_next(l, &b) == ASSAY_OK && b.n > 0;
        if (more)
            touch_batch(&b);
    }
    assay_loader_destroy(l);
}

static void run(const uint8_t *data, size_t n) {
    char path[160];
    data_source s = data_source_begin();
    (void)snprintf(path, sizeof path, "%s/in.beton", s.folder);
    FILE *f = fopen(path, "wb");
    if (f == NULL || (n > 0 && fwrite(data, 1, n, f) != n) || fclose(f) != 0)
        abort();
    load(path, NULL, 0);
    load(path, "image: random_resized_crop(12) | flip ; label", 1);
    data_source_end(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    uint8_t *copy = beton_input_resealed(data, n);
    run(copy, n);
    free(copy);
    return 0;
}

/* Raw images of one size, or JPEG, beside arrays and texts. */
bool fuzz_seed(buf *out, int i) {
    enum { SAMPLES = 6, SIDE = 8 };
    beton_field fields[] = {{.type = BETON_IMAGE, .name = "image"},
                            {.type = BETON_INT, .name = "label"},
                            {.type = BETON_NDARRAY, .name = "array"},
                            {.type = BETON_JSON, .name = "text"}};
    char path[160];
    uint8_t *bytes;
    size_t n;
    beton_writer *w;
    if (i > 1)
        return false;
    field_array_args(fields[2].args, ">i2", 1, (const int64_t[]){3});
    data_source s = data_source_begin();
    (void)snprintf(path, sizeof path, "%s/out.beton", s.folder);
    fuzz_must(beton_writer_create(&w, fuzz_ctx(), path,
                                  &(beton_writer_options){4096, SAMPLES, fields, 4}));
    for (int k = 0; k < SAMPLES; k++) {
        uint8_t row[128] = {i == 1 ? CELL_JPEG : CELL_RAW, SIDE, 0, SIDE};
        image im = image_make(fuzz_ctx());
        buf jpg = buf_make(fuzz_ctx());
        fuzz_must(image_resize_storage(&im, SIDE, SIDE));
        for (int p = 0; p < 3 * SIDE * SIDE; p++)
            im.rgb[p] = (uint8_t)(p * (k + 1));
        fuzz_must(image_encode_jpeg(&jpg, &im, 80, true));
        uint32_t array_at = beton_writer_field(w, 2)->cell_offset;
        uint32_t text_at = beton_writer_field(w, 3)->cell_offset;
        le64_put(row + beton_writer_field(w, 1)->cell_offset, (uint64_t)(k % 2));
        le64_put(row + text_at + 8, (uint64_t)(2 + k));
        const beton_payload_in in[] = {{0, i == 1 ? (const void *)jpg.data : im.rgb,
                                        i == 1 ? jpg.len : (uint64_t)3 * SIDE * SIDE, 5},
                                       {2, "\1\2\3\4\5\6", 6, array_at},
                                       {3, "{}        ", (uint64_t)(2 + k), text_at}};
        fuzz_must(beton_writer_add(w, row, in, 3));
        buf_free(&jpg);
        image_free(&im);
    }
    fuzz_must(beton_writer_commit(w));
    beton_writer_destroy(w);
    fuzz_must(os_read_file(fuzz_ctx(), path, SIZE_MAX / 2, &bytes, &n));
    buf_add(out, bytes, n);
    mem_free(fuzz_ctx(), bytes);
    data_source_end(&s);
    return true;
}
