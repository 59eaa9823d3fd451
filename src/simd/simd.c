/* Which table of kernels is in use. */
#include "simd/simd.h"

extern const simd_table simd_table_none;
#ifdef __x86_64__
extern const simd_table simd_table_avx2;
extern const simd_table simd_table_avx512;
#endif

const simd_table *simd_for(cpu_isa isa) {
    switch (isa) {
#ifdef __x86_64__
    case CPU_AVX2:
        return &simd_table_avx2;
    case CPU_AVX512:
    case CPU_AVX512V:
        return &simd_table_avx512;
#endif
    case CPU_NONE:
        return &simd_table_none;
    default:
        return NULL;
    }
}

const simd_table *simd(void) {
    return simd_for(cpu_isa_used());
}
