/* .safetensors: u64 header length, JSON header, data; metadata is a flat string map. */
#ifndef FILE_SAFETENSORS_H
#define FILE_SAFETENSORS_H

#include "base/json.h"
#include "base/os.h"
#include "tensor/tensor.h"

typedef struct st_tensor {
    const char *name; /* borrowed */
    assay_dtype dtype;
    int ndim;
    int64_t dim[8];
    const void *data; /* little-endian, C order; aligned to its elements only when those before it
                         have sizes that keep it so: memcpy out of files of mixed types */
    size_t bytes;
} st_tensor;

typedef struct st_file st_file;
/* Opens and checks everything: lengths, offsets, overlaps, dtype x shape = bytes. */
ASSAY_MUST_CHECK assay_status st_open(st_file **out, assay_ctx *ctx, const char *path);
/* The same over bytes in memory (borrowed): for tests and the fuzzer. */
ASSAY_MUST_CHECK assay_status
st_open_memory(st_file **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name);
void st_close(st_file *f); /* accepts NULL */
size_t st_count(const st_file *f);
st_tensor st_at(const st_file *f, size_t i);
/* NOTFOUND names the file and the tensor. */
ASSAY_MUST_CHECK assay_status st_find(const st_file *f, const char *name, st_tensor *out);
const char *st_metadata(const st_file *f, const char *key); /* NULL if absent */

typedef struct st_pair {
    const char *key, *value;
} st_pair;
/* Writes atomically, tensors in the order given, metadata in the order given: equal input, equal bytes. */
ASSAY_MUST_CHECK assay_status st_put(assay_ctx *ctx, const char *path, const st_tensor *tensors, size_t n,
                                     const st_pair *metadata, size_t n_metadata);

#endif
