/* Composing placements. The mirrored image shows at x what was at w - 1 - x. */
#include "data/placement.h"

#include <string.h>

image_placement placement_whole(int width, int height) {
    return (image_placement){
        .width = width, .height = height, .out_width = width, .out_height = height};
}

void placement_mirror_x(image_placement *at) {
    at->mirror_x = !at->mirror_x;
    at->dx = at->out_width - at->width - at->dx;
    at->hole_x = at->out_width - at->hole_x - at->hole_width;
}

void placement_mirror_y(image_placement *at) {
    at->mirror_y = !at->mirror_y;
    at->dy = at->out_height - at->height - at->dy;
    at->hole_y = at->out_height - at->hole_y - at->hole_height;
}

static bool has_hole(const image_placement *at) {
    return at->hole_width > 0 && at->hole_height > 0;
}

bool placement_shift(image_placement *at, int dx, int dy, const uint8_t *fill) {
    if (dx == 0 && dy == 0)
        return true;
    if (at->dx != 0 || at->dy != 0 || at->out_width != at->width ||
        at->out_height != at->height || has_hole(at))
        return false;
    at->dx = dx;
    at->dy = dy;
    memcpy(at->fill, fill, sizeof at->fill);
    return true;
}

bool placement_erase(
    image_placement *at, int x, int y, int width, int height, const uint8_t *fill) {
    if (has_hole(at))
        return false;
    at->hole_x = x;
    at->hole_y = y;
    at->hole_width = width;
    at->hole_height = height;
    memcpy(at->hole_fill, fill, sizeof at->hole_fill);
    return true;
}
