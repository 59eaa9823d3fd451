/* Rows of R, G, B bytes taken apart into planes. */
#ifndef IMAGE_SPLIT_H
#define IMAGE_SPLIT_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* `n` pixels to planes `stride` bytes apart; up to 32 bytes beyond n may be written, and
 * nothing beyond the pixels is read. */
typedef void (*split_rgb)(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n);

/* For the instruction set in use, and for a given one (NULL if it was not built). */
split_rgb split_rgb_used(void);
split_rgb split_rgb_for(cpu_isa isa);

void split_rgb_c(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n);
void split_rgb_avx2(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n);
void split_rgb_avx512v(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n);

#endif
