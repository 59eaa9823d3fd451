/* The identity of a dataset's content. */
#include "data/identity.h"

#include "base/le.h"
#include "base/pool.h"

#include <string.h>

enum { BLOCK_ROWS = 4096, GRAIN = 64 };

void identity_begin(identity *id,
                    const beton_field *const *fields,
                    int n,
                    uint64_t samples) {
    hash_sha256_init(&id->sha);
    hash_sha256_str(&id->sha, "assay dataset 1");
    hash_sha256_u64(&id->sha, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        hash_sha256_u64(&id->sha, (uint64_t)fields[i]->type);
        hash_sha256_str(&id->sha, fields[i]->name);
        hash_sha256_add(&id->sha, fields[i]->args, BETON_ARGS_BYTES);
    }
    hash_sha256_u64(&id->sha, samples);
}

void identity_cell(identity *id,
                   const beton_field *f,
                   const uint8_t *cell,
                   const uint8_t payload[32]) {
    uint32_t bytes = f->cell_bytes;
    if (payload == NULL) {
        hash_sha256_add(&id->sha, cell, bytes);
        return;
    }
    uint32_t at = f->ptr_offset;
    hash_sha256_add(&id->sha, cell, at);
    hash_sha256_add(&id->sha, cell + at + 8, bytes - at - 8);
    hash_sha256_add(&id->sha, payload, 32);
}

void identity_end(identity *id,
                  const char *const *classes,
                  size_t n_classes,
                  const data_split *splits,
                  size_t n_splits,
                  uint8_t out[32]) {
    hash_sha256_u64(&id->sha, n_classes);
    for (size_t i = 0; i < n_classes; i++)
        hash_sha256_str(&id->sha, classes[i]);
    hash_sha256_u64(&id->sha, n_splits);
    for (size_t i = 0; i < n_splits; i++) {
        hash_sha256_str(&id->sha, splits[i].name);
        hash_sha256_u64(&id->sha, splits[i].begin);
        hash_sha256_u64(&id->sha, splits[i].end);
    }
    hash_sha256_end(&id->sha, out);
}

void identity_payload(uint8_t out[32], const void *data, size_t bytes) {
    hash_sha256 s;
    hash_sha256_init(&s);
    hash_sha256_add(&s, data, bytes);
    hash_sha256_end(&s, out);
}

bool identity_in_test(const char *id) {
    uint8_t digest[32];
    identity_payload(digest, id, strlen(id));
    return le64_get(digest) < UINT64_MAX / 5;
}

/* ---- of a file ---- */

typedef struct digests {
    const beton_file *f;
    uint64_t first; /* sample */
    int fields;
    uint8_t *digest; /* [rows][fields][32] */
} digests;

static assay_status digest_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    const digests *d = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        for (int k = 0; k < d->fields; k++) {
            const beton_field *field = beton_field_at(d->f, k);
            if (!field->has_payload)
                continue;
            uint64_t sample = d->first + i, bytes;
            const uint8_t *cell = beton_cell(d->f, sample, k), *data;
            uint64_t ptr = le64_get(cell + field->ptr_offset);
            ASSAY_TRY(beton_payload(d->f, sample, k, ptr, 0, &data, &bytes));
            identity_payload(d->digest + (i * (size_t)d->fields + (size_t)k) * 32, data,
                             (size_t)bytes);
        }
done:
    return status;
}

assay_status identity_of_file(assay_ctx *ctx,
                              const beton_file *f,
                              const char *const *classes,
                              size_t n_classes,
                              const data_split *splits,
                              size_t n_splits,
                              uint8_t out[32]) {
    assay_status status = ASSAY_OK;
    identity id;
    int fields = beton_fields(f);
    uint64_t samples = beton_samples(f);
    const beton_field *field[BETON_MAX_FIELDS];
    digests d = {.f = f, .fields = fields};
    ASSAY_TRY(mem_new(ctx, &d.digest, BLOCK_ROWS, (size_t)fields * 32));
    for (int k = 0; k < fields; k++)
        field[k] = beton_field_at(f, k);
    identity_begin(&id, field, fields, samples);
    for (d.first = 0; d.first < samples; d.first += BLOCK_ROWS) {
        size_t rows =
            (size_t)(samples - d.first < BLOCK_ROWS ? samples - d.first : BLOCK_ROWS);
        ASSAY_TRY(assay_parallel_for(ctx, rows, GRAIN, digest_rows, &d));
        for (size_t i = 0; i < rows; i++)
            for (int k = 0; k < fields; k++)
                identity_cell(&id, field[k], beton_cell(f, d.first + i, k),
                              field[k]->has_payload
                                  ? d.digest + (i * (size_t)fields + (size_t)k) * 32
                                  : NULL);
    }
    identity_end(&id, classes, n_classes, splits, n_splits, out);
done:
    mem_free(ctx, d.digest);
    return status;
}
