/* The .beton reader: open, walk all cells and payloads, look up all tags, verify. An
 * input is run twice, the second time with the checksums of our section set right, so
 * that what lies behind them is reached. */
#include "base/le.h"
#include "base/os.h"
#include "beton_input.h"
#include "file/beton.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLE_LIMIT = 200, TOUCH_LIMIT = 4096 };

static void walk(const beton_file *f) {
    for (uint64_t s = 0; s < beton_samples(f) && s < SAMPLE_LIMIT; s++)
        for (int i = 0; i < beton_fields(f); i++) {
            const beton_field *d = beton_field_at(f, i);
            const uint8_t *cell = beton_cell(f, s, i), *data;
            uint64_t bytes, ptr;
            fuzz_touch(cell, d->cell_bytes);
            if (!beton_allocates(d->type))
                continue;
            ptr = le64_get(cell + beton_ptr_offset(d->type));
            if (beton_payload(f, s, i, ptr, 0, &data, &bytes) == ASSAY_OK && bytes > 0) {
                fuzz_touch(data, bytes < TOUCH_LIMIT ? (size_t)bytes : TOUCH_LIMIT);
                fuzz_touch(data + bytes - 1, 1);
                fuzz_must(beton_payload(f, s, i, ptr, bytes, &data, &bytes));
            }
        }
}

static void run(const uint8_t *data, size_t n) {
    static const uint32_t tags[] = {BETON_TAG_CHECKSUMS, BETON_TAG_CLASSES,
                                    BETON_TAG_SPLITS,    BETON_TAG_IDS,
                                    BETON_TAG_IDENTITY,  BETON_TAG_INFO};
    beton_file *f;
    if (beton_open_memory(&f, fuzz_ctx(), data, n, "input") != ASSAY_OK)
        return;
    walk(f);
    (void)beton_field_find(f, "image");
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        size_t bytes;
        const uint8_t *value = beton_tag(f, tags[i], &bytes);
        if (value)
            fuzz_touch(value, bytes);
    }
    if (beton_verify(f) != ASSAY_OK)
        fuzz_touch(assay_last_error()->where, 1);
    beton_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    run(data, n);
    uint8_t *copy = beton_input_resealed(data, n);
    run(copy, n);
    free(copy);
    return 0;
}

/* Writes a file of the fields given and appends it. */
static void write_seed(buf *out, const beton_field *fields, int n_fields, int samples) {
    assay_ctx *ctx = fuzz_ctx();
    char path[] = "/tmp/assay-fuzz-XXXXXX";
    beton_writer_options options = {4096, (uint64_t)samples, fields, n_fields};
    beton_writer *w;
    uint8_t *bytes, row[256], data[300];
    size_t n;
    int fd = mkstemp(path);
    if (fd < 0)
        abort();
    (void)close(fd);
    fuzz_must(beton_writer_create(&w, ctx, path, &options));
    for (int s = 0; s < samples; s++) {
        beton_payload_in in[8];
        int payloads = 0;
        memset(row, 0, sizeof row);
        memset(data, s + 1, sizeof data);
        for (int i = 0; i < n_fields; i++) {
            const beton_field *f = beton_writer_field(w, i);
            uint8_t *cell = row + f->cell_offset;
            uint64_t size = (uint64_t)(s * 37 % 290);
            if (f->type == BETON_IMAGE) {
                size = 3 * 5 * 4;
                cell[0] = 1;
                le16_put(cell + 1, 5);
                le16_put(cell + 3, 4);
            } else if (f->type == BETON_NDARRAY) {
                size = le64_get(f->args) * 4;
            } else if (f->type == BETON_BYTES || f->type == BETON_JSON) {
                le64_put(cell + 8, size);
            }
            if (beton_allocates(f->type))
                in[payloads++] = (beton_payload_in){
                    i, data, size, f->cell_offset + beton_ptr_offset(f->type)};
        }
        fuzz_must(beton_writer_add(w, row, in, payloads));
    }
    fuzz_must(beton_writer_tag(w, BETON_TAG_CLASSES, "[\"a\",\"b\"]", 9));
    fuzz_must(beton_writer_tag(w, BETON_TAG_INFO, "{}", 2));
    fuzz_must(beton_writer_commit(w));
    beton_writer_destroy(w);
    fuzz_must(os_read_file(ctx, path, SIZE_MAX / 2, &bytes, &n));
    buf_add(out, bytes, n);
    mem_free(ctx, bytes);
    (void)unlink(path);
}

bool fuzz_seed(buf *out, int i) {
    static const beton_field usual[] = {{.type = BETON_IMAGE, .name = "image"},
                                        {.type = BETON_INT, .name = "label"}};
    static const beton_field scalars[] = {{.type = BETON_INT, .name = "n"},
                                          {.type = BETON_FLOAT, .name = "x"}};
    beton_field mixed[] = {{.type = BETON_BYTES, .name = "blob"},
                           {.type = BETON_NDARRAY, .name = "array"},
                           {.type = BETON_JSON, .name = "sixteen_chars_nm"}};
    static const char descr[] = "[[\"\", \"<f4\"]]";
    size_t before = out->len;
    le64_put(mixed[1].args, 3);
    le64_put(mixed[1].args + 256, strlen(descr));
    memcpy(mixed[1].args + 264, descr, strlen(descr));
    switch (i) {
    case 0:
        write_seed(out, usual, 2, 5);
        return true;
    case 1:
        write_seed(out, scalars, 2, 9);
        return true;
    case 2:
        write_seed(out, mixed, 3, 12);
        return true;
    case 3: { /* the table backwards and no section: as several writers make it */
        write_seed(out, mixed, 3, 12);
        uint8_t *p = (uint8_t *)out->data + before;
        uint64_t table = le64_get(p + 16);
        uint8_t *entry = p + table;
        size_t n = (out->len - before - (size_t)table) / BETON_ENTRY_BYTES;
        memset(p + table - SECTION_TRAILER_BYTES, 0, SECTION_TRAILER_BYTES);
        for (size_t k = 0; k < n / 2; k++) {
            uint8_t kept[BETON_ENTRY_BYTES],
                *other = entry + (n - 1 - k) * BETON_ENTRY_BYTES;
            memcpy(kept, entry + k * BETON_ENTRY_BYTES, sizeof kept);
            memcpy(entry + k * BETON_ENTRY_BYTES, other, sizeof kept);
            memcpy(other, kept, sizeof kept);
        }
        return true;
    }
    default:
        return false;
    }
}
