/* file: arrays in files that other programs read. */
#ifndef ASSAY_FILE_H
#define ASSAY_FILE_H

#include <assay/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Reads a .npy file whole into memory.
 *  @param out  one reference; NULL on failure
 *  @errors NOTFOUND, IO, FORMAT, DTYPE, UNSUPPORTED, NOMEM   @threads safe */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_npy_read(assay_tensor **out,
                                                       assay_ctx *ctx,
                                                       const char *path);

/** Writes a .npy file, which appears whole or not at all; of any strides.
 *  @errors INVALID, NOSPC, IO; DTYPE for bf16, which NumPy does not have   @threads safe
 */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_npy_write(assay_ctx *ctx,
                                                        const char *path,
                                                        const assay_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
