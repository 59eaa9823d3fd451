/* A model's inside: the imported graph, and executors made when they are first needed. */
#ifndef NN_ONNX_MODEL_H
#define NN_ONNX_MODEL_H

#include "nn/onnx/load.h"
#include "nn/op.h"

#include <assay/model.h>

struct assay_model {
    assay_ctx *ctx;
    onnx_import import;
    assay_dtype precision;
    int batch;
    bool chunks; /* every output is open: examples may run a few at a time */
    nn_exec *exec;
    int exec_batch;
    nn_value *keep;  /* room for all inputs and outputs */
    uint8_t **bound; /* [inputs] values that decided shapes; NULL for others */
};

/* A caller's options, completed by defaults. INVALID */
ASSAY_MUST_CHECK assay_status model_options_take(assay_model_options *out,
                                                 const assay_model_options *options);
/* Takes the import (zeroed then), also on failure. */
ASSAY_MUST_CHECK assay_status model_make(assay_model **out,
                                         assay_ctx *ctx,
                                         onnx_import *import,
                                         const assay_model_options *options);

#endif
