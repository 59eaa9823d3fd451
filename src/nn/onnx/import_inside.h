/* The importer's inside, for its own files; rules see import.h. */
#ifndef NN_ONNX_IMPORT_INSIDE_H
#define NN_ONNX_IMPORT_INSIDE_H

#include "nn/onnx/import.h"
#include "nn/onnx/load.h"

/* How many numbers are computed at import at most; larger results are left to the run. */
enum { IMP_KNOWN_MOST = 1 << 18, IMP_KNOWN_FLOATS = 4096 };
/* Parameters that inputs set have no bytes in the file that would bound them. */
enum { IMP_FED_MOST = 1 << 28 };

typedef struct imp_block imp_block;

struct imp {
    assay_ctx *ctx;
    const onnx_model *model;
    const onnx_options *options;
    nn_graph *graph;
    onnx_import *out;
    imp_block *blocks;
    size_t taken; /* bytes */
    imp_value **table;
    size_t table_size;      /* a power of two */
    const char *batch_name; /* of the open dimension; NULL: none yet */
    /* Parameters and buffers that the file gives values. */
    struct imp_weight {
        bool buffer;
        size_t place; /* among the graph's parameters or buffers */
        const onnx_tensor *from;
    } * weights;
    size_t n_weights, cap_weights;
    size_t fed;              /* numbers of parameters that inputs set */
    char blame[NN_MAX_NAME]; /* op type of the node that failed */
};

imp_value *imp_find(imp *im, const char *name);
/* Sets the weights that the file gives. */
ASSAY_MUST_CHECK assay_status imp_fill_weights(imp *im);
/* A new name. FORMAT when it is taken. */
ASSAY_MUST_CHECK assay_status imp_name(imp *im, const char *name, imp_value **out);
/* An array as known numbers; only what `known` can be made of. */
ASSAY_MUST_CHECK assay_status imp_known_from(imp *im,
                                             const onnx_array *a,
                                             imp_known **out);
/* Computes the node's output now if all that it needs is known; *done says so. */
ASSAY_MUST_CHECK assay_status imp_fold(imp *im, const onnx_node *node, bool *done);
/* `count` numbers as bytes of their element type. */
void imp_known_bytes(const imp_known *k, void *out);

#endif
