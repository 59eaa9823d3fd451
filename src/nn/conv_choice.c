/* The rule that serves without measuring. */
#include "nn/conv_choice.h"

#include <stdlib.h>
#include <string.h>

/* Where our own kernels were the faster ones: backward-weights everywhere, backward-data
 * nearly everywhere, forward where images are small or the filter makes strides. Thin or
 * few images leave tiles empty. */
static bool ours_are_faster(const dn_conv_geometry *g, unsigned what) {
    if (g->n < 24 || g->c < 24 || g->o < 24)
        return false;
    return what != DN_FORWARD || g->oh * g->ow <= 64 ||
           (g->stride[0] > 1 && g->oh * g->ow <= 256);
}

conv_choice conv_choose(const dn_conv_geometry *g, unsigned what) {
    conv_choice choice = {0};
    const char *word = getenv("ASSAY_KERNELS");
    if (!amx_conv_can(g, what) || (word && strcmp(word, "onednn") == 0))
        return choice;
    choice.own = (word && strcmp(word, "own") == 0) || ours_are_faster(g, what);
    choice.blocking = amx_conv_blocking(g, what);
    return choice;
}
