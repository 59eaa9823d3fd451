/* NumPy's .npy, version 1.0 (2.0 is read): little-endian, C order. */
#ifndef FILE_NPY_H
#define FILE_NPY_H

#include "base/os.h"
#include "file/atomic.h"
#include "tensor/tensor.h"

enum { NPY_MAX_DIMS = 8 };
typedef struct npy_array {
    assay_dtype dtype;
    int ndim;
    int64_t dim[NPY_MAX_DIMS];
    uint8_t *data;   /* into the map */
    size_t bytes;    /* of data */
    os_map map;
} npy_array;

/* Maps an existing file; FORMAT/DTYPE/UNSUPPORTED with file and offset. */
ASSAY_MUST_CHECK assay_status npy_open(npy_array *out, assay_ctx *ctx, const char *path, bool writable);
/* The same over bytes in memory (borrowed, read-only): data inside a larger file, tests, the fuzzer. */
ASSAY_MUST_CHECK assay_status npy_parse(npy_array *out, const void *bytes, size_t n);
/* Makes a file of zeros of that shape under its final name and maps it writable: a work file whose
 * completeness is recorded elsewhere (phase keys, store flags). NOSPC is found here, by allocation. */
ASSAY_MUST_CHECK assay_status npy_create(npy_array *out, assay_ctx *ctx, const char *path, assay_dtype dtype, int ndim, const int64_t *dim);
ASSAY_MUST_CHECK assay_status npy_sync(npy_array *a, const char *path);
void npy_close(npy_array *a); /* accepts a zeroed one */
/* Begins a file that appears whole when it is committed: its header is written, elements follow from
 * byte `start` on, in any order (atomic_write_at). */
ASSAY_MUST_CHECK assay_status npy_begin(atomic_file *f, uint64_t *start, assay_ctx *ctx, const char *path, assay_dtype dtype, int ndim, const int64_t *dim);
/* Writes an array whole (atomic). */
ASSAY_MUST_CHECK assay_status npy_put(assay_ctx *ctx, const char *path, assay_dtype dtype, int ndim, const int64_t *dim, const void *data);

#endif
