/* Which version of the small products runs, and what they need. */
#include "nn/gemm_inside.h"

#include "base/cpu.h"

const gemm_kernels *gemm_kernels_get(void) {
#if defined(__x86_64__)
    switch (cpu_isa_used()) {
    case CPU_AVX512:
    case CPU_AVX512V:
        return &gemm_kernels_avx512;
    case CPU_AVX2:
        return &gemm_kernels_avx2;
    default:
        break;
    }
#endif
    return &gemm_kernels_c;
}

size_t gemm_scratch(size_t m, size_t n, size_t k) {
    size_t tall = (m + GEMM_TALL) * gemm_depth(k), panels = gemm_panels(m, n, k);
    size_t turned = n * gemm_turned_row(m < 64 ? m : 64);
    size_t other = gemm_panels(n, m < 64 ? m : 64, k); /* of the product turned round */
    return GEMM_TALL * GEMM_WIDE + (panels > other ? panels : other) +
           (tall > turned ? tall : turned);
}

void gemm_run(const gemm_job *job, float *scratch) {
    gemm_kernels_get()->run(job, scratch);
}
