/* The kernels for ops: what an op is, and the table. */
#ifndef NN_KERNELS_H
#define NN_KERNELS_H

#include "nn/kernel_table.h"
#include "nn/op.h"

#endif
