/* model: a computation with its weights, from an ONNX file: what goes in and out of it,
 * running it, and its gradients. */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H

#include <assay/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_model assay_model;

/** An input, an output or a parameter. Strings are borrowed from the model. */
typedef struct assay_model_value {
    const char *name;
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS]; /**< -1 first: the batch, of any size */
} assay_model_value;

typedef struct assay_model_options {
    size_t struct_size;
    int open_batch;        /**< 1: a leading 1 of every input stands for any batch */
    const char *precision; /**< "f32" (NULL too), "bf16", or "auto": bf16 where it pays */
    int batch;             /**< examples run at a time; 0: 64 */
    /** Inputs that are known beforehand, [n_inputs] in the file's order, borrowed;
     * entries may be NULL. Sizes that the file leaves open, besides the batch, are taken
     * from them, and values that decide about shapes; these must then stay the same.
     * Where the model mixes the batch with other dimensions its size is taken, too. */
    const assay_tensor *const *inputs;
    int n_inputs;
} assay_model_options;
#define ASSAY_MODEL_OPTIONS_INIT                                                         \
    { .struct_size = sizeof(assay_model_options) }

/** Opens an ONNX file (opsets to 21; tested are 13 to 17). Weights outside of it must
 *  lie in its folder or below.
 *  @param out  NULL on failure   @param options  NULL: defaults
 *  @errors NOTFOUND, IO, FORMAT, NOMEM; UNSUPPORTED names the node and its operator
 *  @threads safe   @cost reads the file once */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_model_open(assay_model **out,
                 assay_ctx *ctx,
                 const char *path,
                 const assay_model_options *options);
/** The same of a file's bytes in memory (borrowed for the call); external weights are
 *  refused. */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_model_open_memory(assay_model **out,
                        assay_ctx *ctx,
                        const void *bytes,
                        size_t n,
                        const assay_model_options *options);
/** Opens a .safetensors file of a published network that assay knows by its tensors:
 *  MobileNet v1 at a quarter of its width (images (u8 - 127.5) / 127.5, 1001 logits, 0:
 *  background), and TAEF2's encoder and decoder (images in [0, 1], latents of 32 channels
 *  at an eighth of the sides). Weights in f32, f16 or bf16; computed in f32.
 *  @param out  NULL on failure   @param options  NULL: defaults; the size of the images
 *              is the first input's, 224 x 224 without one
 *  @errors UNSUPPORTED when the tensors are of no such network; NOTFOUND, DTYPE, SHAPE,
 *          NUMERIC name the tensor; IO, FORMAT, NOMEM
 *  @threads safe   @cost reads the file once */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_model_open_weights(assay_model **out,
                         assay_ctx *ctx,
                         const char *path,
                         const assay_model_options *options);
/** Accepts NULL. */
ASSAY_API void assay_model_close(assay_model *model);

ASSAY_API int assay_model_input_count(const assay_model *model);
ASSAY_API int assay_model_output_count(const assay_model *model);
ASSAY_API assay_model_value assay_model_input(const assay_model *model, int i);
ASSAY_API assay_model_value assay_model_output(const assay_model *model, int i);
/** Trainable tensors, in the order of the flat vector of parameters. */
ASSAY_API int assay_model_param_count(const assay_model *model);
ASSAY_API assay_model_value assay_model_param(const assay_model *model, int i);
/** Parameter i's numbers, row by row; writable: optimizer steps go here. */
ASSAY_API float *assay_model_param_data(assay_model *model, int i);

/** Runs the model once over all examples given.
 *  @param in  [inputs], borrowed; element types as the inputs say, any strides; the open
 *             batch has the same size in all of them
 *  @param out  [outputs], one reference each, the caller's; NULL on failure
 *  @errors SHAPE, DTYPE name the input; NOMEM   @threads one call at a time per model */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_model_run(assay_model *model,
                                                        const assay_tensor *const *in,
                                                        assay_tensor **out);

/** Gradients of sum(seed * output) by reverse accumulation.
 *  @param output  which output   @param seed  of its shape, f32; NULL: ones
 *  @param value  the output itself, one reference; NULL: not wanted
 *  @param d_in  [inputs] one reference each for inputs of f32, NULL for others; NULL: not
 *               wanted
 *  @param d_params  [params] f32 in the parameters' shapes; NULL: not wanted. Batch norm
 *               takes the batch's own statistics then, and the file's otherwise
 *  @errors as assay_model_run; UNSUPPORTED where an op has no gradient
 *  @threads one call at a time per model */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_model_gradients(assay_model *model,
                      const assay_tensor *const *in,
                      int output,
                      const assay_tensor *seed,
                      assay_tensor **value,
                      assay_tensor **d_in,
                      assay_tensor **d_params);

/** Runs ONNX's tests of single operators: every folder test_* in `folder` with model.onnx
 *  and test_data_set_N/input_i.pb, output_i.pb. Outputs are compared as ONNX's own runner
 *  does (relative 1e-3, absolute 1e-7).
 *  @param json  passed (and of these passed_with_known_inputs, in which an input decides
 *               about shapes and is known before the model is planned), unsupported
 * {operator: count}, failed [{test, why}], ops {operator: {passed, unsupported, failed}};
 * take, release with assay_string_free
 *  @errors NOTFOUND when there is no test, NOMEM, CANCELLED */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_onnx_test(assay_ctx *ctx,
                                                        const char *folder,
                                                        char **json);

#ifdef __cplusplus
}
#endif
#endif
