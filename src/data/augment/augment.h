/* The operations that RandAugment and TrivialAugment choose from, at a strength. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include "data/transform.h"

typedef enum augment_op {
    AUGMENT_IDENTITY,
    AUGMENT_SHEAR_X,
    AUGMENT_SHEAR_Y,
    AUGMENT_TRANSLATE_X,
    AUGMENT_TRANSLATE_Y,
    AUGMENT_ROTATE,
    AUGMENT_BRIGHTNESS,
    AUGMENT_COLOR,
    AUGMENT_CONTRAST,
    AUGMENT_SHARPNESS,
    AUGMENT_POSTERIZE,
    AUGMENT_SOLARIZE,
    AUGMENT_AUTOCONTRAST,
    AUGMENT_EQUALIZE,
    AUGMENT_OPS
} augment_op;

/* How strong the operations are at full strength. */
typedef struct augment_space {
    double shear;          /* tangent */
    double translate;      /* pixels, or if below 1 a share of the side */
    double rotate;         /* degrees */
    double enhance;        /* factor 1 +- this */
    double posterize_bits; /* so many bits fewer */
} augment_space;

typedef struct augment_step {
    augment_op op;
    double amount; /* in the operation's own unit, with its sign */
} augment_step;

/* At strength bin / (bins - 1); `negative` turns those over that have a sign. */
augment_step augment_at(const augment_space *space,
                        augment_op op,
                        int bin,
                        int bins,
                        bool negative,
                        const transform_shape *shape);
bool augment_signed(augment_op op);
/* False: the image stays as it is, and `dst` is not written. `dst` must not be `src`. */
bool augment_apply(uint8_t *dst,
                   const uint8_t *src,
                   const transform_shape *s,
                   const augment_step *step,
                   const uint8_t fill[3]);
/* The same by the references; always writes. */
void augment_reference(uint8_t *dst,
                       const uint8_t *src,
                       const transform_shape *s,
                       const augment_step *step,
                       const uint8_t fill[3]);

#endif
