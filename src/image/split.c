/* Which way of splitting is in use. */
#include "image/split.h"

split_rgb split_rgb_for(cpu_isa isa) {
    switch (isa) {
    case CPU_NONE:
        return split_rgb_c;
#ifdef __x86_64__
    case CPU_AVX2:
    case CPU_AVX512:
        return split_rgb_avx2;
    case CPU_AVX512V:
        return split_rgb_avx512v;
#endif
    default:
        return NULL;
    }
}

split_rgb split_rgb_used(void) {
    return split_rgb_for(cpu_isa_used());
}
