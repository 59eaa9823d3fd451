/* dataset.sha256: what a dataset holds, whatever the layout of its file. SHA-256 over, in
 * this order: the text "assay dataset 1"; the number of fields, and of each its type,
 * name and 1024 argument bytes; the number of samples, and of each, field by field, its
 * cell without the pointer and, for a field with a payload, the SHA-256 of that; the
 * number of classes and their names; the number of splits, and of each its name and its
 * first and last-but-one row. Numbers are u64 little-endian, texts a number and that many
 * bytes. */
#ifndef DATA_IDENTITY_H
#define DATA_IDENTITY_H

#include "base/hash.h"
#include "file/beton.h"

typedef struct data_split {
    char name[8];
    uint64_t begin, end;
} data_split;

typedef struct identity {
    hash_sha256 sha;
} identity;

void identity_begin(identity *id,
                    const beton_field *const *fields,
                    int n,
                    uint64_t samples);
/* One cell; `payload` is its digest, NULL for a field without payload. */
void identity_cell(identity *id,
                   const beton_field *f,
                   const uint8_t *cell,
                   const uint8_t payload[32]);
void identity_end(identity *id,
                  const char *const *classes,
                  size_t n_classes,
                  const data_split *splits,
                  size_t n_splits,
                  uint8_t out[32]);
void identity_payload(uint8_t out[32], const void *data, size_t bytes);
/* Which side a sample goes to where the source names no splits: one in five is for
 * testing, and the same id goes to the same side whatever else there is. */
bool identity_in_test(const char *id);

/* Of an open file: every payload is read. Parallel. FORMAT, CANCELLED, NOMEM. */
ASSAY_MUST_CHECK assay_status identity_of_file(assay_ctx *ctx,
                                               const beton_file *f,
                                               const char *const *classes,
                                               size_t n_classes,
                                               const data_split *splits,
                                               size_t n_splits,
                                               uint8_t out[32]);

#endif
