/* Datasets: open, ask everything, decode rows. An input is run twice, the second time
 * with the checksums of our section set right, so that what lies behind them is reached.
 */
#include "data/dataset.h"

#include "beton_input.h"
#include "data/image_cell.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { ROW_LIMIT = 64 };

static void run(const uint8_t *data, size_t n) {
    dataset *d;
    int a, b, c;
    if (dataset_open_memory(&d, fuzz_ctx(), data, n, "input") != ASSAY_OK)
        return;
    image im = image_make(fuzz_ctx());
    uint64_t rows = dataset_rows(d);
    if (dataset_train_rows(d) > rows || strlen(dataset_sha256(d)) != 64)
        abort();
    for (int k = 0; k < dataset_classes(d); k++)
        fuzz_touch(dataset_class_name(d, k), strlen(dataset_class_name(d, k)));
    dataset_sizes(d, &a, &b, &c);
    for (size_t i = 0; i < dataset_skipped(d); i++) {
        const char *split, *id, *reason;
        dataset_skipped_at(d, i, &split, &id, &reason);
        fuzz_touch(reason, strlen(reason));
    }
    for (uint64_t row = 0; row < rows && row < ROW_LIMIT; row++) {
        int label = dataset_label(d, row);
        if (label < 0 || label >= dataset_classes(d) || dataset_sample(d, row) >= rows)
            abort();
        fuzz_touch(dataset_id(d, row), strlen(dataset_id(d, row)));
        if (dataset_image(d, row, &im) == ASSAY_OK)
            fuzz_touch(im.rgb, 3 * (size_t)im.width * (size_t)im.height);
    }
    image_free(&im);
    dataset_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    run(data, n);
    uint8_t *copy = beton_input_resealed(data, n);
    run(copy, n);
    free(copy);
    return 0;
}

static void put_tags(beton_writer *w, uint64_t samples) {
    static const char classes[] = "[\"owl\",\"elk\"]",
                      info[] = "{\"channels\":3,\"skipped\":[{\"split\":\"train\",\"id\":"
                               "\"x\",\"reason\":\"cut\"}]}";
    static const char splits[] = "[{\"name\":\"train\",\"begin\":0,\"end\":4},"
                                 "{\"name\":\"test\",\"begin\":4,\"end\":6}]";
    uint8_t ids[8 * 8 + 12] = {0}, hash[32] = {7};
    le64_put(ids, samples);
    for (uint64_t i = 0; i <= samples; i++)
        le64_put(ids + 8 + 8 * i, 2 * i);
    for (uint64_t i = 0; i < samples; i++)
        ids[8 * (samples + 2) + 2 * i] = (uint8_t)('a' + i);
    fuzz_must(beton_writer_tag(w, BETON_TAG_CLASSES, classes, sizeof classes - 1));
    fuzz_must(beton_writer_tag(w, BETON_TAG_SPLITS, splits, sizeof splits - 1));
    fuzz_must(beton_writer_tag(w, BETON_TAG_IDS, ids, sizeof ids));
    fuzz_must(beton_writer_tag(w, BETON_TAG_IDENTITY, hash, sizeof hash));
    fuzz_must(beton_writer_tag(w, BETON_TAG_INFO, info, sizeof info - 1));
}

/* Six images, raw or JPEG, with our section or (as FFCV writes) without its tags. */
bool fuzz_seed(buf *out, int i) {
    enum { SAMPLES = 6, SIDE = 8 };
    static const beton_field fields[] = {{.type = BETON_IMAGE, .name = "image"},
                                         {.type = BETON_INT, .name = "label"}};
    char path[128];
    uint8_t *bytes;
    size_t n;
    beton_writer *w;
    if (i > 3)
        return false;
    data_source s = data_source_begin();
    (void)snprintf(path, sizeof path, "%s/out.beton", s.folder);
    fuzz_must(beton_writer_create(&w, fuzz_ctx(), path,
                                  &(beton_writer_options){4096, SAMPLES, fields, 2}));
    for (int k = 0; k < SAMPLES; k++) {
        uint8_t row[24] = {i % 2 ? CELL_JPEG : CELL_RAW, SIDE, 0, SIDE};
        image im = image_make(fuzz_ctx());
        buf jpg = buf_make(fuzz_ctx());
        fuzz_must(image_resize_storage(&im, SIDE, SIDE));
        for (int p = 0; p < 3 * SIDE * SIDE; p++)
            im.rgb[p] = (uint8_t)(p * (k + 1));
        fuzz_must(image_encode_jpeg(&jpg, &im, 80, true));
        le64_put(row + 16, (uint64_t)(k % 2));
        beton_payload_in in = {0, i % 2 ? (const void *)jpg.data : im.rgb,
                               i % 2 ? jpg.len : (uint64_t)3 * SIDE * SIDE, 5};
        fuzz_must(beton_writer_add(w, row, &in, 1));
        buf_free(&jpg);
        image_free(&im);
    }
    if (i < 2)
        put_tags(w, SAMPLES);
    fuzz_must(beton_writer_commit(w));
    beton_writer_destroy(w);
    fuzz_must(os_read_file(fuzz_ctx(), path, SIZE_MAX / 2, &bytes, &n));
    buf_add(out, bytes, n);
    mem_free(fuzz_ctx(), bytes);
    data_source_end(&s);
    return true;
}
