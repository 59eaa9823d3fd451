/* Weights of others: a PyTorch state_dict saved as .safetensors. Names, shapes and
 * layouts are those of the graph's parameters and buffers already; here they only meet.
 */
#ifndef NN_STATE_DICT_H
#define NN_STATE_DICT_H

#include "file/safetensors.h"
#include "nn/graph.h"

/* Fills all parameters and buffers of `w` from the file's tensors of the same names: f32,
 * f64, f16 or bf16, converted. Counters of batches ("...num_batches_tracked") are left
 * out. On failure `w` may be filled in part.
 * @errors NOTFOUND names what the file lacks, INVALID what the model does not have, SHAPE
 * and DTYPE the tensor and both shapes, NUMERIC a tensor that is not finite */
ASSAY_MUST_CHECK assay_status state_dict_read(const st_file *f,
                                              const nn_graph *g,
                                              nn_weights *w);
/* Fills one parameter or buffer from a tensor of its shape, converted likewise. SHAPE,
 * DTYPE, NUMERIC */
ASSAY_MUST_CHECK assay_status state_dict_fill(const st_tensor *t,
                                              const nn_param_info *p,
                                              float *to);
/* The same as state_dict_read from a path. @errors as above and as st_open */
ASSAY_MUST_CHECK assay_status state_dict_load(assay_ctx *ctx,
                                              const char *path,
                                              const nn_graph *g,
                                              nn_weights *w);

#endif
