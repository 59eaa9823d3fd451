/* Which version of the kernels runs. */
#include "nn/kernels.h"

#include "base/cpu.h"

const nn_kernels *nn_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &nn_kernels_avx512;
    case CPU_AVX2:
        return &nn_kernels_avx2;
    default:
        break;
    }
#endif
    return &nn_kernels_c;
}
