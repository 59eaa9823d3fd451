/* Prints what the reader finds in a .beton, one line each, as tools/read_beton.py does:
 * two readers of one specification must agree. */
#include "base/hash.h"
#include "base/le.h"
#include "file/beton.h"

#include <inttypes.h>
#include <stdio.h>

static void print_hash(const void *data, size_t bytes) {
    hash_sha256 h;
    uint8_t digest[32];
    char hex[65];
    hash_sha256_init(&h);
    hash_sha256_add(&h, data, bytes);
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    (void)printf(" %.16s", hex);
}

static void print_fields(const beton_file *f) {
    for (int i = 0; i < beton_fields(f); i++) {
        const beton_field *d = beton_field_at(f, i);
        (void)printf("F %d %d %" PRIu32, i, (int)d->type, d->cell_offset);
        print_hash(d->args, sizeof d->args);
        (void)printf(" %s\n", d->name);
    }
}

static void print_records(const beton_file *f) {
    static const char *const tags[] = {"CSUM", "CLAS", "SPLT", "IDS ",
                                       "HASH", "INFO", "THMB"};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        size_t bytes;
        const uint8_t *value = beton_tag(f, le32_get((const uint8_t *)tags[i]), &bytes);
        if (!value)
            continue;
        (void)printf("R %s %zu", tags[i], bytes);
        print_hash(value, bytes);
        (void)printf("\n");
    }
}

static assay_status print_cells(const beton_file *f) {
    for (uint64_t s = 0; s < beton_samples(f); s++)
        for (int i = 0; i < beton_fields(f); i++) {
            const beton_field *d = beton_field_at(f, i);
            const uint8_t *cell = beton_cell(f, s, i), *data;
            uint64_t bytes;
            (void)printf("C %" PRIu64 " %d ", s, i);
            for (uint32_t k = 0; k < d->cell_bytes; k++)
                (void)printf("%02x", cell[k]);
            if (beton_allocates(d->type)) {
                assay_status status =
                    beton_payload(f, s, i, le64_get(cell + beton_ptr_offset(d->type)), 0,
                                  &data, &bytes);
                if (status != ASSAY_OK)
                    return status;
                (void)printf(" %" PRIu64, bytes);
                print_hash(data, (size_t)bytes);
            }
            (void)printf("\n");
        }
    return ASSAY_OK;
}

int main(int argc, char **argv) {
    assay_ctx *ctx = NULL;
    beton_file *f = NULL;
    uint8_t head[24];
    assay_status status = assay_ctx_create(&ctx, NULL);
    if (argc != 2 || status != ASSAY_OK)
        return 2;
    status = beton_open(&f, ctx, argv[1]);
    if (status == ASSAY_OK) {
        FILE *file = fopen(argv[1], "rb");
        if (!file || fread(head, 1, sizeof head, file) != sizeof head ||
            fseek(file, 0, SEEK_END) != 0)
            return 2;
        uint64_t table = le64_get(head + 16);
        (void)printf("H %d %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                     beton_fields(f), beton_page_size(f), beton_samples(f), table,
                     ((uint64_t)ftell(file) - table) / 24);
        (void)fclose(file);
        print_fields(f);
        print_records(f);
        status = print_cells(f);
    }
    if (status == ASSAY_OK)
        status = beton_verify(f);
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "%s: %s\n", assay_last_error()->where,
                      assay_last_error()->message);
    beton_close(f);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 3;
}
