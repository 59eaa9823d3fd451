/* Strengths and operations as in torchvision's RandAugment and TrivialAugmentWide, on
 * Pillow images, nearest neighbour. */
#include "data/augment/augment.h"

#include "data/augment/geometry.h"
#include "data/augment/photometric.h"

#include <math.h>
#include <string.h>

bool augment_signed(augment_op op) {
    return op >= AUGMENT_SHEAR_X && op <= AUGMENT_SHARPNESS;
}

static double translation(const augment_space *space, int side) {
    return space->translate < 1 ? space->translate * side : space->translate;
}

augment_step augment_at(const augment_space *space,
                        augment_op op,
                        int bin,
                        int bins,
                        bool negative,
                        const transform_shape *shape) {
    double strength = bins > 1 ? (double)bin / (bins - 1) : 0, v = 0;
    switch (op) {
    case AUGMENT_SHEAR_X:
    case AUGMENT_SHEAR_Y:
        v = space->shear * strength;
        break;
    case AUGMENT_TRANSLATE_X: /* whole pixels, towards 0 */
        v = floor(translation(space, shape->width) * strength);
        break;
    case AUGMENT_TRANSLATE_Y:
        v = floor(translation(space, shape->height) * strength);
        break;
    case AUGMENT_ROTATE:
        v = space->rotate * strength;
        break;
    case AUGMENT_BRIGHTNESS:
    case AUGMENT_COLOR:
    case AUGMENT_CONTRAST:
    case AUGMENT_SHARPNESS:
        v = space->enhance * strength;
        break;
    case AUGMENT_POSTERIZE:
        v = 8 - rint(space->posterize_bits * strength);
        break;
    case AUGMENT_SOLARIZE: /* v >= threshold; the threshold is a fraction */
        v = ceil(255 - 255 * strength);
        break;
    default:
        break;
    }
    return (augment_step){op, negative && augment_signed(op) ? -v : v};
}

/* Shears keep the upper left corner, the rest the middle. */
static geometry_map map_of(const augment_step *step, const transform_shape *s) {
    geometry_motion m = {.scale = 1};
    double degrees = atan(step->amount) * (180 / 3.14159265358979323846);
    switch (step->op) {
    case AUGMENT_SHEAR_X:
        m.shear_x = degrees;
        break;
    case AUGMENT_SHEAR_Y:
        m.shear_y = degrees;
        break;
    case AUGMENT_TRANSLATE_X:
        m.move_x = step->amount;
        break;
    case AUGMENT_TRANSLATE_Y:
        m.move_y = step->amount;
        break;
    default:
        m.degrees = -step->amount;
        m.centre_x = s->width / 2.0;
        m.centre_y = s->height / 2.0;
    }
    return geometry_map_of(&m);
}

static bool moves(augment_op op) {
    return op >= AUGMENT_SHEAR_X && op <= AUGMENT_ROTATE;
}

bool augment_apply(uint8_t *dst,
                   const uint8_t *src,
                   const transform_shape *s,
                   const augment_step *step,
                   const uint8_t fill[3]) {
    double v = step->amount;
    if (moves(step->op)) {
        if (v == 0)
            return false;
        geometry_map m = map_of(step, s);
        geometry_apply(dst, src, s, &m, GEOMETRY_NEAREST, fill);
        return true;
    }
    switch (step->op) {
    case AUGMENT_BRIGHTNESS:
        photo_brightness(dst, src, s, 1 + v);
        return true;
    case AUGMENT_COLOR:
        photo_saturation(dst, src, s, 1 + v);
        return true;
    case AUGMENT_CONTRAST:
        photo_contrast(dst, src, s, 1 + v);
        return true;
    case AUGMENT_SHARPNESS:
        photo_sharpness(dst, src, s, 1 + v);
        return true;
    case AUGMENT_POSTERIZE:
        photo_posterize(dst, src, s, (int)v);
        return true;
    case AUGMENT_SOLARIZE:
        photo_solarize(dst, src, s, (int)v);
        return true;
    case AUGMENT_AUTOCONTRAST:
        photo_autocontrast(dst, src, s);
        return true;
    case AUGMENT_EQUALIZE:
        photo_equalize(dst, src, s);
        return true;
    default:
        return false;
    }
}

void augment_reference(uint8_t *dst,
                       const uint8_t *src,
                       const transform_shape *s,
                       const augment_step *step,
                       const uint8_t fill[3]) {
    double v = step->amount;
    if (moves(step->op)) {
        geometry_map m = map_of(step, s);
        geometry_reference(dst, src, s, &m, GEOMETRY_NEAREST, fill);
        return;
    }
    switch (step->op) {
    case AUGMENT_BRIGHTNESS:
        photo_brightness_reference(dst, src, s, 1 + v);
        return;
    case AUGMENT_COLOR:
        photo_saturation_reference(dst, src, s, 1 + v);
        return;
    case AUGMENT_CONTRAST:
        photo_contrast_reference(dst, src, s, 1 + v);
        return;
    case AUGMENT_SHARPNESS:
        photo_sharpness_reference(dst, src, s, 1 + v);
        return;
    case AUGMENT_POSTERIZE:
        photo_posterize_reference(dst, src, s, (int)v);
        return;
    case AUGMENT_SOLARIZE:
        photo_solarize_reference(dst, src, s, (int)v);
        return;
    case AUGMENT_AUTOCONTRAST:
        photo_autocontrast_reference(dst, src, s);
        return;
    case AUGMENT_EQUALIZE:
        photo_equalize_reference(dst, src, s);
        return;
    default:
        memcpy(dst, src, photo_bytes(s));
    }
}
