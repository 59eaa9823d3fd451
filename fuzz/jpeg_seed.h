/* JPEGs of every arrangement that our decoder knows, and one that it leaves to the
 * library: seeds of the targets that decode them. */
#ifndef FUZZ_JPEG_SEED_H
#define FUZZ_JPEG_SEED_H

#include "fuzz.h"

#include <stdio.h>

#include <jpeglib.h>

/* Appends JPEG number `i`; false when there are no more. */
static inline bool jpeg_seed(buf *out, int i) {
    static const struct {
        int width, height, components, h, v, quality, restart, progressive;
    } kinds[] = {{33, 17, 3, 2, 2, 75, 0, 0}, {70, 40, 3, 2, 2, 95, 3, 0},
                 {40, 33, 3, 2, 1, 60, 0, 0}, {19, 50, 3, 1, 2, 85, 5, 0},
                 {24, 40, 3, 1, 1, 99, 0, 0}, {9, 100, 1, 1, 1, 90, 4, 0},
                 {64, 64, 3, 2, 2, 20, 0, 0}, {40, 24, 3, 2, 2, 90, 0, 1},
                 {1, 1, 1, 1, 1, 50, 0, 0},   {3, 9, 3, 2, 2, 50, 0, 0}};
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *bytes = NULL, row[3 * 100];
    unsigned long n = 0;
    if (i >= (int)(sizeof kinds / sizeof *kinds))
        return false;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &n);
    c.image_width = (JDIMENSION)kinds[i].width;
    c.image_height = (JDIMENSION)kinds[i].height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    if (kinds[i].components == 1)
        jpeg_set_colorspace(&c, JCS_GRAYSCALE);
    jpeg_set_quality(&c, kinds[i].quality, TRUE);
    c.comp_info[0].h_samp_factor = kinds[i].h;
    c.comp_info[0].v_samp_factor = kinds[i].v;
    c.restart_interval = (unsigned)kinds[i].restart;
    if (kinds[i].progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW rows[1] = {row};
        for (unsigned k = 0; k < sizeof row; k++)
            row[k] = (unsigned char)(k * k / 5 + k * c.next_scanline / 7);
        (void)jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    buf_add(out, bytes, n);
    free(bytes);
    return true;
}

#endif
