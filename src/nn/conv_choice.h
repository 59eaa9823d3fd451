/* Which kernel a pass of a convolution runs on: oneDNN's, or our own on matrix tiles, cut
 * up in one way or another. */
#ifndef NN_CONV_CHOICE_H
#define NN_CONV_CHOICE_H

#include "nn/amx/conv.h"

typedef struct conv_choice {
    bool own; /* else oneDNN */
    amx_blocking blocking;
} conv_choice;

/* The kernel for one pass (of DN_...). ASSAY_KERNELS in the environment limits the
 * choice: "onednn" to the library, "own" to ours wherever they run; "auto" is the
 * default. */
conv_choice conv_choose(const dn_conv_geometry *g, unsigned what);

#endif
