/* Timings of the engine on the calling thread: what a step of a small network costs, and
 * where. */
#ifndef NN_BENCH_H
#define NN_BENCH_H

#include "base/buf.h"

/* Appends a table: for f32 and bf16 the milliseconds per image of a training step, an
 * evaluation and a capture with its per-example gradients, at batch 128, beside the floor
 * that 150 GFLOP/s would give; then single ops. The network: 28x28x1, three 3x3
 * convolutions (32, 64, 64) with batch norm and ReLU, two poolings, global mean, ten
 * classes.
 * @cost a few seconds */
ASSAY_MUST_CHECK assay_status nn_bench_ops(assay_ctx *ctx, buf *out);

#endif
