/* A classifier of images in an ONNX file, as a model that can be attributed: its graph
 * with a loss and a margin behind the logits. */
#ifndef TRAIN_ONNX_MODEL_H
#define TRAIN_ONNX_MODEL_H

#include "train/trainer.h"

/** @param out  its card names no classes and no data; mean is 0 and std 1: images come in
 *  as the file wants them, from 0 to 1 unless the caller sets others
 *  @errors as onnx_parse and onnx_load (UNSUPPORTED names the node); SHAPE: not one input
 *  of square images [N,C,H,H], C of 1 or 3, or no first output [N,classes]; UNSUPPORTED:
 *  that is a softmax's */
ASSAY_MUST_CHECK assay_status onnx_model_load(trained_model *out,
                                              assay_ctx *ctx,
                                              const char *path);

#endif
