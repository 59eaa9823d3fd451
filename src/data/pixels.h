/* Fitting one image to the size that a model takes. */
#ifndef DATA_PIXELS_H
#define DATA_PIXELS_H

#include "image/image.h"

/* `im` at size x size x channels into `dst`; one channel is its luma. Spoils `im`. SHAPE,
 * NOMEM. */
ASSAY_MUST_CHECK assay_status pixels_fit(image *im, int size, int channels, uint8_t *dst);

#endif
