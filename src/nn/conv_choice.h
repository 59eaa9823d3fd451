/* Which kernel a pass of a convolution runs on: oneDNN's, or our own on matrix tiles, cut
 * up in one way or another.
 *
 * A choice is made once per shape and processor, by timing on random data, and kept as a
 * line of text: in the user's cache folder, and in a file of the run that uses it, where
 * it is looked up first, so that a run that goes on keeps its kernels and its bytes.
 * Where nothing can be kept nothing is timed, and a rule decides. f32 is always
 * oneDNN's. */
#ifndef NN_CONV_CHOICE_H
#define NN_CONV_CHOICE_H

#include "nn/amx/conv.h"

typedef struct conv_choice {
    bool own; /* else oneDNN */
    amx_blocking blocking;
} conv_choice;

/* The kernel for one pass (of DN_...). ASSAY_KERNELS in the environment limits the
 * choice: "onednn" to the library, "own" to ours wherever they run, "rule" to what the
 * rule says; "auto" is the default. ASSAY_VERBOSE=dispatch tells what was chosen.
 * @param run_file  keeps the choices of a run; NULL: none
 * @errors NOMEM, INTERNAL; files that can't be read or written are no errors */
ASSAY_MUST_CHECK assay_status conv_choose(conv_choice *out,
                                          assay_ctx *ctx,
                                          dn_engine *engine,
                                          const dn_conv_geometry *g,
                                          unsigned what,
                                          const char *run_file);
/* What the rule says: no timing, no files. */
conv_choice conv_choose_by_rule(const dn_conv_geometry *g, unsigned what);

#endif
