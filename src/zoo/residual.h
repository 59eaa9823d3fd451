/* Residual networks (He et al. 2015, arXiv 1512.03385): a stem, stages of blocks beside
 * shortcuts, the mean, one linear layer; under torchvision's names. */
#ifndef ZOO_RESIDUAL_H
#define ZOO_RESIDUAL_H

#include "zoo/zoo.h"

enum { ZOO_RESIDUAL_STAGES = 4 };

typedef struct zoo_residual {
    int stages, blocks[ZOO_RESIDUAL_STAGES];
    int64_t width; /* of the first stage; each further one doubles it and halves sides */
    /* 0: blocks of two 3x3 convolutions. 4: of a 1x1, a 3x3, and a 1x1 that makes so many
     * times the channels, the stride in the 3x3 as in torchvision. */
    int64_t expansion;
    bool large_stem; /* images above 64 pixels enter through 7x7 and a pooling */
} zoo_residual;

ASSAY_MUST_CHECK assay_status zoo_residual_build(zoo_model *m, const zoo_residual *net);

/* Parameters of a convolution of kernel k from i to o channels, with its norm. */
#define ZOO_CONV_NORM(i, o, k) ((i) * (o) * (k) * (k) + 2 * (o))

#endif
