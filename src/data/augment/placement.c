/* Composing placements. The mirrored image shows at x what was at w - 1 - x. */
#include "data/augment/placement.h"

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

void move_mirror_x(
    uint8_t *dst, const uint8_t *src, int width, int height, int channels) {
    size_t w = (size_t)width, h = (size_t)height, c = (size_t)channels;
    for (size_t y = 0; y < h; y++) {
        const uint8_t *from = src + y * w * c;
        uint8_t *to = dst + y * w * c;
        if (c == 1) {
            for (size_t x = 0; x < w; x++)
                to[x] = from[w - 1 - x];
        } else if (c == 3) { /* known in advance: no call per pixel */
            for (size_t x = 0; x < w; x++)
                memcpy(to + x * 3, from + (w - 1 - x) * 3, 3);
        } else {
            for (size_t x = 0; x < w; x++)
                memcpy(to + x * c, from + (w - 1 - x) * c, c);
        }
    }
}

void move_mirror_y(
    uint8_t *dst, const uint8_t *src, int width, int height, int channels) {
    size_t row = (size_t)width * (size_t)channels, h = (size_t)height;
    for (size_t y = 0; y < h; y++)
        memcpy(dst + y * row, src + (h - 1 - y) * row, row);
}

void move_erase(
    uint8_t *image, int width, int channels, const image_box *box, const uint8_t *fill) {
    size_t c = (size_t)channels, n = (size_t)box->width * c;
    if (box->width < 1 || box->height < 1)
        return;
    uint8_t *first = image + ((size_t)box->y * (size_t)width + (size_t)box->x) * c;
    for (size_t i = 0; i < n; i++)
        first[i] = fill[i % c];
    for (int y = 1; y < box->height; y++)
        memcpy(first + (size_t)y * (size_t)width * c, first, n);
}
