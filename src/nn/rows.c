/* Which version of the kernels over rows runs. */
#include "nn/rows.h"

#include "base/cpu.h"

const row_kernels *row_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &row_kernels_avx512;
    case CPU_AVX2:
        return &row_kernels_avx2;
    default:
        break;
    }
#endif
    return &row_kernels_c;
}
