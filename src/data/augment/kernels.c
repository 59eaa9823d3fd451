/* Which table of the transforms' kernels is in use. */
#include "data/augment/kernels.h"

extern const data_kernels data_kernels_none;
#ifdef __x86_64__
extern const data_kernels data_kernels_avx2;
extern const data_kernels data_kernels_avx512;
#endif

const data_kernels *data_kernels_for(cpu_isa isa) {
    switch (isa) {
#ifdef __x86_64__
    case CPU_AVX2:
        return &data_kernels_avx2;
    case CPU_AVX512:
    case CPU_AVX512V:
        return &data_kernels_avx512;
#endif
    default:
        return &data_kernels_none;
    }
}

const data_kernels *data_kernels_used(void) {
    return data_kernels_for(cpu_isa_used());
}
