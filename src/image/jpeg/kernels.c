/* Which inner loops belong to which instruction set. */
#include "image/jpeg/kernels.h"

#define COLOR(SET)                                                                       \
    .blend_rows = jpg_blend_rows_##SET, .blend_rows_u8 = jpg_blend_rows_u8_##SET,        \
    .color_h1 = jpg_color_h1_##SET, .color_h2 = jpg_color_h2_##SET

static const jpg_kernels none = {
    .entropy = &jpg_entropy_c, .unstuff = jpg_unstuff_c, .idct = jpg_idct_c, COLOR(c)};

#ifdef __x86_64__
static const jpg_kernels avx2 = {.entropy = &jpg_entropy_avx2,
                                 .unstuff = jpg_unstuff_avx2,
                                 .idct = jpg_idct_avx2,
                                 COLOR(avx2)};
static const jpg_kernels avx512 = {.entropy = &jpg_entropy_avx2,
                                   .unstuff = jpg_unstuff_avx2,
                                   .idct = jpg_idct_avx512,
                                   COLOR(avx512)};
static const jpg_kernels avx512v = {.entropy = &jpg_entropy_avx2,
                                    .unstuff = jpg_unstuff_avx512v,
                                    .idct = jpg_idct_avx512,
                                    COLOR(avx512)};
#endif

const jpg_kernels *jpg_kernels_for(cpu_isa isa) {
    switch (isa) {
    case CPU_NONE:
        return &none;
#ifdef __x86_64__
    case CPU_AVX2:
        return &avx2;
    case CPU_AVX512:
        return &avx512;
    case CPU_AVX512V:
        return &avx512v;
#endif
    default:
        return NULL;
    }
}
