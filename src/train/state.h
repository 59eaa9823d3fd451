/* Weights as named tensors in a .safetensors file: what model files and checkpoints
 * share. Names, shapes and layouts are PyTorch's, since the flat vectors already hold
 * them so. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H

#include "file/safetensors.h"
#include "nn/graph.h"

/* Parameters and buffers of a graph. */
size_t state_count(const nn_graph *g);
/* Views of them into out[state_count()]; names and data are borrowed. */
void state_tensors(const nn_graph *g, const nn_weights *w, st_tensor *out);
/* One parameter-shaped tensor of another name and place. */
st_tensor state_tensor(const nn_param_info *p, const char *name, const float *data);
/* Fills one parameter from a file: NOTFOUND, DTYPE, SHAPE name the tensor; NUMERIC if not
 * finite. */
ASSAY_MUST_CHECK assay_status state_read_one(const st_file *f,
                                             const nn_param_info *p,
                                             const char *name,
                                             float *out);
ASSAY_MUST_CHECK assay_status state_read(const st_file *f,
                                         const nn_graph *g,
                                         nn_weights *w);
bool state_finite(const float *x, size_t n);

#endif
