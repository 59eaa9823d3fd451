/* Steps that move whole pixels: carried out one by one, or folded one behind the other
 * into one placement, which the last pass over an image carries out. */
#ifndef DATA_PLACEMENT_H
#define DATA_PLACEMENT_H

#include "image/output.h"
#include "image/rows.h"

/* The image as it is. */
image_placement placement_whole(int width, int height);
void placement_mirror_x(image_placement *at);
void placement_mirror_y(image_placement *at);
/* What is seen so far moves by (dx, dy); `fill` (3 bytes) comes in from outside. False:
 * can't be folded, since something has left the picture before or has been erased. */
bool placement_shift(image_placement *at, int dx, int dy, const uint8_t *fill);
/* Fills a rectangle of the result; false: there is one already. */
bool placement_erase(
    image_placement *at, int x, int y, int width, int height, const uint8_t *fill);

/* The same at once: `dst` and `src` are height x width pixels of `channels` bytes. */
void move_mirror_x(uint8_t *dst, const uint8_t *src, int width, int height, int channels);
void move_mirror_y(uint8_t *dst, const uint8_t *src, int width, int height, int channels);
/* Fills a box of `image`, which is `width` pixels wide. */
void move_erase(
    uint8_t *image, int width, int channels, const image_box *box, const uint8_t *fill);

#endif
