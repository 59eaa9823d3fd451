/* Writing and opening a file of very many small samples: an int and one byte each.
 *
 *   open FILE [samples=10000000]
 */
#include "base/le.h"
#include "base/os.h"
#include "data/section.h"

#include <stdio.h>
#include <stdlib.h>

static const char id_text[] = "train/00000000";

/* As many ids, to see that their tag costs nothing. */
static assay_status put_ids(assay_ctx *ctx, beton_writer *w, uint64_t n) {
    assay_status status = ASSAY_OK;
    size_t id = sizeof id_text, bytes = 16 + (size_t)n * (8 + id);
    uint8_t *tag = NULL;
    ASSAY_TRY(mem_new(ctx, &tag, bytes, 1));
    le64_put(tag, n);
    for (uint64_t i = 0; i <= n; i++)
        le64_put(tag + 8 + 8 * i, i * id);
    for (uint64_t i = 0; i < n; i++)
        (void)snprintf((char *)tag + 16 + 8 * n + i * id, id, "train/%08u", (unsigned)i);
    ASSAY_TRY(beton_writer_tag(w, BETON_TAG_IDS, tag, bytes));
done:
    mem_free(ctx, tag);
    return status;
}

static assay_status write_file(assay_ctx *ctx, const char *path, uint64_t n) {
    assay_status status = ASSAY_OK;
    const beton_field fields[] = {{.type = BETON_INT, .name = "label"},
                                  {.type = BETON_BYTES, .name = "byte"}};
    beton_writer *w = NULL;
    ASSAY_TRY(beton_writer_create(
        &w, ctx, path,
        &(beton_writer_options){
            .page_size = 1 << 23, .samples = n, .fields = fields, .n_fields = 2}));
    uint8_t row[24] = {0};
    le64_put(row + 16, 1);
    uint64_t begin = os_thread_cpu_ns();
    for (uint64_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)i;
        le64_put(row, i);
        beton_payload_in payload = {
            .field = 1, .data = &byte, .bytes = 1, .ptr_offset = 8};
        ASSAY_TRY(beton_writer_add(w, row, &payload, 1));
    }
    (void)printf("writer, adding      %8.3f cpu s, peak %6.1f MB\n",
                 (double)(os_thread_cpu_ns() - begin) / 1e9,
                 (double)assay_peak_bytes() / 1e6);
    ASSAY_TRY(put_ids(ctx, w, n));
    begin = os_thread_cpu_ns();
    ASSAY_TRY(beton_writer_commit(w));
    (void)printf("writer, commit      %8.3f cpu s\n",
                 (double)(os_thread_cpu_ns() - begin) / 1e9);
done:
    beton_writer_destroy(w);
    return status;
}

static assay_status open_file(assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    data_section said = {.ctx = ctx};
    const uint8_t *data;
    uint64_t bytes, wall = os_now_ns(), cpu = os_thread_cpu_ns();
    ASSAY_TRY(beton_open(&f, ctx, path));
    ASSAY_TRY(data_section_read(&said, ctx, f));
    uint64_t last = beton_samples(f) - 1;
    ASSAY_TRY(
        beton_payload(f, last, 1, le64_get(beton_cell(f, last, 1)), 0, &data, &bytes));
    (void)printf(
        "open, first sample  %8.3f cpu s, %.3f s, peak %6.1f MB (byte %u, id %s)\n",
        (double)(os_thread_cpu_ns() - cpu) / 1e9, (double)(os_now_ns() - wall) / 1e9,
        (double)assay_peak_bytes() / 1e6, data[0], data_section_id(&said, last));
    cpu = os_thread_cpu_ns();
    uint64_t sum = 0;
    for (uint64_t s = 0; s <= last; s++) {
        ASSAY_TRY(
            beton_payload(f, s, 1, le64_get(beton_cell(f, s, 1)), 0, &data, &bytes));
        sum += data[0];
    }
    (void)printf("all samples         %8.3f cpu s (sum %llu)\n",
                 (double)(os_thread_cpu_ns() - cpu) / 1e9, (unsigned long long)sum);
    cpu = os_thread_cpu_ns();
    for (uint64_t s = 0; s <= last; s += 97)
        ASSAY_TRY(beton_listed(f, s, 1, le64_get(beton_cell(f, s, 1)), 1));
    (void)printf("looked up in table  %8.3f cpu s per million, peak %6.1f MB\n",
                 (double)(os_thread_cpu_ns() - cpu) / 1e9 / ((double)last / 97e6),
                 (double)assay_peak_bytes() / 1e6);
done:
    data_section_free(&said);
    beton_close(f);
    return status;
}

int main(int argc, char **argv) {
    assay_ctx *ctx = NULL;
    if (argc < 2) {
        (void)fprintf(stderr,
                      "usage: open FILE [samples]; an existing file is opened only\n");
        return 2;
    }
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    assay_status status = assay_ctx_create(&ctx, NULL);
    if (status == ASSAY_OK && !os_exists(argv[1]))
        status = write_file(ctx, argv[1], n);
    if (status == ASSAY_OK)
        status = open_file(ctx, argv[1]);
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "%s: %s\n", assay_last_error()->where,
                      assay_last_error()->message);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 3;
}
